//! Reconciliation: what was accepted, against state, history and counters. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use odd_contracts::api::{Counters, ExportedHistory, ExportedJob};
use odd_contracts::history::status_at;
use odd_contracts::{JobId, JobStatus, Role, Timestamp};
use serde::Serialize;

/// A job is stuck when what it is owed is overdue by this time.
const STUCK_AFTER: Duration = Duration::from_secs(60);
/// Findings of one kind that are listed; all are counted.
const LISTED: usize = 100;
/// How much earlier than it says a log may have deleted an event: clocks differ, and time passes while it is read.
const MARGIN: Duration = Duration::from_secs(600);

/// Something that breaks the promise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// The job; none where it is about the counters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<JobId>,
    /// What is wrong with it.
    pub(super) detail: String,
}

/// Findings of one kind: how many, and the first of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Findings {
    /// How many there are.
    pub(super) count: u64,
    /// The first of them.
    pub(super) listed: Vec<Finding>,
}

impl Findings {
    fn add(&mut self, id: impl Into<Option<JobId>>, detail: impl Into<String>) {
        self.count += 1;
        if self.listed.len() < LISTED {
            self.listed.push(Finding {
                id: id.into(),
                detail: detail.into(),
            });
        }
    }
}

/// What a reconciliation found.
#[derive(Clone, Debug, Default)]
pub(super) struct Verdict {
    /// Jobs that were accepted before the cut-off.
    pub(super) accepted: u64,
    /// Of them, those that ended.
    pub(super) terminal: u64,
    /// Accepted, but the job store does not know them.
    pub(super) lost: Findings,
    /// Not ended, and nobody owes them anything in time.
    pub(super) stuck: Findings,
    /// More than one end, or an event recorded twice.
    pub(super) duplicated: Findings,
    /// History or counters differ from what the state implies.
    pub(super) drifted: Findings,
    /// Not ended, but somebody owes them their next step; or ended, with events that are still to be recorded.
    pub(super) in_flight: u64,
    /// Whether the counters were compared: only while nothing changes them, and the log still has all that they counted.
    pub(super) counters_compared: bool,
    /// Where the log keeps events for a limited time: since when the jobs were submitted whose histories must be complete.
    pub(super) checked_since: Option<Timestamp>,
    /// Jobs that were submitted before: the log may have deleted some or all of their events.
    pub(super) expired: u64,
    /// Roles that record and were not ready when it was looked.
    pub(super) unready: Vec<Role>,
}

impl Verdict {
    /// Whether the promise holds.
    pub(super) fn is_ok(&self) -> bool {
        [&self.lost, &self.stuck, &self.duplicated, &self.drifted]
            .iter()
            .all(|findings| findings.count == 0)
    }

    /// The roles that were not ready, where what was found may be what they have not recorded yet. What is there twice is no such thing.
    pub(super) fn doubt(&self) -> Option<&[Role]> {
        let doubtful = !self.is_ok() && self.duplicated.count == 0 && !self.unready.is_empty();
        doubtful.then_some(&*self.unready)
    }

    /// Whether waiting cannot change the verdict for the better.
    pub(super) fn is_settled(&self) -> bool {
        self.is_ok() && self.in_flight == 0 && (self.counters_compared || self.expired > 0)
    }
}

/// The side of the job store, read before the log.
pub(super) type Jobs = BTreeMap<JobId, ExportedJob>;

/// What was on its way between two parts, read before both of them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct OnTheirWay {
    /// Work messages: so many accepted jobs need not be known to the job store yet.
    pub(super) jobs: u64,
    /// Events at most: so many need not be in the log yet.
    pub(super) events: u64,
}

/// Goes through the histories, in order of job id, beside the jobs.
pub(super) struct Reconciliation<'a> {
    jobs: &'a Jobs,
    ledger: BTreeSet<JobId>,
    cut_off: Timestamp,
    now: Timestamp,
    on_their_way: OnTheirWay,
    busy: bool,
    seen: BTreeSet<JobId>,
    by_status: BTreeMap<JobStatus, u64>,
    later: bool,
    verdict: Verdict,
}

