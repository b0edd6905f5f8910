import { beforeEach, describe, expect, it } from "vitest";
import type { EventEnvelope, EventPage } from "../src/api/types";
import { type Batch, LiveStream, MOST_KEPT, type Source, type StreamState } from "../src/live/stream";

class FakeSource implements Source {
  closed = false;
  #listeners = new Map<string, ((event: MessageEvent<string>) => void)[]>();

  addEventListener(type: string, listener: (event: MessageEvent<string>) => void): void {
    this.#listeners.set(type, [...(this.#listeners.get(type) ?? []), listener]);
  }

  close(): void {
    this.closed = true;
  }

  emit(type: string, data = "", lastEventId = ""): void {
    for (const listener of this.#listeners.get(type) ?? []) listener(new MessageEvent(type, { data, lastEventId }));
  }
}

const event = (n: number): EventEnvelope => ({
  contractVersion: "1.1.0",
  eventType: "job.completed",
  eventId: `event-${n}`,
  occurredAt: "2026-01-31T12:00:00Z",
  producer: { service: "processor", instanceId: "p", version: "1" },
  correlationId: "c",
  idempotencyKey: "k",
  payload: { id: `job-${n}` },
});

/// The log of events, and a world in which nothing happens by itself.
class Bed {
  log: EventEnvelope[] = [];
  sources: FakeSource[] = [];
  frames: (() => void)[] = [];
  timers: { run: () => void; ms: number }[] = [];
  batches: Batch[] = [];
  states: StreamState[] = [];
  asked: string[] = [];
  failing = false;
  stream = new LiveStream(
    {
      open: () => {
        const source = new FakeSource();
        this.sources.push(source);
        return source;
      },
      after: async (cursor, limit): Promise<EventPage> => {
        if (this.failing) throw new Error("away");
        this.asked.push(cursor);
        const from = Number(cursor);
        const events = this.log.slice(from, from + limit);
        return { events, followCursor: String(from + events.length) };
      },
      mark: async () => {
        if (this.failing) throw new Error("away");
        return String(this.log.length);
      },
      frame: (run) => this.frames.push(run),
      timer: (run, ms) => {
        const timer = { run, ms };
        this.timers.push(timer);
        return () => {
          this.timers = this.timers.filter((other) => other !== timer);
        };
      },
    },
    (batch) => this.batches.push(batch),
    (state) => this.states.push(state),
  );

  get source(): FakeSource {
    const last = this.sources.at(-1);
    if (!last) throw new Error("no source was opened");
    return last;
  }

  /// Records an event, and sends it where `live`.
  happen(n: number, live: boolean): void {
    this.log.push(event(n));
    if (live) this.source.emit("job.completed", JSON.stringify(event(n)), `event-${n}`);
  }

  async open(): Promise<void> {
    this.source.emit("open");
    await this.settle();
  }

  async settle(): Promise<void> {
    for (let turn = 0; turn < 40; turn += 1) await Promise.resolve();
  }

  draw(): void {
    for (const run of this.frames.splice(0)) run();
  }

  elapse(): void {
    for (const { run } of this.timers.splice(0)) run();
  }

  seen(): string[] {
    return this.batches.flatMap(({ events }) => events.map(({ data }) => (JSON.parse(data) as EventEnvelope).eventId));
  }
}

describe("the live stream", () => {
  let bed: Bed;
  beforeEach(async () => {
    bed = new Bed();
    bed.happen(0, false);
    bed.stream.start();
    await bed.open();
  });

  it("hands over once a picture, however many events came", () => {
    for (let n = 1; n <= 5_000; n += 1) bed.source.emit("job.completed", JSON.stringify(event(n)), `event-${n}`);
    expect(bed.frames).toHaveLength(1);
    bed.draw();
    expect(bed.batches).toHaveLength(1);
    expect(bed.batches[0]).toMatchObject({ count: 5_000, dropped: 0, gap: false });
    expect(bed.batches[0]?.events).toHaveLength(MOST_KEPT);
    expect(bed.seen().at(-1)).toBe("event-5000");
  });

  it("asks after a break for what was recorded meanwhile, and shows nothing twice", async () => {
    bed.happen(1, true);
    bed.source.emit("error");
    expect(bed.states.at(-1)).toBe("broken");
    expect(bed.source.closed).toBe(true);
    bed.happen(2, false);
    bed.happen(3, false);
    bed.elapse();
    expect(bed.sources).toHaveLength(2);
    await bed.open();
    bed.source.emit("job.completed", JSON.stringify(event(3)), "event-3");
    bed.draw();
    expect(bed.asked).toEqual(["1"]);
    expect(bed.seen()).toEqual(["event-1", "event-2", "event-3"]);
    expect(bed.batches.every(({ gap }) => !gap)).toBe(true);
    expect(bed.states.at(-1)).toBe("live");
  });

  it("tells of a gap where too much was missed, and goes on from the present", async () => {
    bed.source.emit("error");
    for (let n = 1; n <= 2_500; n += 1) bed.happen(n, false);
    bed.elapse();
    await bed.open();
    bed.draw();
    expect(bed.asked).toHaveLength(4);
    expect(bed.batches.some(({ gap }) => gap)).toBe(true);
    bed.source.emit("error");
    bed.elapse();
    await bed.open();
    expect(bed.asked.at(-1)).toBe("2501");
  });

  it("tells of a gap where nobody can say what was missed", async () => {
    bed.source.emit("error");
    bed.failing = true;
    bed.elapse();
    await bed.open();
    bed.draw();
    expect(bed.batches.at(-1)?.gap).toBe(true);
  });

  it("comes back later each time, up to a bound", () => {
    const pauses: number[] = [];
    for (let turn = 0; turn < 8; turn += 1) {
      bed.source.emit("error");
      pauses.push(bed.timers.at(-1)?.ms ?? 0);
      bed.elapse();
    }
    expect(pauses[0]).toBeLessThanOrEqual(1_250);
    expect(pauses[7]).toBeGreaterThan(10_000);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(18_750);
    expect(bed.sources).toHaveLength(9);
  });

  it("keeps its place while it is closed", async () => {
    bed.stream.stop();
    expect(bed.source.closed).toBe(true);
    bed.happen(1, false);
    bed.stream.start();
    await bed.open();
    bed.draw();
    expect(bed.seen()).toEqual(["event-1"]);
  });

  it("counts what the server left out", () => {
    bed.source.emit("odd.dropped", '{"dropped":12}');
    bed.source.emit("odd.dropped", "nonsense");
    bed.draw();
    expect(bed.batches.at(-1)?.dropped).toBe(13);
  });
});
