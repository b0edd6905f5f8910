/// Every question and every request of the page.

import { ask, WRITE_MS } from "./http";
import type {
  AlertHistory,
  AlertList,
  DeadLetterPage,
  EventPage,
  EventType,
  Interfaces,
  JobAccepted,
  JobDetail,
  JobPage,
  JobStatus,
  Overview,
  Stats,
  TargetList,
  Timeline,
} from "./types";

export interface JobQuery {
  statuses: JobStatus[];
  type?: string;
  since?: Date;
  until?: Date;
  id?: string;
}

export interface EventQuery {
  types: EventType[];
  jobId?: string;
  correlationId?: string;
}

interface Paging {
  cursor?: string | undefined;
  limit?: number;
}

type Signal = AbortSignal | undefined;

const get = <T>(path: string, signal: Signal) => ask<T>(path, signal ? { signal } : {});
const post = <T>(path: string, body: unknown) => ask<T>(path, { method: "POST", body, timeout: WRITE_MS });
const inPath = encodeURIComponent;

/// The path with those parameters that have a value.
function withQuery(path: string, pairs: Record<string, string | number | undefined>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(pairs)) {
    if (value !== undefined && value !== "") query.set(name, String(value));
  }
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

export const overview = (signal?: Signal) => get<Overview>("/api/overview", signal);
export const stats = (signal?: Signal) => get<Stats>("/api/stats", signal);
export const alerts = (signal?: Signal) => get<AlertList>("/api/alerts", signal);
export const alertHistory = (signal?: Signal) => get<AlertHistory>("/api/alerts/history?limit=200", signal);
export const interfaces = (signal?: Signal) => get<Interfaces>("/interfaces", signal);
export const targets = (signal?: Signal) => get<TargetList>("/gateway/proxy/targets", signal);
export const job = (id: string, signal?: Signal) => get<JobDetail>(`/api/jobs/${inPath(id)}`, signal);
export const timeline = (id: string, signal?: Signal) => get<Timeline>(`/api/jobs/${inPath(id)}/timeline`, signal);

export function jobs(query: JobQuery, { cursor, limit }: Paging, signal?: Signal): Promise<JobPage> {
  const path = withQuery("/api/jobs", {
    status: query.statuses.join(","),
    type: query.type,
    since: query.since?.toISOString(),
    until: query.until?.toISOString(),
    id: query.id,
    cursor,
    limit,
  });
  return get<JobPage>(path, signal);
}

export function events(query: EventQuery, { cursor, limit }: Paging, signal?: Signal): Promise<EventPage> {
  const path = withQuery("/api/events", {
    type: query.types.join(","),
    jobId: query.jobId,
    correlationId: query.correlationId,
    cursor,
    limit,
  });
  return get<EventPage>(path, signal);
}

/// What was recorded after this place of the log, oldest first.
export const eventsAfter = (after: string, limit: number, signal?: Signal) =>
  get<EventPage>(`/api/events?after=${inPath(after)}&limit=${limit}`, signal);

export const deadLetters = ({ cursor, limit }: Paging, signal?: Signal) =>
  get<DeadLetterPage>(withQuery("/api/dead-letters", { cursor, limit }), signal);

export const submit = (submission: unknown) => post<JobAccepted>("/gateway/jobs", submission);
export const cancel = (id: string) => post<unknown>(`/gateway/jobs/${inPath(id)}/cancel`, {});
export const retry = (id: string) => post<JobAccepted>(`/gateway/jobs/${inPath(id)}/retry`, {});
export const requeue = (id: string) => post<unknown>(`/gateway/dead-letters/${inPath(id)}/requeue`, {});
