//! The `job.created` events of accepted jobs, on their way to the event log behind the answer.
//!
//! Nothing waits for them: the processor publishes each again from the work message. So the queue here is bounded in
//! number and bytes, and what does not fit, or is not confirmed, is counted and dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use odd_contracts::EventType;
use odd_contracts::names::spine::{MAX_BATCH_BYTES, MAX_ENVELOPES, NDJSON};
use odd_spine::port::Headers;
use odd_spine::{Message, Route, Spine};
use prometheus::IntCounter;
use tokio::sync::mpsc;
use uuid::Uuid;

/// Most events that wait.
const MAX_WAITING: usize = 16_384;
/// Most bytes of events that wait.
const MAX_WAITING_BYTES: usize = 32 * 1024 * 1024;

/// A `job.created` event.
#[derive(Clone, Debug)]
pub(crate) struct Created {
    /// Identity of the event.
    pub(crate) event_id: Uuid,
    /// Its envelope as JSON on one line: the bytes of the work message, shared with it.
    pub(crate) envelope: Bytes,
}

/// Takes `job.created` events without waiting.
pub(crate) struct CreatedEvents {
    sender: mpsc::Sender<Created>,
    waiting_bytes: Arc<AtomicUsize>,
    dropped: IntCounter,
}

/// Publishes what [`CreatedEvents`] took.
pub(crate) struct CreatedPublisher {
    receiver: mpsc::Receiver<Created>,
    waiting_bytes: Arc<AtomicUsize>,
    dropped: IntCounter,
    spine: Arc<dyn Spine>,
    confirm_timeout: Duration,
}

/// The two ends of the queue; `dropped` counts the events that never reach the spine from here.
pub(crate) fn queue(
    spine: Arc<dyn Spine>,
    confirm_timeout: Duration,
    dropped: IntCounter,
) -> (CreatedEvents, CreatedPublisher) {
    let (sender, receiver) = mpsc::channel(MAX_WAITING);
    let waiting_bytes = Arc::new(AtomicUsize::new(0));
    let publisher = CreatedPublisher {
        receiver,
        waiting_bytes: Arc::clone(&waiting_bytes),
        dropped: dropped.clone(),
        spine,
        confirm_timeout,
    };
    let events = CreatedEvents {
        sender,
        waiting_bytes,
        dropped,
    };
    (events, publisher)
}

impl CreatedEvents {
    /// Hands an event to the publisher; drops it where there is no room.
    pub(crate) fn offer(&self, created: Created) {
        let size = created.envelope.len();
        let waiting = self.waiting_bytes.fetch_add(size, Ordering::Relaxed);
        if waiting.saturating_add(size) > MAX_WAITING_BYTES || self.sender.try_send(created).is_err() {
            self.waiting_bytes.fetch_sub(size, Ordering::Relaxed);
            self.dropped.inc();
        }
    }
}

impl CreatedPublisher {
    /// Publishes batch after batch, each as soon as the one before is confirmed. Ends when every [`CreatedEvents`] is
    /// gone and all that they took is published.
    pub(crate) async fn run(mut self) {
        let mut events = Vec::with_capacity(MAX_ENVELOPES);
        while self.receiver.recv_many(&mut events, MAX_ENVELOPES).await > 0 {
            let size = events.iter().map(|event| event.envelope.len()).sum();
            self.waiting_bytes.fetch_sub(size, Ordering::Relaxed);
            self.publish(&events).await;
            events.clear();
        }
    }

    async fn publish(&self, events: &[Created]) {
        let batches = batches(events);
        let counts: Vec<u64> = batches.iter().map(|batch| batch.len() as u64).collect();
        let messages = batches.into_iter().filter_map(message).collect();
        let unconfirmed: u64 =
            match tokio::time::timeout(self.confirm_timeout, self.spine.publish(messages)).await {
                Ok(results) => {
                    let failed = results.iter().zip(&counts).filter(|(result, _)| result.is_err());
                    failed.map(|(_, count)| count).sum()
                }
                Err(_) => counts.iter().sum(),
            };
        if unconfirmed > 0 {
            self.dropped.inc_by(unconfirmed);
            tracing::debug!(unconfirmed, "left job.created events to the processor");
        }
    }
}

