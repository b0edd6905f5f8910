//! How the recording fares: what `/readyz` says of it, and how long to wait after a failure.

use std::time::Duration;

use odd_runtime::Check;

/// Wait after the first failure; doubled with each further one.
const FIRST_BACKOFF: Duration = Duration::from_millis(100);
/// Longest wait.
const LAST_BACKOFF: Duration = Duration::from_secs(5);

/// How the recording fares. Only work that was done to its end, or the lack of any, shows that all is well:
/// a store that answers but cannot write would otherwise look well between two failures.
pub(crate) struct Pulse {
    check: Check,
    backoff: Duration,
    troubled: bool,
    said: Option<String>,
}

impl Pulse {
    pub(crate) fn new(check: Check) -> Self {
        Self {
            check,
            backoff: FIRST_BACKOFF,
            troubled: false,
            said: None,
        }
    }

    /// The consumer takes deliveries.
    pub(crate) fn consuming(&self) {
        if !self.troubled {
            self.check.ok();
        }
    }

    /// A batch is recorded, counted and acknowledged, or there is none.
    pub(crate) fn well(&mut self) {
        self.check.ok();
        self.backoff = FIRST_BACKOFF;
        self.troubled = false;
        if self.said.take().is_some() {
            tracing::info!("recording goes on");
        }
    }

    /// Something failed. Returns the wait before the next attempt, half of which is random: `jitter` (0 to 1) spreads
    /// replicas that lost the same server.
    pub(crate) fn failed(&mut self, reason: &str, jitter: f64) -> Duration {
        self.check.failed(reason);
        if self.said.as_deref() == Some(reason) {
            tracing::debug!(reason, "recording is interrupted again");
        } else {
            tracing::warn!(reason, "recording is interrupted");
            self.said = Some(reason.to_owned());
        }
        self.troubled = true;
        let wait = self.backoff.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0);
        self.backoff = (self.backoff * 2).min(LAST_BACKOFF);
        wait
    }
}

#[cfg(test)]
mod tests {
    use odd_contracts::Role;
    use odd_runtime::Readiness;

    use super::*;

    #[test]
    fn answers_between_failures_neither_heal_nor_shorten_the_wait() {
        let readiness = Readiness::new(Role::MetricsEngine);
        let mut pulse = Pulse::new(readiness.require("recording"));
        assert!(!readiness.is_ready());
        pulse.consuming();
        assert!(readiness.is_ready());
        let waits: Vec<_> = (0..8)
            .map(|_| {
                let wait = pulse.failed("the disk is full", 1.0);
                pulse.consuming();
                wait.as_millis()
            })
            .collect();
        assert_eq!(waits, [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
        assert!(!readiness.is_ready());
        pulse.well();
        assert!(readiness.is_ready());
        assert_eq!(pulse.failed("again", 0.0), FIRST_BACKOFF / 2);
    }
}
