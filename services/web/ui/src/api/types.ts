/// What the read-model and the gateway say, as their OpenAPI descriptions have it.

export const STATUSES = [
  "PENDING",
  "VALIDATED",
  "SCHEDULED",
  "EXECUTING",
  "RETRYING",
  "COMPLETED",
  "FAILED",
  "CANCELLED",
] as const;
export type JobStatus = (typeof STATUSES)[number];

export const EVENT_TYPES = [
  "job.created",
  "job.validated",
  "job.scheduled",
  "job.executed",
  "job.retrying",
  "job.completed",
  "job.failed",
  "job.cancelled",
  "job.dead_lettered",
] as const;
export type EventType = (typeof EVENT_TYPES)[number];

export type Json = null | boolean | number | string | Json[] | JsonObject;
export interface JsonObject {
  [name: string]: Json;
}

export type HealthState = "healthy" | "degraded" | "down";
export type Severity = "warning" | "critical";
export type AlertState = "pending" | "firing" | "resolved";
export type Outcome = "succeeded" | "failed" | "timed_out" | "cancelled" | "lost";
export type SpanKind = "queue_wait" | "delay" | "slot_wait" | "execution" | "backoff" | "recovery" | "completion";

export interface Producer {
  service: string;
  instanceId: string;
  version: string;
}

export interface JobSummary {
  id: string;
  type: string;
  status: JobStatus;
  createdAt: string;
  updatedAt: string;
  attempt: number;
  maxAttempts: number;
  queuedMs?: number;
  ranMs?: number;
  error?: string;
}

export interface JobPage {
  jobs: JobSummary[];
  nextCursor?: string;
}

export interface JobAttempt {
  number: number;
  take: number;
  startedAt: string;
  finishedAt?: string;
  outcome?: Outcome;
  error?: string;
  retryAt?: string;
  executor: Producer;
}

export interface JobDetail {
  id: string;
  type: string;
  status: JobStatus;
  createdAt: string;
  updatedAt?: string;
  payload: JsonObject;
  metadata?: JsonObject;
  options?: JsonObject;
  retryOf?: string;
  correlationId: string;
  submittedAt: string;
  submittedBy: Producer;
  takenBy: Producer;
  attempt: number;
  takes: number;
  scheduledFor?: string;
  finishedAt?: string;
  result?: Json;
  error?: string;
  cancelRequested?: boolean;
  attempts: JobAttempt[];
}

export interface EventEnvelope {
  contractVersion: string;
  eventType: EventType;
  eventId: string;
  occurredAt: string;
  producer: Producer;
  correlationId: string;
  idempotencyKey: string;
  payload: JsonObject;
  sequence?: number;
  causationId?: string;
  traceparent?: string;
}

export interface EventPage {
  events: EventEnvelope[];
  nextCursor?: string;
  followCursor?: string;
}

export interface TimelineSpan {
  kind: SpanKind;
  label: string;
  attempt: number;
  startedAt: string;
  finishedAt?: string;
  durationMs: number;
  outcome?: Outcome;
  error?: string;
}

export interface Timeline {
  id: string;
  type: string;
  status: JobStatus;
  correlationId: string;
  createdAt: string;
  totalMs: number;
  spans: TimelineSpan[];
  events: EventEnvelope[];
  complete: boolean;
}

export interface Latency {
  p50: number;
  p90: number;
  p99: number;
  max: number;
}

export interface Stats {
  total: number;
  byStatus: Partial<Record<JobStatus, number>>;
  retries: number;
  deadLettered: number;
  byType: Record<string, { total: number; completed: number; failed: number; cancelled: number }>;
  completed: number;
  failed: number;
  retrying: number;
  cancelled: number;
  throughput: number[];
  jobsPerSecond: number;
  latencyMs?: Latency;
}

export interface RoleHealth {
  role: string;
  state: HealthState;
  url: string;
  version?: string;
  detail?: string;
  replicas?: { total: number; ready: number };
}

export interface DependencyHealth {
  name: string;
  adapter: string;
  state: HealthState;
  latencyMs?: number;
  detail?: string;
}

export interface QueueDepth {
  name: string;
  ready: number;
  unacknowledged: number;
  oldestMs?: number;
}

export interface Alert {
  name: string;
  severity: Severity;
  state: AlertState;
  subject: string;
  summary: string;
  runbook: string;
  runbookUrl?: string;
  since: string;
  resolvedAt?: string;
  source?: string;
}

export interface AlertSource {
  name: string;
  state: HealthState;
  checkedAt?: string;
  detail?: string;
}

export interface AlertList {
  source: string;
  alerts: Alert[];
  omitted?: number;
  alertSource?: AlertSource;
}

export interface AlertHistory {
  alerts: Alert[];
}

export interface Overview {
  version: number;
  instance: string;
  engine: string;
  state: HealthState;
  startedAt: string;
  generatedAt: string;
  roles: RoleHealth[];
  dependencies: DependencyHealth[];
  queues: QueueDepth[];
  queuesUnknown?: string;
  alerts: Alert[];
  alertsOmitted?: number;
  alertSource?: AlertSource;
}

export interface DeadLetter {
  id: string;
  reason: string;
  detail: string;
  queue: string;
  deadLetteredAt: string;
  jobId?: string;
  contentType?: string;
  headers: JsonObject;
  size: number;
  bodyBase64: string;
  bodyText?: string;
}

export interface DeadLetterPage {
  deadLetters: DeadLetter[];
  nextCursor?: string;
}

export interface JobAccepted {
  jobId: string;
  eventId: string;
  status: JobStatus;
  correlationId: string;
  duplicate?: boolean;
}

export interface ScrapeTarget {
  job: string;
  instance: string;
  health: "up" | "down" | "unknown";
  lastError?: string;
}

export interface TargetList {
  targets: ScrapeTarget[];
}

export interface UiEntry {
  id: string;
  name: string;
  description: string;
  port: number;
  path: string;
  engines: string[];
  profiles?: string[];
}

export interface Interfaces {
  version: number;
  port: number;
  portOffset: number;
  entries: UiEntry[];
}

export interface FieldError {
  path: string;
  message: string;
}

export interface Problem {
  title?: string;
  status?: number;
  code?: string;
  detail?: string;
  correlationId?: string;
  jobId?: string;
  errors?: FieldError[];
}
