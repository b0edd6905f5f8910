//! What became of each job of the command: counted, judged, written down. No input or output.

use std::collections::HashMap;

use odd_contracts::{JobId, JobStatus, Problem};
use serde::Serialize;

use super::plan::{Group, Planned};
use crate::exit::ExitCode;
use crate::waiter::Ended;

/// An accepted job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) id: JobId,
    pub(super) index: usize,
    pub(super) group: usize,
    /// Where it stands as far as is known: terminal once it has ended.
    pub(super) status: JobStatus,
    pub(super) error: Option<String>,
    /// Whether its id was accepted before.
    pub(super) duplicate: bool,
}

/// A refused job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Rejected {
    /// Place among all jobs of the command, from 0.
    pub(super) index: usize,
    #[serde(skip)]
    pub(super) group: usize,
    pub(super) problem: Problem,
}

/// What became of each job of the command.
#[derive(Debug)]
pub(super) struct Board<'a> {
    groups: &'a [Group],
    wait: bool,
    pub(super) submitted: usize,
    pub(super) retries: u64,
    pub(super) entries: Vec<Entry>,
    pub(super) rejected: Vec<Rejected>,
    places: HashMap<JobId, usize>,
    /// Ends that arrived before the acceptance did.
    early: HashMap<JobId, Ended>,
    ended: [usize; 3],
    closed: bool,
}

/// Version 1 of the answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answer<'a> {
    version: u32,
    submitted: usize,
    accepted: usize,
    completed: usize,
    failed: usize,
    cancelled: usize,
    timed_out: usize,
    jobs: Vec<Line<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    rejected: &'a [Rejected],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mismatched: Vec<Mismatch>,
    #[serde(skip_serializing_if = "is_zero")]
    retries: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A job in an answer.
#[derive(Debug, Serialize)]
pub(super) struct Line<'a> {
    id: JobId,
    #[serde(rename = "type")]
    job_type: &'a str,
    status: JobStatus,
}

/// A job that ended otherwise than its line says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Mismatch {
    pub(super) id: JobId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) line: Option<usize>,
    pub(super) expected: JobStatus,
    pub(super) status: JobStatus,
}

impl<'a> Board<'a> {
    pub(super) fn new(groups: &'a [Group], wait: bool) -> Self {
        Self {
            groups,
            wait,
            submitted: 0,
            retries: 0,
            entries: Vec::new(),
            rejected: Vec::new(),
            places: HashMap::new(),
            early: HashMap::new(),
            ended: [0; 3],
            closed: false,
        }
    }

    /// Whether the command waits for the end of the jobs of a group.
    pub(super) fn awaits(&self, group: usize) -> bool {
        self.wait || self.groups[group].expect.is_some()
    }

    /// Whether it waits for any.
    pub(super) fn awaits_any(&self) -> bool {
        self.wait || self.groups.iter().any(|group| group.expect.is_some())
    }

    /// Jobs that it waits for, all in all.
    pub(super) fn to_end(&self) -> u64 {
        let awaited = (0..self.groups.len()).filter(|place| self.awaits(*place));
        awaited.map(|place| self.groups[place].count).sum()
    }

    /// Notes an acceptance; returns the job.
    pub(super) fn accept(&mut self, job: &Planned, duplicate: bool) -> &Entry {
        let place = self.entries.len();
        self.entries.push(Entry {
            id: job.id,
            index: job.index,
            group: job.group,
            status: JobStatus::Pending,
            error: None,
            duplicate,
        });
        self.places.insert(job.id, place);
        if let Some(ended) = self.early.remove(&job.id) {
            self.end(ended);
        }
        &self.entries[place]
    }

    pub(super) fn reject(&mut self, job: &Planned, problem: Problem) -> &Rejected {
        self.early.remove(&job.id);
        let place = self.rejected.len();
        self.rejected.push(Rejected {
            index: job.index,
            group: job.group,
            problem,
        });
        &self.rejected[place]
    }

    /// Notes the end of a job; returns it once it is accepted as well.
    pub(super) fn end(&mut self, ended: Ended) -> Option<&Entry> {
        let Some(place) = self.places.get(&ended.id) else {
            self.early.insert(ended.id, ended);
            return None;
        };
        let entry = &mut self.entries[*place];
        if !entry.status.is_terminal() {
            self.ended[kind(ended.status)] += 1;
            entry.status = ended.status;
            entry.error = ended.error;
        }
        Some(entry)
    }

