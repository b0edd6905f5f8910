//! Reconciliation: what was accepted, against state, history and counters. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use odd_contracts::api::{Counters, ExportedHistory, ExportedJob};
use odd_contracts::history::status_at;
use odd_contracts::{JobId, JobStatus, Timestamp};
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
    /// Not ended, but somebody owes them their next step.
    pub(super) in_flight: u64,
    /// Whether the counters were compared: only while nothing changes them, and the log still has all that they counted.
    pub(super) counters_compared: bool,
    /// Where the log keeps events for a limited time: since when the jobs were submitted whose histories must be complete.
    pub(super) checked_since: Option<Timestamp>,
    /// Jobs that were submitted before: the log may have deleted some or all of their events.
    pub(super) expired: u64,
}

impl Verdict {
    /// Whether the promise holds.
    pub(super) fn is_ok(&self) -> bool {
        [&self.lost, &self.stuck, &self.duplicated, &self.drifted]
            .iter()
            .all(|findings| findings.count == 0)
    }

    /// Whether waiting cannot change the verdict for the better.
    pub(super) fn is_settled(&self) -> bool {
        self.is_ok() && self.in_flight == 0 && (self.counters_compared || self.expired > 0)
    }
}

/// The side of the job store, read before the log.
pub(super) type Jobs = BTreeMap<JobId, ExportedJob>;

/// Goes through the histories, in order of job id, beside the jobs.
pub(super) struct Reconciliation<'a> {
    jobs: &'a Jobs,
    ledger: BTreeSet<JobId>,
    cut_off: Timestamp,
    now: Timestamp,
    queued: u64,
    busy: bool,
    seen: BTreeSet<JobId>,
    by_status: BTreeMap<JobStatus, u64>,
    later: bool,
    verdict: Verdict,
}

