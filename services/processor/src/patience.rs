//! Waiting for a dependency that is away, longer each time.

use std::error::Error;
use std::time::Duration;

use odd_runtime::error::chain;

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(2);

/// Backoff of a loop that must succeed in the end.
#[derive(Debug)]
pub(crate) struct Patience {
    next: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { next: FIRST }
    }
}

impl Patience {
    /// Logs why `what` failed, with every cause, and waits as long as it is awaited.
    pub(crate) fn wait(&mut self, what: &str, error: &dyn Error) -> tokio::time::Sleep {
        tracing::warn!(error = %chain(error), retry_in_ms = self.next.as_millis(), "failed to {what}");
        let now = self.next;
        self.next = (self.next * 2).min(LONGEST);
        tokio::time::sleep(now)
    }
}
