//! Claims what is due: delayed jobs, retries after their backoff, and what a lost processor left.

use std::sync::Arc;
use std::time::Duration;

use odd_contracts::{JobStatus, Producer};
use odd_runtime::Shutdown;
use odd_store::{Claim, ClaimToken, Claimed, JobStore};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc};

use crate::executor::Executor;
use crate::outbox::Publication;
use crate::patience::Patience;

/// Longest time between two looks at the store: others store jobs too.
const LOOK: Duration = Duration::from_secs(1);
/// Shortest time between two looks.
const SHORTEST: Duration = Duration::from_millis(5);
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
    pub(crate) by: Producer,
    pub(crate) lease: Duration,
    pub(crate) shutdown: Shutdown,
}

impl Claimer {
    /// Runs until the role is told to stop.
    pub(crate) async fn run(self) {
        while !self.shutdown.is_signalled() {
            tokio::select! {
                () = self.shutdown.signalled() => return,
                () = self.until_due() => {}
            }
            let slot = tokio::select! {
                () = self.shutdown.signalled() => return,
                slot = self.slots.clone().acquire_owned() => slot,
            };
            let Ok(slot) = slot else { return };
            self.claim(slot).await;
        }
    }

    /// Waits until a job is due, as far as anybody knows.
    async fn until_due(&self) {
        let mut patience = Patience::default();
        loop {
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
    async fn claim(&self, first: OwnedSemaphorePermit) {
        let mut slots = vec![first];
        while slots.len() < BATCH
            && let Ok(slot) = self.slots.clone().try_acquire_owned()
        {
            slots.push(slot);
        }
        let claim = Claim {
            token: ClaimToken::fresh(),
            by: self.by.clone(),
            lease: self.lease,
        };
        match self.store.claim_due(&claim, slots.len()).await {
            Ok(claimed) if claimed.is_empty() => tokio::time::sleep(SHORTEST).await,
            Ok(claimed) => {
                for one in claimed {
                    self.start(one, &mut slots).await;
                }
            }
            Err(error) => Patience::default().wait("claim due jobs", &error).await,
        }
    }

    async fn start(&self, claimed: Claimed, slots: &mut Vec<OwnedSemaphorePermit>) {
        if claimed.record.job.status == JobStatus::Executing
            && let Some(slot) = slots.pop()
        {
            self.executor.start(claimed, None, slot).await;
            return;
        }
        // The publisher outlives the claimer.
        let _ = self
            .publications
            .send(Publication::of_history(&claimed, None))
            .await;
    }
}
