// @vitest-environment jsdom

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Stats } from "../src/api/types";
import { History, KEPT_SECONDS } from "../src/state/history";
import { Pages } from "../src/state/pages";
import { Resource, STALE_MS } from "../src/state/resource";
import { read, to } from "../src/state/route";
import { staleness } from "../src/state/store";

const stats = (throughput: number[]): Stats => ({
  total: 10,
  byStatus: {},
  byType: {},
  retries: 0,
  deadLettered: 0,
  completed: 6,
  failed: 1,
  retrying: 0,
  cancelled: 1,
  throughput,
  jobsPerSecond: 1,
  latencyMs: { p50: 1, p90: 2, p99: 3, max: 4 },
});

describe("the history", () => {
  it("joins what is told again and again, without the second that runs", () => {
    const first = new History().with(stats([1, 2, 3, 9]), 1_003_500);
    const second = first.with(stats([2, 3, 4, 9]), 1_004_500);
    expect(second.seconds).toEqual([1, 2, 3, 4].map((ended, at) => ({ at: 1_000 + at, ended })));
    expect(second.of("open")).toEqual([2, 2]);
  });

  it("shows a minute at least, and a hole as a hole", () => {
    const [at, ended] = new History().with(stats([5, 0]), 1_001_000).throughput;
    expect(at).toHaveLength(60);
    expect(at.at(-1)).toBe(1_000);
    expect(ended.slice(-2)).toEqual([null, 5]);
  });

  it("forgets", () => {
    let history = new History();
    for (let second = 0; second < 1_000; second += 1) history = history.with(stats([1, 0]), second * 1_000);
    expect(history.seconds.length).toBeLessThanOrEqual(KEPT_SECONDS + 1);
    expect(history.samples.length).toBeLessThanOrEqual(KEPT_SECONDS + 1);
  });
});

describe("a resource", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("asks as long as somebody looks, and is old without an answer for five seconds", async () => {
    let fails = false;
    const load = vi.fn(async () => {
      if (fails) throw new Error("gone");
      return 1;
    });
    const resource = new Resource(load, 2_000);
    const end = resource.use();
    await vi.advanceTimersByTimeAsync(4_100);
    expect(load).toHaveBeenCalledTimes(3);
    expect(staleness(resource, Date.now())).toBeNull();
    fails = true;
    await vi.advanceTimersByTimeAsync(STALE_MS + 2_000);
    expect(resource.data.value).toBe(1);
    expect(resource.error.value?.message).toBe("gone");
    expect(staleness(resource, Date.now())).toBe(resource.at.value);
    fails = false;
    await vi.advanceTimersByTimeAsync(15_000);
    expect(staleness(resource, Date.now())).toBeNull();
    end();
    const asked = load.mock.calls.length;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(load).toHaveBeenCalledTimes(asked);
  });

  it("is not called old between two questions that are far apart", async () => {
    const resource = new Resource(async () => 1, 30_000);
    const end = resource.use();
    await vi.advanceTimersByTimeAsync(29_000);
    expect(staleness(resource, Date.now())).toBeNull();
    end();
    await vi.advanceTimersByTimeAsync(6_000);
    expect(staleness(resource, Date.now())).toBe(resource.at.value);
  });

  it("is asked once a second at most, whatever happens", async () => {
    const load = vi.fn(async () => 1);
    const resource = new Resource(load, 60_000);
    const end = resource.use();
    for (let turn = 0; turn < 300; turn += 1) {
      resource.refresh();
      await vi.advanceTimersByTimeAsync(16);
    }
    expect(load.mock.calls.length).toBeGreaterThanOrEqual(4);
    expect(load.mock.calls.length).toBeLessThanOrEqual(6);
    end();
  });
});

describe("pages", () => {
  it("go on and back by their cursors", () => {
    const pages = new Pages();
    pages.turn(-1, undefined);
    pages.turn(1, undefined);
    expect(pages.number).toBe(0);
    pages.turn(1, "b");
    pages.turn(1, "c");
    expect([pages.number, pages.cursor]).toEqual([2, "c"]);
    pages.turn(-1, "d");
    expect([pages.number, pages.cursor]).toEqual([1, "b"]);
  });
});

describe("addresses", () => {
  it("say the same when they are read again", () => {
    const { path, query } = read(to(["jobs", "a/b c"], { q: "status:failed since:10m", none: undefined }));
    expect(path).toEqual(["jobs", "a/b c"]);
    expect([...query]).toEqual([["q", "status:failed since:10m"]]);
    expect(read("#/%E0%A4%A").path).toEqual(["%E0%A4%A"]);
    expect(read("").path).toEqual([]);
  });
});
