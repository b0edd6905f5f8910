import { useEffect, useRef } from "preact/hooks";
import { isId } from "../look/filter";
import { duration } from "../look/format";
import { ofHealth } from "../look/sign";
import { line } from "../look/text";
import { go, route, to } from "../state/route";
import { now, overview, staleSince } from "../state/store";
import { next, theme } from "../state/theme";

const PAGES: [string, string][] = [
  ["", "Dashboard"],
  ["events", "Events"],
  ["dead-letters", "Dead letters"],
  ["alerts", "Alerts"],
  ["interfaces", "Interfaces"],
  ["terminal", "Terminal"],
];
const THEMES = { system: ["◐", "as the system has it"], dark: ["☾", "dark"], light: ["☀", "light"] } as const;

export const Header = () => (
  <header class="top">
    <a class="brand" href="#/" aria-label="odd observatory: the dashboard">
      <span class="logo" aria-hidden="true" />
      odd <span class="muted brand-more">observatory</span>
    </a>
    <State />
    <Search />
    <a class="button primary" href="#/new">
      New task
    </a>
    <ThemeSwitch />
    <Pages />
  </header>
);

function State() {
  const seen = overview.data.value;
  if (!seen)
    return (
      <p class="where muted" role="status">
        {overview.error.value ? "✗ not known" : "◌ asking…"}
      </p>
    );
  const stale = staleSince.value !== null;
  const sign = ofHealth(seen.state);
  const up = duration(now.value - Date.parse(seen.startedAt));
  return (
    <p class="where">
      <span role="status" class={stale ? "muted" : `state is-${sign.tone}`}>
        {stale ? "✗ not live" : `${sign.glyph} ${seen.state}`}
      </span>{" "}
      <span class="muted">
        {line(seen.instance)} · {line(seen.engine)}
        <span class="where-more"> · read-model up {up}</span>
      </span>
    </p>
  );
}

function Search() {
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const focus = (event: KeyboardEvent) => {
      if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || writes(event.target)) return;
      event.preventDefault();
      field.current?.focus();
    };
    addEventListener("keydown", focus);
    return () => removeEventListener("keydown", focus);
  }, []);
  const search = (event: Event) => {
    event.preventDefault();
    const text = field.current?.value.trim() ?? "";
    if (isId(text)) go(to(["jobs", text.toLowerCase()]));
    else go(to([], { q: text }));
    if (field.current) field.current.value = "";
  };
  return (
    <search class="search">
      <form onSubmit={search}>
        <input
          ref={field}
          type="search"
          aria-label="Find jobs by id, or by words such as type:resize status:failed"
          aria-keyshortcuts="/"
          placeholder="Find: id, type:, status:, since:"
          autocomplete="off"
          spellcheck={false}
          maxLength={300}
        />
        <span class="key-hint" aria-hidden="true">
          /
        </span>
      </form>
    </search>
  );
}

function writes(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  );
}

function ThemeSwitch() {
  const [glyph, said] = THEMES[theme.value];
  return (
    <button type="button" class="icon" onClick={next} aria-label={`Theme: ${said}. Change it`} title={`Theme: ${said}`}>
      <span aria-hidden="true">{glyph}</span>
    </button>
  );
}

function Pages() {
  const here = route.value.path[0] ?? "";
  const firing = (overview.data.value?.alerts.length ?? 0) + (overview.data.value?.alertsOmitted ?? 0);
  const aside = overview.data.value?.queues.find(({ name }) => name === "jobs.dead-letter")?.ready ?? 0;
  const counts: Record<string, number> = { alerts: firing, "dead-letters": aside };
  const nav = useRef<HTMLElement>(null);
  // On a phone not all of them have room.
  useEffect(() => {
    const [shown, link] = [nav.current, nav.current?.querySelector<HTMLElement>("[aria-current]")];
    if (shown && link) shown.scrollLeft = link.offsetLeft - (shown.clientWidth - link.offsetWidth) / 2;
  }, [here]);
  return (
    <nav ref={nav} class="pages" aria-label="Pages">
      {PAGES.map(([path, name]) => (
        <a key={path} href={to(path ? [path] : [])} aria-current={here === path ? "page" : undefined}>
          {name}
          {counts[path] ? <span class={`badge ${path === "alerts" ? "is-attention" : ""}`}>{counts[path]}</span> : null}
        </a>
      ))}
    </nav>
  );
}
