//! Job types and their handlers. To add one: write a [`Handler`] in a file of its own and name it in
//! [`registry`]. That is all.

mod hash;
mod simulated;

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use odd_contracts::Job;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

/// The job types of this build. Every other type is simulated work.
pub fn registry() -> Registry {
    Registry::new(simulated::Simulated).with("hash", hash::Hash::new())
}

/// What a handler is told about the execution it is part of.
pub struct Execution<'a> {
    /// The job: its type, payload and metadata.
    pub job: &'a Job,
    /// Number of this attempt, from 1.
    pub attempt: u32,
    /// Triggered when the attempt runs out of time or the job is cancelled. Asynchronous work is dropped at its
    /// next await; work on a thread of its own must look here from time to time.
    pub cancelled: CancellationToken,
}

/// Why an execution did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct HandlerError {
    /// What went wrong, for people.
    pub message: String,
    /// Whether another attempt may succeed.
    pub retryable: bool,
}

impl HandlerError {
    /// A failure that another attempt may get past.
    pub fn retryable(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            retryable: true,
        }
    }

    /// A failure that every further attempt would repeat.
    pub fn permanent(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            retryable: false,
        }
    }
}

/// Executes the jobs of one type. Handlers run at least once: after a crash, again.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// Does the work and returns the job's result.
    ///
    /// # Errors
    /// [`HandlerError`], which ends the attempt; a panic does too, and counts as retryable.
    async fn execute(&self, execution: Execution<'_>) -> Result<Option<Value>, HandlerError>;
}

/// Handlers by job type.
pub struct Registry {
    by_type: HashMap<&'static str, Arc<dyn Handler>>,
    otherwise: Arc<dyn Handler>,
}

impl Registry {
    /// A registry in which `otherwise` executes every type that has no handler of its own.
    pub fn new(otherwise: impl Handler) -> Self {
        Self {
            by_type: HashMap::new(),
            otherwise: Arc::new(otherwise),
        }
    }

    /// With a handler for `job_type`.
    #[must_use]
    pub fn with(mut self, job_type: &'static str, handler: impl Handler) -> Self {
        self.by_type.insert(job_type, Arc::new(handler));
        self
    }

    /// The handler of `job_type`.
    pub fn handler(&self, job_type: &str) -> &Arc<dyn Handler> {
        self.by_type.get(job_type).unwrap_or(&self.otherwise)
    }
}
