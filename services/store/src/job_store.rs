//! The job store: the authority on the state of every job.
//!
//! Its rules, which docs/architecture.md derives: `due_at` (by the store's clock) is null exactly when nobody owes
//! the job anything. Whoever takes a job writes a new claim token and a `due_at` one lease ahead; only
//! the holder of the latest token may change the job, so the late result of a replaced processor is discarded.
//! A row is *backed* while an unacknowledged message on the spine stands for it, and *unbacked* when only
//! its own `due_at` does.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use odd_contracts::api::{ExportedJob, JobState, JobSummary};
use odd_contracts::ids::PayloadDigest;
use odd_contracts::{Job, JobAttempt, JobId, JobRecord, JobStatus, Producer, Timestamp};
use uuid::Uuid;

use crate::StoreError;

/// Lost executions after which a job ends FAILED instead of being taken again.
pub const MAX_LOST_TAKES: u32 = 10;

/// Proof of the latest taking of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClaimToken(pub Uuid);

impl ClaimToken {
    /// A token nobody had before.
    pub fn fresh() -> Self {
        Self(Uuid::new_v4())
    }
}

/// In whose name and for how long jobs are taken.
#[derive(Clone, Debug)]
pub struct Claim {
    /// Written to each job taken.
    pub token: ClaimToken,
    /// The processor that takes.
    pub by: Producer,
    /// Time until the job is due again unless the claim is renewed.
    pub lease: Duration,
}

/// A work message, parsed.
#[derive(Clone, Debug)]
pub struct Work {
    /// The job it asks for.
    pub job: Job,
    /// Decides whether a row under the same id is the same job.
    pub digest: PayloadDigest,
    /// When the message was published.
    pub submitted_at: Timestamp,
    /// Who published it.
    pub submitted_by: Producer,
    /// Under which the job's events and log lines can be found.
    pub correlation_id: String,
    /// W3C trace context.
    pub traceparent: Option<String>,
    /// Instant before which the job must not run.
    pub scheduled_for: Option<Timestamp>,
    /// What to do where the job may run now.
    pub mode: WorkMode,
}

/// What taking a work message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkMode {
    /// A slot is free: start the first attempt. The row is backed by the message.
    Run,
    /// No slot is free: store the job, due at once and unbacked, so that the message can be acknowledged.
    Park,
}

/// A job in the hands of whoever took it.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// The job as it is stored now. Where an attempt is to be run, its number is `record.attempt`.
    pub record: JobRecord,
    /// Its executions in order of `take`; where an attempt is to be run, the last one is open and is it.
    pub attempts: Vec<JobAttempt>,
    /// Proof of this taking.
    pub token: ClaimToken,
    /// Whether an unacknowledged message stands for it.
    pub backed: bool,
}

/// What became of a work message. In every case but [`Taken::Conflict`] the message may be
/// acknowledged once the events of the job as returned are confirmed.
#[derive(Clone, Debug)]
pub enum Taken {
    /// Run the open attempt.
    Run(Box<Claimed>),
    /// The job is stored and waits: for its time, or for a free slot.
    Waiting(Box<Claimed>),
    /// A processor runs it (its `due_at` lies ahead); the row is unbacked now. Nothing to publish.
    Owed,
    /// It ended before (or right now, by an earlier cancellation): publish its history again.
    Ended(Box<Claimed>),
    /// Another payload was stored under its id first.
    Conflict,
}

/// When a committed job is due again, by the store's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// The job waits: due after this time, and unbacked from now on.
    In(Duration),
    /// The job ended: never where its message stands for its events, else after this time
    /// unless it is settled before.
    Ended(Duration),
}

/// A new state of a job.
#[derive(Clone, Debug)]
pub struct Commit {
    /// The job as it shall be stored: status, attempt, error, result, `finished_at` and `updated_at` are written.
    pub record: JobRecord,
    /// All its executions, none of them open; the last is the one that ended now.
    pub attempts: Vec<JobAttempt>,
    /// Proof of the taking.
    pub token: ClaimToken,
    /// When the job is due again.
    pub due: Due,
}

/// What became of a new state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Committed {
    /// Somebody else took the job, or its attempt has ended: this state was discarded.
    Discarded,
    /// Written. Its unacknowledged message stands for its events.
    Backed,
    /// Written. The row itself stands for its events: settle it once they are confirmed, where it ended.
    Unbacked,
}

/// What a renewal found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// The claim holds for another lease.
    Held,
    /// The claim holds for another lease, and somebody asked for the job's cancellation.
    CancelRequested,
    /// Somebody else took the job, or its attempt has ended: its result would be discarded.
    Lost,
}

/// A request to cancel a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CancelRequest {
    /// The job.
    pub id: JobId,
    /// When it was asked for.
    pub requested_at: Timestamp,
}

/// What became of a request to cancel.
#[derive(Clone, Debug)]
pub enum CancelOutcome {
    /// The job is CANCELLED now, unbacked and due after the claim's lease: publish its history, then settle it.
    Cancelled(Box<Claimed>),
    /// An attempt runs: the request is stored and its processor learns of it at the next renewal.
    Signalled,
    /// The job had ended.
    TooLate,
    /// The job is not known yet: the request is remembered and met when its work message is taken.
    Remembered,
}

