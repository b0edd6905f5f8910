//! Executes jobs: one slot, one time limit, one way to stop each.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use odd_contracts::{EventType, history};
use odd_store::Claimed;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::conclude::Outcome;
use crate::hand::{InHand, Message, Stop, acknowledge};
use crate::handlers::{Execution, HandlerError, Registry};
use crate::meters::Meters;
use crate::outbox::Publication;
use crate::room::{Held, Room, weigh};

/// An execution that lasts so long is told while it runs, that others see what is under way. What ends sooner tells it with its outcome: a
/// further publication of every job would cost more than it says.
const TELL_AFTER: Duration = Duration::from_millis(250);

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
    publications: mpsc::Sender<Publication>,
    /// Dropped with the executor, which lives as long as anybody can start an execution, and as every execution.
    _alive: mpsc::Sender<()>,
}

impl Executor {
    /// An executor that hands what has ended to `finished`, and events of what lasts to `publications`. `alive` is dropped when nothing runs
    /// or can be started any more.
    pub(crate) fn new(
        registry: Registry,
        in_hand: Arc<InHand>,
        meters: Arc<Meters>,
        room: Arc<Room>,
        finished: mpsc::Sender<Finished>,
        publications: mpsc::Sender<Publication>,
        alive: mpsc::Sender<()>,
    ) -> Arc<Self> {
        Arc::new(Self {
            registry,
            in_hand,
            meters,
            room,
            finished,
            publications,
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
            let outcome = this.execute_and_tell(&claimed, &stop).await;
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

    /// Executes it; where that lasts, its events so far are published meanwhile.
    async fn execute_and_tell(&self, claimed: &Claimed, stop: &Stop) -> Option<Outcome> {
        let mut execution = pin!(self.execute(claimed, stop));
        tokio::select! {
            biased;
            outcome = &mut execution => return outcome,
            () = tokio::time::sleep(TELL_AFTER) => {}
        }
        self.tell(claimed);
        execution.await
    }

    /// Publishes what was committed when the job was taken. Nothing depends on it: the outcome's publication has the whole history, so that this
    /// one is left out where others wait already.
    fn tell(&self, claimed: &Claimed) {
        // A further attempt says nothing that the publication of the one before did not.
        if claimed.record.attempt > 1 {
            return;
        }
        let mut events = history::events(&claimed.record, &claimed.attempts);
        // The gateway published it, or whoever submitted the job.
        events.retain(|event| event.event_type != EventType::Created);
        let publication = Publication {
            events,
            settle: None,
            message: None,
            held: self.room.hold(0),
        };
        let _ = self.publications.try_send(publication);
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
