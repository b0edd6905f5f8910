//! Claims what is due: delayed jobs, retries after their backoff, and what a lost processor left.

use std::sync::Arc;
use std::time::Duration;

use odd_contracts::{JobStatus, Producer};
use odd_runtime::Shutdown;
use odd_store::{Claim, ClaimToken, Claimed, JobStore, StoreError};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc};

use crate::executor::Executor;
use crate::meters::Meters;
use crate::outbox::Publication;
use crate::patience::Patience;
use crate::room::Room;

/// Longest time between two looks at the store: others store jobs too.
const LOOK: Duration = Duration::from_secs(1);
/// Shortest time between two looks.
const SHORTEST: Duration = Duration::from_millis(5);
/// Longest pause after looks that found due jobs and could claim none.
const LONGEST_PAUSE: Duration = Duration::from_millis(200);
/// Jobs claimed at a time at most.
const BATCH: usize = 128;

/// Lets whoever stores a job that is due soon wake the claimer.
#[derive(Default)]
pub(crate) struct WakeUp {
    notify: Notify,
}

impl WakeUp {
    /// A job is due within `delay`.
    pub(crate) fn within(&self, delay: Duration) {
        if delay < LOOK {
            self.notify.notify_one();
        }
    }
}

/// Claims and starts due jobs.
pub(crate) struct Claimer {
    pub(crate) store: Arc<dyn JobStore>,
    pub(crate) executor: Arc<Executor>,
    pub(crate) slots: Arc<Semaphore>,
    pub(crate) publications: mpsc::Sender<Publication>,
    pub(crate) wake_up: Arc<WakeUp>,
    pub(crate) room: Arc<Room>,
    pub(crate) meters: Arc<Meters>,
    pub(crate) by: Producer,
    pub(crate) lease: Duration,
    pub(crate) shutdown: Shutdown,
}

impl Claimer {
    /// Runs until the role is told to stop.
    pub(crate) async fn run(self) {
        let mut patience = Patience::default();
        let mut pause = SHORTEST;
        while !self.shutdown.is_signalled() {
            tokio::select! {
                () = self.shutdown.signalled() => return,
                () = self.until_due() => {}
            }
            match self.round().await {
                Ok(0) => {
                    patience = Patience::default();
                    // Others were quicker, or hold the rows: the more often, the longer it will take.
                    tokio::time::sleep(pause).await;
                    pause = (2 * pause).min(LONGEST_PAUSE);
                }
                Ok(_) => (patience, pause) = (Patience::default(), SHORTEST),
                Err(error) => {
                    patience
                        .wait_unless(&self.shutdown, "claim due jobs", &error)
                        .await;
                }
            }
        }
    }

    /// Claims once, and tells how many jobs. Never dropped midway: what is claimed must be started.
    async fn round(&self) -> Result<usize, StoreError> {
        let ended = self.claim_ended().await?;
        // No slot may be free for long, while jobs come due that need none.
        match tokio::time::timeout(LOOK, self.slots.clone().acquire_owned()).await {
            Ok(Ok(slot)) if !self.shutdown.is_signalled() => Ok(ended + self.claim(slot).await?),
            _ => Ok(ended),
        }
    }

    /// Claims jobs that ended and whose events are not confirmed.
    async fn claim_ended(&self) -> Result<usize, StoreError> {
        let claimed = self.store.claim_ended(&self.new_claim(), BATCH).await?;
        for one in &claimed {
            self.publish(one).await;
        }
        Ok(claimed.len())
    }

    fn new_claim(&self) -> Claim {
        Claim {
            token: ClaimToken::fresh(),
            by: self.by.clone(),
            lease: self.lease,
        }
    }

    /// Waits until a job is due, as far as anybody knows, and there is room for what becomes of it.
    async fn until_due(&self) {
        let mut patience = Patience::default();
        loop {
            self.room.space().await;
            let wait = match self.store.next_due().await {
                Ok(Some(due)) if due.is_zero() => return,
                Ok(due) => due.unwrap_or(LOOK).clamp(SHORTEST, LOOK),
                Err(error) => {
                    patience.wait("look for due jobs", &error).await;
                    continue;
                }
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.wake_up.notify.notified() => {}
            }
        }
    }

    /// Claims as many due jobs as there are free slots, one of which is `first`.
    async fn claim(&self, first: OwnedSemaphorePermit) -> Result<usize, StoreError> {
        let mut slots = vec![first];
        while slots.len() < BATCH
            && let Ok(slot) = self.slots.clone().try_acquire_owned()
        {
            slots.push(slot);
        }
        let claimed = self.store.claim_due(&self.new_claim(), slots.len()).await?;
        let count = claimed.len();
        for one in claimed {
            self.start(one, &mut slots).await;
        }
        Ok(count)
    }

    async fn start(&self, claimed: Claimed, slots: &mut Vec<OwnedSemaphorePermit>) {
        if claimed.record.job.status == JobStatus::Executing
            && let Some(slot) = slots.pop()
        {
            self.executor.start(claimed, None, slot).await;
        } else {
            self.publish(&claimed).await;
        }
    }

    async fn publish(&self, claimed: &Claimed) {
        self.meters.ended_by_taking(claimed);
        let publication = Publication::of_history(claimed, None, &self.room);
        // The publisher outlives the claimer.
        let _ = self.publications.send(publication).await;
    }
}
