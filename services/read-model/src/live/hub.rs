//! Hands live events to every stream. Each stream has a bounded buffer of its own; when its client is
//! slow, the oldest events in it make room and are counted.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use odd_contracts::{EventType, JobId};
use tokio::sync::Notify;

/// Bytes that are kept for a slow client at most, whatever the number of events.
const MAX_BYTES: usize = 16 << 20;
/// Bytes after which a chunk of frames is full.
const CHUNK_BYTES: usize = 256 << 10;

/// An event as it goes to streams: written once, shared by all.
#[derive(Clone, Debug)]
pub(crate) struct LiveEvent {
    /// What happened.
    pub(crate) event_type: EventType,
    /// The job it is about.
    pub(crate) job_id: Option<JobId>,
    /// The whole frame of the stream: event name, id and data.
    pub(crate) frame: Bytes,
}

/// Which events a stream wants.
#[derive(Clone, Debug, Default)]
pub(crate) struct StreamFilter {
    /// Only these types; all where empty.
    pub(crate) event_types: Vec<EventType>,
    /// Only events of this job.
    pub(crate) job_id: Option<JobId>,
}

impl StreamFilter {
    fn admits(&self, event: &LiveEvent) -> bool {
        (self.event_types.is_empty() || self.event_types.contains(&event.event_type))
            && (self.job_id.is_none() || self.job_id == event.job_id)
    }
}

/// What a stream has to send next.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    /// Events that were dropped before those that follow.
    pub(crate) dropped: u64,
    /// Frames, oldest first.
    pub(crate) frames: Vec<Bytes>,
}

#[derive(Debug, Default)]
struct Buffer {
    frames: VecDeque<Bytes>,
    bytes: usize,
    dropped: u64,
}

impl Buffer {
    /// Adds a frame; the oldest make room for it.
    fn push(&mut self, frame: Bytes, capacity: usize, max_bytes: usize) {
        while self.frames.len() >= capacity || self.bytes + frame.len() > max_bytes {
            // A single frame may be larger than all the room there is.
            if self.pop().is_none() {
                break;
            }
            self.dropped += 1;
        }
        self.bytes += frame.len();
        self.frames.push_back(frame);
    }

    fn pop(&mut self) -> Option<Bytes> {
        let frame = self.frames.pop_front()?;
        self.bytes -= frame.len();
        Some(frame)
    }

    /// Takes what fits in one chunk, at least one frame where there is one.
    fn take(&mut self) -> Pending {
        let (mut frames, mut bytes) = (Vec::new(), 0);
        while bytes < CHUNK_BYTES {
            let Some(frame) = self.pop() else { break };
            bytes += frame.len();
            frames.push(frame);
        }
        Pending {
            dropped: std::mem::take(&mut self.dropped),
            frames,
        }
    }
}

#[derive(Debug)]
struct Subscriber {
    filter: StreamFilter,
    capacity: usize,
    buffer: Mutex<Buffer>,
    filled: Notify,
}

impl Subscriber {
    fn offer(&self, events: &[LiveEvent]) {
        let mut wanted = events.iter().filter(|event| self.filter.admits(event)).peekable();
        if wanted.peek().is_none() {
            return;
        }
        let mut buffer = lock(&self.buffer);
        for event in wanted {
            buffer.push(event.frame.clone(), self.capacity, MAX_BYTES);
        }
        drop(buffer);
        self.filled.notify_one();
    }
}

/// The streams that are open.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hub {
    subscribers: Arc<Mutex<Vec<Arc<Subscriber>>>>,
}

impl Hub {
    /// Opens a stream that keeps at most `capacity` events for a slow client.
    pub(crate) fn subscribe(&self, filter: StreamFilter, capacity: usize) -> Subscription {
        let subscriber = Arc::new(Subscriber {
            filter,
            capacity: capacity.max(1),
            buffer: Mutex::default(),
            filled: Notify::new(),
        });
        lock(&self.subscribers).push(Arc::clone(&subscriber));
        Subscription {
            hub: self.clone(),
            subscriber,
        }
    }

    /// Whether anybody listens: only then frames need to be written.
    pub(crate) fn is_empty(&self) -> bool {
        lock(&self.subscribers).is_empty()
    }

