//! Where the Docker engine listens, and speaking to it.

mod address;
mod connection;
mod context;

use std::time::Duration;

use bollard::Docker;

use super::error::DockerError;
use super::state::StackFile;
use crate::error::EngineError;
use crate::instance::Instance;

pub use address::Surroundings;

/// Time that one address has to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a Docker engine says of itself.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HostInfo {
    /// Where it listens, in words, such as `unix socket /var/run/docker.sock` or `context desktop-linux`.
    pub host: String,
    /// Where it listens, as `DOCKER_HOST` names it.
    pub address: String,
    /// What it is: `docker` or `podman`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Newest version of the API that it speaks.
    pub api: String,
    /// Operating system of its containers, such as `linux`.
    pub os: String,
    /// Architecture of its containers, as Docker names it, such as `amd64`.
    pub arch: String,
    /// Processors that it has.
    pub cpus: u64,
    /// Bytes of memory that it has.
    pub memory: u64,
    /// Whether it runs without root.
    pub rootless: bool,
    /// Directory of its data, on its own machine.
    pub data: String,
    /// Whether it runs on this machine, so that its published ports are this machine's.
    pub local: bool,
}

impl HostInfo {
    /// Whether it speaks at least this version of the API.
    pub fn speaks(&self, major: u32, minor: u32) -> bool {
        connection::api_version(&self.api).is_some_and(|version| version >= (major, minor))
    }
}

/// A Docker engine that answers.
#[derive(Clone, Debug)]
pub struct Engine {
    /// The connection. It speaks the newest version of the API that both sides know.
    pub client: Docker,
    /// What it says of itself.
    pub info: HostInfo,
}

/// Finds the Docker engine, as the `docker` command does and where other products put it, and asks it who it is. Bounded by some
/// seconds.
///
/// # Errors
/// Where none is found, or it cannot be used.
pub async fn connect() -> Result<Engine, DockerError> {
    connect_in(&Surroundings::of_process()).await
}

/// The same with what is given in place of the environment of this process.
///
/// # Errors
/// Where none is found, or it cannot be used.
pub async fn connect_in(surroundings: &Surroundings) -> Result<Engine, DockerError> {
    let addresses = surroundings.addresses()?;
    let attempts = addresses
        .iter()
        .map(|address| connection::connect(address, PATIENCE));
    let mut first_error = None;
    // All at once, so that several that do not answer take no longer than one.
    for attempt in futures::future::join_all(attempts).await {
        match attempt {
            Ok(engine) => return Ok(engine),
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    Err(first_error.unwrap_or_else(|| DockerError::NoEngine {
        looked: surroundings.looked(),
    }))
}

/// The engine that the stack of an instance was started on, where it still answers; else the one that [`connect`] finds.
///
/// # Errors
/// Where none is found, or it cannot be used.
pub(super) async fn connect_for(instance: &Instance) -> Result<Engine, EngineError> {
    let surroundings = Surroundings::of_process();
    let found = connect_in(&surroundings).await;
    let Some(stack) = StackFile::of(instance)? else {
        return Ok(found?);
    };
    if found
        .as_ref()
        .is_ok_and(|engine| engine.info.address == stack.host)
    {
        return Ok(found?);
    }
    match connect_in(&surroundings.with_host(&stack.host)).await {
        Ok(engine) => Ok(engine),
        Err(_) => Ok(found?),
    }
}

/// Whether a Docker engine answers, and what it says of itself. Bounded by some seconds.
///
/// # Errors
/// Where none is found, or it cannot be used.
pub async fn probe() -> Result<HostInfo, DockerError> {
    Ok(connect().await?.info)
}
