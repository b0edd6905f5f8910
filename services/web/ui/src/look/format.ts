/// How figures are written: durations, counts, ages, ids. The same as everywhere in the product.

const MINUTE = 60;
const HOUR = 3_600;
const DAY = 86_400;

const decimal = (value: number, unit: string) => `${value < 9.95 ? value.toFixed(1) : value.toFixed(0)} ${unit}`;

/// `412 µs`, `3.1 ms`, `2.4 s`, `1 m 12 s`, `6 h 12 m`, `3 d 4 h`; a dash for what is not known.
export function duration(ms: number | undefined): string {
  if (ms === undefined || !Number.isFinite(ms)) return "–";
  const micros = Math.max(0, Math.round(ms * 1e3));
  if (micros < 1_000) return `${micros} µs`;
  if (micros < 999_950) return decimal(ms, "ms");
  if (micros < 59_950_000) return decimal(ms / 1e3, "s");
  const seconds = Math.round(ms / 1e3);
  if (seconds < HOUR) return `${Math.trunc(seconds / MINUTE)} m ${seconds % MINUTE} s`;
  const minutes = Math.trunc(seconds / MINUTE);
  if (seconds < DAY) return `${Math.trunc(seconds / HOUR)} h ${minutes % 60} m`;
  return `${Math.trunc(seconds / DAY)} d ${Math.trunc(seconds / HOUR) % 24} h`;
}

/// A count with thousands separators: `128,402`.
export function count(number: number): string {
  return Math.trunc(number)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ",");
}

/// A rate: one digit behind the point below ten.
export const rate = (perSecond: number) =>
  perSecond < 9.95 && perSecond > 0 ? perSecond.toFixed(1) : count(Math.round(perSecond));

/// An instant seen from `now`: `2 s ago`.
export function age(then: string, now: number): string {
  const at = Date.parse(then);
  if (Number.isNaN(at)) return "–";
  const ms = now - at;
  if (ms < 1_000) return "just now";
  return `${duration(Math.trunc(ms / 1_000) * 1_000).replace(".0 s", " s")} ago`;
}

/// Time of day with milliseconds, in UTC as the log lines have it: `12:04:31.204`.
export const clock = (at: string) => iso(at).slice(11, 23) || at;

/// `2026-01-31 12:04:31.204 UTC`.
export function dateAndClock(at: string): string {
  const text = iso(at);
  return text ? `${text.slice(0, 10)} ${text.slice(11, 23)} UTC` : at;
}

function iso(at: string): string {
  const ms = Date.parse(at);
  return Number.isNaN(ms) ? "" : new Date(ms).toISOString();
}

/// The first 8 characters of an id.
export const shortId = (id: string) => id.slice(0, 8);

/// `412 B`, `3.1 KiB`, `64 MiB`.
export function bytes(size: number): string {
  if (size < 1_024) return `${size} B`;
  const units = ["KiB", "MiB", "GiB", "TiB"];
  let value = size / 1_024;
  let unit = 0;
  while (value >= 1_023.95 && unit + 1 < units.length) {
    value /= 1_024;
    unit += 1;
  }
  return decimal(value, units[unit] ?? "TiB");
}
