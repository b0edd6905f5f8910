//! What an engine can fail of.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use odd_contracts::Role;

use crate::docker::DockerError;
use crate::instance::InstanceName;
use crate::kubernetes::KubernetesError;
use crate::kubernetes::cluster::ClusterError;
use crate::ports::PortHolder;

/// Why an instance was not started, stopped or examined.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Another command starts or stops the instance, and takes long.
    #[error("another command has been starting or stopping the instance {instance} for too long")]
    Busy {
        /// The instance.
        instance: InstanceName,
    },
    /// A port that a role needs is in use.
    #[error("port {port} of the {role} is taken by {}", holder.as_ref().map_or_else(|| "another process".to_owned(), ToString::to_string))]
    PortTaken {
        /// The role.
        role: Role,
        /// The port.
        port: u16,
        /// Who has it, where the platform tells.
        holder: Option<PortHolder>,
        /// A port offset under which every port is free.
        free_offset: Option<u16>,
    },
    /// The process ended before it was ready.
    #[error("the process ended while it started ({status}){}", cause.as_ref().map(|c| format!(": {c}")).unwrap_or_default())]
    CrashedOnStart {
        /// How it ended.
        status: String,
        /// What probably went wrong.
        cause: Option<String>,
        /// The last lines of its log.
        log_tail: Vec<String>,
        /// Its log.
        log_file: PathBuf,
    },
    /// The roles were not ready in time. What was started was stopped again.
    #[error("not ready within {} s: {}", limit.as_secs(), waiting_for.join(", "))]
    NotReady {
        /// The limit.
        limit: Duration,
        /// What each role that is not ready says.
        waiting_for: Vec<String>,
        /// The last lines of its log.
        log_tail: Vec<String>,
        /// Its log.
        log_file: PathBuf,
    },
    /// The process did not end, not even when killed.
    #[error("process {pid} does not end")]
    Unstoppable {
        /// The process.
        pid: u32,
    },
    /// The Docker engine, or what was asked of it.
    #[error(transparent)]
    Docker(Box<DockerError>),
    /// The manifests, or the program that renders them.
    #[error(transparent)]
    Kubernetes(Box<KubernetesError>),
    /// A cluster, or what was asked of it.
    #[error(transparent)]
    Cluster(Box<ClusterError>),
    /// The file system refused something.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl From<DockerError> for EngineError {
    fn from(error: DockerError) -> Self {
        Self::Docker(Box::new(error))
    }
}

impl From<KubernetesError> for EngineError {
    fn from(error: KubernetesError) -> Self {
        Self::Kubernetes(Box::new(error))
    }
}

impl From<ClusterError> for EngineError {
    fn from(error: ClusterError) -> Self {
        Self::Cluster(Box::new(error))
    }
}

/// An error with its causes, in one line. A cause whose text is told already is not repeated.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

/// Says what was tried when the file system refuses.
pub(crate) trait IoContext<T> {
    /// With the action, as in «cannot {action} {path}».
    fn context(self, action: &'static str, path: &Path) -> Result<T, EngineError>;
}

impl<T> IoContext<T> for io::Result<T> {
    fn context(self, action: &'static str, path: &Path) -> Result<T, EngineError> {
        self.map_err(|source| EngineError::Io {
            action,
            path: path.to_owned(),
            source,
        })
    }
}
