/// The filter of the jobs table: the same words as `odd jobs list` has.

import type { JobQuery } from "../api/client";
import { type JobStatus, STATUSES } from "../api/types";

const WORDS = "type, status, since, until, id";
const UNITS: Record<string, number> = { us: 1e-3, ms: 1, s: 1e3, m: 6e4, h: 3.6e6, d: 8.64e7 };
const LONGEST_MS = 365 * 8.64e7;
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/i;

export type Parsed = { query: JobQuery } | { error: string };

/// Reads `type:resize status:failed,retrying since:10m until:1m id:9f31`. A word without a colon is looked for in the id.
export function parse(text: string, now: number): Parsed {
  const query: JobQuery = { statuses: [] };
  try {
    for (const [name, value] of words(text)) {
      if (value === "") throw new Error(`${name}: stands for nothing`);
      take(query, name, value, now);
    }
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
  return { query };
}

function take(query: JobQuery, name: string, value: string, now: number): void {
  if (name === "type") query.type = value;
  else if (name === "status") query.statuses = value.split(",").map(statusOf);
  else if (name === "since") query.since = instant(value, now);
  else if (name === "until") query.until = instant(value, now);
  else if (name === "id") query.id = value;
  else throw new Error(`${name}: is unknown; there are ${WORDS}`);
}

function words(text: string): [string, string][] {
  const all = text.split(/\s+/).filter((word) => word !== "");
  return all.map((word) => {
    const colon = word.indexOf(":");
    return colon < 0 ? ["id", word] : [word.slice(0, colon), word.slice(colon + 1)];
  });
}

function statusOf(text: string): JobStatus {
  const found = STATUSES.find((status) => status === text.toUpperCase());
  if (found) return found;
  throw new Error(`"${text}" is no status; there are ${STATUSES.map((status) => status.toLowerCase()).join(", ")}`);
}

function instant(text: string, now: number): Date {
  if (INSTANT.test(text)) {
    const at = Date.parse(text);
    if (!Number.isNaN(at)) return new Date(at);
  }
  const ago = span(text);
  if (ago !== null) return new Date(now - ago);
  throw new Error(`"${text}" is neither a duration such as 10m nor a time such as 2026-01-31T12:00:00Z`);
}

/// Milliseconds of `500ms`, `2s`, `1.5m`, `1h`, `7d`, or several in a row; null where it is no duration.
export function span(text: string): number | null {
  if (!/^(\d+(\.\d+)?(us|ms|s|m|h|d))+$/.test(text)) return null;
  let ms = 0;
  for (const [, number, unit] of text.matchAll(/(\d+(?:\.\d+)?)(us|ms|s|m|h|d)/g)) {
    ms += Number(number) * (UNITS[unit ?? ""] ?? 0);
  }
  return ms <= LONGEST_MS ? ms : null;
}

/// The same as arguments of `odd jobs list`.
export const command = (text: string) =>
  `odd jobs list${words(text)
    .map(([name, value]) => ` --${name} ${quoted(value)}`)
    .join("")}`;

const quoted = (value: string) => (/^[\w.,:+-]*$/.test(value) ? value : `'${value.replaceAll("'", "'\\''")}'`);

/// The text with the statuses exchanged for these.
export function withStatuses(text: string, statuses: JobStatus[]): string {
  const others = text.split(/\s+/).filter((word) => word !== "" && !word.startsWith("status:"));
  const chosen = statuses.length > 0 ? [`status:${statuses.map((status) => status.toLowerCase()).join(",")}`] : [];
  return [...others, ...chosen].join(" ");
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/// Whether it is a whole id.
export const isId = (text: string) => UUID.test(text);
