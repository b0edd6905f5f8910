//! What the read-model answers, and the gateway beyond a single acceptance.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::alert::Alert;
use crate::event::EventEnvelope;
use crate::job::{AttemptOutcome, JobAttempt, JobRecord, JobStatus, JsonObject};
use crate::problem::Problem;
use crate::role::Role;
use crate::timestamp::Timestamp;

/// One row of a list of jobs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobSummary {
    /// Identity of the job.
    pub id: Uuid,
    /// Type of the job.
    #[serde(rename = "type")]
    pub job_type: String,
    /// Where it stands.
    pub status: JobStatus,
    /// When it was submitted.
    pub created_at: Timestamp,
    /// When its state last changed.
    pub updated_at: Timestamp,
    /// Number of the current or last attempt; 0 before the first.
    pub attempt: u32,
    /// Attempts it may have.
    pub max_attempts: u32,
    /// Milliseconds from its publication to its first taking by a processor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued_ms: Option<f64>,
    /// Milliseconds from its first taking to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ran_ms: Option<f64>,
    /// Why it failed, or why its last attempt did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A page of a list of jobs, newest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobPage {
    /// The jobs.
    pub jobs: Vec<JobSummary>,
    /// Asks for the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Everything known about one job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobDetail {
    /// What the job store knows. Of a job that only the event log knows yet, what its `job.created` says.
    #[serde(flatten)]
    pub record: JobRecord,
    /// Its executions, in order.
    pub attempts: Vec<JobAttempt>,
}

/// Status of several jobs at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LookupRequest {
    /// Up to 1,000 job ids.
    pub ids: Vec<Uuid>,
}

/// Status of one job in a [`LookupResponse`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JobState {
    /// Identity of the job.
    pub id: Uuid,
    /// Type of the job.
    #[serde(rename = "type")]
    pub job_type: String,
    /// Where it stands.
    pub status: JobStatus,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Status of the jobs that are known; others are left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LookupResponse {
    /// The jobs that are known.
    pub jobs: Vec<JobState>,
}

/// What a stretch of a job's life was spent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SpanKind {
    /// From publication to the first taking by a processor.
    QueueWait,
    /// Waiting for the instant it was asked to run at.
    Delay,
    /// From taking (or the end of delay or backoff) to the start of the handler.
    SlotWait,
    /// A handler at work.
    Execution,
    /// Waiting between two attempts.
    Backoff,
    /// From the loss of a processor to the job's next taking.
    Recovery,
    /// From the end of the last attempt to the terminal state.
    Completion,
}

/// A stretch of a job's life.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TimelineSpan {
    /// What the time went into.
    pub kind: SpanKind,
    /// The same in words, such as `attempt 2`.
    pub label: String,
    /// Number of the attempt it belongs to; 0 before the first.
    pub attempt: u32,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended; absent while it lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// How long it took (so far), in milliseconds.
    pub duration_ms: f64,
    /// How the attempt ended, of an execution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<AttemptOutcome>,
    /// Why the attempt did not succeed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// The whole way of one job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Timeline {
    /// The job.
    pub id: Uuid,
    /// Type of the job.
    #[serde(rename = "type")]
    pub job_type: String,
    /// Where it stands.
    pub status: JobStatus,
    /// Under which its events and log lines can be found.
    pub correlation_id: String,
    /// When it was submitted.
    pub created_at: Timestamp,
    /// Milliseconds from publication to the end, or until now.
    pub total_ms: f64,
    /// Its life without gaps, in order.
    pub spans: Vec<TimelineSpan>,
    /// Its events as the event log has them, in order of sequence.
    pub events: Vec<EventEnvelope>,
    /// Whether the log has exactly the events that the job's state implies.
    pub complete: bool,
}

/// A page of events.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventPage {
    /// The events, newest first (oldest first where `after` was given).
    pub events: Vec<EventEnvelope>,
    /// Asks for the next page, as `cursor`; absent on the last, and where `after` was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// Asks, as `after`, for what is recorded later than everything on this page. Absent while the log is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follow_cursor: Option<String>,
}

/// Counts of one job type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TypeCounters {
    /// Jobs of the type.
    pub total: u64,
    /// Of them, COMPLETED.
    pub completed: u64,
    /// Of them, FAILED.
    pub failed: u64,
    /// Of them, CANCELLED.
    pub cancelled: u64,
}

