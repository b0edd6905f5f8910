//! The rules by which a job's row changes, as pure functions: every adapter of the job store loads
//! rows, applies these, and writes the rows back in one transaction.

use odd_contracts::ids::PayloadDigest;
use odd_contracts::{AttemptOutcome, JobAttempt, JobRecord, JobStatus, Timestamp};

use crate::job_store::{Claim, ClaimToken, Claimed, MAX_LOST_TAKES, Poison, Taken, Work, WorkMode};

/// A job's whole row.
#[derive(Clone, Debug)]
pub struct Row {
    /// The job.
    pub record: JobRecord,
    /// Its executions in order of `take`; the last one is open exactly while the status is EXECUTING.
    pub attempts: Vec<JobAttempt>,
    /// Decides whether another message under the id is the same job.
    pub digest: PayloadDigest,
    /// Executions whose processor was lost.
    pub lost: u32,
    /// When the job is due; none when nobody owes it anything.
    pub due_at: Option<Timestamp>,
    /// Proof of the latest taking.
    pub token: ClaimToken,
    /// Whether an unacknowledged message stands for it.
    pub backed: bool,
}

/// What to do with a job that was taken again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Run the open attempt.
    Run,
    /// Publish the history: the job has ended.
    Publish,
}

/// What a work message comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Met {
    /// Run the open attempt.
    Run,
    /// The job waits.
    Waiting,
    /// A processor runs it.
    Owed,
    /// It has ended.
    Ended,
    /// The row is of another job.
    Conflict,
}

impl Met {
    /// The same, told with the row as it stands after the meeting.
    pub fn told(self, row: Row) -> Taken {
        match self {
            Self::Run => Taken::Run(Box::new(row.into_claimed())),
            Self::Waiting => Taken::Waiting(Box::new(row.into_claimed())),
            Self::Owed => Taken::Owed,
            Self::Ended => Taken::Ended(Box::new(row.into_claimed())),
            Self::Conflict => Taken::Conflict,
        }
    }
}

impl Row {
    /// A work message meets the row that is stored under its id. Tells whether the row changed.
    pub fn meet(&mut self, work: &Work, claim: &Claim, now: Timestamp) -> (Met, bool) {
        if self.digest != work.digest {
            return (Met::Conflict, false);
        }
        if self.record.job.status.is_terminal() {
            return (Met::Ended, false);
        }
        let overdue = self.due_at.is_none_or(|due| due <= now);
        if overdue && work.mode == WorkMode::Run {
            self.backed = true;
            self.take_again(claim, now);
            return (self.met(), true);
        }
        let was_backed = std::mem::replace(&mut self.backed, false);
        let met = match self.record.job.status {
            JobStatus::Executing if !overdue => Met::Owed,
            _ => Met::Waiting,
        };
        (met, was_backed)
    }

    /// What the message comes to that the row was just taken or inserted for.
    pub fn met(&self) -> Met {
        match self.record.job.status {
            JobStatus::Executing if self.backed => Met::Run,
            status if status.is_terminal() => Met::Ended,
            _ => Met::Waiting,
        }
    }

    /// The row as whoever took it sees it.
    pub fn into_claimed(self) -> Claimed {
        Claimed {
            record: self.record,
            attempts: self.attempts,
            token: self.token,
            backed: self.backed,
        }
    }

    /// Row of a job seen for the first time. `cancelled`: a request to cancel it came before it.
    pub fn of_work(work: Work, claim: &Claim, now: Timestamp, cancelled: bool) -> Self {
        // A job that need not wait (any more) is not scheduled: its history has no `job.scheduled`.
        let scheduled_for = work.scheduled_for.filter(|at| *at > now && !cancelled);
        let mode = work.mode;
        let mut row = Self {
            record: JobRecord {
                job: work.job,
                correlation_id: work.correlation_id,
                traceparent: work.traceparent,
                submitted_at: work.submitted_at,
                submitted_by: work.submitted_by,
                taken_at: now,
                taken_by: claim.by.clone(),
                valid: true,
                attempt: 0,
                takes: 0,
                scheduled_for,
                finished_at: None,
                result: None,
                error: None,
                cancel_requested: cancelled,
            },
            attempts: Vec::new(),
            digest: work.digest,
            lost: 0,
            due_at: None,
            token: claim.token,
            backed: true,
        };
        row.record.job.updated_at = Some(now);
        if cancelled {
            row.end(JobStatus::Cancelled, None, now);
        } else if scheduled_for.is_some() {
            row.wait(JobStatus::Scheduled, scheduled_for);
        } else if mode == WorkMode::Park {
            row.wait(JobStatus::Validated, Some(now));
        } else {
            row.start_attempt(claim, now);
        }
        row
    }

