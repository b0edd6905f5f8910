/// Glyph and tone of each state: a state can be read without its colour.

import type { AlertState, EventType, HealthState, JobStatus, Outcome, Severity } from "../api/types";

export type Tone = "ok" | "working" | "waiting" | "attention" | "bad" | "cancelled";
export interface Sign {
  glyph: string;
  tone: Tone;
}

const OK: Sign = { glyph: "✓", tone: "ok" };
const WORKING: Sign = { glyph: "●", tone: "working" };
const WAITING: Sign = { glyph: "◌", tone: "waiting" };
const RETRYING: Sign = { glyph: "↻", tone: "attention" };
const BAD: Sign = { glyph: "✗", tone: "bad" };
const CANCELLED: Sign = { glyph: "⊘", tone: "cancelled" };
const WARN: Sign = { glyph: "⚠", tone: "attention" };

const BY_STATUS: Record<JobStatus, Sign> = {
  PENDING: WAITING,
  SCHEDULED: WAITING,
  VALIDATED: WORKING,
  EXECUTING: WORKING,
  RETRYING,
  COMPLETED: OK,
  FAILED: BAD,
  CANCELLED,
};
const BY_OUTCOME: Record<Outcome, Sign> = {
  succeeded: OK,
  failed: BAD,
  timed_out: BAD,
  cancelled: CANCELLED,
  lost: WARN,
};
const BY_HEALTH: Record<HealthState, Sign> = { healthy: { glyph: "●", tone: "ok" }, degraded: WARN, down: BAD };
const BY_EVENT: Record<EventType, Tone> = {
  "job.created": "waiting",
  "job.scheduled": "waiting",
  "job.validated": "working",
  "job.executed": "working",
  "job.retrying": "attention",
  "job.completed": "ok",
  "job.failed": "bad",
  "job.dead_lettered": "bad",
  "job.cancelled": "cancelled",
};

// A later version may know more than this one: what is unknown is shown as waiting, with its own word.
export const ofStatus = (status: JobStatus): Sign => BY_STATUS[status] ?? WAITING;
export const ofOutcome = (outcome: Outcome): Sign => BY_OUTCOME[outcome] ?? WAITING;
export const ofHealth = (state: HealthState): Sign => BY_HEALTH[state] ?? WAITING;
export const ofEvent = (type: EventType): Tone => BY_EVENT[type] ?? "waiting";
export const ofAlert = (severity: Severity, state: AlertState): Sign =>
  state === "resolved" ? OK : severity === "critical" ? BAD : WARN;

export const isTerminal = (status: JobStatus) =>
  status === "COMPLETED" || status === "FAILED" || status === "CANCELLED";
