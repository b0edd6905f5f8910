//! Consumers and their acknowledgements.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::{Notify, mpsc, oneshot};

use super::durable::DurableQueue;
use super::remover::Removal;
use crate::port::{Acknowledger, Consumer, Delivery, DeliveryTag, SpineError};

pub(super) struct EmbeddedConsumer {
    queue: Arc<DurableQueue>,
    id: u64,
    wake: Arc<Notify>,
    removals: mpsc::UnboundedSender<Removal>,
}

impl EmbeddedConsumer {
    pub(super) fn join(
        queue: Arc<DurableQueue>,
        id: u64,
        prefetch: usize,
        removals: mpsc::UnboundedSender<Removal>,
    ) -> Self {
        let wake = queue.join(id, prefetch);
        Self {
            queue,
            id,
            wake,
            removals,
        }
    }
}

impl Drop for EmbeddedConsumer {
    fn drop(&mut self) {
        self.queue.leave(self.id);
    }
}

/// Takes a consumer out of those that wait, however its waiting ends.
struct Waiting<'a>(&'a EmbeddedConsumer);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.queue.stop_waiting(self.0.id);
    }
}

#[async_trait]
impl Consumer for EmbeddedConsumer {
    async fn next(&mut self, max: usize) -> Result<Vec<Delivery>, SpineError> {
        let this = &*self;
        let _waiting = Waiting(this);
        loop {
            // Deliveries are taken and returned without an await between, so that none is lost when the caller stops waiting.
            let deliveries = this.queue.take(this.id, max)?;
            if !deliveries.is_empty() {
                return Ok(deliveries);
            }
            this.wake.notified().await;
        }
    }

    fn acknowledger(&self) -> Arc<dyn Acknowledger> {
        Arc::new(EmbeddedAcknowledger {
            queue: Arc::clone(&self.queue),
            consumer: self.id,
            removals: self.removals.clone(),
        })
    }
}

struct EmbeddedAcknowledger {
    queue: Arc<DurableQueue>,
    consumer: u64,
    removals: mpsc::UnboundedSender<Removal>,
}

#[async_trait]
impl Acknowledger for EmbeddedAcknowledger {
    async fn ack(&self, tags: &[DeliveryTag]) -> Result<(), SpineError> {
        let taken = self.queue.begin_acknowledge(self.consumer, tags);
        if taken.is_empty() {
            return Ok(());
        }
        let (reply, done) = oneshot::channel();
        let removal = Removal {
            queue: Arc::clone(&self.queue),
            consumer: self.consumer,
            taken,
            reply,
        };
        if let Err(unsent) = self.removals.send(removal) {
            self.queue.not_acknowledged(self.consumer, unsent.0.taken);
            return Err(SpineError::Closed);
        }
        done.await.map_err(|_| SpineError::Closed)?
    }

    async fn requeue(&self, tags: &[DeliveryTag]) -> Result<(), SpineError> {
        self.queue.requeue(self.consumer, tags);
        Ok(())
    }
}
