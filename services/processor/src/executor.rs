//! Executes jobs: one slot, one time limit, one way to stop each.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use odd_store::Claimed;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::conclude::Outcome;
use crate::hand::{InHand, Message, Stop, acknowledge};
use crate::handlers::{Execution, HandlerError, Registry};
use crate::meters::Meters;
use crate::room::{Held, Room, weigh};

/// A job whose execution ended.
pub(crate) struct Finished {
    /// The job as it was taken.
    pub(crate) claimed: Claimed,
    /// How its execution ended.
    pub(crate) outcome: Outcome,
    /// Its message, where it came by one.
    pub(crate) message: Option<Arc<Message>>,
    /// The room that it takes until its events are confirmed.
    pub(crate) held: Held,
}

/// Executes jobs by their handlers.
pub(crate) struct Executor {
    registry: Registry,
    in_hand: Arc<InHand>,
    meters: Arc<Meters>,
    room: Arc<Room>,
    finished: mpsc::Sender<Finished>,
    /// Dropped with the executor, which lives as long as anybody can start an execution, and as every execution.
    _alive: mpsc::Sender<()>,
}

impl Executor {
    /// An executor that hands what has ended to `finished`. `alive` is dropped when nothing runs or can be started
    /// any more.
    pub(crate) fn new(
        registry: Registry,
        in_hand: Arc<InHand>,
        meters: Arc<Meters>,
        room: Arc<Room>,
        finished: mpsc::Sender<Finished>,
        alive: mpsc::Sender<()>,
    ) -> Arc<Self> {
        Arc::new(Self {
            registry,
            in_hand,
            meters,
            room,
            finished,
            _alive: alive,
        })
    }

    /// Starts a job. One that is done at once never becomes a task of its own.
    pub(crate) async fn start(
        self: &Arc<Self>,
        claimed: Claimed,
        message: Option<Arc<Message>>,
        slot: OwnedSemaphorePermit,
    ) {
        let stop = self
            .in_hand
            .insert(claimed.record.job.id, claimed.token, message.clone());
        let this = self.clone();
        let mut execution = Box::pin(async move {
            let outcome = this.execute(&claimed, &stop).await;
            if let Some(outcome) = outcome {
                let held = this.room.hold(weigh(&claimed.record) + outcome.weight());
                // The receiver ends only after every sender: this cannot fail while an execution lives.
                let _ = this
                    .finished
                    .send(Finished {
                        claimed,
                        outcome,
                        message,
                        held,
                    })
                    .await;
            } else {
                this.in_hand.remove(claimed.record.job.id, claimed.token);
                // The row is due, or somebody else's: it stands for the message.
                acknowledge(message).await;
            }
            // Not before: where outcomes pile up, because a server is away, nothing more is to be started.
            drop(slot);
        });
        if futures::poll!(execution.as_mut()).is_pending() {
            tokio::spawn(execution);
        }
    }

    /// None where the execution was stopped because its outcome is of no use.
    async fn execute(&self, claimed: &Claimed, stop: &Stop) -> Option<Outcome> {
        let job = &claimed.record.job;
        let limit = job.options.timeout();
        let handler = self.registry.handler(job.job_type.as_str());
        let execution = Execution {
            job,
            attempt: claimed.record.attempt,
            cancelled: stop.token.clone(),
        };
        let _running = self.meters.running(claimed);
        let outcome = tokio::select! {
            biased;
            result = AssertUnwindSafe(handler.execute(execution)).catch_unwind() => {
                Outcome::Returned(result.unwrap_or_else(|panic| Err(panicked(&*panic))))
            }
            () = stop.token.cancelled() => Outcome::Cancelled,
            () = tokio::time::sleep(limit) => Outcome::TimedOut(limit),
        };
        if stop.token.is_cancelled() && !stop.is_cancellation() {
            return None;
        }
        match outcome {
            // A handler that looked at its token itself was cancelled all the same.
            Outcome::Returned(Err(_)) if stop.is_cancellation() => Some(Outcome::Cancelled),
            Outcome::TimedOut(_) => {
                // Tells a handler that works on a thread of its own.
                stop.token.cancel();
                Some(outcome)
            }
            outcome => Some(outcome),
        }
    }
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> HandlerError {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    HandlerError::retryable(format!("the handler panicked: {text}"))
}
