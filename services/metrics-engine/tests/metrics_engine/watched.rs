//! The real spine, which knows how far the events are.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use odd_contracts::api::QueueDepth;
use odd_spine::port::{Consumer, LiveFeed};
use odd_spine::{
    Acknowledger, Delivery, DeliveryTag, Message, PublishError, Queue, Route, Spine, SpineError,
};
use uuid::Uuid;

/// Messages with lifecycle events. The broker tells what consumers hold only now and then.
#[derive(Default)]
pub(crate) struct Ledger {
    published: AtomicI64,
    acknowledged: AtomicI64,
}

impl Ledger {
    /// Those that are neither acknowledged nor lost to their publisher.
    pub(crate) fn open(&self) -> i64 {
        // In this order, so that what is published meanwhile is open.
        let acknowledged = self.acknowledged();
        self.published.load(Ordering::SeqCst) - acknowledged
    }

    pub(crate) fn acknowledged(&self) -> i64 {
        self.acknowledged.load(Ordering::SeqCst)
    }
}

/// A spine that keeps a ledger of its own messages.
pub(crate) struct Watched {
    pub(crate) inner: Arc<dyn Spine>,
    pub(crate) ledger: Arc<Ledger>,
}

struct WatchedConsumer(Box<dyn Consumer>, Arc<Ledger>);

struct WatchedAcknowledger(Arc<dyn Acknowledger>, Arc<Ledger>);

#[async_trait]
impl Spine for Watched {
    fn adapter(&self) -> &'static str {
        self.inner.adapter()
    }

    async fn ping(&self) -> Result<(), SpineError> {
        self.inner.ping().await
    }

    async fn publish(&self, messages: Vec<Message>) -> Vec<Result<(), PublishError>> {
        let are_events: Vec<bool> = messages
            .iter()
            .map(|message| matches!(message.route, Route::Events(_)))
            .collect();
        let events = are_events.iter().filter(|is_event| **is_event).count() as i64;
        // Before they can be acknowledged.
        self.ledger.published.fetch_add(events, Ordering::SeqCst);
        let outcomes = self.inner.publish(messages).await;
        let lost = are_events.iter().zip(&outcomes);
        let lost = lost.filter(|(is_event, outcome)| **is_event && outcome.is_err());
        self.ledger
            .published
            .fetch_sub(lost.count() as i64, Ordering::SeqCst);
        outcomes
    }

    async fn consume(&self, queue: Queue, prefetch: usize) -> Result<Box<dyn Consumer>, SpineError> {
        let consumer = self.inner.consume(queue, prefetch).await?;
        Ok(match queue {
            Queue::Events => Box::new(WatchedConsumer(consumer, Arc::clone(&self.ledger))),
            _ => consumer,
        })
    }

    async fn live(&self, capacity: usize) -> Result<Box<dyn LiveFeed>, SpineError> {
        self.inner.live(capacity).await
    }

    async fn depths(&self) -> Result<Vec<QueueDepth>, SpineError> {
        self.inner.depths().await
    }

    async fn requeue_dead_letter(&self, id: Uuid) -> Result<bool, SpineError> {
        self.inner.requeue_dead_letter(id).await
    }
}

#[async_trait]
impl Consumer for WatchedConsumer {
    async fn next(&mut self, max: usize) -> Result<Vec<Delivery>, SpineError> {
        self.0.next(max).await
    }

    fn acknowledger(&self) -> Arc<dyn Acknowledger> {
        Arc::new(WatchedAcknowledger(self.0.acknowledger(), Arc::clone(&self.1)))
    }
}

#[async_trait]
impl Acknowledger for WatchedAcknowledger {
    async fn ack(&self, tags: &[DeliveryTag]) -> Result<(), SpineError> {
        self.0.ack(tags).await?;
        self.1.acknowledged.fetch_add(tags.len() as i64, Ordering::SeqCst);
        Ok(())
    }

    async fn requeue(&self, tags: &[DeliveryTag]) -> Result<(), SpineError> {
        self.0.requeue(tags).await
    }
}
