//! The runtime of the testkit's own work. Each test has a runtime that ends with it; connections to the engine and
//! proxies must not end with the first of them, and guards are dropped where no runtime may be entered.

use std::sync::LazyLock;
use std::sync::mpsc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("odd-testkit")
        .enable_all()
        .build()
        .expect("a thread can be started")
});

/// Starts `work` and returns without waiting for it.
pub(crate) fn spawn<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> tokio::task::JoinHandle<T> {
    RUNTIME.spawn(work)
}

/// Does `work` on the testkit's runtime, from any other.
pub(crate) async fn run<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    match spawn(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => panic!("work of the testkit was given up: {error}"),
        },
    }
}

/// Does `work` from code that is not asynchronous, such as a destructor, within a runtime or without. None where it
/// takes longer than `deadline` or panics.
pub(crate) fn block<T: Send + 'static>(
    deadline: Duration,
    work: impl Future<Output = T> + Send + 'static,
) -> Option<T> {
    let (sender, receiver) = mpsc::channel();
    spawn(async move {
        // Nobody waits any more where the deadline has passed.
        let _ = sender.send(work.await);
    });
    receiver.recv_timeout(deadline).ok()
}
