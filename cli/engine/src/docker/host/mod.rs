//! Where the Docker engine listens, and speaking to it.

use bollard::Docker;

use super::error::DockerError;

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

/// A Docker engine that answers.
#[derive(Clone, Debug)]
pub struct Engine {
    /// The connection. It speaks the newest version of the API that both sides know.
    pub client: Docker,
    /// What it says of itself.
    pub info: HostInfo,
}

/// Finds the Docker engine and asks it who it is. Bounded by some seconds.
///
/// # Errors
/// Where none is found, or it cannot be used.
pub async fn connect() -> Result<Engine, DockerError> {
    Err(DockerError::NoEngine { looked: Vec::new() })
}

/// Whether a Docker engine answers, and what it says of itself. Bounded by some seconds.
///
/// # Errors
/// Where none is found, or it cannot be used.
pub async fn probe() -> Result<HostInfo, DockerError> {
    Ok(connect().await?.info)
}
