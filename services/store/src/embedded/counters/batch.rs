//! Events folded, and what they add to the counts. Nothing here touches the database.

use std::collections::{BTreeMap, HashMap, HashSet};

use odd_contracts::JobStatus;
use odd_contracts::history::status_at;
use uuid::Uuid;

use crate::CounterEvent;

/// Events of one call, folded: applying an event is `max`, so one number a job is left of them.
pub(super) struct Batch {
    pub(super) jobs: Vec<FoldedJob>,
    pub(super) dead_letters: Vec<Uuid>,
    pub(super) last_event_at: Option<i64>,
}

pub(super) struct FoldedJob {
    pub(super) id: Uuid,
    pub(super) sequence: u32,
    pub(super) job_type: String,
}

impl Batch {
    pub(super) fn of(events: &[CounterEvent]) -> Self {
        let mut jobs: HashMap<Uuid, (u32, &str)> = HashMap::with_capacity(events.len());
        let mut dead_letters = HashSet::new();
        for event in events {
            match event.sequence {
                None => {
                    dead_letters.insert(event.key);
                }
                Some(sequence) if status_at(sequence).is_some() => {
                    let (latest, job_type) = jobs.entry(event.key).or_insert((sequence, &event.job_type));
                    *latest = sequence.max(*latest);
                    if job_type.is_empty() {
                        *job_type = &event.job_type;
                    }
                }
                Some(_) => {}
            }
        }
        Self {
            jobs: jobs
                .into_iter()
                .map(|(id, (sequence, job_type))| FoldedJob {
                    id,
                    sequence,
                    job_type: job_type.to_owned(),
                })
                .collect(),
            dead_letters: dead_letters.into_iter().collect(),
            last_event_at: events.iter().map(|event| event.occurred_at.micros()).max(),
        }
    }
}

/// What a batch adds to the counts.
#[derive(Default)]
pub(super) struct Deltas {
    pub(super) statuses: BTreeMap<JobStatus, i64>,
    pub(super) types: BTreeMap<i64, TypeDelta>,
    pub(super) retries: i64,
    pub(super) dead_letters: i64,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct TypeDelta {
    pub(super) total: i64,
    pub(super) completed: i64,
    pub(super) failed: i64,
    pub(super) cancelled: i64,
}

impl Deltas {
    /// A job of this type moves from one sequence to another.
    pub(super) fn job(&mut self, type_id: i64, from: Option<u32>, to: u32) {
        let (from, to) = (from.and_then(status_at), status_at(to));
        let counts = self.types.entry(type_id).or_default();
        counts.total += i64::from(from.is_none());
        for (place, step) in [(from, -1), (to, 1)] {
            let Some((status, attempt)) = place else { continue };
            *self.statuses.entry(status).or_default() += step;
            // Attempt n followed n − 1 others.
            self.retries += step * i64::from(attempt.saturating_sub(1));
            match status {
                JobStatus::Completed => counts.completed += step,
                JobStatus::Failed => counts.failed += step,
                JobStatus::Cancelled => counts.cancelled += step,
                _ => {}
            }
        }
    }
}
