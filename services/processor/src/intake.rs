//! Takes work messages off the spine.
//!
//! A delivery waits here for a free slot, for five seconds at most: then its job is stored as due and
//! the message acknowledged, so that slow jobs neither starve the prefetch window nor meet the
//! broker's consumer time-out.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use fail::fail_point;
use odd_contracts::{JobId, Producer};
use odd_runtime::{Check, Shutdown};
use odd_spine::dead_letter::{self, DeadLetterRequest};
use odd_spine::{Acknowledger, Consumer, Delivery, Queue, Spine};
use odd_store::{Claim, ClaimToken, JobStore, StoreError, Taken, Work, WorkMode};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use crate::due::WakeUp;
use crate::executor::Executor;
use crate::hand::{Message, acknowledge};
use crate::meters::Meters;
use crate::outbox::Publication;
use crate::patience::Patience;
use crate::work::{Refusal, parse};

/// Time that a delivery may wait for a free slot, and that a job may run, before its message is acknowledged.
pub(crate) const PARK_AFTER: Duration = Duration::from_secs(5);
/// A consumer that worked for so long ended for a new reason.
const STEADY: Duration = Duration::from_secs(10);
/// Deliveries taken in one statement at most.
const BATCH: usize = 256;

/// A work message that waits for a slot.
struct Waiting {
    work: Work,
    delivery: Delivery,
    message: Arc<Message>,
}

/// Why the intake must begin anew with a new consumer.
enum Interrupted {
    /// The spine ended the consumer.
    Spine(odd_spine::SpineError),
    /// The store does not answer.
    Store(StoreError),
}

/// Takes work messages off the spine.
pub(crate) struct Intake {
    pub(crate) spine: Arc<dyn Spine>,
    pub(crate) store: Arc<dyn JobStore>,
    pub(crate) executor: Arc<Executor>,
    pub(crate) slots: Arc<Semaphore>,
    pub(crate) slot_count: usize,
    pub(crate) publications: mpsc::Sender<Publication>,
    pub(crate) wake_up: Arc<WakeUp>,
    pub(crate) meters: Arc<Meters>,
    pub(crate) by: Producer,
    pub(crate) lease: Duration,
    pub(crate) store_check: Check,
    pub(crate) shutdown: Shutdown,
}

impl Intake {
    /// Runs until the role is told to stop; the consumer lives until everything is
    /// `drained`, so that messages in hand can still be acknowledged.
    pub(crate) async fn run(self, drained: CancellationToken) {
        let mut patience = Patience::default();
        let prefetch = 4 * self.slot_count + BATCH;
        while !self.shutdown.is_signalled() {
            let consumed = tokio::select! {
                () = self.shutdown.signalled() => return,
                consumed = self.spine.consume(Queue::Work, prefetch) => consumed,
            };
            let mut consumer = match consumed {
                Ok(consumer) => consumer,
                Err(error) => {
                    patience.wait("consume work messages", &error).await;
                    continue;
                }
            };
            let begun = Instant::now();
            let consumed = self.consume(&mut *consumer).await;
            if begun.elapsed() > STEADY {
                patience = Patience::default();
            }
            match consumed {
                Ok(()) => {
                    // What feeds the publisher ends, so that it can.
                    drop(self);
                    drained.cancelled().await;
                    return;
                }
                Err(Interrupted::Spine(error)) => patience.wait("consume work messages", &error).await,
                Err(Interrupted::Store(error)) => {
                    // What is not taken goes back to the queue, and waits there for the store.
                    drop(consumer);
                    self.until_store_answers(error, &mut patience).await;
                }
            }
        }
    }

    async fn until_store_answers(&self, error: StoreError, patience: &mut Patience) {
        let mut error = error;
        loop {
            self.store_check.failed(&error);
            tokio::select! {
                () = self.shutdown.signalled() => return,
                () = patience.wait("reach the job store; no work is taken meanwhile", &error) => {}
            }
            match self.store.ping().await {
                Ok(()) => return self.store_check.ok(),
                Err(again) => error = again,
            }
        }
    }