    /// Row of a work message that is no valid job.
    pub fn of_poison(poison: Poison, claim: &Claim, now: Timestamp) -> Self {
        let mut row = Self {
            record: poison.record,
            attempts: Vec::new(),
            digest: poison.digest,
            lost: 0,
            due_at: Some(now.plus(claim.lease)),
            token: claim.token,
            backed: false,
        };
        row.record.job.status = JobStatus::Failed;
        row.record.valid = false;
        row.record.finished_at = Some(now);
        row.record.job.updated_at = Some(now);
        row
    }

    /// Takes a job that is due. The caller decides whether a message backs it.
    pub fn take_again(&mut self, claim: &Claim, now: Timestamp) -> Next {
        self.token = claim.token;
        self.due_at = Some(now.plus(claim.lease));
        if self.record.job.status.is_terminal() {
            return Next::Publish;
        }
        let was_running = self.record.job.status == JobStatus::Executing;
        if was_running {
            self.close_lost(now);
        }
        if self.record.cancel_requested {
            self.end(JobStatus::Cancelled, None, now);
            return Next::Publish;
        }
        if self.lost > MAX_LOST_TAKES {
            let error = format!("its processor was lost {} times while it ran", self.lost);
            self.end(JobStatus::Failed, Some(error), now);
            return Next::Publish;
        }
        if was_running {
            // A lost execution does not use up an attempt: its successor has the same number.
            self.record.attempt -= 1;
        }
        self.start_attempt(claim, now);
        Next::Run
    }

    /// Cancels a job that waits, or notes the request where an attempt runs. False where it had ended.
    pub fn cancel(&mut self, claim: &Claim, now: Timestamp) -> bool {
        match self.record.job.status {
            status if status.is_terminal() => return false,
            JobStatus::Executing => self.record.cancel_requested = true,
            _ => {
                self.token = claim.token;
                self.backed = false;
                self.record.cancel_requested = true;
                self.end(JobStatus::Cancelled, None, now);
                self.due_at = Some(now.plus(claim.lease));
            }
        }
        self.record.job.updated_at = Some(now);
        true
    }

    fn start_attempt(&mut self, claim: &Claim, now: Timestamp) {
        self.record.attempt += 1;
        self.record.takes += 1;
        self.record.job.status = JobStatus::Executing;
        self.record.job.updated_at = Some(now);
        self.due_at = Some(now.plus(claim.lease));
        self.attempts.push(JobAttempt {
            number: self.record.attempt,
            take: self.record.takes,
            started_at: now,
            finished_at: None,
            outcome: None,
            error: None,
            retry_at: None,
            executor: claim.by.clone(),
        });
    }

    fn close_lost(&mut self, now: Timestamp) {
        self.lost += 1;
        if let Some(open) = self
            .attempts
            .last_mut()
            .filter(|attempt| attempt.outcome.is_none())
        {
            open.finished_at = Some(now);
            open.outcome = Some(AttemptOutcome::Lost);
            open.error = Some("its processor was lost".to_owned());
        }
    }

    fn wait(&mut self, status: JobStatus, due_at: Option<Timestamp>) {
        self.record.job.status = status;
        self.due_at = due_at;
        self.backed = false;
    }

    /// Ends the job. Backed: its message stands for its events. Unbacked: the caller sets `due_at`.
    fn end(&mut self, status: JobStatus, error: Option<String>, now: Timestamp) {
        self.record.job.status = status;
        self.record.job.updated_at = Some(now);
        self.record.finished_at = Some(now);
        if error.is_some() {
            self.record.error = error;
        }
        if self.backed {
            self.due_at = None;
        }
    }
}
