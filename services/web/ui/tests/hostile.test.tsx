// @vitest-environment jsdom

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { render } from "preact";
import { afterEach, describe, expect, it } from "vitest";
import type { EventEnvelope, TimelineSpan } from "../src/api/types";
import { line, plain, pretty } from "../src/look/text";
import { Attempts } from "../src/pages/job/attempts";
import { Waterfall } from "../src/pages/job/waterfall";
import { EventTable } from "../src/parts/event-table";
import { JsonBlock } from "../src/parts/json";

const MARKUP = `</pre><img src=x onerror="alert(1)"><script>alert(2)</script>`;
const place = document.createElement("div");

afterEach(() => render(null, place));

function shown(node: preact.ComponentChild): HTMLElement {
  document.body.append(place);
  render(node, place);
  return place;
}

function expectText(root: HTMLElement, text: string): void {
  expect(root.textContent).toContain(text);
  expect(root.querySelector("img, script, iframe")).toBeNull();
}

describe("text from outside", () => {
  it("cannot change the order of what stands around it", () => {
    expect(line("safe\u202eexe.txt")).toBe("safe\ufffdexe.txt");
    expect(line("a\r\nb\tc")).toBe("a b c");
    expect(plain("a\r\nb\u0000\u009b")).toBe("a\nb\ufffd\ufffd");
    expect(pretty({ a: "\u2066" })).toContain("\ufffd");
    expect(line("héllo ✓ 日本 עברית")).toBe("héllo ✓ 日本 עברית");
  });

  it("is text in a payload", () =>
    expectText(shown(<JsonBlock value={MARKUP} what="the payload" />), "<script>alert(2)</script>"));

  it("is text in errors and labels", () => {
    const span: TimelineSpan = {
      kind: "execution",
      label: MARKUP,
      attempt: 1,
      startedAt: "2026-01-31T12:00:00Z",
      finishedAt: "2026-01-31T12:00:01Z",
      durationMs: 1_000,
      outcome: "failed",
      error: MARKUP,
    };
    expectText(shown(<Waterfall spans={[span]} />), MARKUP);
    const executor = { service: MARKUP, instanceId: MARKUP, version: "1" };
    const attempt = { number: 1, take: 1, startedAt: span.startedAt, error: MARKUP, executor };
    expectText(shown(<Attempts attempts={[attempt]} />), MARKUP);
  });

  it("is text in events, and in the address of a job", () => {
    const event = {
      contractVersion: "1.1.0",
      eventType: MARKUP,
      eventId: "e",
      occurredAt: MARKUP,
      producer: { service: MARKUP, instanceId: "", version: "" },
      correlationId: "",
      idempotencyKey: "",
      payload: { id: "javascript:alert(1)//" },
    } as unknown as EventEnvelope;
    const root = shown(<EventTable events={[event]} caption="Events" withJob />);
    expectText(root, MARKUP);
    expect(root.querySelector("a")?.getAttribute("href")).toBe("#/jobs/javascript%3Aalert(1)%2F%2F");
  });

  it("meets no code that writes markup, and no markup with a style or script of its own", () => {
    const root = dirname(dirname(fileURLToPath(import.meta.url)));
    const source = join(root, "src");
    const files = readdirSync(source, { recursive: true, encoding: "utf8" }).filter((name) => /\.tsx?$/.test(name));
    expect(files.length).toBeGreaterThan(30);
    for (const name of files) {
      const text = readFileSync(join(source, name), "utf8");
      expect(text, name).not.toMatch(
        /innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|style="/i,
      );
    }
    const html = readFileSync(join(root, "index.html"), "utf8");
    expect(html).not.toMatch(/<style|style=|javascript:|\/\/|<script>|\son\w+=/i);
  });
});
