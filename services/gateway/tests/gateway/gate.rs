//! A gate before the real spine, which can be shut: the broker is away, blocked or late.

use std::sync::Arc;

use async_trait::async_trait;
use odd_contracts::api::QueueDepth;
use odd_spine::port::{Consumer, LiveFeed};
use odd_spine::{Message, PublishError, Queue, Route, Spine, SpineError};
use tokio::sync::watch;
use uuid::Uuid;

/// What the gate does with what is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Lets everything pass.
    Open,
    /// Lets it wait until the mode changes.
    Hold,
    /// Lets only lifecycle events wait.
    HoldEvents,
    /// Says that the broker is blocked.
    Refuse,
    /// Passes it on and never confirms it.
    LoseConfirm,
}

/// The gate.
pub(crate) struct Gate {
    inner: Arc<dyn Spine>,
    mode: watch::Sender<Mode>,
}

impl Gate {
    pub(crate) fn new(inner: Arc<dyn Spine>) -> Arc<Self> {
        let mode = watch::Sender::new(Mode::Open);
        Arc::new(Self { inner, mode })
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// What is behind the gate, whatever its mode.
    pub(crate) fn behind(&self) -> &dyn Spine {
        &*self.inner
    }

    fn answers(&self) -> Result<(), SpineError> {
        if *self.mode.borrow() == Mode::Refuse {
            return Err(SpineError::Unavailable("the gate is shut".to_owned()));
        }
        Ok(())
    }

    /// Waits until somebody is held.
    pub(crate) async fn holds(&self, count: usize) {
        crate::harness::eventually("somebody waits at the gate", || async {
            self.mode.receiver_count() >= count
        })
        .await;
    }
}

fn is_held(mode: Mode, messages: &[Message]) -> bool {
    let events = messages
        .iter()
        .all(|message| matches!(message.route, Route::Events(_)));
    mode == Mode::Hold || (mode == Mode::HoldEvents && events)
}

#[async_trait]
impl Spine for Gate {
    fn adapter(&self) -> &'static str {
        self.inner.adapter()
    }

    async fn ping(&self) -> Result<(), SpineError> {
        self.answers()?;
        self.inner.ping().await
    }

    async fn publish(&self, messages: Vec<Message>) -> Vec<Result<(), PublishError>> {
        let now = *self.mode.borrow();
        if is_held(now, &messages) {
            let mut mode = self.mode.subscribe();
            mode.wait_for(|mode| !is_held(*mode, &messages)).await.unwrap();
        }
        let now = *self.mode.borrow();
        match now {
            Mode::Refuse => vec![Err(PublishError::Blocked("the gate is shut".to_owned())); messages.len()],
            Mode::LoseConfirm => {
                self.inner.publish(messages).await;
                std::future::pending().await
            }
            _ => self.inner.publish(messages).await,
        }
    }

    async fn consume(&self, queue: Queue, prefetch: usize) -> Result<Box<dyn Consumer>, SpineError> {
        self.inner.consume(queue, prefetch).await
    }

    async fn live(&self, capacity: usize) -> Result<Box<dyn LiveFeed>, SpineError> {
        self.inner.live(capacity).await
    }

    async fn depths(&self) -> Result<Vec<QueueDepth>, SpineError> {
        self.inner.depths().await
    }

    async fn requeue_dead_letter(&self, id: Uuid) -> Result<bool, SpineError> {
        self.answers()?;
        self.inner.requeue_dead_letter(id).await
    }
}
