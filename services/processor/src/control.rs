//! Takes requests to cancel off the spine.

use std::sync::Arc;
use std::time::{Duration, Instant};

use odd_contracts::Producer;
use odd_contracts::control::ControlMessage;
use odd_contracts::names::spine::reason;
use odd_runtime::Shutdown;
use odd_spine::dead_letter::{self, DeadLetterRequest};
use odd_spine::{Consumer, Delivery, PublishError, Queue, Spine, SpineError};
use odd_store::{CancelOutcome, CancelRequest, Claim, ClaimToken, JobStore, StoreError};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::hand::{InHand, Message, acknowledge};
use crate::meters::Meters;
use crate::outbox::Publication;
use crate::patience::Patience;
use crate::room::Room;

/// Requests dealt with together at most.
const BATCH: usize = 64;

/// Takes requests to cancel off the spine.
pub(crate) struct Control {
    pub(crate) spine: Arc<dyn Spine>,
    pub(crate) store: Arc<dyn JobStore>,
    pub(crate) in_hand: Arc<InHand>,
    pub(crate) publications: mpsc::Sender<Publication>,
    pub(crate) room: Arc<Room>,
    pub(crate) meters: Arc<Meters>,
    pub(crate) by: Producer,
    pub(crate) lease: Duration,
    pub(crate) shutdown: Shutdown,
}

/// A request and its message.
struct Request {
    asked: CancelRequest,
    delivery: Delivery,
    message: Arc<Message>,
}

/// Why requests must be taken anew with a new consumer. What was not acknowledged comes again.
enum Interrupted {
    /// The spine ended the consumer, or takes nothing.
    Spine(SpineError),
    /// The store does not answer.
    Store(StoreError),
}

impl From<PublishError> for Interrupted {
    fn from(error: PublishError) -> Self {
        Self::Spine(SpineError::Unavailable(error.to_string()))
    }
}

impl Control {
    /// Runs until the role is told to stop; the consumer lives until everything is `drained`.
    pub(crate) async fn run(self, drained: CancellationToken) {
        let last = self.consume_until_shutdown().await;
        // What feeds the publisher ends, so that it can.
        drop(self);
        drained.cancelled().await;
        drop(last);
    }

    /// Consumes through every outage; the consumer that was at work last.
    async fn consume_until_shutdown(&self) -> Option<Box<dyn Consumer>> {
        let mut patience = Patience::default();
        while !self.shutdown.is_signalled() {
            let consumed = tokio::select! {
                () = self.shutdown.signalled() => return None,
                consumed = self.spine.consume(Queue::Control, 2 * BATCH) => consumed,
            };
            let begun = Instant::now();
            let interrupted = match consumed {
                Ok(mut consumer) => match self.consume(&mut *consumer).await {
                    Ok(()) => return Some(consumer),
                    Err(interrupted) => interrupted,
                },
                Err(error) => Interrupted::Spine(error),
            };
            patience.worked_for(begun.elapsed());
            match interrupted {
                Interrupted::Spine(error) => {
                    let what = "consume requests to cancel";
                    patience.wait_unless(&self.shutdown, what, &error).await;
                }
                Interrupted::Store(error) => {
                    patience
                        .until_store_answers(&*self.store, &self.shutdown, error, |_| {})
                        .await;
                }
            }
        }
        None
    }

    async fn consume(&self, consumer: &mut dyn Consumer) -> Result<(), Interrupted> {
        loop {
            let deliveries = tokio::select! {
                () = self.shutdown.signalled() => return Ok(()),
                deliveries = consumer.next(BATCH) => deliveries.map_err(Interrupted::Spine)?,
            };
            let mut requests: Vec<Request> = Vec::with_capacity(deliveries.len());
            for delivery in deliveries {
                let message = Message::new(consumer.acknowledger(), delivery.tag);
                match serde_json::from_slice(&delivery.body) {
                    Ok(ControlMessage::Cancel { id, requested_at, .. }) => {
                        // A repeated request in one batch is one request.
                        if requests.iter().any(|known| known.asked.id == id) {
                            acknowledge([message]).await;
                        } else {
                            requests.push(Request {
                                asked: CancelRequest { id, requested_at },
                                delivery,
                                message,
                            });
                        }
                    }
                    Err(error) => {
                        let reason = if error.is_data() {
                            reason::INVALID_ENVELOPE
                        } else {
                            reason::NOT_JSON
                        };
                        self.put_aside(&delivery, reason, error.to_string(), message)
                            .await?;
                    }
                }
            }
            self.cancel(requests).await?;
        }
    }

    async fn cancel(&self, requests: Vec<Request>) -> Result<(), Interrupted> {
        // Requests that the store refuses together are made one by one, so that the culprit stands alone.
        let mut pending = vec![requests];
        while let Some(mut requests) = pending.pop() {
            if requests.is_empty() {
                continue;
            }
            match self.cancel_together(&requests).await {
                Ok(outcomes) => {
                    for (request, outcome) in requests.into_iter().zip(outcomes) {
                        self.follow_up(request, outcome).await;
                    }
                }
                Err(StoreError::Refused(source)) if requests.len() == 1 => {
                    if let Some(Request {
                        delivery, message, ..
                    }) = requests.pop()
                    {
                        let detail = format!("the store refuses the request: {source}");
                        self.put_aside(&delivery, reason::STORE_REFUSED, detail, message)
                            .await?;
                    }
                }
                Err(StoreError::Refused(_)) => {
                    pending.extend(requests.into_iter().rev().map(|one| vec![one]))
                }
                Err(error) => return Err(Interrupted::Store(error)),
            }
        }
        Ok(())
    }

    async fn cancel_together(&self, requests: &[Request]) -> Result<Vec<CancelOutcome>, StoreError> {
        let claim = Claim {
            token: ClaimToken::fresh(),
            by: self.by.clone(),
            lease: self.lease,
        };
        let asked: Vec<_> = requests.iter().map(|request| request.asked.clone()).collect();
        self.store.cancel(&asked, &claim).await
    }

    async fn follow_up(&self, request: Request, outcome: CancelOutcome) {
        let message = request.message;
        match outcome {
            CancelOutcome::Cancelled(claimed) => {
                self.meters.ended(claimed.record.job.status);
                let publication = Publication::of_history(&claimed, Some(message), &self.room);
                // The publisher outlives this task.
                let _ = self.publications.send(publication).await;
            }
            CancelOutcome::Signalled => {
                self.in_hand.cancel(request.asked.id);
                acknowledge([message]).await;
            }
            CancelOutcome::TooLate | CancelOutcome::Remembered => acknowledge([message]).await,
        }
    }

    async fn put_aside(
        &self,
        delivery: &Delivery,
        reason: &'static str,
        detail: String,
        message: Arc<Message>,
    ) -> Result<(), PublishError> {
        let request = DeadLetterRequest::of_delivery(delivery, reason, detail);
        dead_letter::put_aside(&*self.spine, &self.by, vec![request]).await?;
        self.meters.refused(reason);
        acknowledge([message]).await;
        Ok(())
    }
}
