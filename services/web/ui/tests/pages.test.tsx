// @vitest-environment jsdom

import { render } from "preact";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Overview } from "../src/api/types";
import { Jobs } from "../src/pages/dashboard/jobs";
import { JobPage } from "../src/pages/job";
import { NewTask } from "../src/pages/new-task";
import { Banner } from "../src/parts/banner";
import { Header } from "../src/parts/header";
import { now, overview } from "../src/state/store";
import { choose, next, theme } from "../src/state/theme";

type Answer = { status?: number; body: unknown };
const ID = "9f31c2ab-0000-4000-8000-000000000001";
const place = document.createElement("div");
let answers: Record<string, Answer | undefined> = {};
let asked: { path: string; body: unknown }[] = [];

beforeEach(() => {
  answers = {};
  asked = [];
  document.body.append(place);
  vi.stubGlobal("fetch", async (path: string, made: RequestInit) => {
    asked.push({ path, body: made.body ? JSON.parse(String(made.body)) : undefined });
    const answer = answers[path.split("?")[0] ?? ""];
    if (!answer) throw new TypeError("Failed to fetch");
    return new Response(JSON.stringify(answer.body), { status: answer.status ?? 200 });
  });
});

afterEach(() => {
  render(null, place);
  vi.unstubAllGlobals();
  overview.data.value = null;
  overview.error.value = null;
  overview.at.value = 0;
  choose("system");
  location.hash = "";
});

/// Waits for a state, up to a second.
async function until(holds: () => boolean): Promise<void> {
  await vi.waitFor(() => expect(holds()).toBe(true), { timeout: 1_000, interval: 5 });
}

const says = (text: string) => until(() => (place.textContent ?? "").includes(text));

function find<T extends Element>(selector: string): T {
  const found = place.querySelector<T>(selector);
  if (!found) throw new Error(`there is no ${selector} in ${place.innerHTML}`);
  return found;
}

function write(name: string, text: string): void {
  const field = find<HTMLInputElement | HTMLTextAreaElement>(`[name=${name}]`);
  field.value = text;
  field.dispatchEvent(new Event("input", { bubbles: true }));
}

const button = (text: string) => [...place.querySelectorAll("button")].find((one) => one.textContent?.includes(text));

describe("the form", () => {
  beforeEach(() => render(<NewTask like={new URLSearchParams()} />, place));

  it("says in its place what is wrong, and asks nobody", async () => {
    write("type", "no spaces");
    await says("must consist of A-Z");
    expect(find("[name=type]").getAttribute("aria-invalid")).toBe("true");
    expect(find("[name=payload]").getAttribute("aria-invalid")).toBe("false");
    button("Submit")?.click();
    await says("1 place is not right yet");
    expect(asked).toEqual([]);
  });

  it("goes to the job that was accepted", async () => {
    answers["/gateway/jobs"] = {
      status: 202,
      body: { jobId: ID, eventId: "e", status: "PENDING", correlationId: "c" },
    };
    write("type", "resize");
    write("payload", '{"a": 1}');
    await says("odd submit resize --payload");
    button("Submit")?.click();
    await until(() => location.hash === `#/jobs/${ID}`);
    expect(asked).toEqual([{ path: "/gateway/jobs", body: { type: "resize", payload: { a: 1 } } }]);
  });

  it("shows what the gateway says, at the field that it names", async () => {
    const errors = [{ path: "/payload/a", message: "is not liked" }];
    answers["/gateway/jobs"] = {
      status: 400,
      body: { code: "validation_failed", detail: "1 place breaks the contract", errors },
    };
    write("type", "resize");
    await until(() => find<HTMLInputElement>("[name=type]").value === "resize");
    button("Submit")?.click();
    await says("a is not liked");
    expect(place.textContent).toContain("1 place breaks the contract (validation_failed)");
    expect(find("[name=payload]").getAttribute("aria-invalid")).toBe("true");
  });
});

describe("the jobs table", () => {
  it("says where there are none yet how to make one", async () => {
    answers["/api/jobs"] = { body: { jobs: [] } };
    render(<Jobs filter="" />, place);
    await says("No jobs yet: odd submit hello");
    expect(find('a[href="#/new"]').textContent).toBe("New task");
  });

  it("offers all where the filter lets none through", async () => {
    answers["/api/jobs"] = { body: { jobs: [] } };
    render(<Jobs filter="status:failed type:x" />, place);
    await says("No job fits the filter.");
    expect(asked[0]?.path).toBe("/api/jobs?status=FAILED&type=x&limit=25");
    expect(button("failed")?.getAttribute("aria-pressed")).toBe("true");
  });

  it("asks for nothing where the filter means nothing", async () => {
    render(<Jobs filter="colour:red" />, place);
    await says("colour: is unknown");
    expect(place.textContent).toContain("Nothing is asked for");
    expect(asked).toEqual([]);
  });

  it("says why nothing can be shown", async () => {
    answers["/api/jobs"] = {
      status: 503,
      body: { code: "store_unavailable", detail: "the job store does not answer" },
    };
    render(<Jobs filter="" />, place);
    await says("the job store does not answer (store_unavailable)");
    expect(button("Ask again")).toBeDefined();
  });

  it("leads to the job", async () => {
    const job = {
      id: ID,
      type: "<b>x</b>",
      status: "FAILED",
      createdAt: "2026-01-31T12:00:00Z",
      updatedAt: "",
      attempt: 3,
      maxAttempts: 3,
      queuedMs: 0.8,
    };
    answers["/api/jobs"] = { body: { jobs: [job], nextCursor: "c" } };
    render(<Jobs filter="" />, place);
    await says("✗ FAILED");
    expect(find("tbody a").getAttribute("href")).toBe(`#/jobs/${ID}`);
    expect(find("tbody").textContent).toContain("<b>x</b>✗ FAILED3/3800 µs–");
    button("Older")?.click();
    await until(() => asked.some(({ path }) => path.includes("cursor=c")));
  });
});

describe("a job that nobody knows yet", () => {
  it("is waited for", async () => {
    answers[`/api/jobs/${ID}`] = { status: 404, body: { code: "not_found", detail: `no job ${ID} is known (yet)` } };
    answers[`/api/jobs/${ID}/timeline`] = answers[`/api/jobs/${ID}`];
    render(<JobPage id={ID} />, place);
    await says("this page asks again by itself");
  });
});

describe("what is old", () => {
  const seen = {
    instance: "observatory",
    engine: "embedded",
    state: "healthy",
    startedAt: "2026-01-31T12:00:00Z",
    alerts: [],
    queues: [],
  };

  it("is not shown as if it were live", async () => {
    overview.data.value = seen as unknown as Overview;
    overview.at.value = now.value;
    answers["/api/overview"] = undefined;
    render([<Header key="h" />, <Banner key="b" />], place);
    await says("● healthy");
    expect(place.querySelector("[role=alert]")).toBeNull();
    const end = overview.use();
    await until(() => overview.error.value !== null);
    overview.at.value = now.value - 6_000;
    await says("✗ not live");
    await says("Nothing answers here any more.");
    end();
  });
});

describe("the theme", () => {
  it("is kept", () => {
    next();
    expect([theme.value, document.documentElement.dataset.theme, localStorage.getItem("odd.theme")]).toEqual([
      "dark",
      "dark",
      "dark",
    ]);
    next();
    expect(document.documentElement.dataset.theme).toBe("light");
    next();
    expect([theme.value, document.documentElement.dataset.theme, localStorage.getItem("odd.theme")]).toEqual([
      "system",
      undefined,
      null,
    ]);
  });
});