/// The counters: a projection of the event log, exact once it has settled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Counters {
    /// Jobs known to the event log.
    pub total: u64,
    /// Jobs by the status that their latest event gives them.
    pub by_status: BTreeMap<JobStatus, u64>,
    /// Attempts that were followed by another.
    pub retries: u64,
    /// Messages put aside.
    pub dead_lettered: u64,
    /// Counts by job type; beyond a set number of types, `other`.
    pub by_type: BTreeMap<String, TypeCounters>,
    /// When the latest event happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_event_at: Option<Timestamp>,
}

impl Counters {
    /// Jobs in this status.
    pub fn in_status(&self, status: JobStatus) -> u64 {
        self.by_status.get(&status).copied().unwrap_or_default()
    }
}

/// Answer of `/stats`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    /// The counters.
    #[serde(flatten)]
    pub counters: Counters,
    /// Jobs COMPLETED.
    pub completed: u64,
    /// Jobs FAILED.
    pub failed: u64,
    /// Jobs RETRYING now.
    pub retrying: u64,
    /// Jobs CANCELLED.
    pub cancelled: u64,
    /// Jobs that ended in each of the last 60 seconds, oldest first.
    pub throughput: Vec<u64>,
    /// Jobs that ended in the last ten whole seconds, divided by ten.
    pub jobs_per_second: f64,
    /// Publication to end of the jobs that ended in the last minute, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<LatencySummary>,
}

/// Percentiles in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LatencySummary {
    /// Median.
    pub p50: f64,
    /// 90th percentile.
    pub p90: f64,
    /// 99th percentile.
    pub p99: f64,
    /// Largest.
    pub max: f64,
}

/// Whether something works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum HealthState {
    /// It works.
    Healthy,
    /// It answers, but not all is well.
    Degraded,
    /// It does not work.
    Down,
}

/// Health of one role.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RoleHealth {
    /// The role.
    pub role: Role,
    /// Whether it works.
    pub state: HealthState,
    /// Its base address.
    pub url: String,
    /// Version it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Why it is not healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// How many processes stand behind its address; absent where there is only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<Replicas>,
}

/// The processes of one role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Replicas {
    /// All that the name of the role's address leads to.
    pub total: u32,
    /// Those of them that are ready.
    pub ready: u32,
}

/// Health of one dependency: a store or the spine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DependencyHealth {
    /// `spine`, `job-store`, `event-log` or `counters`.
    pub name: String,
    /// What it is made of, such as `sqlite` or `postgres`.
    pub adapter: String,
    /// Whether it works.
    pub state: HealthState,
    /// Milliseconds that its last answer took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<f64>,
    /// Why it is not healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// Depth of one queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct QueueDepth {
    /// Name of the queue.
    pub name: String,
    /// Messages that wait for a consumer.
    pub ready: u64,
    /// Messages that a consumer has and has not acknowledged.
    pub unacknowledged: u64,
    /// Age of the oldest message in milliseconds; absent where the queue is empty or the spine cannot tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_ms: Option<u64>,
}

/// Answer of `/overview`: the whole system at a glance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Overview {
    /// Version of this shape.
    pub version: u32,
    /// Name of the instance.
    pub instance: String,
    /// Engine that it runs on.
    pub engine: String,
    /// The worst of what follows.
    pub state: HealthState,
    /// When the read-model started.
    pub started_at: Timestamp,
    /// When this answer was made.
    pub generated_at: Timestamp,
    /// Roles and their health.
    pub roles: Vec<RoleHealth>,
    /// Stores and spine and their health.
    pub dependencies: Vec<DependencyHealth>,
    /// Depths of the queues; empty where they are not known.
    pub queues: Vec<QueueDepth>,
    /// Why the depths of the queues are not known; absent where they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queues_unknown: Option<String>,
    /// Alerts that fire, worst first, at most 100.
    pub alerts: Vec<Alert>,
    /// Alerts that fire beyond those; absent where there are none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub alerts_omitted: u64,
    /// Where the alerts come from, and whether that answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert_source: Option<AlertSource>,
    /// Seconds for which events are kept; absent where they are kept for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_retention_seconds: Option<u64>,
}

/// Where alerts come from, and whether that answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AlertSource {
    /// `native`: the read-model evaluates the conditions itself. `alertmanager`: Prometheus evaluates them, and
    /// Alertmanager tells of them.
    pub name: String,
    /// Whether it can be relied on. While it cannot, the read-model's own evaluation stands in for it.
    pub state: HealthState,
    /// When it last answered; absent where it never has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checked_at: Option<Timestamp>,
    /// What is wrong with it, or what else to know of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// Answer of `/alerts`, and of the gateway's `/proxy/alerts`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AlertList {
    /// Where those that fire come from: `native` or `alertmanager`.
    pub source: String,
    /// Alerts that fire or were resolved lately, worst first, at most 500.
    pub alerts: Vec<Alert>,
    /// Alerts beyond those; absent where there are none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub omitted: u64,
    /// Where the read-model was told to take them from, and whether that answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert_source: Option<AlertSource>,
}