/// A work message that is no valid job but names one.
#[derive(Clone, Debug)]
pub struct Poison {
    /// A job in status FAILED, with `valid: false` and the error.
    pub record: JobRecord,
    /// Digest of nothing in particular: whatever comes later under the id is in conflict.
    pub digest: PayloadDigest,
}

/// Which jobs to list.
#[derive(Clone, Debug, Default)]
pub struct JobFilter {
    /// Only these statuses; all where empty.
    pub statuses: Vec<JobStatus>,
    /// Only this type.
    pub job_type: Option<String>,
    /// Only jobs created at or after this instant.
    pub since: Option<Timestamp>,
    /// Only jobs created before this instant.
    pub until: Option<Timestamp>,
    /// Only jobs whose id contains this text (case-insensitive).
    pub id_contains: Option<String>,
}

/// Place in a list of jobs, newest first: the last job of the page before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobCursor {
    /// When it was created.
    pub created_at: Timestamp,
    /// Its identity, which decides between jobs created at the same instant.
    pub id: JobId,
}

/// A job as readers see it.
#[derive(Clone, Debug)]
pub struct StoredJob {
    /// The job.
    pub record: JobRecord,
    /// Its executions in order of `take`.
    pub attempts: Vec<JobAttempt>,
    /// When it is due; none when nobody owes it anything.
    pub due_at: Option<Timestamp>,
}

/// The port. Batches keep the order of their input in their output; large ones are shared, not copied, between whoever
/// may have to try again. Every method may fail with
/// [`StoreError`], and then nothing was committed.
#[async_trait]
pub trait JobStore: Send + Sync + 'static {
    /// What the store is made of, such as `sqlite`.
    fn adapter(&self) -> &'static str;

    /// Answers when the store does.
    async fn ping(&self) -> Result<(), StoreError>;

    /// Takes the jobs of work messages; ids are distinct within a call.
    ///
    /// A job not seen before is inserted. One that ended has its history returned; one whose `due_at` lies
    /// ahead is unbacked from now on, as somebody owes it; one that is overdue is taken as
    /// [`JobStore::claim_due`] takes it, but backed.
    async fn take(&self, work: Arc<[Work]>, claim: &Claim) -> Result<Vec<Taken>, StoreError>;

    /// Takes up to `limit` jobs that are due, those due longest first. No two claimers get the same job.
    ///
    /// A job that waited starts its next attempt. A job whose attempt still runs lost its processor: the
    /// attempt is closed as lost and taken again under the same number; after [`MAX_LOST_TAKES`] the job ends
    /// FAILED. A job that ended is returned so that its history is published again, and then settled. All are unbacked.
    async fn claim_due(&self, claim: &Claim, limit: usize) -> Result<Vec<Claimed>, StoreError>;

    /// The same for jobs that ended alone: they need no slot, only their history published again.
    async fn claim_ended(&self, claim: &Claim, limit: usize) -> Result<Vec<Claimed>, StoreError>;

    /// Time until the next job is due, zero where one is overdue; none where no job is.
    async fn next_due(&self) -> Result<Option<Duration>, StoreError>;

    /// Keeps jobs whose attempt runs for another lease, and tells what is known of each.
    async fn renew(&self, jobs: &[(JobId, ClaimToken)], lease: Duration) -> Result<Vec<Renewal>, StoreError>;

    /// Marks claimed jobs whose attempt runs as unbacked: from now on their lease stands for their message. Tells which
    /// were still held.
    async fn park(&self, jobs: &[(JobId, ClaimToken)]) -> Result<Vec<bool>, StoreError>;

    /// Writes new states of jobs whose attempt runs, each where its token is the latest. A store that may commit without
    /// being able to tell takes the same state, written again, as written.
    async fn commit(&self, commits: Arc<[Commit]>) -> Result<Vec<Committed>, StoreError>;

    /// Sets `due_at` to null for jobs that ended and whose events are confirmed, where the token is the latest.
    async fn settle(&self, jobs: &[(JobId, ClaimToken)]) -> Result<(), StoreError>;

    /// Makes claimed jobs whose attempt runs due at once, for others to take.
    async fn release(&self, jobs: &[(JobId, ClaimToken)]) -> Result<(), StoreError>;

    /// Cancels jobs, or lets their processors know.
    async fn cancel(
        &self,
        requests: &[CancelRequest],
        claim: &Claim,
    ) -> Result<Vec<CancelOutcome>, StoreError>;

    /// Stores each as FAILED unless its id is known: then the job that has it stays as it is, and none
    /// is returned. What is returned is unbacked and due after the claim's lease: publish, then settle.
    async fn fail_poison(
        &self,
        poison: Vec<Poison>,
        claim: &Claim,
    ) -> Result<Vec<Option<Claimed>>, StoreError>;

    /// One job.
    async fn get(&self, id: JobId) -> Result<Option<StoredJob>, StoreError>;

    /// Jobs by filter, newest first, at most `limit`.
    async fn list(
        &self,
        filter: &JobFilter,
        after: Option<JobCursor>,
        limit: usize,
    ) -> Result<Vec<JobSummary>, StoreError>;

    /// Status of those of these jobs that are known, in any order.
    async fn lookup(&self, ids: &[JobId]) -> Result<Vec<JobState>, StoreError>;

    /// Jobs for reconciliation, in order of id, from the first behind `after`, at most `limit`.
    async fn export(&self, after: Option<JobId>, limit: usize) -> Result<Vec<ExportedJob>, StoreError>;
}
