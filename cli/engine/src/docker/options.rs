//! What is asked of this engine.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// How a stack shall be started.
#[derive(Clone, Debug)]
pub struct UpOptions {
    /// The `odd` binary that the roles shall run, where the role image is built here. The one that runs now.
    pub program: PathBuf,
    /// Directory with the compose files, instead of those that the binary carries (`--project-dir`).
    pub project_dir: Option<PathBuf>,
    /// Use images built from Debian packages and leave out what they lack (`--offline`).
    pub offline: bool,
    /// Build the role image anew, even where one of this version is there (`--build`).
    pub build: bool,
    /// Compose profiles to start beside the services without one (`--profile`).
    pub profiles: Vec<String>,
    /// Number of containers by service (`--scale`); one where a service is not named.
    pub scale: BTreeMap<String, u32>,
    /// Time for every container to be healthy, images not counted (`--wait-timeout`).
    pub wait_timeout: Duration,
    /// Plan only: nothing is changed (`--dry-run`).
    pub dry_run: bool,
}

/// How a stack shall be stopped.
#[derive(Clone, Debug)]
pub struct DownOptions {
    /// Time that each container has to end by itself, before it is killed. Nothing accepted is lost by that.
    pub deadline: Duration,
    /// Also remove volumes, credentials and the instance's directory.
    pub volumes: bool,
}
