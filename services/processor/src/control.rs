//! Takes requests to cancel off the spine.

use std::sync::Arc;
use std::time::Duration;

use odd_contracts::Producer;
use odd_contracts::control::ControlMessage;
use odd_contracts::names::spine::reason;
use odd_runtime::Shutdown;
use odd_spine::dead_letter::{self, DeadLetterRequest};
use odd_spine::{Consumer, Delivery, Queue, Spine};
use odd_store::{CancelOutcome, CancelRequest, Claim, ClaimToken, JobStore};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::hand::{InHand, Message, acknowledge};
use crate::meters::Meters;
use crate::outbox::Publication;
use crate::patience::Patience;

/// Requests dealt with together at most.
const BATCH: usize = 64;

/// Takes requests to cancel off the spine.
pub(crate) struct Control {
    pub(crate) spine: Arc<dyn Spine>,
    pub(crate) store: Arc<dyn JobStore>,
    pub(crate) in_hand: Arc<InHand>,
    pub(crate) publications: mpsc::Sender<Publication>,
    pub(crate) meters: Arc<Meters>,
    pub(crate) by: Producer,
    pub(crate) lease: Duration,
    pub(crate) shutdown: Shutdown,
}

impl Control {
    /// Runs until the role is told to stop; the consumer lives until everything is `drained`.
    pub(crate) async fn run(self, drained: CancellationToken) {
        let mut patience = Patience::default();
        let mut last = None;
        while !self.shutdown.is_signalled() {
            match self.spine.consume(Queue::Control, 2 * BATCH).await {
                Ok(mut consumer) => {
                    if let Err(error) = self.consume(&mut *consumer).await {
                        drop(consumer);
                        patience.wait("take requests to cancel", &*error).await;
                    } else {
                        last = Some(consumer);
                    }
                }
                Err(error) => patience.wait("consume requests to cancel", &error).await,
            }
        }
        // What feeds the publisher ends, so that it can.
        drop(self);
        drained.cancelled().await;
        drop(last);
    }

    async fn consume(
        &self,
        consumer: &mut dyn Consumer,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        loop {
            let deliveries = tokio::select! {
                () = self.shutdown.signalled() => return Ok(()),
                deliveries = consumer.next(BATCH) => deliveries?,
            };
            let mut requests: Vec<(CancelRequest, Arc<Message>)> = Vec::with_capacity(deliveries.len());
            for delivery in deliveries {
                let message = Message::new(consumer.acknowledger(), delivery.tag);
                match serde_json::from_slice(&delivery.body) {
                    Ok(ControlMessage::Cancel { id, requested_at, .. }) => {
                        // A repeated request in one batch is one request.
                        if requests.iter().any(|(known, _)| known.id == id) {
                            acknowledge([message]).await;
                        } else {
                            requests.push((CancelRequest { id, requested_at }, message));
                        }
                    }
                    Err(error) => self.put_aside(&delivery, &error, message).await?,
                }
            }
            self.cancel(requests).await?;
        }
    }

    async fn cancel(
        &self,
        requests: Vec<(CancelRequest, Arc<Message>)>,
    ) -> Result<(), odd_store::StoreError> {
        let claim = Claim {
            token: ClaimToken::fresh(),
            by: self.by.clone(),
            lease: self.lease,
        };
        let asked: Vec<_> = requests.iter().map(|(request, _)| request.clone()).collect();
        let outcomes = self.store.cancel(&asked, &claim).await?;
        for ((request, message), outcome) in requests.into_iter().zip(outcomes) {
            match outcome {
                CancelOutcome::Cancelled(claimed) => {
                    self.meters.ended(claimed.record.job.status);
                    // The publisher outlives this task.
                    let _ = self
                        .publications
                        .send(Publication::of_history(&claimed, Some(message)))
                        .await;
                }
                CancelOutcome::Signalled => {
                    self.in_hand.cancel(request.id);
                    acknowledge([message]).await;
                }
                CancelOutcome::TooLate | CancelOutcome::Remembered => acknowledge([message]).await,
            }
        }
        Ok(())
    }

    async fn put_aside(
        &self,
        delivery: &Delivery,
        error: &serde_json::Error,
        message: Arc<Message>,
    ) -> Result<(), odd_spine::PublishError> {
        let reason = if error.is_data() {
            reason::INVALID_ENVELOPE
        } else {
            reason::NOT_JSON
        };
        let request = DeadLetterRequest::of_delivery(delivery, reason, error.to_string());
        dead_letter::put_aside(&*self.spine, &self.by, vec![request]).await?;
        self.meters.refused(reason);
        acknowledge([message]).await;
        Ok(())
    }
}
