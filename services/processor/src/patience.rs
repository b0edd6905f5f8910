//! Waiting for a dependency that is away, longer each time.

use std::error::Error;
use std::time::Duration;

use odd_runtime::Shutdown;
use odd_runtime::error::chain;
use odd_store::{JobStore, StoreError};

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(2);
/// A loop that worked for so long failed for a new reason.
const STEADY: Duration = Duration::from_secs(10);
/// Time before the deadline of a shutdown at which what waits for a dependency is left to others.
const LAST_MOMENT: Duration = Duration::from_millis(500);

/// Backoff of a loop that must succeed in the end. Half of each wait is random, so that processors that lost the same
/// server do not return to it together.
#[derive(Debug)]
pub(crate) struct Patience {
    next: Duration,
    said: Option<String>,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            next: FIRST,
            said: None,
        }
    }
}

impl Patience {
    /// Logs why `what` failed, with every cause, and waits as long as it is awaited. The same reason again is not
    /// worth a warning.
    pub(crate) fn wait(&mut self, what: &str, error: &(dyn Error + Sync)) -> tokio::time::Sleep {
        let now = self.next_wait(rand::random());
        let (error, retry_in_ms) = (chain(error).to_string(), now.as_millis());
        if self.said.as_ref() == Some(&error) {
            tracing::debug!(error, retry_in_ms, "failed to {what} again");
        } else {
            tracing::warn!(error, retry_in_ms, "failed to {what}; trying until it succeeds");
            self.said = Some(error);
        }
        tokio::time::sleep(now)
    }

    fn next_wait(&mut self, jitter: f64) -> Duration {
        let now = self.next.mul_f64(0.5 + jitter / 2.0);
        self.next = (self.next * 2).min(LONGEST);
        now
    }

    /// The same, but no longer than until the shutdown's signal.
    pub(crate) async fn wait_unless(&mut self, shutdown: &Shutdown, what: &str, error: &(dyn Error + Sync)) {
        tokio::select! {
            () = self.wait(what, error) => {}
            () = shutdown.signalled() => {}
        }
    }

    /// What failed now had worked for so long: the next wait is short again where that was long.
    pub(crate) fn worked_for(&mut self, time: Duration) {
        if time > STEADY {
            *self = Self::default();
        }
    }

    /// Waits until the store answers, or for the shutdown's signal. Every failure is told to `failed`.
    pub(crate) async fn until_store_answers(
        &mut self,
        store: &dyn JobStore,
        shutdown: &Shutdown,
        error: StoreError,
        failed: impl Fn(&StoreError),
    ) {
        let mut error = error;
        while !shutdown.is_signalled() {
            failed(&error);
            self.wait_unless(
                shutdown,
                "reach the job store; nothing is taken meanwhile",
                &error,
            )
            .await;
            match store.ping().await {
                Ok(()) => return,
                Err(again) => error = again,
            }
        }
    }
}

/// Ends when almost nothing is left of the time that a shutdown has. Whatever waits for a dependency then is safe to
/// drop: a row or an unacknowledged message stands for it.
pub(crate) async fn out_of_time(shutdown: &Shutdown) {
    shutdown.signalled().await;
    tokio::time::sleep(shutdown.remaining().saturating_sub(LAST_MOMENT)).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_vary_within_bounds() {
        let mut patience = Patience::default();
        let waits: Vec<_> = (0..8).map(|_| patience.next_wait(1.0).as_millis()).collect();
        assert_eq!(waits, [50, 100, 200, 400, 800, 1_600, 2_000, 2_000]);
        assert_eq!(patience.next_wait(0.0), LONGEST / 2);
        patience.worked_for(STEADY);
        assert_eq!(patience.next, LONGEST);
        patience.worked_for(STEADY + Duration::from_millis(1));
        assert_eq!(patience.next, FIRST);
    }
}