/// Answer of `/alerts/history`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AlertHistory {
    /// Alerts as they were last told of, those that changed last first. One that fires again later is there again.
    pub alerts: Vec<Alert>,
}

/// Answer of `POST /alerts/webhook`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NotificationTaken {
    /// Alerts in the notification.
    pub alerts: u64,
    /// Those of them that told something new.
    pub news: u64,
}

/// Whether Prometheus reaches what it scrapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TargetHealth {
    /// The last scrape failed.
    Down,
    /// It was not scraped yet.
    Unknown,
    /// The last scrape succeeded.
    Up,
}

/// Something that Prometheus scrapes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScrapeTarget {
    /// Name of the scrape job.
    pub job: String,
    /// Address within it, such as `processor:3010`.
    pub instance: String,
    /// How the last scrape went.
    pub health: TargetHealth,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// When it was; absent where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_scrape: Option<Timestamp>,
}

/// Answer of the gateway's `/proxy/targets`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TargetList {
    /// The targets: those that are down first, then by job and instance; at most 1,000.
    pub targets: Vec<ScrapeTarget>,
    /// Targets beyond those; absent where there are none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub omitted: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A message that was put aside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// Its identity: UUIDv5 of its bytes.
    pub id: Uuid,
    /// Why ([`crate::names::spine::reason`]).
    pub reason: String,
    /// What exactly was wrong.
    pub detail: String,
    /// Queue it was taken from.
    pub queue: String,
    /// When it was put aside.
    pub dead_lettered_at: Timestamp,
    /// The job it names, where one can be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<Uuid>,
    /// Its media type, as its publisher gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Its headers.
    #[schema(value_type = Object)]
    pub headers: JsonObject,
    /// Its size in bytes.
    pub size: u64,
    /// Its bytes in base64; the first 64 KiB of a longer one.
    pub body_base64: String,
    /// Its bytes as text, where they are UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_text: Option<String>,
}

/// A page of dead letters, newest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetterPage {
    /// The dead letters.
    pub dead_letters: Vec<DeadLetter>,
    /// Asks for the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Answer of a role's `/healthz` and `/readyz`, and of the read-model's `/health`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// `ok`, or why not.
    pub status: String,
    /// The role.
    pub service: String,
    /// Version it runs.
    pub version: String,
    /// State of each required dependency.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub checks: BTreeMap<String, String>,
}

/// Answer to one line of `POST /jobs/batch`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BatchResult {
    /// Place in the request, from 0.
    pub index: usize,
    /// HTTP status that the line would have got alone.
    pub status: u16,
    /// Identity of the job, where one can be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<Uuid>,
    /// Identity of its `job.created` event, where it was accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<Uuid>,
    /// Whether this id was accepted before with the same payload.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub duplicate: bool,
    /// Why it was not accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}

/// Answer of `POST /jobs/batch`: one result per line, in order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BatchResponse {
    /// How many were accepted.
    pub accepted: usize,
    /// How many were not.
    pub rejected: usize,
    /// One result per line.
    pub results: Vec<BatchResult>,
}

/// Body of `POST /jobs/{id}/retry`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RetryRequest {
    /// Identity of the new job; a random one where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
}

/// Answer of `POST /jobs/{id}/cancel`: the request is on its way; the processor decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CancelAccepted {
    /// The job.
    pub job_id: Uuid,
    /// Of the request.
    pub correlation_id: String,
}

/// One line of `/export/jobs`: state and attempts, for reconciliation. Ordered by job id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExportedJob {
    /// Identity of the job.
    pub id: Uuid,
    /// Where it stands.
    pub status: JobStatus,
    /// When its work message was published.
    pub submitted_at: Timestamp,
    /// When its state last changed.
    pub updated_at: Timestamp,
    /// Whether the job store still owes it something, and since when that is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// Sequence numbers of the events that its state and attempts imply, in order.
    pub sequences: Vec<u32>,
}

/// One line of `/export/events`: a job's history, for reconciliation. Ordered by job id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExportedHistory {
    /// Identity of the job.
    pub id: Uuid,
    /// When its `job.created` happened, where the log has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// Sequence numbers of the events in the log, in order, with repetitions where one was recorded twice.
    pub sequences: Vec<u32>,
}
