//! What can go wrong with a Docker stack, each with what mends it.

pub(super) mod call;
pub(super) mod diagnosis;
mod remedy;

use std::time::Duration;

use super::event::Event;
use super::image::ImageError;
use crate::compose::ComposeError;
use crate::ports::PortHolder;

/// A container that did not become what it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Its service.
    pub service: String,
    /// Its name.
    pub container: String,
    /// What is the matter, such as `ended with exit code 1`.
    pub reason: String,
    /// What probably went wrong, where its log or its end tells.
    pub likely_cause: Option<String>,
    /// The end of its log.
    pub log: Vec<String>,
}

impl Trouble {
    /// As it is told at once.
    pub(in crate::docker) fn event(&self) -> Event {
        Event::Trouble {
            service: self.service.clone(),
            container: self.container.clone(),
            reason: self.reason.clone(),
            likely_cause: self.likely_cause.clone(),
            log: self.log.clone(),
        }
    }
}

/// Why something was not done in a Docker engine.
#[derive(Debug, thiserror::Error)]
pub enum DockerError {
    /// Nothing that could be a Docker engine was found.
    #[error("no Docker engine is to be found")]
    NoEngine {
        /// Where it was looked for.
        looked: Vec<String>,
    },
    /// The socket is there, and this user may not use it.
    #[error("this user may not use {host}")]
    PermissionDenied {
        /// Where the engine listens.
        host: String,
    },
    /// Nobody listens there.
    #[error("no Docker engine answers at {host}: {reason}")]
    NotRunning {
        /// Where it should listen.
        host: String,
        /// What the system said.
        reason: String,
    },
    /// It took the connection and said nothing.
    #[error("the Docker engine at {host} does not answer within {} s", limit.as_secs())]
    NoAnswer {
        /// Where it listens.
        host: String,
        /// How long it was waited for.
        limit: Duration,
    },
    /// Something else listens there, or an engine that is too old.
    #[error("what listens at {host} cannot be used: {reason}")]
    WrongApi {
        /// Where it listens.
        host: String,
        /// What it said.
        reason: String,
    },
    /// The secured connection was not to be had.
    #[error("no secured connection with {host}: {reason}")]
    Tls {
        /// Where the engine listens.
        host: String,
        /// Why.
        reason: String,
    },
    /// An address that cannot be spoken to.
    #[error("the address {host} of the Docker engine cannot be used: {reason}")]
    UnsupportedHost {
        /// The address.
        host: String,
        /// Why.
        reason: String,
    },
    /// The Docker context that is asked for makes no sense.
    #[error("the Docker context {name} cannot be used: {reason}")]
    Context {
        /// Its name.
        name: String,
        /// Why.
        reason: String,
    },
    /// The compose files were not taken.
    #[error("the compose files cannot be used")]
    Compose(#[source] ComposeError),
    /// An image was not to be had.
    #[error("an image is not to be had")]
    Image(#[source] ImageError),
    /// The engine's disk is full.
    #[error("no space is left where the Docker engine keeps its data: cannot {action}: {reason}")]
    DiskFull {
        /// What was tried.
        action: String,
        /// What the engine said.
        reason: String,
    },
    /// A name that this stack needs belongs to somebody else.
    #[error("the {kind} {name} is there and does not belong to this instance{}", owner.as_ref().map(|o| format!(": {o}")).unwrap_or_default())]
    NameTaken {
        /// `container`, `network` or `volume`.
        kind: &'static str,
        /// The name.
        name: String,
        /// What is known of it.
        owner: Option<String>,
    },
    /// A port that a service publishes is in use.
    #[error("port {port} of {service} is taken by {}", taken_by(holder.as_ref(), container.as_deref()))]
    PortTaken {
        /// The service.
        service: String,
        /// The port on this machine.
        port: u16,
        /// The process that has it, where the platform tells.
        holder: Option<PortHolder>,
        /// The container that has it, where it is one.
        container: Option<String>,
        /// A port offset under which every port is free.
        free_offset: Option<u16>,
    },
    /// Containers ended, kept restarting or became unhealthy.
    #[error("{}", in_trouble(troubles))]
    Failed {
        /// The containers.
        troubles: Vec<Trouble>,
        /// Services that were not started because of that.
        not_started: Vec<String>,
    },
    /// Containers were not healthy in time.
    #[error("not healthy within {} s: {}", limit.as_secs(), waiting_for.join(", "))]
    TimedOut {
        /// The limit.
        limit: Duration,
        /// What is not healthy, and what its health check said.
        waiting_for: Vec<String>,
        /// The end of the log of the first of them that wrote anything.
        log: Vec<String>,
    },
    /// The engine went away while it was used.
    #[error("the Docker engine went away: cannot {action}: {reason}")]
    EngineGone {
        /// What was tried.
        action: String,
        /// What the system said.
        reason: String,
        /// Containers that were there when it went.
        left: Vec<String>,
    },
    /// Volumes that a newer release laid out.
    #[error("the data of this instance was laid out by a newer release (layout {found}, this one knows {known}): {}", volumes.join(", "))]
    NewerVolumes {
        /// The volumes.
        volumes: Vec<String>,
        /// Their layout.
        found: u32,
        /// The newest that this release knows.
        known: u32,
    },
    /// The passwords of volumes that have data are lost.
    #[error("the credentials of this instance are gone, and its data was made with them: {}", volumes.join(", "))]
    CredentialsLost {
        /// The volumes.
        volumes: Vec<String>,
        /// The file that held them.
        file: std::path::PathBuf,
    },
    /// Somebody else's containers are attached to the network.
    #[error("the network {network} cannot be removed: {} attached", containers.join(", "))]
    NetworkInUse {
        /// The network.
        network: String,
        /// The containers.
        containers: Vec<String>,
    },
    /// There is nothing of this instance in the engine.
    #[error("nothing of the project {project} is in the Docker engine")]
    NoStack {
        /// The compose project.
        project: String,
    },
    /// A service is named that the stack does not have.
    #[error("the stack has no service {service}")]
    UnknownService {
        /// The name.
        service: String,
        /// Services that it has.
        services: Vec<String>,
    },
    /// The engine refused something.
    #[error("the Docker engine cannot {action}: {reason}")]
    Refused {
        /// What was tried.
        action: String,
        /// What it said.
        reason: String,
    },
}

fn taken_by(holder: Option<&PortHolder>, container: Option<&str>) -> String {
    match (container, holder) {
        (Some(container), _) => format!("the container {container}"),
        (None, Some(holder)) => holder.to_string(),
        (None, None) => "another process".to_owned(),
    }
}

fn in_trouble(troubles: &[Trouble]) -> String {
    let each = |trouble: &Trouble| match &trouble.likely_cause {
        Some(cause) => format!("{} {}: {cause}", trouble.service, trouble.reason),
        None => format!("{} {}", trouble.service, trouble.reason),
    };
    troubles.iter().map(each).collect::<Vec<_>>().join("; ")
}

impl From<ComposeError> for DockerError {
    fn from(error: ComposeError) -> Self {
        Self::Compose(error)
    }
}

impl From<ImageError> for DockerError {
    fn from(error: ImageError) -> Self {
        Self::Image(error)
    }
}

impl DockerError {
    /// What to try next.
    pub fn remedy(&self) -> String {
        match self {
            Self::Compose(error) => error.remedy(),
            Self::Image(error) => error.remedy(),
            other => remedy::of(other),
        }
    }

    /// The end of a log that explains it; empty where none does.
    pub fn log(&self) -> &[String] {
        match self {
            Self::Image(error) => error.log(),
            Self::TimedOut { log, .. } => log,
            Self::Failed { troubles, .. } => troubles
                .iter()
                .map(|t| t.log.as_slice())
                .find(|log| !log.is_empty())
                .unwrap_or_default(),
            _ => &[],
        }
    }
}
