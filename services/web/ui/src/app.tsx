import { useEffect, useRef } from "preact/hooks";
import { Alerts } from "./pages/alerts";
import { Dashboard } from "./pages/dashboard";
import { DeadLetters } from "./pages/dead-letters";
import { Events } from "./pages/events";
import { InterfacesPage } from "./pages/interfaces";
import { JobPage } from "./pages/job";
import { NewTask } from "./pages/new-task";
import { Banner } from "./parts/banner";
import { Header } from "./parts/header";
import { Later } from "./parts/later";
import { type Route, route } from "./state/route";
import { overview } from "./state/store";

interface Shown {
  title: string;
  page: preact.JSX.Element;
}

function shown({ path: [first, second], query }: Route): Shown {
  switch (first) {
    case undefined:
      return { title: "Dashboard", page: <Dashboard filter={query.get("q") ?? ""} /> };
    case "jobs":
      if (second) return { title: `Job ${second.slice(0, 8)}`, page: <JobPage key={second} id={second} /> };
      return { title: "Dashboard", page: <Dashboard filter={query.get("q") ?? ""} /> };
    case "events":
      return { title: "Events", page: <Events query={query} /> };
    case "dead-letters":
      return { title: "Dead letters", page: <DeadLetters /> };
    case "alerts":
      return { title: "Alerts", page: <Alerts /> };
    case "new":
      return { title: "New task", page: <NewTask like={query} /> };
    case "interfaces":
      return { title: "Interfaces", page: <InterfacesPage /> };
    case "terminal":
      return { title: "Terminal", page: <Later load={terminal} what="the terminal" /> };
    default:
      return { title: "No such page", page: <Nowhere /> };
  }
}

/// Much larger than everything else, and seldom wanted.
const terminal = async () => (await import("./pages/terminal")).TerminalPage;

const Nowhere = () => (
  <section class="panel">
    <h1>No such page</h1>
    <p>
      Nothing is at this address. <a href="#/">The dashboard</a> leads everywhere.
    </p>
  </section>
);

export function App() {
  const { title, page } = shown(route.value);
  const place = `${route.value.path.join("/")}`;
  const main = useRef<HTMLElement>(null);
  const first = useRef(true);
  const instance = overview.data.value?.instance ?? "odd";
  useEffect(() => {
    document.title = `${title} · ${instance} · odd observatory`;
  }, [title, instance]);
  useEffect(() => {
    // Who changes the page with the keyboard goes on at its begin.
    if (!first.current) {
      main.current?.focus({ preventScroll: true });
      scrollTo({ top: 0, behavior: "instant" });
    }
    first.current = false;
  }, [place]);
  return (
    <>
      <button type="button" class="skip" onClick={() => main.current?.focus()}>
        Skip to the page
      </button>
      <Header />
      <main id="main" ref={main} tabIndex={-1} aria-label={title}>
        <Banner />
        {page}
      </main>
    </>
  );
}