    /// Notes what was last seen of the jobs that have not ended: nobody waits for them any more.
    pub(super) fn close(&mut self, last_seen: impl Fn(JobId) -> Option<JobStatus>) {
        self.closed = true;
        for entry in self
            .entries
            .iter_mut()
            .filter(|entry| !entry.status.is_terminal())
        {
            entry.status = last_seen(entry.id).unwrap_or(entry.status);
        }
        self.entries.sort_unstable_by_key(|entry| entry.index);
        self.rejected.sort_unstable_by_key(|rejected| rejected.index);
        self.places.clear();
    }

    pub(super) fn completed(&self) -> usize {
        self.ended[0]
    }

    pub(super) fn failed(&self) -> usize {
        self.ended[1]
    }

    pub(super) fn cancelled(&self) -> usize {
        self.ended[2]
    }

    /// Jobs that were waited for and ended.
    pub(super) fn ended(&self) -> usize {
        self.ended.iter().sum()
    }

    /// Jobs that were waited for and have not ended.
    pub(super) fn timed_out(&self) -> impl Iterator<Item = &Entry> {
        self.entries
            .iter()
            .filter(|entry| self.awaits(entry.group) && !entry.status.is_terminal())
    }

    /// Jobs that ended otherwise than expected.
    pub(super) fn mismatched(&self) -> Vec<Mismatch> {
        let mismatch = |entry: &Entry| {
            let group = &self.groups[entry.group];
            let expected = group.expect?;
            (entry.status.is_terminal() && entry.status != expected).then_some(Mismatch {
                id: entry.id,
                line: group.line,
                expected,
                status: entry.status,
            })
        };
        self.entries.iter().filter_map(mismatch).collect()
    }

    pub(super) fn group(&self, entry: &Entry) -> &'a Group {
        &self.groups[entry.group]
    }

    /// Whether every job was expected to end in one way, and did.
    pub(super) fn is_as_expected(&self) -> bool {
        self.groups.iter().all(|group| group.expect.is_some()) && self.exit_code() == ExitCode::Ok
    }

    /// Line of the file that asked for a refused job.
    pub(super) fn line_of(&self, rejected: &Rejected) -> Option<usize> {
        self.groups[rejected.group].line
    }

    /// What the command exits with. The gravest finding decides: an expectation that was not met, a refusal, a job
    /// that did not end, one that ended badly.
    pub(super) fn exit_code(&self) -> ExitCode {
        let badly = |entry: &Entry| {
            self.awaits(entry.group)
                && self.groups[entry.group].expect.is_none()
                && matches!(entry.status, JobStatus::Failed | JobStatus::Cancelled)
        };
        if !self.mismatched().is_empty() {
            ExitCode::GateFailed
        } else if !self.rejected.is_empty() {
            ExitCode::Failed
        } else if self.timed_out().next().is_some() {
            ExitCode::TimedOut
        } else if self.entries.iter().any(badly) {
            ExitCode::JobFailed
        } else {
            ExitCode::Ok
        }
    }

    /// The answer for programs.
    pub(super) fn answer(&self) -> Answer<'_> {
        debug_assert!(self.closed, "a board is closed before it is read");
        Answer {
            version: 1,
            submitted: self.submitted,
            accepted: self.entries.len(),
            completed: self.completed(),
            failed: self.failed(),
            cancelled: self.cancelled(),
            timed_out: self.timed_out().count(),
            jobs: self.entries.iter().map(|entry| self.line(entry)).collect(),
            rejected: &self.rejected,
            mismatched: self.mismatched(),
            retries: self.retries,
        }
    }

    fn line(&self, entry: &Entry) -> Line<'a> {
        Line {
            id: entry.id,
            job_type: &self.groups[entry.group].job_type,
            status: entry.status,
        }
    }
}

