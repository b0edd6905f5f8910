//! What ends a role.

use std::{fmt, io};

/// Any error.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why the HTTP server of a role could not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The listener is of no use.
    #[error("the listener is unusable")]
    Listener(#[source] io::Error),
    /// The description of the interface cannot be written as JSON.
    #[error("the OpenAPI document cannot be written")]
    OpenApi(#[source] serde_json::Error),
    /// The readiness is shown by another server's metrics already.
    #[error("the readiness cannot be shown among the metrics")]
    Metrics(#[source] prometheus::Error),
}

/// Why a role ended, other than being told to.
#[derive(Debug, thiserror::Error)]
pub enum RoleError {
    /// Its HTTP server failed.
    #[error("failed to serve HTTP")]
    Serve(#[from] ServeError),
    /// Something it needs could not be opened or used.
    #[error("failed to use the {name}")]
    Dependency {
        /// What it needs: `spine`, `job store`, `event log`, `counters`.
        name: &'static str,
        /// Why.
        #[source]
        source: BoxError,
    },
    /// A metric was registered twice or under an impossible name.
    #[error("failed to register a metric")]
    Metrics(#[from] prometheus::Error),
    /// One of its tasks ended with an error.
    #[error("the task {name:?} failed")]
    Task {
        /// Name of the task.
        name: String,
        /// Why.
        #[source]
        source: BoxError,
    },
    /// One of its tasks panicked.
    #[error("the task {name:?} panicked: {message}")]
    TaskPanicked {
        /// Name of the task.
        name: String,
        /// What the panic said.
        message: String,
    },
    /// Tasks that had not ended at the deadline of the shutdown were cut off.
    #[error("tasks did not end in time and were cut off: {}", names.join(", "))]
    Stuck {
        /// Names of the tasks.
        names: Vec<String>,
    },
}

impl RoleError {
    /// Failure of something the role needs; fits `map_err`.
    pub fn dependency<E: Into<BoxError>>(name: &'static str) -> impl FnOnce(E) -> Self {
        move |error| Self::Dependency {
            name,
            source: error.into(),
        }
    }
}

/// An error with its sources, on one line: for logs, and for the edge where an error reaches a person.
pub fn chain(error: &dyn std::error::Error) -> impl fmt::Display {
    fmt::from_fn(move |f| {
        write!(f, "{error}")?;
        let mut source = error.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    })
}

/// What a panic said, where it said it as text.
pub(crate) fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}