impl<'a> Reconciliation<'a> {
    /// Begins with what the job store knows, the ledger's ids of before the cut-off, and what was queued before the job store
    /// was read.
    ///
    /// Where the log keeps events for a limited time, what has to be in it is judged as of `now`, which is before it is read.
    pub(super) fn new(
        jobs: &'a Jobs,
        ledger: BTreeSet<JobId>,
        on_their_way: OnTheirWay,
        cut_off: Timestamp,
        now: Timestamp,
        retention: Option<Duration>,
    ) -> Self {
        let runs =
            |job: &ExportedJob| job.status == JobStatus::Executing && job.due_at.is_some_and(|due| due > now);
        Self {
            on_their_way,
            busy: jobs.values().any(runs),
            jobs,
            ledger,
            cut_off,
            now,
            seen: BTreeSet::new(),
            by_status: BTreeMap::new(),
            later: false,
            verdict: Verdict {
                checked_since: retention.map(|kept| now.plus(MARGIN).minus(kept)),
                ..Verdict::default()
            },
        }
    }

    /// Whether the log may have deleted events of a job that was submitted then.
    fn may_be_deleted(&self, submitted_at: Timestamp) -> bool {
        self.verdict
            .checked_since
            .is_some_and(|since| submitted_at < since)
    }

    /// Takes the next history of the log.
    pub(super) fn history(&mut self, history: &ExportedHistory) {
        if let Some(last) = history
            .sequences
            .iter()
            .max()
            .and_then(|sequence| status_at(*sequence))
        {
            *self.by_status.entry(last.0).or_default() += 1;
        }
        self.seen.insert(history.id);
        let job = self.jobs.get(&history.id);
        let began = history.created_at.or(job.map(|job| job.submitted_at));
        if began.is_some_and(|at| at > self.cut_off) && !self.ledger.contains(&history.id) {
            self.later = true;
            return;
        }
        let created = history.sequences.first() == Some(&0);
        match job {
            Some(job) => self.compare(job, &history.sequences, created),
            None if created => {
                self.miss(
                    history.id,
                    "its job.created is in the event log, but the job store does not know it",
                );
            }
            None => self.verdict.drifted.add(
                history.id,
                "the event log has events of a job that the job store does not know",
            ),
        }
    }

    /// Ends with the jobs that have no history, the ledger, and the counters.
    pub(super) fn finish(mut self, counters: &Counters) -> Verdict {
        let without: Vec<_> = self
            .jobs
            .values()
            .filter(|job| !self.seen.contains(&job.id))
            .collect();
        for job in without {
            if job.submitted_at <= self.cut_off {
                self.compare(job, &[], false);
            } else {
                self.later = true;
            }
        }
        for id in std::mem::take(&mut self.ledger) {
            if !self.seen.contains(&id) && !self.jobs.contains_key(&id) {
                self.miss(
                    id,
                    "it was answered with 202, but neither job store nor event log know it",
                );
            }
        }
        self.compare_counters(counters);
        self.verdict
    }

    /// An accepted job that the job store does not know: on its way while work messages are queued, else lost.
    fn miss(&mut self, id: JobId, detail: &str) {
        self.verdict.accepted += 1;
        if self.on_their_way.jobs > 0 {
            self.on_their_way.jobs -= 1;
            self.verdict.in_flight += 1;
        } else {
            self.verdict.lost.add(id, detail);
        }
    }

    fn compare(&mut self, job: &ExportedJob, recorded: &[u32], created: bool) {
        // A message that never was a job ends FAILED, but nobody accepted it.
        let accepted = created || self.ledger.contains(&job.id) || job.sequences.first() == Some(&0);
        self.verdict.accepted += u64::from(accepted);
        let may_be_deleted = self.may_be_deleted(job.submitted_at);
        self.verdict.expired += u64::from(may_be_deleted);
        self.find_duplicates(job, recorded);
        if !job.status.is_terminal() {
            self.judge_unfinished(job);
            return;
        }
        self.verdict.terminal += u64::from(accepted);
        let missing = difference(&job.sequences, recorded);
        let foreign = difference(recorded, &job.sequences);
        if let (Some(due), false, true) = (job.due_at, missing.is_empty(), foreign.is_empty()) {
            // The row still stands for its events: they will be published again when it comes due.
            if self.now.since(due) > STUCK_AFTER {
                let overdue = self.now.since(due).as_secs();
                self.verdict
                    .stuck
                    .add(job.id, format!("its events are overdue by {overdue} s"));
            } else {
                self.verdict.in_flight += 1;
            }
            return;
        }
        if !missing.is_empty() && !may_be_deleted {
            self.judge_unrecorded(job.id, &missing);
        }
        if !foreign.is_empty() {
            let detail = format!(
                "the event log has {}, which a job that is {} does not imply",
                names(&foreign),
                job.status
            );
            self.verdict.drifted.add(job.id, detail);
        }
    }

