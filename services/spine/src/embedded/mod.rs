//! The embedded adapter: durable queues as rows of the instance's SQLite file, their order and their
//! deliveries in memory.
//!
//! A message is confirmed when its row is committed, and only then handed to consumers; an acknowledgement
//! deletes the row. What was not acknowledged when the process ended is there again when it starts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use odd_contracts::Timestamp;
use odd_contracts::api::QueueDepth;
use odd_store::StoreError;
use odd_store::embedded::Database;
use odd_store::embedded::queue::{MessageQueue, QueuedMessage};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::port::{Consumer, LiveFeed, Message, PublishError, Queue, Route, Spine, SpineError};
use budget::Budget;
use consumer::EmbeddedConsumer;
use durable::DurableQueue;
use feed::{EmbeddedFeed, Feeds};
use publisher::{Publication, Publisher, Relocation, Request, headers_text};
use remover::{Removal, Remover};

mod budget;
mod consumer;
mod durable;
mod feed;
mod publisher;
mod remover;
#[cfg(test)]
mod tests;

/// What the adapter keeps in memory at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Ready messages of one queue whose bodies are in memory; of further ones only the rows exist.
    pub ready_messages: usize,
    /// Bytes of those bodies.
    pub ready_bytes: usize,
    /// Messages that wait for the writer; further ones are answered with [`PublishError::Blocked`].
    pub waiting_messages: usize,
    /// Bytes of their bodies.
    pub waiting_bytes: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            ready_messages: 8192,
            ready_bytes: 16 << 20,
            waiting_messages: 8192,
            waiting_bytes: 64 << 20,
        }
    }
}

/// The embedded event spine. Its consumers and feeds are closed when it is dropped.
pub struct EmbeddedSpine {
    store: MessageQueue,
    queues: Arc<Queues>,
    feeds: Arc<Feeds>,
    budget: Arc<Budget>,
    requests: mpsc::UnboundedSender<Request>,
    removals: mpsc::UnboundedSender<Removal>,
}

impl EmbeddedSpine {
    /// Opens the queues of a database. Must be called within a Tokio runtime, and once per database.
    ///
    /// # Errors
    /// [`SpineError::Unavailable`] where the queues cannot be read.
    pub async fn open(database: &Database) -> Result<Arc<Self>, SpineError> {
        Self::open_with(database, Bounds::default()).await
    }

    /// Like [`open`](Self::open), with other bounds.
    ///
    /// # Errors
    /// [`SpineError::Unavailable`] where the queues cannot be read.
    pub async fn open_with(database: &Database, bounds: Bounds) -> Result<Arc<Self>, SpineError> {
        let store = MessageQueue::new(database);
        let queues = Arc::new(Queues::open(&store, bounds).await.map_err(unavailable)?);
        let feeds = Arc::new(Feeds::default());
        let (requests, waiting) = mpsc::unbounded_channel();
        let publisher = Publisher {
            store: store.clone(),
            queues: Arc::clone(&queues),
            feeds: Arc::clone(&feeds),
        };
        // Both tasks end when nobody can send to them any more.
        tokio::spawn(publisher.run(waiting));
        let (removals, waiting) = mpsc::unbounded_channel();
        tokio::spawn(Remover { store: store.clone() }.run(waiting));
        Ok(Arc::new(Self {
            store,
            queues,
            feeds,
            budget: Arc::new(Budget::new(bounds.waiting_messages, bounds.waiting_bytes)),
            requests,
            removals,
        }))
    }

    async fn publish_together(&self, messages: Vec<Message>) -> Result<(), PublishError> {
        let bytes = messages.iter().map(|message| message.body.len()).sum();
        let reservation = self.budget.reserve(messages.len(), bytes).ok_or_else(|| {
            PublishError::Blocked("too many messages wait to be written to the database".to_owned())
        })?;
        let enqueued_at = Timestamp::now();
        let (reply, confirmed) = oneshot::channel();
        let publication = Publication {
            messages: messages
                .into_iter()
                .map(|message| Arc::new(to_row(message, enqueued_at)))
                .collect(),
            reservation,
            reply,
        };
        self.requests
            .send(Request::Publish(publication))
            .map_err(|_| PublishError::Unavailable("its writer has ended".to_owned()))?;
        confirmed.await.map_err(|_| PublishError::Unconfirmed)?
    }
}

impl Drop for EmbeddedSpine {
    fn drop(&mut self) {
        for queue in Queue::ALL {
            self.queues.get(queue).close();
        }
        self.feeds.close();
    }
}

