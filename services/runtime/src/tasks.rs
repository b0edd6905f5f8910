//! Spawned tasks that somebody owns.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use tokio::task::{Id, JoinSet};
use tracing::Instrument;

use crate::error::{BoxError, RoleError, chain, panic_message};
use crate::shutdown::Shutdown;

/// The background tasks of a role. A task that panics or ends with an error ends the role. Clones are the
/// same set; tasks still running when the last is dropped are cut off.
#[derive(Clone, Debug)]
pub struct Tasks(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    shutdown: Shutdown,
    running: Mutex<Running>,
    failure: Mutex<Option<RoleError>>,
}

#[derive(Debug, Default)]
struct Running {
    set: JoinSet<()>,
    names: HashMap<Id, String>,
}

/// What a task may end with: nothing, or a result.
pub trait Outcome: Send {
    /// As a result.
    ///
    /// # Errors
    /// When the task failed.
    fn into_result(self) -> Result<(), BoxError>;
}

impl Outcome for () {
    fn into_result(self) -> Result<(), BoxError> {
        Ok(())
    }
}

impl<E: Into<BoxError> + Send> Outcome for Result<(), E> {
    fn into_result(self) -> Result<(), BoxError> {
        self.map_err(Into::into)
    }
}

impl Tasks {
    /// An empty set. `shutdown` is triggered when a task fails.
    pub fn new(shutdown: Shutdown) -> Self {
        Self(Arc::new(Inner {
            shutdown,
            running: Mutex::default(),
            failure: Mutex::default(),
        }))
    }

    /// The shutdown that a failing task triggers, and that tasks should end on.
    pub fn shutdown(&self) -> &Shutdown {
        &self.0.shutdown
    }

    /// Runs `future` beside everything else, in the current span. It should end by itself once the shutdown is signalled.
    pub fn spawn<F>(&self, name: impl Into<String>, future: F)
    where
        F: Future + Send + 'static,
        F::Output: Outcome,
    {
        let name = name.into();
        let (inner, task) = (Arc::downgrade(&self.0), name.clone());
        let watched = async move {
            let result = match AssertUnwindSafe(future).catch_unwind().await {
                Ok(outcome) => outcome
                    .into_result()
                    .map_err(|source| RoleError::Task { name: task, source }),
                Err(panic) => Err(RoleError::TaskPanicked {
                    name: task,
                    message: panic_message(&*panic),
                }),
            };
            if let (Err(error), Some(inner)) = (result, inner.upgrade()) {
                inner.fail(error);
            }
        };
        let mut running = lock(&self.0.running);
        while let Some(ended) = running.set.try_join_next_with_id() {
            running.forget(
                ended
                    .as_ref()
                    .map_or_else(tokio::task::JoinError::id, |(id, ())| *id),
            );
        }
        let id = running.set.spawn(watched.in_current_span()).id();
        running.names.insert(id, name);
    }

    /// Waits until every task has ended, at most `deadline`; the others are then cut off.
    ///
    /// # Errors
    /// The first failure of a task, else [`RoleError::Stuck`] when one had to be cut off.
    pub async fn join(&self, deadline: Duration) -> Result<(), RoleError> {
        let mut running = std::mem::take(&mut *lock(&self.0.running));
        let all_ended = async {
            while let Some(ended) = running.set.join_next_with_id().await {
                let id = ended
                    .as_ref()
                    .map_or_else(tokio::task::JoinError::id, |(id, ())| *id);
                running.names.remove(&id);
            }
        };
        let in_time = tokio::time::timeout(deadline, all_ended).await.is_ok();
        running.set.shutdown().await;
        if let Some(failure) = lock(&self.0.failure).take() {
            return Err(failure);
        }
        let mut names: Vec<_> = running.names.into_values().collect();
        names.sort_unstable();
        if in_time {
            Ok(())
        } else {
            Err(RoleError::Stuck { names })
        }
    }
}

impl Inner {
    /// The first failure is the cause; those that follow from it are only logged.
    fn fail(&self, error: RoleError) {
        tracing::error!(error = %chain(&error), "a task of the role failed");
        lock(&self.failure).get_or_insert(error);
        self.shutdown.trigger();
    }
}

impl Running {
    fn forget(&mut self, id: Id) {
        self.names.remove(&id);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn a_failing_task_ends_the_role() {
        let shutdown = Shutdown::default();
        let tasks = Tasks::new(shutdown.clone());
        let waiting = shutdown.clone();
        tasks.spawn("waits", async move { waiting.signalled().await });
        tasks.spawn("fails", async { Err::<(), _>("no more work".to_owned()) });
        let error = tasks.join(LONG).await.unwrap_err();
        assert!(shutdown.is_signalled());
        assert!(
            matches!(error, RoleError::Task { ref name, .. } if name == "fails"),
            "{error:?}"
        );
        assert_eq!(
            std::error::Error::source(&error).unwrap().to_string(),
            "no more work"
        );
    }

    #[tokio::test]
    async fn so_does_a_panic() {
        let shutdown = Shutdown::default();
        let tasks = Tasks::new(shutdown.clone());
        tasks.spawn("panics", async { assert_eq!(1, 2, "one is not two") });
        shutdown.signalled().await;
        let error = tasks.join(LONG).await.unwrap_err().to_string();
        assert!(
            error.contains("panics") && error.contains("one is not two"),
            "{error}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_does_not_end_is_cut_off_and_named() {
        let tasks = Tasks::new(Shutdown::default());
        tasks.spawn("ends", async {});
        tasks.spawn("stuck", std::future::pending::<()>());
        let error = tasks.join(LONG).await.unwrap_err();
        assert!(
            matches!(error, RoleError::Stuck { ref names } if names == &["stuck"]),
            "{error:?}"
        );
    }

    #[tokio::test]
    async fn ended_tasks_are_forgotten() {
        let tasks = Tasks::new(Shutdown::default());
        for _ in 0..1_000 {
            let (ended, wait) = tokio::sync::oneshot::channel::<()>();
            tasks.spawn("short", async move { drop(ended) });
            let _ = wait.await;
            tokio::task::yield_now().await;
        }
        assert!(lock(&tasks.0.running).names.len() < 10);
        tasks.join(LONG).await.unwrap();
    }
}
