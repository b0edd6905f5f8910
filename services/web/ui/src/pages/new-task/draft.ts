/// What is written into the form, the submission that it makes, and what is wrong with it.

import schema from "../../../../../../contracts/schemas/job-submission.json";
import type { FieldError } from "../../api/types";
import { type Schema, validate } from "../../look/schema";

/// Texts of the fields, as they were written. An empty one leaves its field out.
export interface Draft {
  type: string;
  payload: string;
  metadata: string;
  id: string;
  maxAttempts: string;
  backoffMs: string;
  timeoutMs: string;
  delayMs: string;
  runAt: string;
}

export type Field = keyof Draft;

export const EMPTY: Draft = {
  type: "",
  payload: "{}",
  metadata: "",
  id: "",
  maxAttempts: "",
  backoffMs: "",
  timeoutMs: "",
  delayMs: "",
  runAt: "",
};

/// Place of each field in the submission, as a JSON pointer.
export const PLACES: Record<Field, string> = {
  type: "/type",
  payload: "/payload",
  metadata: "/metadata",
  id: "/id",
  maxAttempts: "/options/maxAttempts",
  backoffMs: "/options/backoffMs",
  timeoutMs: "/options/timeoutMs",
  delayMs: "/options/delayMs",
  runAt: "/options/runAt",
};

const NUMBERS = ["maxAttempts", "backoffMs", "timeoutMs", "delayMs"] as const;

export interface Checked {
  submission: Record<string, unknown>;
  errors: FieldError[];
}

/// The submission, and every place where it breaks the contract.
export function check(draft: Draft): Checked {
  const errors: FieldError[] = [];
  const submission: Record<string, unknown> = { type: draft.type.trim() };
  if (draft.id.trim()) submission.id = draft.id.trim();
  for (const field of ["payload", "metadata"] as const) {
    const text = draft[field].trim();
    if (text === "") continue;
    try {
      submission[field] = JSON.parse(text);
    } catch (error) {
      errors.push({ path: PLACES[field], message: `is no JSON: ${error instanceof Error ? error.message : ""}` });
    }
  }
  const options = optionsOf(draft);
  if (Object.keys(options).length > 0) submission.options = options;
  return { submission, errors: [...errors, ...validate(schema as Schema, submission)] };
}

function optionsOf(draft: Draft): Record<string, unknown> {
  const options: Record<string, unknown> = {};
  for (const field of NUMBERS) {
    const text = draft[field].trim();
    // What is no number stays a text, which the schema names as such.
    if (text !== "") options[field] = /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
  }
  if (draft.runAt.trim()) options.runAt = withZone(draft.runAt.trim());
  return options;
}

/// A field for date and time gives local time without a zone.
function withZone(text: string): string {
  const at = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?$/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(at) ? text : new Date(at).toISOString();
}

/// The errors of one field: those at its place and within.
export function errorsOf(field: Field, errors: FieldError[]): string[] {
  const place = PLACES[field];
  const within = (path: string) => path === place || path.startsWith(`${place}/`);
  return errors
    .filter(({ path }) => within(path))
    .map(({ path, message }) => `${path.slice(place.length + 1)} ${message}`.trim());
}

/// Errors that belong to no field of the form.
export function others(errors: FieldError[]): FieldError[] {
  const places = Object.values(PLACES);
  return errors.filter(({ path }) => !places.some((place) => path === place || path.startsWith(`${place}/`)));
}

/// The same on the command line.
export function command({ submission }: Checked): string {
  const quoted = (value: unknown) => `'${JSON.stringify(value).replaceAll("'", "'\\''")}'`;
  const { type, payload, metadata, id } = submission;
  const options = (submission.options ?? {}) as Record<string, unknown>;
  const parts = ["odd submit", String(type) || "TYPE"];
  if (payload !== undefined && JSON.stringify(payload) !== "{}") parts.push(`--payload ${quoted(payload)}`);
  if (metadata !== undefined) parts.push(`--metadata ${quoted(metadata)}`);
  if (id !== undefined) parts.push(`--id ${id}`);
  if (options.maxAttempts !== undefined) parts.push(`--max-attempts ${options.maxAttempts}`);
  if (options.backoffMs !== undefined) parts.push(`--backoff ${options.backoffMs}ms`);
  if (options.timeoutMs !== undefined) parts.push(`--job-timeout ${options.timeoutMs}ms`);
  if (options.delayMs !== undefined) parts.push(`--delay ${options.delayMs}ms`);
  if (options.runAt !== undefined) parts.push(`--at ${options.runAt}`);
  return parts.join(" ");
}