    /// Adds to every stream's count of dropped events.
    pub(crate) fn note_dropped(&self, count: u64) {
        for subscriber in lock(&self.subscribers).iter() {
            lock(&subscriber.buffer).dropped += count;
            subscriber.filled.notify_one();
        }
    }

    /// Hands events to every stream that wants them. Never waits.
    pub(crate) fn publish(&self, events: &[LiveEvent]) {
        for subscriber in lock(&self.subscribers).iter() {
            subscriber.offer(events);
        }
    }
}

/// An open stream; dropping it closes it.
#[derive(Debug)]
pub(crate) struct Subscription {
    hub: Hub,
    subscriber: Arc<Subscriber>,
}

impl Subscription {
    /// Waits until there is something to send, and returns as much as makes one chunk. Cancel-safe.
    pub(crate) async fn next(&self) -> Pending {
        loop {
            let pending = lock(&self.subscriber.buffer).take();
            if pending.dropped > 0 || !pending.frames.is_empty() {
                return pending;
            }
            self.subscriber.filled.notified().await;
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        lock(&self.hub.subscribers).retain(|other| !Arc::ptr_eq(other, &self.subscriber));
    }
}

/// A panic elsewhere cannot leave these lists half-changed, so that a poisoned lock is as good as any.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn event(event_type: EventType, n: u128) -> LiveEvent {
        LiveEvent {
            event_type,
            job_id: Some(Uuid::from_u128(n)),
            frame: Bytes::from(n.to_string()),
        }
    }

    fn texts(pending: &Pending) -> Vec<&str> {
        pending
            .frames
            .iter()
            .map(|f| std::str::from_utf8(f).unwrap())
            .collect()
    }

    #[tokio::test]
    async fn a_slow_stream_loses_the_oldest_and_learns_how_many() {
        let hub = Hub::default();
        let stream = hub.subscribe(StreamFilter::default(), 3);
        let events: Vec<_> = (0..5).map(|n| event(EventType::Created, n)).collect();
        hub.publish(&events);
        let pending = stream.next().await;
        assert_eq!((pending.dropped, texts(&pending)), (2, vec!["2", "3", "4"]));
        hub.publish(&events[..1]);
        let later = stream.next().await;
        assert_eq!((later.dropped, texts(&later)), (0, vec!["0"]));
    }

    #[test]
    fn large_frames_make_room_by_their_bytes_and_fill_a_chunk() {
        let mut buffer = Buffer::default();
        for _ in 0..5 {
            buffer.push(Bytes::from(vec![b'x'; 100]), 1_000, 250);
        }
        assert_eq!((buffer.frames.len(), buffer.bytes, buffer.dropped), (2, 200, 3));
        buffer.push(Bytes::from(vec![b'x'; CHUNK_BYTES]), 1_000, 250);
        assert_eq!(
            (buffer.frames.len(), buffer.dropped),
            (1, 5),
            "one may always stay"
        );
        buffer.push(Bytes::from_static(b"small"), 1_000, MAX_BYTES);
        let chunks = [
            buffer.take().frames.len(),
            buffer.take().frames.len(),
            buffer.take().frames.len(),
        ];
        assert_eq!((chunks, buffer.bytes), ([1, 1, 0], 0));
    }

    #[tokio::test]
    async fn filters_choose_by_type_and_job_and_do_not_fill_the_buffer() {
        let hub = Hub::default();
        let filter = StreamFilter {
            event_types: vec![EventType::Failed],
            job_id: Some(Uuid::from_u128(7)),
        };
        let stream = hub.subscribe(filter, 1);
        hub.publish(&[
            event(EventType::Failed, 7),
            event(EventType::Created, 7),
            event(EventType::Failed, 8),
        ]);
        let pending = stream.next().await;
        assert_eq!((pending.dropped, texts(&pending)), (0, vec!["7"]));
    }

    #[tokio::test]
    async fn a_dropped_stream_is_forgotten_and_does_not_disturb_others() {
        let hub = Hub::default();
        let first = hub.subscribe(StreamFilter::default(), 3);
        let second = hub.subscribe(StreamFilter::default(), 3);
        assert_eq!(lock(&hub.subscribers).len(), 2);
        drop(first);
        hub.publish(&[event(EventType::Created, 1)]);
        assert_eq!(texts(&second.next().await), ["1"]);
        drop(second);
        assert!(hub.is_empty());
    }
}