    async fn consume(&self, consumer: &mut dyn Consumer) -> Result<(), Interrupted> {
        let mut waiting: VecDeque<Waiting> = VecDeque::new();
        loop {
            let oldest = waiting.front().map(|first| first.message.received());
            tokio::select! {
                biased;
                () = self.shutdown.signalled() => {
                    return self.give_back(consumer.acknowledger(), waiting).await;
                }
                slots = self.free_slots(waiting.len()), if !waiting.is_empty() => {
                    let batch = waiting.drain(..slots.len()).collect();
                    self.take(batch, WorkMode::Run, slots).await?;
                }
                () = park_time(oldest), if !waiting.is_empty() => {
                    let old = |item: &Waiting| item.message.received().elapsed() >= PARK_AFTER;
                    let count = waiting.iter().take_while(|item| old(item)).count();
                    let batch = waiting.drain(..count.min(BATCH)).collect();
                    self.take(batch, WorkMode::Park, Vec::new()).await?;
                }
                deliveries = consumer.next(BATCH), if waiting.len() < 4 * self.slot_count => {
                    let deliveries = deliveries.map_err(Interrupted::Spine)?;
                    waiting.extend(self.accept(consumer.acknowledger(), deliveries).await?);
                }
            }
        }
    }

    /// Waits for a free slot and returns those that are free, at most `wanted` and at most a batch.
    async fn free_slots(&self, wanted: usize) -> Vec<OwnedSemaphorePermit> {
        let wanted = wanted.min(BATCH);
        let mut slots = Vec::with_capacity(wanted);
        // The semaphore is never closed.
        slots.extend(self.slots.clone().acquire_owned().await.ok());
        while slots.len() < wanted
            && let Ok(slot) = self.slots.clone().try_acquire_owned()
        {
            slots.push(slot);
        }
        slots
    }

    /// Untaken deliveries go back to the queue, for others or for later.
    async fn give_back(
        &self,
        to: Arc<dyn Acknowledger>,
        waiting: VecDeque<Waiting>,
    ) -> Result<(), Interrupted> {
        let tags: Vec<_> = waiting.iter().map(|item| item.delivery.tag).collect();
        if tags.is_empty() {
            return Ok(());
        }
        to.requeue(&tags).await.map_err(Interrupted::Spine)
    }

    /// Separates work from what is none, which is put aside at once.
    async fn accept(
        &self,
        acknowledger: Arc<dyn Acknowledger>,
        deliveries: Vec<Delivery>,
    ) -> Result<Vec<Waiting>, Interrupted> {
        let mut work = Vec::with_capacity(deliveries.len());
        let mut refused = Vec::new();
        for delivery in deliveries {
            let message = Message::new(acknowledger.clone(), delivery.tag);
            match parse(&delivery) {
                Ok(parsed) => work.push(Waiting {
                    work: parsed,
                    delivery,
                    message,
                }),
                Err(refusal) => refused.push((refusal, delivery, message)),
            }
        }
        if !refused.is_empty() {
            self.put_aside(refused).await?;
        }
        Ok(work)
    }

    /// Takes the jobs of a batch; there is a slot for each where they are to run.
    async fn take(
        &self,
        batch: Vec<Waiting>,
        mode: WorkMode,
        mut slots: Vec<OwnedSemaphorePermit>,
    ) -> Result<(), Interrupted> {
        let claim = Claim {
            token: ClaimToken::fresh(),
            by: self.by.clone(),
            lease: self.lease,
        };
        for group in distinct(batch) {
            self.take_distinct(group, mode, &claim, &mut slots).await?;
        }
        Ok(())
    }

    /// Takes jobs with distinct ids, in order of id, so that two processors never wait for each other crosswise.
    async fn take_distinct(
        &self,
        mut group: Vec<Waiting>,
        mode: WorkMode,
        claim: &Claim,
        slots: &mut Vec<OwnedSemaphorePermit>,
    ) -> Result<(), Interrupted> {
        group.sort_unstable_by_key(|item| item.work.job.id);
        let (work, messages): (Vec<Work>, Vec<_>) = group
            .into_iter()
            .map(|item| (Work { mode, ..item.work }, (item.delivery, item.message)))
            .unzip();
        let mut pending: Vec<(Arc<[Work]>, Vec<_>)> = vec![(work.into(), messages)];
        // A batch that the store refuses is halved until the culprit stands alone.
        while let Some((work, mut messages)) = pending.pop() {
            match self.store.take(work.clone(), claim).await {
                Ok(taken) => {
                    fail_point!("processor.after_take", |_| std::process::abort());
                    self.store_check.ok();
                    for ((work, message), taken) in work.iter().zip(messages).zip(taken) {
                        self.follow_up(work, message, taken, slots).await?;
                    }
                }
                // Only what the store refuses is the data's own fault.
                Err(error) if !matches!(error, StoreError::Refused(_)) => {
                    return Err(Interrupted::Store(error));
                }
                Err(error) if work.len() == 1 => {
                    let refused = work.iter().zip(messages).map(|(work, (delivery, message))| {
                        (Refusal::by_store(work, &error), delivery, message)
                    });
                    self.put_aside(refused.collect()).await?;
                }
                Err(_) => {
                    let (first, second) = work.split_at(work.len() / 2);
                    let behind = messages.split_off(first.len());
                    pending.extend([(second.into(), behind), (first.into(), messages)]);
                }
            }
        }
        Ok(())
    }

