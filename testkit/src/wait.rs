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

/// The same for tests without a runtime: the thread sleeps between two looks, since what it waits for needs the processor too.
///
/// # Panics
/// Where the state was not reached within `deadline`; `what` says what was waited for.
#[track_caller]
#[expect(
    clippy::disallowed_methods,
    reason = "there is no runtime whose threads it could block"
)]
pub fn wait_until<T>(deadline: Duration, what: &str, mut state: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + deadline;
    loop {
        if let Some(reached) = state() {
            return reached;
        }
        assert!(Instant::now() < end, "not within {deadline:?}: {what}");
        std::thread::sleep(POLL);
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

    #[test]
    fn a_thread_waits_as_a_task_does() {
        let mut asked = 0;
        let answer = wait_until(Duration::from_secs(10), "the third question", || {
            asked += 1;
            (asked == 3).then_some(asked)
        });
        assert_eq!(answer, 3);
    }

    #[test]
    #[should_panic(expected = "the sun to fall")]
    fn a_thread_does_not_wait_for_ever() {
        wait_until(Duration::ZERO, "the sun to fall", || None::<()>);
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
