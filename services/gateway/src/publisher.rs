//! Publishing with a confirm: bounded in number, in bytes and in time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use odd_spine::{Message, PublishError, Spine};
use prometheus::Histogram;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Bytes of messages that may wait for their confirm. A larger batch is let through alone.
const MAX_WAITING_BYTES: usize = 64 << 20;

/// Why the spine did not take a message over. It may have arrived all the same, so what was refused has to be
/// repeated under its old id.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// As many messages, or bytes of them, as permitted wait for their confirm.
    #[error("too many submissions wait for the event spine")]
    Overloaded,
    /// The spine refused it, or did not confirm in time.
    #[error(transparent)]
    Spine(#[from] PublishError),
}

/// Publishes messages and awaits their confirms.
pub(crate) struct Publisher {
    spine: Arc<dyn Spine>,
    waiting: Semaphore,
    max_waiting: usize,
    waiting_bytes: Semaphore,
    confirm_timeout: Duration,
    confirm_seconds: Histogram,
}

impl Publisher {
    /// A publisher that lets at most `max_waiting` messages wait, each for at most `confirm_timeout`.
    pub(crate) fn new(
        spine: Arc<dyn Spine>,
        max_waiting: usize,
        confirm_timeout: Duration,
        confirm_seconds: Histogram,
    ) -> Self {
        Self {
            spine,
            waiting: Semaphore::new(max_waiting),
            max_waiting,
            waiting_bytes: Semaphore::new(MAX_WAITING_BYTES),
            confirm_timeout,
            confirm_seconds,
        }
    }

    /// Publishes messages together and waits for every confirm. One result per message, in order.
    ///
    /// # Errors
    /// Each of them [`Refusal::Overloaded`] at once where there is no room for all.
    pub(crate) async fn publish(&self, messages: Vec<Message>) -> Vec<Result<(), Refusal>> {
        let count = messages.len();
        let bytes = messages.iter().map(|message| message.body.len()).sum();
        let number = reserve(&self.waiting, count, self.max_waiting);
        let room = reserve(&self.waiting_bytes, bytes, MAX_WAITING_BYTES);
        let (Some(_number), Some(_room)) = (number, room) else {
            return vec![Err(Refusal::Overloaded); count];
        };
        let started = Instant::now();
        match tokio::time::timeout(self.confirm_timeout, self.spine.publish(messages)).await {
            Ok(results) => {
                self.confirm_seconds.observe(started.elapsed().as_secs_f64());
                results.into_iter().map(|r| r.map_err(Refusal::from)).collect()
            }
            Err(_) => vec![Err(PublishError::Unconfirmed.into()); count],
        }
    }

    /// As [`Publisher::publish`], of one message.
    pub(crate) async fn publish_one(&self, message: Message) -> Result<(), Refusal> {
        let result = self.publish(vec![message]).await.pop();
        result.unwrap_or(Err(PublishError::Unconfirmed.into()))
    }
}

/// A part of what is bounded. What is larger than the bound takes all of it.
fn reserve(of: &Semaphore, wanted: usize, bound: usize) -> Option<SemaphorePermit<'_>> {
    let permits = u32::try_from(wanted.min(bound)).ok()?;
    of.try_acquire_many(permits).ok()
}