#[async_trait]
impl Spine for EmbeddedSpine {
    fn adapter(&self) -> &'static str {
        "sqlite"
    }

    async fn ping(&self) -> Result<(), SpineError> {
        self.store.ping().await.map_err(unavailable)
    }

    async fn publish(&self, messages: Vec<Message>) -> Vec<Result<(), PublishError>> {
        let count = messages.len();
        if count == 0 {
            return Vec::new();
        }
        // One transaction takes all of them or none.
        vec![self.publish_together(messages).await; count]
    }

    async fn consume(&self, queue: Queue, prefetch: usize) -> Result<Box<dyn Consumer>, SpineError> {
        static CONSUMERS: AtomicU64 = AtomicU64::new(1);
        let id = CONSUMERS.fetch_add(1, Ordering::Relaxed);
        let queue = Arc::clone(self.queues.get(queue));
        let removals = self.removals.clone();
        Ok(Box::new(EmbeddedConsumer::join(queue, id, prefetch, removals)))
    }

    async fn live(&self, capacity: usize) -> Result<Box<dyn LiveFeed>, SpineError> {
        Ok(Box::new(EmbeddedFeed(self.feeds.subscribe(capacity))))
    }

    async fn depths(&self) -> Result<Vec<QueueDepth>, SpineError> {
        let numbers = Queue::ALL.map(queue_number);
        let oldest = self.store.oldest(&numbers).await.map_err(unavailable)?;
        let now = Timestamp::now();
        let depth = |(queue, oldest): (Queue, Option<Timestamp>)| {
            let (ready, unacknowledged) = self.queues.get(queue).depth();
            let age = |at| u64::try_from(now.since(at).as_millis()).unwrap_or(u64::MAX);
            QueueDepth {
                name: queue.name().to_owned(),
                ready,
                unacknowledged,
                oldest_ms: oldest.map(age),
            }
        };
        Ok(Queue::ALL.into_iter().zip(oldest).map(depth).collect())
    }

    async fn requeue_dead_letter(&self, id: Uuid) -> Result<bool, SpineError> {
        let (reply, done) = oneshot::channel();
        self.requests
            .send(Request::Relocate(Relocation { id, reply }))
            .map_err(|_| SpineError::Closed)?;
        done.await.map_err(|_| SpineError::Closed)?
    }
}

/// Every durable queue.
struct Queues([Arc<DurableQueue>; 4]);

impl Queues {
    async fn open(store: &MessageQueue, bounds: Bounds) -> Result<Self, StoreError> {
        let open = |queue| DurableQueue::open(queue, store, bounds);
        let [work, control, events, dead_letter] = Queue::ALL;
        Ok(Self([
            open(work).await?,
            open(control).await?,
            open(events).await?,
            open(dead_letter).await?,
        ]))
    }

    fn get(&self, queue: Queue) -> &Arc<DurableQueue> {
        &self.0[usize::from(queue_number(queue))]
    }

    fn numbered(&self, number: u8) -> &Arc<DurableQueue> {
        &self.0[usize::from(number)]
    }
}

/// Number of a queue in the database, and its place in [`Queue::ALL`]. Never to change.
const fn queue_number(queue: Queue) -> u8 {
    match queue {
        Queue::Work => 0,
        Queue::Control => 1,
        Queue::Events => 2,
        Queue::DeadLetter => odd_store::embedded::queue::DEAD_LETTER_QUEUE,
    }
}

fn to_row(message: Message, enqueued_at: Timestamp) -> QueuedMessage {
    let (queue, routing_key) = match message.route {
        Route::Work => (Queue::Work, Queue::Work.name()),
        Route::Control => (Queue::Control, Queue::Control.name()),
        Route::Events(event_type) => (Queue::Events, event_type.name()),
        Route::DeadLetter => (Queue::DeadLetter, Queue::DeadLetter.name()),
    };
    QueuedMessage {
        queue: queue_number(queue),
        message_id: message.message_id,
        routing_key: routing_key.into(),
        content_type: message.content_type,
        headers: headers_text(&message.headers),
        body: message.body,
        enqueued_at,
    }
}

fn unavailable(error: StoreError) -> SpineError {
    SpineError::Unavailable(cause(&error))
}

/// What is behind an error of the store, such as `database or disk is full`.
fn cause(error: &StoreError) -> String {
    use std::error::Error;
    let mut text = String::new();
    let mut next = error.source();
    while let Some(error) = next {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&error.to_string());
        next = error.source();
    }
    if text.is_empty() { error.to_string() } else { text }
}
