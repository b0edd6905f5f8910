//! The stack file: what was started for an instance, and where it listens. Written before the first container is made and
//! again when all are healthy, removed when the stack is down.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use odd_contracts::Timestamp;
use serde::{Deserialize, Serialize};

use crate::state::write_atomically;

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

impl StackFile {
    /// Version of the shape that this build writes.
    pub const VERSION: u32 = 1;

    /// Reads the file ([`crate::Instance::stack_file`]); none where there is none. One that makes no sense counts as none.
    ///
    /// # Errors
    /// Whatever reading fails with.
    pub fn read(path: &Path) -> io::Result<Option<Self>> {
        match std::fs::read(path) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes the file so that a reader sees all of it or none.
    ///
    /// # Errors
    /// Whatever writing fails with.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        write_atomically(path, &serde_json::to_vec_pretty(self)?)
    }
}
