//! Bytes of jobs in hand: a bound beside the bounds in number, because a job may be small or a megabyte.
//!
//! Held are jobs from the end of their execution until their events are confirmed. What runs is bounded by the slots,
//! and what waits for a slot by the intake.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use odd_contracts::{JobRecord, JsonObject};
use serde_json::Value;
use tokio::sync::Notify;

/// Bytes from which on nothing more is taken: of deliveries that wait for a slot, and of jobs that wait for their events.
pub(crate) const CAPACITY: usize = 32 << 20;
/// What a job weighs beyond its documents: its record, its attempts, the envelopes of its events.
const BASE: usize = 1 << 10;

/// Room for jobs in hand.
#[derive(Debug)]
pub(crate) struct Room {
    capacity: usize,
    held: AtomicUsize,
    freed: Notify,
}

/// Bytes that are in hand until this is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    room: Arc<Room>,
    bytes: usize,
}

impl Room {
    /// An empty room.
    pub(crate) fn new(capacity: usize) -> Arc<Self> {
        Arc::new(Self {
            capacity,
            held: AtomicUsize::new(0),
            freed: Notify::new(),
        })
    }

    /// Takes so many bytes in hand, even where that is more than there is room for: they are here already.
    pub(crate) fn hold(self: &Arc<Self>, bytes: usize) -> Held {
        self.held.fetch_add(bytes, Ordering::AcqRel);
        Held {
            room: self.clone(),
            bytes,
        }
    }

    /// Bytes that may be taken in hand.
    pub(crate) fn left(&self) -> usize {
        self.capacity.saturating_sub(self.held.load(Ordering::Acquire))
    }

    /// Waits until there is room. Cancel-safe.
    pub(crate) async fn space(&self) {
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            if self.left() > 0 {
                return;
            }
            freed.await;
        }
    }
}

impl Held {
    /// How many bytes these are.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let before = self.room.held.fetch_sub(self.bytes, Ordering::AcqRel);
        if before >= self.room.capacity {
            self.room.freed.notify_waiters();
        }
    }
}

/// About how many bytes a job takes.
pub(crate) fn weigh(record: &JobRecord) -> usize {
    let documents = object(&record.job.payload) + object(&record.job.metadata);
    BASE + documents + record.result.as_ref().map_or(0, value)
}

fn object(object: &JsonObject) -> usize {
    object
        .iter()
        .map(|(name, item)| name.len() + 4 + value(item))
        .sum()
}

/// About how many bytes a JSON value takes.
pub(crate) fn value(item: &Value) -> usize {
    match item {
        Value::Null | Value::Bool(_) | Value::Number(_) => 8,
        Value::String(text) => text.len() + 2,
        Value::Array(items) => items.iter().map(value).sum::<usize>() + 2,
        Value::Object(members) => object(members) + 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn there_is_room_again_when_enough_was_given_back() {
        let room = Room::new(100);
        let (first, second) = (room.hold(90), room.hold(90));
        assert_eq!((first.bytes(), room.left()), (90, 0));
        let waiting = tokio::spawn({
            let room = room.clone();
            async move { room.space().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(second);
        waiting.await.unwrap();
        assert_eq!(room.left(), 10);
        drop(first);
        assert_eq!(room.left(), 100);
    }

    #[test]
    fn documents_weigh_about_what_they_are_long() {
        let text = "x".repeat(10_000);
        let document = serde_json::json!({ "deep": [{ "text": text }, 1, null, true] });
        let length = document.to_string().len();
        let weight = value(&document);
        assert!(
            weight > length * 9 / 10 && weight < length * 11 / 10,
            "{weight} of {length}"
        );
    }
}
