//! Live feeds: a transient queue of its own on the broker, read into a ring in memory.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use lapin::options::{BasicConsumeOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Consumer as RawConsumer};
use odd_contracts::names::spine as names;
use tokio::sync::Notify;
use tokio::task::{AbortHandle, spawn};

use super::failure;
use super::link::Link;
use super::session::Session;
use crate::port::{LiveFeed, SpineError};

/// Fewest messages that the broker keeps for a feed. It hands them on at once; only what the network does
/// not take waits there, and what it drops then is not counted.
const LEAST_LENGTH: usize = 1024;
/// Most bytes of them.
const MAX_BYTES: i64 = 64 << 20;

/// A live feed. Its queue goes with its channel.
pub(super) struct AmqpFeed {
    link: Link,
    ring: Arc<Ring>,
    pump: AbortHandle,
    /// Closed when the feed is dropped.
    _channel: Channel,
}

impl AmqpFeed {
    /// Subscribes to every lifecycle event from now on.
    pub(super) async fn open(link: &Link, capacity: usize) -> Result<Self, SpineError> {
        let session = link.session().await?;
        let (channel, messages) = match subscribe(&session, capacity).await {
            Ok(opened) => opened,
            Err(failure) => {
                session.mend(failure).await?;
                subscribe(&session, capacity).await?
            }
        };
        let ring = Arc::new(Ring::new(capacity));
        let pump = spawn(pump(messages, Arc::clone(&ring))).abort_handle();
        Ok(Self {
            link: link.clone(),
            ring,
            pump,
            _channel: channel,
        })
    }
}

async fn subscribe(session: &Session, capacity: usize) -> Result<(Channel, RawConsumer), SpineError> {
    let channel = session.channel().await?;
    let options = QueueDeclareOptions {
        exclusive: true,
        auto_delete: true,
        ..QueueDeclareOptions::default()
    };
    // The broker gives it a name.
    let declaring = channel.queue_declare("".into(), options, queue_arguments(capacity));
    let queue = session.answer(declaring).await?.name().clone();
    let binding = channel.queue_bind(
        queue.clone(),
        names::EVENTS_EXCHANGE.into(),
        names::EVENTS_BINDING.into(),
        QueueBindOptions::default(),
        FieldTable::default(),
    );
    session.answer(binding).await?;
    let options = BasicConsumeOptions {
        no_ack: true,
        ..BasicConsumeOptions::default()
    };
    let consuming = channel.basic_consume(queue, "".into(), options, FieldTable::default());
    let messages = session.answer(consuming).await?;
    Ok((channel, messages))
}

fn queue_arguments(capacity: usize) -> FieldTable {
    let length = i64::try_from(capacity.max(LEAST_LENGTH)).unwrap_or(i64::MAX);
    let mut arguments = FieldTable::default();
    let text = |text: &str| AMQPValue::LongString(text.into());
    arguments.insert("x-queue-type".into(), text("classic"));
    arguments.insert("x-max-length".into(), AMQPValue::LongLongInt(length));
    arguments.insert("x-max-length-bytes".into(), AMQPValue::LongLongInt(MAX_BYTES));
    arguments.insert("x-overflow".into(), text("drop-head"));
    arguments
}

/// Reads the queue as fast as the broker sends, however slow the reader of the feed is.
async fn pump(mut messages: RawConsumer, ring: Arc<Ring>) {
    let reason = loop {
        match messages.next().await {
            Some(Ok(message)) => ring.push(message.data.into()),
            Some(Err(error)) => break failure::told(&error),
            None => break "the broker ended the live feed".to_owned(),
        }
    };
    ring.end(reason);
}

impl Drop for AmqpFeed {
    fn drop(&mut self) {
        self.pump.abort();
    }
}

#[async_trait]
impl LiveFeed for AmqpFeed {
    async fn next(&mut self) -> Result<Bytes, SpineError> {
        loop {
            match self.ring.pop() {
                Ok(Some(message)) => return Ok(message),
                Ok(None) => self.ring.filled.notified().await,
                Err(_) if self.link.is_closed() => return Err(SpineError::Closed),
                Err(reason) => return Err(SpineError::Unavailable(reason)),
            }
        }
    }

    fn dropped(&self) -> u64 {
        self.ring.lock().dropped
    }
}

/// What waits for the reader: the newest messages, in order.
struct Ring {
    capacity: usize,
    state: Mutex<State>,
    filled: Notify,
}

#[derive(Default)]
struct State {
    messages: VecDeque<Bytes>,
    dropped: u64,
    ended: Option<String>,
}

impl Ring {
    fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            state: Mutex::new(State::default()),
            filled: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, message: Bytes) {
        let mut state = self.lock();
        if state.messages.len() >= self.capacity {
            state.messages.pop_front();
            state.dropped += 1;
        }
        state.messages.push_back(message);
        self.filled.notify_one();
    }

    fn end(&self, reason: String) {
        self.lock().ended = Some(reason);
        self.filled.notify_one();
    }

    /// The oldest message; none while there is none, the reason once there will be none.
    fn pop(&self) -> Result<Option<Bytes>, String> {
        let mut state = self.lock();
        match (state.messages.pop_front(), &state.ended) {
            (None, Some(reason)) => Err(reason.clone()),
            (message, _) => Ok(message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_kept_in_order_and_the_others_counted() {
        let ring = Ring::new(3);
        (0..10_u8).for_each(|n| ring.push(Bytes::copy_from_slice(&[n])));
        ring.end("lost".to_owned());
        let kept: Vec<_> = std::iter::from_fn(|| ring.pop().ok().flatten()).collect();
        assert_eq!(kept, [&[7_u8][..], &[8], &[9]]);
        assert_eq!(ring.lock().dropped, 7);
        assert_eq!(ring.pop(), Err("lost".to_owned()), "only after what was kept");
    }
}