impl<'a> Reconciliation<'a> {
    /// Begins with what the job store knows, the ledger's ids of before the cut-off, and how many work messages
    /// were queued before the job store was read: so many accepted jobs need not be known to it yet.
    ///
    /// Where the log keeps events for a limited time, what has to be in it is judged as of `now`, which is before it is read.
    pub(super) fn new(
        jobs: &'a Jobs,
        ledger: BTreeSet<JobId>,
        queued: u64,
        cut_off: Timestamp,
        now: Timestamp,
        retention: Option<Duration>,
    ) -> Self {
        let runs =
            |job: &ExportedJob| job.status == JobStatus::Executing && job.due_at.is_some_and(|due| due > now);
        Self {
            queued,
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
        if self.queued > 0 {
            self.queued -= 1;
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
            self.verdict
                .drifted
                .add(job.id, format!("the event log lacks {}", names(&missing)));
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
mod tests {
    use super::*;
    use uuid::Uuid;

    const DONE: [u32; 4] = [0, 1, 11, 13];

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn id(n: u128) -> JobId {
        Uuid::from_u128(n)
    }

    fn job(n: u128, status: JobStatus, due: Option<i64>, sequences: &[u32]) -> ExportedJob {
        ExportedJob {
            id: id(n),
            status,
            submitted_at: at(10),
            updated_at: at(11),
            due_at: due.map(at),
            sequences: sequences.to_vec(),
        }
    }

    fn history(n: u128, sequences: &[u32]) -> ExportedHistory {
        ExportedHistory {
            id: id(n),
            created_at: (sequences.first() == Some(&0)).then(|| at(10)),
            sequences: sequences.to_vec(),
        }
    }

    fn counters(entries: &[(JobStatus, u64)]) -> Counters {
        Counters {
            total: entries.iter().map(|(_, count)| count).sum(),
            by_status: entries.iter().copied().collect(),
            ..Default::default()
        }
    }

    fn verify(
        jobs: &[ExportedJob],
        log: &[ExportedHistory],
        ledger: &[u128],
        counters: &Counters,
    ) -> Verdict {
        let jobs: Jobs = jobs.iter().map(|job| (job.id, job.clone())).collect();
        let ledger = ledger.iter().map(|n| id(*n)).collect();
        let mut reconciliation = Reconciliation::new(&jobs, ledger, 0, at(100), at(200), None);
        for history in log {
            reconciliation.history(history);
        }
        reconciliation.finish(counters)
    }

    #[test]
    fn a_clean_system_is_clean() {
        let done = counters(&[(JobStatus::Completed, 1)]);
        let verdict = verify(
            &[job(1, JobStatus::Completed, None, &DONE)],
            &[history(1, &DONE)],
            &[1],
            &done,
        );
        assert!(verdict.is_settled(), "{verdict:?}");
        assert_eq!((verdict.accepted, verdict.terminal), (1, 1));
    }

    #[test]
    fn lost_jobs_are_found_by_log_and_by_ledger() {
        let verdict = verify(
            &[],
            &[history(1, &[0])],
            &[2],
            &counters(&[(JobStatus::Pending, 1)]),
        );
        assert_eq!((verdict.accepted, verdict.lost.count), (2, 2));
        assert_eq!(verdict.lost.listed[1].id, Some(id(2)));
    }

    #[test]
    fn stuck_is_overdue_or_owed_by_nobody() {
        let jobs = [
            job(1, JobStatus::Executing, Some(130), &[0, 1]),
            job(2, JobStatus::Executing, None, &[0, 1]),
            job(3, JobStatus::Executing, Some(150), &[0, 1]),
            job(4, JobStatus::Scheduled, Some(9_000), &[0, 1, 2]),
        ];
        let verdict = verify(&jobs, &[], &[], &counters(&[]));
        assert_eq!((verdict.stuck.count, verdict.in_flight), (2, 2));
        assert!(!verdict.counters_compared);
    }

    #[test]
    fn a_second_end_and_a_repeated_event_are_duplicates() {
        let jobs = [
            job(1, JobStatus::Completed, None, &DONE),
            job(2, JobStatus::Completed, None, &DONE),
        ];
        let log = [history(1, &[0, 1, 11, 13, 14]), history(2, &[0, 1, 11, 13, 13])];
        let verdict = verify(
            &jobs,
            &log,
            &[],
            &counters(&[(JobStatus::Failed, 1), (JobStatus::Completed, 1)]),
        );
        // The repeated COMPLETED is both an event recorded twice and a second end.
        assert_eq!(verdict.duplicated.count, 3, "{verdict:?}");
        assert_eq!(verdict.drifted.count, 1, "FAILED is not implied");
    }

    #[test]
    fn missing_events_and_wrong_counters_are_drift() {
        let jobs = [
            job(1, JobStatus::Completed, None, &DONE),
            job(2, JobStatus::Completed, None, &DONE),
        ];
        let verdict = verify(
            &jobs,
            &[history(1, &[0, 1, 13])],
            &[],
            &counters(&[(JobStatus::Completed, 9)]),
        );
        let details: Vec<_> = verdict
            .drifted
            .listed
            .iter()
            .map(|finding| finding.detail.as_str())
            .collect();
        assert_eq!(verdict.drifted.count, 4, "{details:?}");
        assert!(details[0].contains("EXECUTING of attempt 1"), "{details:?}");
    }

    #[test]
    fn poison_is_no_accepted_job_and_later_jobs_are_left_out() {
        let mut later = job(2, JobStatus::Executing, None, &[0, 1]);
        later.submitted_at = at(150);
        let poison = job(1, JobStatus::Failed, None, &[4]);
        let verdict = verify(
            &[poison, later],
            &[history(1, &[4])],
            &[],
            &counters(&[(JobStatus::Failed, 1)]),
        );
        assert!(verdict.is_ok(), "{verdict:?}");
        assert_eq!(verdict.accepted, 0);
        assert!(!verdict.counters_compared);
    }

    #[test]
    fn queued_work_is_on_its_way_and_not_lost() {
        let jobs = Jobs::new();
        let mut reconciliation = Reconciliation::new(&jobs, [id(2)].into(), 1, at(100), at(200), None);
        reconciliation.history(&history(1, &[0]));
        let verdict = reconciliation.finish(&counters(&[(JobStatus::Pending, 1)]));
        assert_eq!(
            (verdict.accepted, verdict.in_flight, verdict.lost.count),
            (2, 1, 1)
        );
        assert!(!verdict.is_settled());
    }

    #[test]
    fn waiting_for_a_slot_is_not_stuck_while_slots_are_taken() {
        let waiting = job(1, JobStatus::Validated, Some(100), &[0, 1]);
        let running = job(2, JobStatus::Executing, Some(220), &[0, 1]);
        let verdict = verify(&[waiting.clone(), running], &[], &[], &counters(&[]));
        assert_eq!((verdict.stuck.count, verdict.in_flight), (0, 2));
        let verdict = verify(&[waiting], &[], &[], &counters(&[]));
        assert_eq!(verdict.stuck.count, 1);
    }

    #[test]
    fn an_end_whose_events_are_owed_is_in_flight_until_overdue() {
        let of = |due| {
            verify(
                &[job(1, JobStatus::Completed, Some(due), &DONE)],
                &[history(1, &[0])],
                &[],
                &counters(&[(JobStatus::Pending, 1)]),
            )
        };
        assert_eq!((of(220).in_flight, of(220).drifted.count), (1, 0));
        assert_eq!((of(130).stuck.count, of(130).drifted.count), (1, 0));
    }

    /// Of a log that keeps events for an hour, and jobs submitted just outside (1) and inside (2) of what is checked.
    fn verify_within_an_hour(log: &[ExportedHistory], due: Option<i64>, ledger: &[u128]) -> Verdict {
        let now = at(10_000);
        let kept = Duration::from_secs(3_600);
        let edge = now.minus(kept).plus(MARGIN);
        let (mut old, mut new) = (
            job(1, JobStatus::Completed, due, &DONE),
            job(2, JobStatus::Completed, None, &DONE),
        );
        (old.submitted_at, new.submitted_at) = (edge.minus(Duration::from_micros(1)), edge);
        let jobs: Jobs = [(id(1), old), (id(2), new)].into();
        let ledger = ledger.iter().map(|n| id(*n)).collect();
        let mut reconciliation = Reconciliation::new(&jobs, ledger, 0, now, now, Some(kept));
        for history in log {
            reconciliation.history(history);
        }
        let verdict = reconciliation.finish(&counters(&[(JobStatus::Completed, 2)]));
        assert_eq!(verdict.checked_since, Some(edge));
        verdict
    }

    #[test]
    fn what_the_log_has_deleted_is_not_missed() {
        for log in [
            vec![history(2, &DONE)],
            vec![history(1, &[11, 13]), history(2, &DONE)],
            vec![history(1, &DONE), history(2, &DONE)],
        ] {
            let verdict = verify_within_an_hour(&log, None, &[1, 2]);
            assert!(verdict.is_settled(), "{verdict:?}");
            assert_eq!((verdict.accepted, verdict.terminal, verdict.expired), (2, 2, 1));
            assert!(!verdict.counters_compared);
        }
    }

    #[test]
    fn what_a_log_still_keeps_is_checked_as_ever() {
        let verdict = verify_within_an_hour(&[history(2, &[0, 1, 11])], None, &[]);
        assert_eq!(verdict.drifted.count, 1, "{verdict:?}");
        assert_eq!(verdict.drifted.listed[0].id, Some(id(2)));
    }

    #[test]
    fn of_an_old_job_everything_is_checked_that_can_be() {
        // Ended twice, and lost.
        let log = [history(1, &[13, 14]), history(2, &DONE)];
        let verdict = verify_within_an_hour(&log, None, &[3]);
        let counts = (
            verdict.duplicated.count,
            verdict.drifted.count,
            verdict.lost.count,
        );
        assert_eq!(counts, (1, 1, 1), "{verdict:?}");
        // Its events are still owed, in time or overdue.
        let owed = |due| verify_within_an_hour(&[history(2, &DONE)], Some(due), &[]);
        assert_eq!((owed(10_020).in_flight, owed(10_020).stuck.count), (1, 0));
        assert_eq!((owed(9_900).in_flight, owed(9_900).stuck.count), (0, 1));
    }

    #[test]
    fn counters_are_compared_while_nothing_can_have_been_deleted() {
        let jobs: Jobs = [(id(1), job(1, JobStatus::Completed, None, &DONE))].into();
        let (now, kept) = (at(10_000), MARGIN + Duration::from_secs(9_990));
        let mut reconciliation = Reconciliation::new(&jobs, BTreeSet::new(), 0, now, now, Some(kept));
        reconciliation.history(&history(1, &DONE));
        let verdict = reconciliation.finish(&counters(&[(JobStatus::Completed, 9)]));
        assert!(verdict.counters_compared);
        assert_eq!((verdict.expired, verdict.drifted.count), (0, 2));
    }
}