    /// Events that the log lacks: on their way while so many are queued, else missing.
    fn judge_unrecorded(&mut self, id: JobId, missing: &[u32]) {
        let events = missing.len() as u64;
        if self.on_their_way.events >= events {
            self.on_their_way.events -= events;
            self.verdict.in_flight += 1;
        } else {
            let detail = format!("the event log lacks {}", names(missing));
            self.verdict.drifted.add(id, detail);
        }
    }

    fn judge_unfinished(&mut self, job: &ExportedJob) {
        match job.due_at {
            None => self.verdict.stuck.add(
                job.id,
                format!("it is {} and nobody owes it anything", job.status),
            ),
            // While every slot is taken, what waits for one is late and not forgotten.
            Some(due)
                if self.now.since(due) > STUCK_AFTER
                    && !(self.busy && job.status != JobStatus::Executing) =>
            {
                let overdue = self.now.since(due).as_secs();
                self.verdict
                    .stuck
                    .add(job.id, format!("it is {} and overdue by {overdue} s", job.status));
            }
            Some(_) => self.verdict.in_flight += 1,
        }
    }

    fn find_duplicates(&mut self, job: &ExportedJob, recorded: &[u32]) {
        let ends = recorded.iter().filter(|sequence| is_end(**sequence)).count();
        if ends > 1 {
            let ended: Vec<_> = recorded
                .iter()
                .copied()
                .filter(|sequence| is_end(*sequence))
                .collect();
            self.verdict
                .duplicated
                .add(job.id, format!("it ended {ends} times: {}", names(&ended)));
        }
        let twice: Vec<_> = recorded
            .windows(2)
            .filter(|pair| pair[0] == pair[1])
            .map(|pair| pair[0])
            .collect();
        if !twice.is_empty() {
            self.verdict
                .duplicated
                .add(job.id, format!("recorded more than once: {}", names(&twice)));
        }
    }

    fn compare_counters(&mut self, counters: &Counters) {
        // While jobs move, the counters are read at another moment than the log. They also have what it has deleted since,
        // unless they were rebuilt.
        if self.verdict.in_flight > 0 || self.later || self.verdict.expired > 0 {
            return;
        }
        self.verdict.counters_compared = true;
        let total: u64 = self.by_status.values().sum();
        if counters.total != total {
            let detail = format!("the counters know {} jobs, the event log {total}", counters.total);
            self.verdict.drifted.add(None, detail);
        }
        for status in JobStatus::ALL {
            let (counted, logged) = (
                counters.in_status(status),
                self.by_status.get(&status).copied().unwrap_or(0),
            );
            if counted != logged {
                let detail = format!("the counters have {counted} jobs {status}, the event log {logged}");
                self.verdict.drifted.add(None, detail);
            }
        }
    }
}

fn is_end(sequence: u32) -> bool {
    status_at(sequence).is_some_and(|(status, _)| status.is_terminal())
}

/// What of `these` is not among `those`. Both are sorted.
fn difference(these: &[u32], those: &[u32]) -> Vec<u32> {
    these
        .iter()
        .copied()
        .filter(|sequence| those.binary_search(sequence).is_err())
        .collect()
}

/// Events in words, by their sequence numbers.
fn names(sequences: &[u32]) -> String {
    let name = |sequence: &u32| match status_at(*sequence) {
        Some((status, 0)) => format!("{status} (sequence {sequence})"),
        Some((status, attempt)) => format!("{status} of attempt {attempt} (sequence {sequence})"),
        None => format!("sequence {sequence}"),
    };
    sequences.iter().map(name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
#[path = "reconcile_tests.rs"]
mod tests;
