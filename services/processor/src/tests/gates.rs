//! Gates before the spine and the store of a bed, which can be shut as a server goes away.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use odd_contracts::JobId;
use odd_contracts::api::{ExportedJob, JobState, JobSummary, QueueDepth};
use odd_spine::amqp::AmqpSpine;
use odd_spine::{
    Acknowledger, Consumer, Delivery, DeliveryTag, LiveFeed, Message, PublishError, Queue, Route, Spine,
    SpineError,
};
use odd_store::postgres::PostgresJobStore;
use odd_store::{
    CancelOutcome, CancelRequest, Claim, ClaimToken, Claimed, Commit, Committed, JobCursor, JobFilter,
    JobStore, Poison, Renewal, StoreError, StoredJob, Taken, Work,
};
use tokio::sync::watch;
use uuid::Uuid;

/// What a gate does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Lets everything pass.
    Open,
    /// The server is away: everything fails, and consumers end.
    Away,
    /// Of the spine: takes no events and confirms none, all else passes.
    Blocked,
    /// Of the store: whoever takes work waits until the mode changes.
    HoldTakes,
    /// Of the store: whoever commits outcomes waits until the mode changes, so that jobs keep running.
    HoldCommits,
}

/// The spine behind a gate.
pub(super) struct SpineGate {
    inner: Arc<AmqpSpine>,
    mode: watch::Sender<Mode>,
    /// Connections so far: with each the tags of the one before become useless.
    pub(super) consumes: AtomicUsize,
}

impl SpineGate {
    pub(super) fn new(inner: Arc<AmqpSpine>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            mode: watch::Sender::new(Mode::Open),
            consumes: AtomicUsize::new(0),
        })
    }

    pub(super) fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    fn pass(&self) -> Result<(), SpineError> {
        if *self.mode.borrow() == Mode::Away {
            return Err(SpineError::Unavailable("the spine is unplugged".to_owned()));
        }
        Ok(())
    }
}

#[async_trait]
impl Spine for SpineGate {
    fn adapter(&self) -> &'static str {
        self.inner.adapter()
    }

    async fn ping(&self) -> Result<(), SpineError> {
        self.pass()?;
        self.inner.ping().await
    }

    async fn publish(&self, messages: Vec<Message>) -> Vec<Result<(), PublishError>> {
        let mode = *self.mode.borrow();
        let events = messages
            .iter()
            .any(|message| matches!(message.route, Route::Events(_)));
        let refused = match mode {
            Mode::Away => PublishError::Unavailable("the spine is unplugged".to_owned()),
            Mode::Blocked if events => PublishError::Blocked("the spine is short of memory".to_owned()),
            _ => return self.inner.publish(messages).await,
        };
        vec![Err(refused); messages.len()]
    }

    async fn consume(&self, queue: Queue, prefetch: usize) -> Result<Box<dyn Consumer>, SpineError> {
        self.consumes.fetch_add(1, Ordering::SeqCst);
        self.pass()?;
        let consumer = self.inner.consume(queue, prefetch).await?;
        Ok(Box::new(GatedConsumer {
            inner: Some(consumer),
            mode: self.mode.subscribe(),
        }))
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

/// Ends, and gives back what it has, when the spine goes away.
struct GatedConsumer {
    inner: Option<Box<dyn Consumer>>,
    mode: watch::Receiver<Mode>,
}

#[async_trait]
impl Consumer for GatedConsumer {
    async fn next(&mut self, max: usize) -> Result<Vec<Delivery>, SpineError> {
        let lost = SpineError::Unavailable("the connection was lost".to_owned());
        let Some(inner) = &mut self.inner else {
            return Err(lost);
        };
        let deliveries = tokio::select! {
            biased;
            _ = self.mode.wait_for(|mode| *mode == Mode::Away) => None,
            deliveries = inner.next(max) => Some(deliveries),
        };
        match deliveries {
            Some(deliveries) => deliveries,
            None => {
                self.inner = None;
                Err(lost)
            }
        }
    }

    fn acknowledger(&self) -> Arc<dyn Acknowledger> {
        match &self.inner {
            Some(inner) => inner.acknowledger(),
            None => Arc::new(Lost),
        }
    }
}

/// Acknowledges nothing.
struct Lost;

#[async_trait]
impl Acknowledger for Lost {
    async fn ack(&self, _: &[DeliveryTag]) -> Result<(), SpineError> {
        Err(SpineError::Closed)
    }

    async fn requeue(&self, _: &[DeliveryTag]) -> Result<(), SpineError> {
        Err(SpineError::Closed)
    }
}

/// The store behind a gate.
pub(super) struct StoreGate {
    inner: Arc<PostgresJobStore>,
    mode: watch::Sender<Mode>,
    /// Calls so far that were refused, but for pings.
    pub(super) refused: AtomicUsize,
    /// Takes so far.
    pub(super) takes: AtomicUsize,
    /// Requests to cancel that were answered so far.
    pub(super) cancels: AtomicUsize,
}

impl StoreGate {
    pub(super) fn new(inner: Arc<PostgresJobStore>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            mode: watch::Sender::new(Mode::Open),
            refused: AtomicUsize::new(0),
            takes: AtomicUsize::new(0),
            cancels: AtomicUsize::new(0),
        })
    }

    pub(super) fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    async fn while_held(&self, held: Mode) {
        let mut mode = self.mode.subscribe();
        // The sender lives as long as this gate.
        let _ = mode.wait_for(|mode| *mode != held).await;
    }

    fn pass(&self) -> Result<&PostgresJobStore, StoreError> {
        if *self.mode.borrow() == Mode::Away {
            self.refused.fetch_add(1, Ordering::SeqCst);
            return Err(StoreError::Unavailable("the store is unplugged".into()));
        }
        Ok(&self.inner)
    }
}