    async fn follow_up(
        &self,
        work: &Work,
        (delivery, message): (Delivery, Arc<Message>),
        taken: Taken,
        slots: &mut Vec<OwnedSemaphorePermit>,
    ) -> Result<(), Interrupted> {
        match taken {
            Taken::Run(claimed) => {
                let slot = match slots.pop() {
                    Some(slot) => slot,
                    // The store ran a job that was only to be parked: it must not be run without a slot.
                    None => match self.slots.clone().acquire_owned().await {
                        Ok(slot) => slot,
                        Err(_) => return Ok(()),
                    },
                };
                self.executor.start(*claimed, Some(message), slot).await;
            }
            Taken::Waiting(claimed) => {
                if let Some(at) = claimed.record.scheduled_for {
                    self.wake_up.within(at.since(odd_contracts::Timestamp::now()));
                } else {
                    self.wake_up.within(Duration::ZERO);
                }
                self.publish(Publication::of_history(&claimed, Some(message)))
                    .await;
            }
            Taken::Ended(claimed) => {
                self.publish(Publication::of_history(&claimed, Some(message)))
                    .await;
            }
            Taken::Owed => acknowledge([message]).await,
            Taken::Conflict => {
                let refusal = Refusal::conflict(work);
                self.put_aside(vec![(refusal, delivery, message)]).await?;
            }
        }
        Ok(())
    }

    async fn publish(&self, publication: Publication) {
        // The publisher outlives the intake.
        let _ = self.publications.send(publication).await;
    }

    /// Dead-letters messages, fails the jobs that they name, and acknowledges them.
    async fn put_aside(&self, refused: Vec<(Refusal, Delivery, Arc<Message>)>) -> Result<(), Interrupted> {
        let requests: Vec<_> = refused
            .iter()
            .map(|(refusal, delivery, _)| request(refusal, delivery))
            .collect();
        let mut patience = Patience::default();
        while let Err(error) = dead_letter::put_aside(&*self.spine, &self.by, requests.clone()).await {
            if self.shutdown.is_signalled() {
                return Err(Interrupted::Spine(odd_spine::SpineError::Unavailable(
                    error.to_string(),
                )));
            }
            patience.wait("put messages aside", &error).await;
        }
        fail_point!("processor.after_dead_letter", |_| std::process::abort());
        for (refusal, _, message) in refused {
            tracing::warn!(reason = refusal.reason, detail = %refusal.detail, job = ?refusal.job_id, "a message was put aside");
            self.meters.refused(refusal.reason);
            self.fail_job(&refusal, message).await?;
        }
        Ok(())
    }

    async fn fail_job(&self, refusal: &Refusal, message: Arc<Message>) -> Result<(), Interrupted> {
        let claim = Claim {
            token: ClaimToken::fresh(),
            by: self.by.clone(),
            lease: self.lease,
        };
        let failed = match refusal.poison(&self.by) {
            Some(poison) => match self.store.fail_poison(vec![poison], &claim).await {
                Ok(failed) => failed.into_iter().flatten().next(),
                Err(error) if !matches!(error, StoreError::Refused(_)) => {
                    return Err(Interrupted::Store(error));
                }
                Err(error) => {
                    tracing::error!(%error, "a refused message's job could not be stored as FAILED");
                    None
                }
            },
            None => None,
        };
        match failed {
            Some(claimed) => {
                self.meters.ended(claimed.record.job.status);
                self.publish(Publication::of_history(&claimed, Some(message)))
                    .await;
            }
            None => acknowledge([message]).await,
        }
        Ok(())
    }
}

async fn park_time(oldest: Option<Instant>) {
    if let Some(received) = oldest {
        tokio::time::sleep_until((received + PARK_AFTER).into()).await;
    }
}

fn request(refusal: &Refusal, delivery: &Delivery) -> DeadLetterRequest {
    let request = DeadLetterRequest::of_delivery(delivery, refusal.reason, refusal.detail.clone());
    DeadLetterRequest {
        job_id: refusal.job_id,
        ..request
    }
}

/// Groups in which no job id occurs twice; repetitions come in a later group.
fn distinct(batch: Vec<Waiting>) -> Vec<Vec<Waiting>> {
    let mut groups = Vec::new();
    let mut rest = batch;
    while !rest.is_empty() {
        let mut seen: HashSet<JobId> = HashSet::with_capacity(rest.len());
        let (group, repeated) = rest
            .into_iter()
            .partition(|item: &Waiting| seen.insert(item.work.job.id));
        groups.push(group);
        rest = repeated;
    }
    groups
}
