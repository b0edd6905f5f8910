//! Live feeds: bounded, dropping the oldest.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::Notify;

use crate::port::{LiveFeed, SpineError};

/// Every subscriber.
#[derive(Default)]
pub(super) struct Feeds(Mutex<Vec<Weak<Feed>>>);

impl Feeds {
    pub(super) fn subscribe(&self, capacity: usize) -> Arc<Feed> {
        let feed = Arc::new(Feed {
            capacity: capacity.max(1),
            buffer: Mutex::new(Buffer::default()),
            filled: Notify::new(),
        });
        self.lock().push(Arc::downgrade(&feed));
        feed
    }

    /// Hands a message of `odd.events` to every subscriber.
    pub(super) fn push(&self, body: &Bytes) {
        self.lock()
            .retain(|feed| feed.upgrade().is_some_and(|feed| feed.push(body.clone())));
    }

    pub(super) fn close(&self) {
        for feed in self.lock().drain(..).filter_map(|feed| feed.upgrade()) {
            feed.lock().closed = true;
            feed.filled.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Weak<Feed>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What waits for one subscriber.
pub(super) struct Feed {
    capacity: usize,
    buffer: Mutex<Buffer>,
    filled: Notify,
}

#[derive(Default)]
struct Buffer {
    messages: VecDeque<Bytes>,
    dropped: u64,
    closed: bool,
}

impl Feed {
    fn push(&self, body: Bytes) -> bool {
        let mut buffer = self.lock();
        if buffer.messages.len() >= self.capacity {
            buffer.messages.pop_front();
            buffer.dropped += 1;
        }
        buffer.messages.push_back(body);
        self.filled.notify_one();
        true
    }

    fn lock(&self) -> MutexGuard<'_, Buffer> {
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn try_next(&self) -> Result<Option<Bytes>, SpineError> {
        let mut buffer = self.lock();
        match buffer.messages.pop_front() {
            None if buffer.closed => Err(SpineError::Closed),
            message => Ok(message),
        }
    }
}

/// A subscriber.
pub(super) struct EmbeddedFeed(pub(super) Arc<Feed>);

#[async_trait]
impl LiveFeed for EmbeddedFeed {
    async fn next(&mut self) -> Result<Bytes, SpineError> {
        loop {
            if let Some(message) = self.0.try_next()? {
                return Ok(message);
            }
            self.0.filled.notified().await;
        }
    }

    fn dropped(&self) -> u64 {
        self.0.lock().dropped
    }
}
