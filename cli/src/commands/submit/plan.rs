//! What is submitted and when: groups of like jobs, taken apart into chunks as they fall due.

use std::collections::VecDeque;
use std::time::Duration;

use odd_contracts::{JobId, JobStatus};
use uuid::Uuid;

/// Most jobs of one request.
const CHUNK_JOBS: usize = 500;
/// Bytes of jobs after which a request is closed; half of what the gateway takes.
const CHUNK_BYTES: usize = 4 << 20;
/// What the id adds to a document: `"id":"…",` and the end of its line.
const ID_BYTES: usize = 45;

/// Jobs that differ in nothing but their ids.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Group {
    /// When the first falls due, from the start.
    pub(super) at: Duration,
    /// Time from one to the next; none where all fall due together.
    pub(super) every: Option<Duration>,
    /// How many there are.
    pub(super) count: u64,
    /// The submission without its id: a JSON object on one line.
    pub(super) document: String,
    /// Type of the jobs.
    pub(super) job_type: String,
    /// Id of the job, where it was chosen. Of a group of one only.
    pub(super) id: Option<JobId>,
    /// How the jobs should end.
    pub(super) expect: Option<JobStatus>,
    /// Line of the file that asks for them.
    pub(super) line: Option<usize>,
}

impl Group {
    /// The submission under this id.
    pub(super) fn body(&self, id: JobId) -> String {
        let rest = self.document.strip_prefix('{').unwrap_or(&self.document);
        let comma = if rest.starts_with('}') { "" } else { "," };
        format!("{{\"id\":\"{id}\"{comma}{rest}")
    }

    fn due(&self, number: u64) -> Duration {
        let every = self.every.map_or(0.0, |every| every.as_secs_f64());
        self.at + Duration::try_from_secs_f64(every * number as f64).unwrap_or_default()
    }
}

/// One job that falls due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Planned {
    /// Place among all jobs of the command, from 0.
    pub(super) index: usize,
    /// Its group.
    pub(super) group: usize,
    /// Its id: chosen here, so that submitting it again makes no second job.
    pub(super) id: JobId,
}

/// Jobs in the order in which they fall due.
#[derive(Debug)]
pub(super) struct Schedule<'a> {
    groups: &'a [Group],
    /// Groups that are not used up: their places, in order of time.
    left: VecDeque<usize>,
    /// How many of the first of them are taken.
    taken: u64,
    index: usize,
}

impl<'a> Schedule<'a> {
    /// Groups that fall due together keep their order.
    pub(super) fn new(groups: &'a [Group]) -> Self {
        let mut left: Vec<usize> = (0..groups.len())
            .filter(|place| groups[*place].count > 0)
            .collect();
        left.sort_by_key(|place| groups[*place].at);
        Self {
            groups,
            left: left.into(),
            taken: 0,
            index: 0,
        }
    }

    /// When the next job falls due, from the start; none where all are taken.
    pub(super) fn next_due(&self) -> Option<Duration> {
        let group = &self.groups[*self.left.front()?];
        Some(group.due(self.taken))
    }

    /// Takes what is due `elapsed` after the start, as much as fits into one request.
    pub(super) fn take(&mut self, elapsed: Duration) -> Vec<Planned> {
        let mut chunk = Vec::new();
        let mut bytes = 0;
        while chunk.len() < CHUNK_JOBS && self.next_due().is_some_and(|due| due <= elapsed) {
            let place = self.left[0];
            let group = &self.groups[place];
            bytes += group.document.len() + ID_BYTES;
            if bytes > CHUNK_BYTES && !chunk.is_empty() {
                break;
            }
            chunk.push(Planned {
                index: self.index,
                group: place,
                id: group.id.unwrap_or_else(Uuid::new_v4),
            });
            self.index += 1;
            self.taken += 1;
            if self.taken == group.count {
                self.left.pop_front();
                self.taken = 0;
            }
        }
        chunk
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(at_ms: u64, count: u64) -> Group {
        Group {
            at: Duration::from_millis(at_ms),
            every: None,
            count,
            document: r#"{"type":"hello"}"#.to_owned(),
            job_type: "hello".to_owned(),
            id: None,
            expect: None,
            line: None,
        }
    }

    fn groups_of(chunk: &[Planned]) -> Vec<usize> {
        chunk.iter().map(|planned| planned.group).collect()
    }

    #[test]
    fn the_id_is_put_into_the_document() {
        let id = Uuid::from_u128(1);
        let read = |document: &str| {
            let group = Group {
                document: document.to_owned(),
                ..group(0, 1)
            };
            serde_json::from_str::<serde_json::Value>(&group.body(id)).unwrap()
        };
        assert_eq!(
            read(r#"{"type":"hello"}"#),
            serde_json::json!({ "id": id, "type": "hello" })
        );
        assert_eq!(read("{}"), serde_json::json!({ "id": id }));
    }

    #[test]
    fn jobs_fall_due_in_order_of_time_whatever_the_order_of_groups() {
        let groups = [group(100, 2), group(0, 1), group(100, 1), group(0, 0)];
        let mut schedule = Schedule::new(&groups);
        assert_eq!(groups_of(&schedule.take(Duration::ZERO)), [1]);
        assert!(schedule.take(Duration::from_millis(99)).is_empty());
        assert_eq!(schedule.next_due(), Some(Duration::from_millis(100)));
        let rest = schedule.take(Duration::from_secs(1));
        assert_eq!(groups_of(&rest), [0, 0, 2]);
        assert_eq!(rest.iter().map(|p| p.index).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(schedule.next_due(), None);
    }

    #[test]
    fn a_rate_spreads_jobs_without_drift() {
        let groups = [Group {
            every: Some(Duration::from_millis(10)),
            ..group(0, 100)
        }];
        let mut schedule = Schedule::new(&groups);
        assert_eq!(schedule.take(Duration::from_millis(25)).len(), 3);
        assert_eq!(schedule.next_due(), Some(Duration::from_millis(30)));
        assert_eq!(schedule.take(Duration::from_millis(990)).len(), 97);
        assert_eq!(schedule.next_due(), None);
    }

    #[test]
    fn requests_are_bounded_in_jobs_and_bytes_and_ids_differ() {
        let groups = [group(0, 1_200)];
        let mut schedule = Schedule::new(&groups);
        let chunks: Vec<_> = std::iter::from_fn(|| Some(schedule.take(Duration::ZERO)))
            .take_while(|chunk| !chunk.is_empty())
            .collect();
        assert_eq!(chunks.iter().map(Vec::len).collect::<Vec<_>>(), [500, 500, 200]);
        let ids: std::collections::HashSet<_> = chunks.iter().flatten().map(|planned| planned.id).collect();
        assert_eq!(ids.len(), 1_200);

        let large = [Group {
            document: format!("{{\"type\":\"{}\"}}", "x".repeat(3 << 20)),
            ..group(0, 3)
        }];
        let mut schedule = Schedule::new(&large);
        assert_eq!(schedule.take(Duration::ZERO).len(), 1, "two would be too large");
    }
}
