/// A job's life as bars on one scale of time. No drawing.

import type { Outcome, TimelineSpan } from "../api/types";
import { duration } from "./format";
import { ofOutcome, type Sign, type Tone } from "./sign";
import { line } from "./text";

export interface Bar {
  label: string;
  /// Place and length, in per cent of the whole.
  left: number;
  width: number;
  tone: Tone;
  /// Whether a handler was at work; otherwise the job waited.
  works: boolean;
  /// Whether it lasts still.
  open: boolean;
  time: string;
  verdict?: Sign & { text: string };
}

export interface Tick {
  left: number;
  text: string;
}

/// One bar a span. Begins are taken from the spans' instants, lengths from their own figures, so that clocks of
/// different machines cannot draw a bar backwards.
export function bars(spans: TimelineSpan[]): Bar[] {
  const { begins, total } = scale(spans);
  const share = (ms: number) => (total > 0 ? (ms / total) * 100 : 0);
  return spans.map((span, at) => {
    const left = Math.min(100, share(begins[at] ?? 0));
    const open = span.finishedAt === undefined;
    const time = duration(span.durationMs);
    const bar: Bar = {
      label: line(span.label),
      left,
      width: Math.min(100 - left, share(Math.max(0, span.durationMs))),
      tone: toneOf(span),
      works: span.kind === "execution",
      open,
      time: open ? `${time} so far` : time,
    };
    if (span.outcome) bar.verdict = verdict(span.outcome, span.error);
    return bar;
  });
}

/// Four marks on the scale, the first at its begin.
export function ticks(spans: TimelineSpan[]): Tick[] {
  const { total } = scale(spans);
  if (total <= 0) return [];
  return [0, 25, 50, 75].map((left) => ({ left, text: left === 0 ? "0" : duration((total * left) / 100) }));
}

function scale(spans: TimelineSpan[]): { begins: number[]; total: number } {
  const first = Math.min(...spans.map((span) => micros(span.startedAt)));
  const begins = spans.map((span) => Math.max(0, micros(span.startedAt) - first));
  const total = Math.max(0, ...spans.map((span, at) => (begins[at] ?? 0) + Math.max(0, span.durationMs)));
  return { begins, total };
}

/// Milliseconds with their fraction: `Date.parse` alone drops microseconds.
export function micros(at: string): number {
  const ms = Date.parse(at);
  const fraction = /\.\d{3}(\d{1,6})/.exec(at)?.[1];
  return fraction ? ms + Number(`0.${fraction}`) : ms;
}

function toneOf(span: TimelineSpan): Tone {
  if (span.kind === "execution") return span.outcome ? ofOutcome(span.outcome).tone : "working";
  return span.kind === "backoff" || span.kind === "recovery" ? "attention" : "waiting";
}

function verdict(outcome: Outcome, error: string | undefined): Sign & { text: string } {
  const sign = ofOutcome(outcome);
  if (outcome === "succeeded") return { ...sign, text: "" };
  if (error) return { ...sign, text: line(error.split("\n")[0] ?? "") };
  return { ...sign, text: outcome === "timed_out" ? "timeout" : outcome };
}