const fn kind(status: JobStatus) -> usize {
    match status {
        JobStatus::Failed => 1,
        JobStatus::Cancelled => 2,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use odd_contracts::ProblemCode;
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    fn groups(expects: &[Option<JobStatus>]) -> Vec<Group> {
        let group = |(line, expect): (usize, &Option<JobStatus>)| Group {
            at: Duration::ZERO,
            every: None,
            count: 1,
            document: String::new(),
            job_type: "hello".to_owned(),
            id: None,
            expect: *expect,
            line: Some(line + 1),
        };
        expects.iter().enumerate().map(group).collect()
    }

    fn planned(index: usize) -> Planned {
        Planned {
            index,
            group: index,
            id: Uuid::from_u128(index as u128),
        }
    }

    fn ended(index: usize, status: JobStatus) -> Ended {
        Ended {
            id: Uuid::from_u128(index as u128),
            status,
            error: None,
        }
    }

    /// The exit code of jobs with these expectations that ended so (or did not).
    fn code(wait: bool, jobs: &[(Option<JobStatus>, Option<JobStatus>)]) -> ExitCode {
        let groups = groups(&jobs.iter().map(|job| job.0).collect::<Vec<_>>());
        let mut board = Board::new(&groups, wait);
        for (index, (_, end)) in jobs.iter().enumerate() {
            board.accept(&planned(index), false);
            if let Some(status) = end {
                board.end(ended(index, *status));
            }
        }
        board.close(|_| None);
        board.exit_code()
    }

    #[test]
    fn the_gravest_finding_decides_the_exit_code() {
        use JobStatus::{Cancelled, Completed, Failed};
        assert_eq!(code(true, &[(None, Some(Completed))]), ExitCode::Ok);
        assert_eq!(
            code(true, &[(None, Some(Completed)), (None, Some(Cancelled))]),
            ExitCode::JobFailed
        );
        assert_eq!(
            code(true, &[(None, None), (None, Some(Failed))]),
            ExitCode::TimedOut
        );
        assert_eq!(
            code(true, &[(None, None), (Some(Completed), Some(Failed))]),
            ExitCode::GateFailed
        );
        assert_eq!(code(true, &[(Some(Failed), Some(Failed))]), ExitCode::Ok);
        assert_eq!(code(false, &[(None, None)]), ExitCode::Ok, "nobody waited for it");
        assert_eq!(code(false, &[(Some(Failed), None)]), ExitCode::TimedOut);
    }

    #[test]
    fn an_end_may_arrive_before_the_acceptance_and_counts_once() {
        let groups = groups(&[None]);
        let mut board = Board::new(&groups, true);
        assert!(board.end(ended(0, JobStatus::Completed)).is_none());
        assert_eq!(board.accept(&planned(0), true).status, JobStatus::Completed);
        board.end(ended(0, JobStatus::Completed));
        board.close(|_| None);
        assert_eq!((board.completed(), board.ended()), (1, 1));
        assert!(board.entries[0].duplicate);
    }

    #[test]
    fn the_answer_has_exactly_the_promised_fields_and_more_only_where_needed() {
        let groups = groups(&[None, None, Some(JobStatus::Completed)]);
        let mut board = Board::new(&groups, true);
        board.submitted = 2;
        board.accept(&planned(1), false);
        board.accept(&planned(0), false);
        board.end(ended(0, JobStatus::Failed));
        board.close(|_| Some(JobStatus::Executing));
        let id = |n: u128| Uuid::from_u128(n);
        let mut expected = json!({
            "version": 1, "submitted": 2, "accepted": 2, "completed": 0, "failed": 1, "cancelled": 0, "timedOut": 1,
            "jobs": [
                { "id": id(0), "type": "hello", "status": "FAILED" },
                { "id": id(1), "type": "hello", "status": "EXECUTING" },
            ],
        });
        assert_eq!(serde_json::to_value(board.answer()).unwrap(), expected);

        let mut board = Board::new(&groups, false);
        board.submitted = 2;
        board.retries = 4;
        let problem = Problem::new(ProblemCode::ValidationFailed, "/type: must not be empty");
        board.reject(&planned(1), problem.clone());
        board.accept(&planned(2), false);
        board.end(ended(2, JobStatus::Cancelled));
        board.close(|_| None);
        expected = json!({
            "version": 1, "submitted": 2, "accepted": 1, "completed": 0, "failed": 0, "cancelled": 1, "timedOut": 0,
            "jobs": [{ "id": id(2), "type": "hello", "status": "CANCELLED" }],
            "rejected": [{ "index": 1, "problem": problem }],
            "mismatched": [{ "id": id(2), "line": 3, "expected": "COMPLETED", "status": "CANCELLED" }],
            "retries": 4,
        });
        assert_eq!(serde_json::to_value(board.answer()).unwrap(), expected);
        assert_eq!(board.exit_code(), ExitCode::GateFailed);
    }
}