#[async_trait]
impl JobStore for StoreGate {
    fn adapter(&self) -> &'static str {
        self.inner.adapter()
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.pass()?.ping().await
    }

    async fn take(&self, work: Arc<[Work]>, claim: &Claim) -> Result<Vec<Taken>, StoreError> {
        self.takes.fetch_add(1, Ordering::SeqCst);
        self.while_held(Mode::HoldTakes).await;
        self.pass()?.take(work, claim).await
    }

    async fn claim_due(&self, claim: &Claim, limit: usize) -> Result<Vec<Claimed>, StoreError> {
        self.pass()?.claim_due(claim, limit).await
    }

    async fn claim_ended(&self, claim: &Claim, limit: usize) -> Result<Vec<Claimed>, StoreError> {
        self.pass()?.claim_ended(claim, limit).await
    }

    async fn next_due(&self) -> Result<Option<Duration>, StoreError> {
        self.pass()?.next_due().await
    }

    async fn renew(&self, jobs: &[(JobId, ClaimToken)], lease: Duration) -> Result<Vec<Renewal>, StoreError> {
        self.pass()?.renew(jobs, lease).await
    }

    async fn park(&self, jobs: &[(JobId, ClaimToken)]) -> Result<Vec<bool>, StoreError> {
        self.pass()?.park(jobs).await
    }

    async fn commit(&self, commits: Arc<[Commit]>) -> Result<Vec<Committed>, StoreError> {
        self.while_held(Mode::HoldCommits).await;
        self.pass()?.commit(commits).await
    }

    async fn settle(&self, jobs: &[(JobId, ClaimToken)]) -> Result<(), StoreError> {
        self.pass()?.settle(jobs).await
    }

    async fn release(&self, jobs: &[(JobId, ClaimToken)]) -> Result<(), StoreError> {
        self.pass()?.release(jobs).await
    }

    async fn cancel(
        &self,
        requests: &[CancelRequest],
        claim: &Claim,
    ) -> Result<Vec<CancelOutcome>, StoreError> {
        let answered = self.pass()?.cancel(requests, claim).await;
        if answered.is_ok() {
            self.cancels.fetch_add(requests.len(), Ordering::SeqCst);
        }
        answered
    }

    async fn fail_poison(
        &self,
        poison: Vec<Poison>,
        claim: &Claim,
    ) -> Result<Vec<Option<Claimed>>, StoreError> {
        self.pass()?.fail_poison(poison, claim).await
    }

    async fn get(&self, id: JobId) -> Result<Option<StoredJob>, StoreError> {
        self.inner.get(id).await
    }

    async fn list(
        &self,
        filter: &JobFilter,
        before: Option<JobCursor>,
        limit: usize,
    ) -> Result<Vec<JobSummary>, StoreError> {
        self.inner.list(filter, before, limit).await
    }

    async fn lookup(&self, ids: &[JobId]) -> Result<Vec<JobState>, StoreError> {
        self.inner.lookup(ids).await
    }

    async fn export(&self, after: Option<JobId>, limit: usize) -> Result<Vec<ExportedJob>, StoreError> {
        self.inner.export(after, limit).await
    }
}
