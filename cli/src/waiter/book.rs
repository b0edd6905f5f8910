//! Who is waited for and who has ended. No input or output.

use std::collections::{HashMap, VecDeque};

use odd_contracts::{EventEnvelope, JobId, JobStatus, history};

use super::{Ended, Seen};

/// Who is waited for and who has ended.
#[derive(Debug, Default)]
pub(super) struct Book {
    /// Jobs that are waited for, and what was last seen of them.
    waiting: HashMap<JobId, Option<JobStatus>>,
    /// The order in which they are looked up. May hold some that are not waited for any more.
    queue: VecDeque<JobId>,
    /// Jobs that ended and were not handed out yet.
    ended: VecDeque<Ended>,
}

impl Book {
    pub(super) fn expect(&mut self, id: JobId) {
        if self.waiting.insert(id, None).is_none() {
            self.queue.push_back(id);
        }
    }

    pub(super) fn forget(&mut self, id: JobId) {
        self.waiting.remove(&id);
        self.ended.retain(|ended| ended.id != id);
    }

    pub(super) fn outstanding(&self) -> usize {
        self.waiting.len() + self.ended.len()
    }

    pub(super) fn last_seen(&self, id: JobId) -> Option<JobStatus> {
        self.waiting.get(&id).copied().flatten()
    }

    /// Notes what was seen. Jobs that nobody waits for, or that ended before, change nothing.
    pub(super) fn see(&mut self, seen: Vec<Seen>) {
        for Seen { id, status, error } in seen {
            let Some(last) = self.waiting.get_mut(&id) else {
                continue;
            };
            if status.is_terminal() {
                self.waiting.remove(&id);
                self.ended.push_back(Ended { id, status, error });
            } else {
                *last = Some(status);
            }
        }
    }

    pub(super) fn next_ended(&mut self) -> Option<Ended> {
        self.ended.pop_front()
    }

    /// Up to `most` jobs to look up: those that were not looked up for longest.
    pub(super) fn round(&mut self, most: usize) -> Vec<JobId> {
        let mut ids = Vec::new();
        for _ in 0..self.queue.len() {
            if ids.len() == most {
                break;
            }
            let Some(id) = self.queue.pop_front() else { break };
            if self.waiting.contains_key(&id) {
                self.queue.push_back(id);
                ids.push(id);
            }
        }
        ids
    }
}

/// What an event tells about its job.
pub(super) fn seen(event: &EventEnvelope) -> Option<Seen> {
    let error = event.payload.get("error").and_then(|error| error.as_str());
    Some(Seen {
        id: event.job_id()?,
        status: history::status_after(event.event_type),
        error: error.map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn id(n: u128) -> JobId {
        JobId::from_u128(n)
    }

    fn state(n: u128, status: JobStatus) -> Seen {
        Seen {
            id: id(n),
            status,
            error: None,
        }
    }

    /// An event as the stream sends it.
    fn event(event_type: &str, n: u128, extra: serde_json::Value) -> EventEnvelope {
        let mut payload = json!({ "id": id(n), "type": "hello" });
        payload
            .as_object_mut()
            .unwrap()
            .extend(extra.as_object().unwrap().clone());
        serde_json::from_value(json!({
            "contractVersion": "1.1.0", "eventType": event_type, "eventId": id(900 + n),
            "occurredAt": "2026-01-31T12:00:00Z",
            "producer": { "service": "processor", "instanceId": "i", "version": "0.1.0" },
            "correlationId": "c", "idempotencyKey": id(n), "payload": payload,
        }))
        .unwrap()
    }

    #[test]
    fn recorded_events_end_those_that_are_waited_for_once() {
        let recorded = [
            event("job.completed", 1, json!({})),
            event("job.failed", 2, json!({ "error": "upstream 502" })),
            event("job.completed", 7, json!({})),
            event("job.completed", 1, json!({})),
            event("job.cancelled", 3, json!({})),
        ];
        let mut book = Book::default();
        (1..=4).for_each(|n| book.expect(id(n)));
        book.see(recorded.iter().filter_map(seen).collect());
        assert_eq!(
            book.outstanding(),
            4,
            "ended ones count until they were handed out"
        );
        let ended: Vec<_> = std::iter::from_fn(|| book.next_ended()).collect();
        let ends: Vec<_> = ended.iter().map(|e| (e.id, e.status)).collect();
        assert_eq!(
            ends,
            [
                (id(1), JobStatus::Completed),
                (id(2), JobStatus::Failed),
                (id(3), JobStatus::Cancelled)
            ]
        );
        assert_eq!(ended[1].error.as_deref(), Some("upstream 502"));
        assert_eq!(book.outstanding(), 1);
        assert_eq!(book.round(10), [id(4)]);
    }

    #[test]
    fn what_is_looked_up_counts_like_an_event_and_the_last_state_is_kept() {
        let mut book = Book::default();
        book.expect(id(1));
        book.expect(id(2));
        book.see(vec![
            state(1, JobStatus::Executing),
            state(2, JobStatus::Completed),
        ]);
        assert_eq!(book.last_seen(id(1)), Some(JobStatus::Executing));
        assert_eq!(book.last_seen(id(2)), None);
        assert_eq!(book.next_ended().unwrap().id, id(2));
        assert_eq!(book.next_ended(), None);
    }

    #[test]
    fn rounds_go_through_everybody_in_turn() {
        let mut book = Book::default();
        (1..=5).for_each(|n| book.expect(id(n)));
        book.expect(id(1));
        assert_eq!(book.round(2), [id(1), id(2)]);
        book.see(vec![state(3, JobStatus::Failed)]);
        assert_eq!(book.round(2), [id(4), id(5)]);
        assert_eq!(
            book.round(9),
            [id(1), id(2), id(4), id(5)],
            "nobody twice in a round"
        );
    }

    #[test]
    fn a_refused_job_is_waited_for_no_longer_even_if_it_has_ended() {
        let mut book = Book::default();
        book.expect(id(1));
        book.see(vec![state(1, JobStatus::Completed)]);
        book.forget(id(1));
        assert_eq!((book.next_ended(), book.outstanding()), (None, 0));
        assert!(book.round(9).is_empty());
    }
}
