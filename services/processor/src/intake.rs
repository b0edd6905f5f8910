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
use odd_runtime::error::chain;
use odd_runtime::{Check, Shutdown};
use odd_spine::dead_letter::{self, DeadLetterRequest};
use odd_spine::{Acknowledger, Consumer, Delivery, PublishError, Queue, Spine, SpineError};
use odd_store::{Claim, ClaimToken, Claimed, JobStore, StoreError, Taken, Work, WorkMode};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use crate::due::WakeUp;
use crate::executor::Executor;
use crate::hand::{Message, acknowledge};
use crate::meters::Meters;
use crate::outbox::Publication;
use crate::patience::Patience;
use crate::prefetch::Prefetch;
use crate::room::{CAPACITY, Room};
use crate::work::{Refusal, parse};

/// Time that a delivery may wait for a free slot, and that a job may run, before its message is acknowledged.
pub(crate) const PARK_AFTER: Duration = Duration::from_secs(5);
/// Deliveries taken in one statement at most.
const BATCH: usize = 256;

/// A work message that waits for a slot.
struct Waiting {
    work: Work,
    delivery: Delivery,
    message: Arc<Message>,
}

impl Waiting {
    /// Bytes it takes: as it came, and as it was read.
    fn size(&self) -> usize {
        2 * self.delivery.body.len()
    }
}

/// Why the intake must begin anew with a new consumer.
enum Interrupted {
    /// Messages are larger or smaller than they were: another prefetch fits.
    Resized,
    /// The spine ended the consumer.
    Spine(SpineError),
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
    pub(crate) room: Arc<Room>,
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
        let mut prefetch = Prefetch::new(4 * self.slot_count + BATCH);
        while !self.shutdown.is_signalled() {
            let consumed = tokio::select! {
                () = self.shutdown.signalled() => return,
                consumed = self.spine.consume(Queue::Work, prefetch.now()) => consumed,
            };
            let mut consumer = match consumed {
                Ok(consumer) => consumer,
                Err(error) => {
                    let what = "consume work messages";
                    patience.wait_unless(&self.shutdown, what, &error).await;
                    continue;
                }
            };
            let begun = Instant::now();
            let consumed = self.consume(&mut *consumer, &mut prefetch).await;
            patience.worked_for(begun.elapsed());
            match consumed {
                Ok(()) => {
                    // What feeds the publisher ends, so that it can.
                    drop(self);
                    drained.cancelled().await;
                    return;
                }
                // What is not taken goes back to the queue with the consumer.
                Err(Interrupted::Resized) => {
                    let messages = prefetch.now();
                    tracing::info!(messages, "adapted the prefetch to the size of work messages");
                }
                Err(Interrupted::Spine(error)) => {
                    drop(consumer);
                    let what = "consume work messages";
                    patience.wait_unless(&self.shutdown, what, &error).await;
                }
                Err(Interrupted::Store(error)) => {
                    drop(consumer);
                    let failed = |error: &StoreError| self.store_check.failed(chain(error));
                    patience
                        .until_store_answers(&*self.store, &self.shutdown, error, failed)
                        .await;
                }
            }
        }
    }

    async fn consume(&self, consumer: &mut dyn Consumer, prefetch: &mut Prefetch) -> Result<(), Interrupted> {
        let mut waiting: VecDeque<Waiting> = VecDeque::new();
        loop {
            let oldest = waiting.front().map(|first| first.message.received());
            let bytes = CAPACITY.saturating_sub(waiting.iter().map(Waiting::size).sum());
            let has_room = waiting.len() < 4 * self.slot_count && bytes > 0;
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
                deliveries = self.next(consumer, prefetch.batch(bytes / 2, BATCH)), if has_room => {
                    let deliveries = deliveries.map_err(Interrupted::Spine)?;
                    deliveries.iter().for_each(|delivery| prefetch.note(delivery.body.len()));
                    waiting.extend(self.accept(consumer.acknowledger(), deliveries).await?);
                    if prefetch.adapt() {
                        return Err(Interrupted::Resized);
                    }
                }
            }
        }
    }

    /// The next deliveries, once there is room for their outcomes. Cancel-safe.
    async fn next(&self, consumer: &mut dyn Consumer, max: usize) -> Result<Vec<Delivery>, SpineError> {
        self.room.space().await;
        consumer.next(max).await
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
                self.publish(&claimed, message).await;
            }
            Taken::Ended(claimed) => {
                self.meters.ended_by_taking(&claimed);
                self.publish(&claimed, message).await;
            }
            Taken::Owed => acknowledge([message]).await,
            Taken::Conflict => {
                let refusal = Refusal::conflict(work);
                self.put_aside(vec![(refusal, delivery, message)]).await?;
            }
        }
        Ok(())
    }

    async fn publish(&self, claimed: &Claimed, message: Arc<Message>) {
        let publication = Publication::of_history(claimed, Some(message), &self.room);
        // The publisher outlives the intake.
        let _ = self.publications.send(publication).await;
    }

    /// Fails the jobs that messages name, dead-letters the messages, and acknowledges them.
    async fn put_aside(&self, refused: Vec<(Refusal, Delivery, Arc<Message>)>) -> Result<(), Interrupted> {
        // The jobs come first: a store that is away must not lead to one more copy of the dead letters at each try.
        let mut failed = Vec::with_capacity(refused.len());
        for (refusal, _, _) in &refused {
            failed.push(self.fail_job(refusal).await?);
        }
        self.dead_letter(&refused).await?;
        fail_point!("processor.after_dead_letter", |_| std::process::abort());
        for ((refusal, _, message), failed) in refused.into_iter().zip(failed) {
            tracing::warn!(reason = refusal.reason, detail = %refusal.detail, job = ?refusal.job_id, "a message was put aside");
            self.meters.refused(refusal.reason);
            match failed {
                Some(claimed) => {
                    self.meters.ended(claimed.record.job.status);
                    self.publish(&claimed, message).await;
                }
                None => acknowledge([message]).await,
            }
        }
        Ok(())
    }

    async fn dead_letter(&self, refused: &[(Refusal, Delivery, Arc<Message>)]) -> Result<(), Interrupted> {
        let requests: Vec<_> = refused
            .iter()
            .map(|(refusal, delivery, _)| request(refusal, delivery))
            .collect();
        let mut patience = Patience::default();
        while let Err(error) = dead_letter::put_aside(&*self.spine, &self.by, requests.clone()).await {
            // With the connection the deliveries are gone: they come again, and are put aside then.
            if self.shutdown.is_signalled() || matches!(error, PublishError::Unavailable(_)) {
                return Err(Interrupted::Spine(SpineError::Unavailable(error.to_string())));
            }
            patience
                .wait_unless(&self.shutdown, "put messages aside", &error)
                .await;
        }
        Ok(())
    }

    /// Stores the job that a refused message names as FAILED; none where it names none, or one that is known.
    async fn fail_job(&self, refusal: &Refusal) -> Result<Option<Claimed>, Interrupted> {
        let Some(poison) = refusal.poison(&self.by) else {
            return Ok(None);
        };
        let claim = Claim {
            token: ClaimToken::fresh(),
            by: self.by.clone(),
            lease: self.lease,
        };
        match self.store.fail_poison(vec![poison], &claim).await {
            Ok(failed) => Ok(failed.into_iter().flatten().next()),
            Err(error) if !matches!(error, StoreError::Refused(_)) => Err(Interrupted::Store(error)),
            Err(error) => {
                tracing::error!(error = %chain(&error), "a refused message's job could not be stored as FAILED");
                Ok(None)
            }
        }
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
