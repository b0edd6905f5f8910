import { describe, expect, it } from "vitest";
import { age, bytes, clock, count, dateAndClock, duration, rate } from "../src/look/format";

describe("durations", () => {
  it.each([
    [0.412, "412 µs"],
    [0.671, "671 µs"],
    [3.1, "3.1 ms"],
    [18, "18 ms"],
    [999.96, "1.0 s"],
    [2_400, "2.4 s"],
    [59_960, "1 m 0 s"],
    [72_000, "1 m 12 s"],
    [22_320_000, "6 h 12 m"],
    [273_600_000, "3 d 4 h"],
    [-1, "0 µs"],
  ])("%f ms read %s", (ms, text) => expect(duration(ms)).toBe(text));

  it("is a dash where there is none", () => {
    expect(duration(undefined)).toBe("–");
    expect(duration(Number.NaN)).toBe("–");
  });
});

describe("figures", () => {
  it("have separators of thousands", () => {
    expect([0, 999, 1_000, 128_402, 1_000_000].map(count)).toEqual(["0", "999", "1,000", "128,402", "1,000,000"]);
  });

  it("have a digit behind the point where they are small", () => {
    expect([0, 0.4, 9.94, 9.96, 1_204].map(rate)).toEqual(["0", "0.4", "9.9", "10", "1,204"]);
  });

  it("tell sizes in powers of 1,024", () => {
    expect([412, 3_174, 64 * 1_024 * 1_024].map(bytes)).toEqual(["412 B", "3.1 KiB", "64 MiB"]);
  });
});

describe("instants", () => {
  const now = Date.parse("2026-01-31T12:00:00Z");

  it("are seen from now", () => {
    expect(age("2026-01-31T12:00:00Z", now)).toBe("just now");
    expect(age("2026-01-31T11:59:57.600Z", now)).toBe("2 s ago");
    expect(age("2026-01-31T11:58:45Z", now)).toBe("1 m 15 s ago");
    expect(age("never", now)).toBe("–");
  });

  it("read as UTC, with milliseconds", () => {
    expect(clock("2025-11-24T16:00:00.123456Z")).toBe("16:00:00.123");
    expect(clock("2025-11-24T17:00:00.123456+01:00")).toBe("16:00:00.123");
    expect(dateAndClock("2025-11-24T16:00:00.123456Z")).toBe("2025-11-24 16:00:00.123 UTC");
  });
});
