//! Waiting for a state.

use std::time::{Duration, Instant};

/// How often a state is looked at.
const POLL: Duration = Duration::from_millis(10);

/// Asks `state` until it answers, and returns the answer. Tests wait for states, never for a time.
///
/// # Panics
/// Where the state was not reached within `deadline`; `what` says what was waited for.
pub async fn wait_for<T, F>(deadline: Duration, what: &str, mut state: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let end = Instant::now() + deadline;
    loop {
        if let Some(reached) = state().await {
            return reached;
        }
        assert!(Instant::now() < end, "not within {deadline:?}: {what}");
        tokio::time::sleep(POLL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_state_reached_is_returned_at_once() {
        let mut asked = 0;
        let answer = wait_for(Duration::from_secs(10), "the third question", || {
            asked += 1;
            std::future::ready((asked == 3).then_some(asked))
        })
        .await;
        assert_eq!(answer, 3);
    }

    #[tokio::test]
    #[should_panic(expected = "the moon to fall")]
    async fn a_state_never_reached_fails_with_its_name() {
        wait_for(Duration::ZERO, "the moon to fall", || {
            std::future::ready(None::<()>)
        })
        .await;
    }
}
