/// What the read-model tells of the last minute, kept for five.

import type { Latency, Stats } from "../api/types";

/// Seconds that are kept.
export const KEPT_SECONDS = 300;
/// Seconds that are shown at least.
const LEAST_SECONDS = 60;

interface Second {
  /// Seconds since 1970.
  at: number;
  ended: number;
}

interface Sample {
  /// Milliseconds since 1970.
  at: number;
  total: number;
  completed: number;
  failed: number;
  open: number;
  latency: Latency | undefined;
}

/// A figure over time; a hole where it is not known.
export type Line = (number | null)[];

export class History {
  constructor(
    readonly seconds: readonly Second[] = [],
    readonly samples: readonly Sample[] = [],
  ) {}

  /// With an answer that came at `now`. Its last second is the running one, which is not whole yet and left out.
  with(stats: Stats, now: number): History {
    const running = Math.trunc(now / 1_000);
    const whole = stats.throughput.slice(0, -1);
    const told = whole.map((ended, place) => ({ at: running - whole.length + place, ended }));
    const first = told[0]?.at ?? running;
    const oldest = running - KEPT_SECONDS;
    const seconds = [...this.seconds.filter(({ at }) => at < first && at >= oldest), ...told];
    const sample: Sample = {
      at: now,
      total: stats.total,
      completed: stats.completed,
      failed: stats.failed,
      open: openJobs(stats),
      latency: stats.latencyMs,
    };
    const samples = [...this.samples.filter(({ at }) => at >= oldest * 1_000), sample];
    return new History(seconds, samples);
  }

  /// First and last second of what is shown, without a hole.
  get range(): [number, number] {
    const last = this.seconds.at(-1)?.at ?? 0;
    const first = this.seconds[0]?.at ?? last;
    return [Math.min(first, last - LEAST_SECONDS + 1), last];
  }

  /// Jobs that ended in each second: instants and figures.
  get throughput(): [number[], Line] {
    return this.#line(new Map(this.seconds.map(({ at, ended }) => [at, ended])));
  }

  /// A percentile in each second in which it was told.
  latency(which: keyof Latency): [number[], Line] {
    return this.#line(
      new Map(this.samples.map(({ at, latency }) => [Math.trunc(at / 1_000), latency?.[which] ?? null])),
    );
  }

  #line(by: Map<number, number | null>): [number[], Line] {
    const [first, last] = this.range;
    const at = Array.from({ length: Math.max(0, last - first + 1) }, (_, place) => first + place);
    return [at, at.map((second) => by.get(second) ?? null)];
  }

  /// A figure as it was told, oldest first.
  of(which: "total" | "completed" | "failed" | "open"): number[] {
    return this.samples.map((sample) => sample[which]);
  }
}

/// Jobs that have not ended.
export const openJobs = (stats: Stats) => Math.max(0, stats.total - stats.completed - stats.failed - stats.cancelled);
