//! Requests that make something, carried through.
//!
//! The engine does what it was asked for even when nobody waits for the answer any more. So whoever gives up does not end such a request, and
//! keeps the right to start and stop the instance until it is answered: the next command sees what was made.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use tokio::sync::watch;

use crate::lock::InstanceLock;

/// How many are under way in this process.
static UNDER_WAY: LazyLock<watch::Sender<usize>> = LazyLock::new(|| watch::Sender::new(0));

/// One that is under way, and the right that it keeps.
struct UnderWay {
    _lock: Arc<InstanceLock>,
}

impl UnderWay {
    fn new(lock: &Arc<InstanceLock>) -> Self {
        UNDER_WAY.send_modify(|number| *number += 1);
        Self {
            _lock: Arc::clone(lock),
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        UNDER_WAY.send_modify(|number| *number -= 1);
    }
}

/// The answer to a request, which goes on where this is dropped.
pub(super) async fn carried<T: Send + 'static>(
    lock: &Arc<InstanceLock>,
    request: impl Future<Output = T> + Send + 'static,
) -> T {
    let under_way = UnderWay::new(lock);
    let carried = tokio::spawn(async move {
        let _under_way = under_way;
        request.await
    });
    match carried.await {
        Ok(answer) => answer,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Nobody ends it but the end of the runtime, and with it of this.
            Err(_) => std::future::pending().await,
        },
    }
}

/// Waits until the engine has answered every request of a start that was given up, no longer than `limit`. For a process that is about to end.
pub async fn settled(limit: Duration) {
    let mut number = UNDER_WAY.subscribe();
    // Whatever it takes longer is found by the next command, by its labels.
    let _ = tokio::time::timeout(limit, number.wait_for(|number| *number == 0)).await;
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;
    use crate::error::EngineError;
    use crate::instance::{Home, Instance, InstanceName};

    #[tokio::test]
    async fn a_request_that_was_given_up_goes_on_and_keeps_the_right_until_it_is_answered() {
        let home = tempfile::tempdir().expect("a folder");
        let instance = Instance {
            name: InstanceName::default(),
            home: Home::at(home.path()),
            port_offset: 0,
        };
        let take = |patience| InstanceLock::take(&instance, patience, || {});
        let lock = Arc::new(take(Duration::ZERO).await.expect("nobody has it"));
        let (answer, asked) = oneshot::channel::<()>();
        let (told, done) = oneshot::channel();
        let request = async move {
            asked.await.expect("an answer");
            told.send(()).expect("somebody is told");
        };
        tokio::select! {
            biased;
            () = carried(&lock, request) => panic!("there is no answer yet"),
            () = tokio::task::yield_now() => {}
        }
        drop(lock);
        let busy = take(Duration::ZERO).await;
        assert!(matches!(busy, Err(EngineError::Busy { .. })), "{busy:?}");
        answer.send(()).expect("it is waited for");
        done.await.expect("it went on");
        let _lock = take(Duration::from_secs(10)).await.expect("it is given back");
        settled(Duration::from_secs(10)).await;
    }
}