/// Divides events so that none but a single large one makes a message beyond the size that consumers expect.
fn batches(events: &[Created]) -> Vec<&[Created]> {
    let mut batches = Vec::new();
    let (mut start, mut size) = (0, 0);
    for (index, event) in events.iter().enumerate() {
        let line = event.envelope.len() + 1;
        if index > start && (size + line > MAX_BATCH_BYTES || index - start == MAX_ENVELOPES) {
            batches.push(&events[start..index]);
            (start, size) = (index, 0);
        }
        size += line;
    }
    if start < events.len() {
        batches.push(&events[start..]);
    }
    batches
}

/// The message of a batch, as [`odd_spine::codec::pack`] makes it; none of an empty one.
fn message(events: &[Created]) -> Option<Message> {
    let first = events.first()?;
    let mut body = BytesMut::with_capacity(events.iter().map(|event| event.envelope.len() + 1).sum());
    for event in events {
        body.extend_from_slice(&event.envelope);
        body.extend_from_slice(b"\n");
    }
    Some(Message {
        route: Route::Events(EventType::Created),
        message_id: first.event_id,
        content_type: NDJSON.to_owned(),
        headers: Headers::new(),
        body: body.freeze(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(size: usize) -> Created {
        Created {
            event_id: Uuid::from_u128(size as u128),
            envelope: vec![b'x'; size].into(),
        }
    }

    fn shape(sizes: &[usize]) -> Vec<usize> {
        let events: Vec<_> = sizes.iter().copied().map(event).collect();
        batches(&events).into_iter().map(<[Created]>::len).collect()
    }

    #[test]
    fn batches_keep_to_their_size() {
        assert!(shape(&[]).is_empty());
        assert_eq!(shape(&[10, 10]), [2]);
        let half = MAX_BATCH_BYTES / 2;
        assert_eq!(shape(&[half, half, half]), [1, 1, 1], "the line ends count too");
        assert_eq!(shape(&[half - 1, half - 1, half]), [2, 1]);
        assert_eq!(
            shape(&[5, MAX_BATCH_BYTES * 2, 5]),
            [1, 1, 1],
            "a large one travels alone"
        );
        assert_eq!(shape(&vec![1; MAX_ENVELOPES + 3]), [MAX_ENVELOPES, 3]);
    }

    #[test]
    fn a_message_is_what_the_codec_would_pack() {
        let job = crate::submission::read(serde_json::json!({"type": "t"}), odd_contracts::Timestamp::now())
            .unwrap()
            .job;
        let producer = odd_runtime::producer(odd_contracts::Role::Gateway);
        let envelopes: Vec<_> = [1, 2]
            .map(|second| odd_contracts::Timestamp::from_micros(second * 1_000_000))
            .map(|at| odd_contracts::history::created(&job, &producer, at, "c", None))
            .into();
        let events: Vec<_> = envelopes
            .iter()
            .map(|envelope| Created {
                event_id: envelope.event_id,
                envelope: odd_spine::codec::work_message(envelope).body,
            })
            .collect();
        let (ours, theirs) = (
            message(&events).unwrap(),
            odd_spine::codec::pack(&envelopes).remove(0),
        );
        assert_eq!(ours.body, theirs.body);
        assert_eq!((ours.route, ours.message_id), (theirs.route, theirs.message_id));
        assert_eq!(ours.content_type, theirs.content_type);
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let (sender, receiver) = mpsc::channel(1);
        let dropped = IntCounter::new("dropped", "test").unwrap();
        let waiting_bytes = Arc::new(AtomicUsize::new(0));
        let events = CreatedEvents {
            sender,
            waiting_bytes: Arc::clone(&waiting_bytes),
            dropped: dropped.clone(),
        };
        events.offer(event(MAX_WAITING_BYTES + 1));
        assert_eq!((dropped.get(), waiting_bytes.load(Ordering::Relaxed)), (1, 0));
        events.offer(event(5));
        assert_eq!((dropped.get(), waiting_bytes.load(Ordering::Relaxed)), (1, 5));
        events.offer(event(5));
        assert_eq!((dropped.get(), waiting_bytes.load(Ordering::Relaxed)), (2, 5));
        drop(receiver);
    }
}
