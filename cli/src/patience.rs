//! Repeating a request that the system could not take just now.

use std::time::{Duration, Instant};

use odd_client::ClientError;
use rand::RngExt;

/// Shortest wait between two tries.
const FIRST: Duration = Duration::from_millis(100);
/// Longest wait that is chosen here; the service may ask for a longer one.
const LONGEST: Duration = Duration::from_secs(2);

/// How long a request goes on being repeated, and how long it waits between two tries: exponential backoff with
/// jitter, on top of what the service asks for.
#[derive(Debug)]
pub struct Patience {
    until: Instant,
    next: Duration,
    unreachable_too: bool,
}

impl Patience {
    /// Repeats for this long what the service itself says may succeed later.
    pub fn new(limit: Duration) -> Self {
        Self {
            until: Instant::now() + limit,
            next: FIRST,
            unreachable_too: false,
        }
    }

    /// Repeats as well where nobody answers.
    #[must_use]
    pub const fn with_unreachable(mut self, too: bool) -> Self {
        self.unreachable_too = too;
        self
    }

    /// Waits before the next try; false where there shall be none.
    pub async fn wait(&mut self, error: &ClientError) -> bool {
        match self.pause(error) {
            Some(pause) => {
                tokio::time::sleep(pause).await;
                true
            }
            None => false,
        }
    }

    fn pause(&mut self, error: &ClientError) -> Option<Duration> {
        let answered = error.problem().is_some();
        if !error.is_retryable() || !(answered || self.unreachable_too) {
            return None;
        }
        let jitter = rand::rng().random_range(0.5..=1.0);
        // On top of what the service asks for: those that it sent away together must not return together.
        let pause = error.retry_after().unwrap_or_default() + self.next.mul_f64(jitter);
        self.next = (self.next * 2).min(LONGEST);
        (Instant::now() + pause < self.until).then_some(pause)
    }
}

#[cfg(test)]
mod tests {
    use odd_contracts::{Problem, ProblemCode};

    use super::*;

    fn answered(code: ProblemCode, retry_after: Option<Duration>) -> ClientError {
        ClientError::Problem {
            url: "http://127.0.0.1:3000/jobs".to_owned(),
            problem: Box::new(Problem::new(code, "because")),
            retry_after,
        }
    }

    fn silent() -> ClientError {
        ClientError::TimedOut {
            url: "http://127.0.0.1:3000/jobs".to_owned(),
            limit: Duration::from_secs(1),
        }
    }

    #[test]
    fn waits_at_least_as_long_as_the_service_asks_for_and_longer_each_time() {
        let mut patience = Patience::new(Duration::from_secs(60));
        let asked = Some(Duration::from_secs(7));
        let pause = patience.pause(&answered(ProblemCode::Overloaded, asked)).unwrap();
        assert!(
            pause > Duration::from_secs(7) && pause <= Duration::from_secs(7) + FIRST,
            "{pause:?}"
        );
        for _ in 0..10 {
            let pause = patience
                .pause(&answered(ProblemCode::SpineUnavailable, None))
                .unwrap();
            assert!(pause >= FIRST && pause <= LONGEST, "{pause:?}");
        }
    }

    #[test]
    fn a_refusal_and_the_end_of_patience_are_final() {
        let mut patience = Patience::new(Duration::from_secs(60));
        assert_eq!(
            patience.pause(&answered(ProblemCode::ValidationFailed, None)),
            None
        );
        assert_eq!(patience.pause(&silent()), None);
        assert!(patience.with_unreachable(true).pause(&silent()).is_some());
        let mut short = Patience::new(Duration::from_secs(1));
        let long = Some(Duration::from_secs(2));
        assert_eq!(short.pause(&answered(ProblemCode::Overloaded, long)), None);
    }
}
