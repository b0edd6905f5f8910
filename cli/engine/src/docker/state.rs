//! The stack file: what was started for an instance, and where it listens. Written before the first container is made and
//! again when all are healthy, removed when the stack is down.

use std::collections::BTreeMap;

use odd_contracts::Timestamp;
use serde::{Deserialize, Serialize};

/// What a stack is made of, as far as other commands need to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StackFile {
    /// Version of this shape.
    pub version: u32,
    /// Engine that it runs on: `docker`.
    pub engine: String,
    /// Name of the compose project.
    pub project: String,
    /// The Docker host that it was started on, as `DOCKER_HOST` would name it.
    pub host: String,
    /// Version of the build that started it.
    pub release: String,
    /// When it was started.
    pub started_at: Timestamp,
    /// Whether the images are those built from Debian packages.
    pub offline: bool,
    /// Compose profiles that were asked for.
    pub profiles: Vec<String>,
    /// Numbers of containers that were asked for.
    pub scale: BTreeMap<String, u32>,
    /// Port on this machine by service, where it publishes one.
    pub ports: BTreeMap<String, u16>,
}
