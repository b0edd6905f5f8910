//! The port of the event spine.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use odd_contracts::api::QueueDepth;
use odd_contracts::{EventType, names::spine as names};
use uuid::Uuid;

/// Headers of a message.
pub type Headers = BTreeMap<String, String>;

/// Where a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// To the queue `jobs.created`, through the exchange `odd.work`.
    Work,
    /// To the queue `jobs.control`, through the exchange `odd.work`.
    Control,
    /// To every consumer of lifecycle events, through the exchange `odd.events` with this routing key.
    Events(EventType),
    /// To the queue `jobs.dead-letter`.
    DeadLetter,
}

/// A durable queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Queue {
    /// `jobs.created`: work messages.
    Work,
    /// `jobs.control`: requests to cancel.
    Control,
    /// `jobs.events`: every lifecycle event.
    Events,
    /// `jobs.dead-letter`: messages that no consumer can take.
    DeadLetter,
}

impl Queue {
    /// Every durable queue.
    pub const ALL: [Self; 4] = [Self::Work, Self::Control, Self::Events, Self::DeadLetter];

    /// Name on the broker.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Work => names::JOBS_CREATED,
            Self::Control => names::JOBS_CONTROL,
            Self::Events => names::JOBS_EVENTS,
            Self::DeadLetter => names::JOBS_DEAD_LETTER,
        }
    }
}

/// A message to publish. Always persistent and mandatory.
#[derive(Clone, Debug)]
pub struct Message {
    /// Where it goes.
    pub route: Route,
    /// Its identity: the event's id, or the dead letter's.
    pub message_id: Uuid,
    /// Media type of the body.
    pub content_type: String,
    /// Further headers.
    pub headers: Headers,
    /// What it says.
    pub body: Bytes,
}

/// Why a message was not confirmed. It may or may not have arrived; publishing it again is harmless.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PublishError {
    /// The broker did not confirm in time.
    #[error("the spine did not confirm in time")]
    Unconfirmed,
    /// The broker takes no messages at present (it is short of memory or disk).
    #[error("the spine is blocked: {0}")]
    Blocked(String),
    /// No queue takes messages with this route.
    #[error("the spine has no queue for this message")]
    Unroutable,
    /// The broker cannot be reached, or cannot write.
    #[error("the spine is unavailable: {0}")]
    Unavailable(String),
}

/// Why the spine did not do what it was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SpineError {
    /// The broker cannot be reached, or cannot write. Try again.
    #[error("the spine is unavailable: {0}")]
    Unavailable(String),
    /// The consumer or the spine was closed.
    #[error("the spine is closed")]
    Closed,
}

/// Names a delivery to acknowledge it. A tag of an earlier connection acknowledges nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeliveryTag {
    /// Which consumer (connection, channel) it was delivered to.
    pub consumer: u64,
    /// Number of the delivery within it.
    pub number: u64,
}

/// A message in the hands of a consumer.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// To acknowledge it with.
    pub tag: DeliveryTag,
    /// Whether it may have been delivered before.
    pub redelivered: bool,
    /// Queue it came from.
    pub queue: Queue,
    /// Its identity, where the publisher gave one.
    pub message_id: Option<String>,
    /// Media type, as the publisher gave it.
    pub content_type: Option<String>,
    /// Headers.
    pub headers: Headers,
    /// What it says.
    pub body: Bytes,
}

/// A consumer of one queue. Dropping it gives what it has not acknowledged back to the queue.
#[async_trait]
pub trait Consumer: Send {
    /// Waits for a delivery and returns it with those at hand behind it, at most `max`. Cancel-safe.
    ///
    /// # Errors
    /// [`SpineError::Closed`] once the spine is closed; [`SpineError::Unavailable`] when deliveries ceased: consume again.
    async fn next(&mut self, max: usize) -> Result<Vec<Delivery>, SpineError>;

    /// A handle that acknowledges this consumer's deliveries from any task.
    fn acknowledger(&self) -> Arc<dyn Acknowledger>;
}

/// Acknowledges the deliveries of one consumer.
#[async_trait]
pub trait Acknowledger: Send + Sync {
    /// The messages are dealt with and leave the queue. Uses one acknowledgement for a finished prefix.
    async fn ack(&self, tags: &[DeliveryTag]) -> Result<(), SpineError>;

    /// The messages go back to the queue, to be delivered again.
    async fn requeue(&self, tags: &[DeliveryTag]) -> Result<(), SpineError>;
}

/// A transient, bounded feed of every lifecycle event from now on; when its reader is slow, the oldest
/// messages are dropped.
#[async_trait]
pub trait LiveFeed: Send {
    /// Waits for a message of `odd.events`. Cancel-safe.
    ///
    /// # Errors
    /// [`SpineError::Closed`] once the spine is closed; [`SpineError::Unavailable`] when the feed broke: subscribe again.
    async fn next(&mut self) -> Result<Bytes, SpineError>;

    /// Messages dropped so far because the reader was slow.
    fn dropped(&self) -> u64;
}

/// The port.
#[async_trait]
pub trait Spine: Send + Sync + 'static {
    /// What the spine is made of, such as `sqlite` or `amqp`.
    fn adapter(&self) -> &'static str;

    /// Answers when the spine does.
    async fn ping(&self) -> Result<(), SpineError>;

    /// Publishes messages and waits until each is confirmed (it will survive a crash) or has failed.
    /// One result per message, in order.
    async fn publish(&self, messages: Vec<Message>) -> Vec<Result<(), PublishError>>;

    /// Consumes a queue; at most `prefetch` deliveries are unacknowledged at a time.
    async fn consume(&self, queue: Queue, prefetch: usize) -> Result<Box<dyn Consumer>, SpineError>;

    /// Subscribes to every lifecycle event from now on, keeping at most `capacity` messages for a slow reader.
    async fn live(&self, capacity: usize) -> Result<Box<dyn LiveFeed>, SpineError>;

    /// Depth of every durable queue.
    async fn depths(&self) -> Result<Vec<QueueDepth>, SpineError>;

    /// Moves a dead letter, bytes unchanged, back to the queue it was taken from. False where there is none with this id.
    async fn requeue_dead_letter(&self, id: Uuid) -> Result<bool, SpineError>;
}
