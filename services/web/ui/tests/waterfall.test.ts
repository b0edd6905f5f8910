import { describe, expect, it } from "vitest";
import type { SpanKind, TimelineSpan } from "../src/api/types";
import { bars, micros, ticks } from "../src/look/waterfall";

function span(
  kind: SpanKind,
  label: string,
  fromMs: number,
  durationMs: number,
  more: Partial<TimelineSpan> = {},
): TimelineSpan {
  const at = (ms: number) => new Date(1_764_000_000_000 + ms).toISOString();
  return { kind, label, attempt: 1, startedAt: at(fromMs), finishedAt: at(fromMs + durationMs), durationMs, ...more };
}

const LIFE = [
  span("queue_wait", "queue wait", 0, 1),
  span("execution", "attempt 1", 1, 399, { outcome: "failed", error: "upstream 502\nmore" }),
  span("backoff", "backoff", 400, 200),
  span("execution", "attempt 2", 600, 400, { outcome: "succeeded" }),
];

describe("the waterfall", () => {
  it("puts bars behind each other on one scale", () => {
    const drawn = bars(LIFE);
    expect(drawn.map(({ left }) => left)).toEqual([0, 0.1, 40, 60]);
    expect(drawn.map(({ width }) => Math.round(width * 10) / 10)).toEqual([0.1, 39.9, 20, 40]);
    expect(drawn.map(({ tone }) => tone)).toEqual(["waiting", "bad", "attention", "ok"]);
    expect(drawn.map(({ works }) => works)).toEqual([false, true, false, true]);
    expect(drawn.map(({ time }) => time)).toEqual(["1.0 ms", "399 ms", "200 ms", "400 ms"]);
  });

  it("tells how each attempt ended, on one line", () => {
    expect(bars(LIFE)[1]?.verdict).toEqual({ glyph: "✗", tone: "bad", text: "upstream 502" });
    const late = bars([span("execution", "attempt 1", 0, 5, { outcome: "timed_out" })]);
    expect(late[0]?.verdict?.text).toBe("timeout");
  });

  it("has no end where a span lasts", () => {
    const { finishedAt: _, outcome: __, ...open } = span("execution", "attempt 2", 600, 400, {});
    const drawn = bars([...LIFE.slice(0, 3), open])[3];
    expect(drawn).toMatchObject({ open: true, time: "400 ms so far", tone: "working" });
    expect(drawn?.verdict).toBeUndefined();
  });

  it("draws a life without length, and none", () => {
    expect(bars([span("queue_wait", "queue wait", 0, 0)])[0]).toMatchObject({ left: 0, width: 0 });
    expect(bars([])).toEqual([]);
    expect(ticks([])).toEqual([]);
  });

  it("stays within its lane when clocks disagree", () => {
    for (const bar of bars([span("queue_wait", "q", 0, 10), span("execution", "a", -50, 80)])) {
      expect(bar.left).toBeGreaterThanOrEqual(0);
      expect(bar.left + bar.width).toBeLessThanOrEqual(100);
    }
  });

  it("marks quarters of the scale", () => {
    expect(ticks(LIFE)).toEqual([
      { left: 0, text: "0" },
      { left: 25, text: "250 ms" },
      { left: 50, text: "500 ms" },
      { left: 75, text: "750 ms" },
    ]);
  });

  it("keeps microseconds", () => {
    expect(micros("2026-01-31T12:00:00.000677Z") - micros("2026-01-31T12:00:00.000106Z")).toBeCloseTo(0.571, 2);
  });
});
