//! What is asked of this engine.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use odd_contracts::VERSION;

use super::image::{RoleImage, RoleRequest};
use super::project_name;
use crate::compose::{LoadOptions, Source};
use crate::instance::Instance;

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

impl UpOptions {
    /// Where the compose files are taken from.
    pub(crate) fn source(&self) -> Source {
        self.project_dir
            .clone()
            .map_or(Source::Embedded, Source::Directory)
    }

    /// What the image of the roles is to be made of, on the engine at this address.
    pub(crate) fn role_request(&self, instance: &Instance, docker_host: &str) -> RoleRequest {
        RoleRequest {
            program: self.program.clone(),
            version: VERSION.to_owned(),
            commit: odd_contracts::build::commit().map(str::to_owned),
            home: instance.home.clone(),
            project_dir: self.project_dir.clone(),
            offline: self.offline,
            build: self.build,
            docker_host: docker_host.to_owned(),
        }
    }

    /// How the compose files are read. Secrets are not among the variables, so that they have the values that are documented.
    pub(crate) fn load_options(&self, instance: &Instance, role: &RoleImage) -> LoadOptions {
        let variables = [
            ("ODD_IMAGE", role.reference.clone()),
            ("ODD_INSTANCE", instance.name.to_string()),
            ("ODD_PORT_OFFSET", instance.port_offset.to_string()),
        ];
        LoadOptions {
            project: project_name(instance),
            offline: self.offline,
            profiles: self.profiles.clone(),
            scale: self.scale.clone(),
            port_offset: instance.port_offset,
            variables: variables.map(|(name, value)| (name.to_owned(), value)).into(),
        }
    }
}

/// How a stack shall be stopped.
#[derive(Clone, Debug)]
pub struct DownOptions {
    /// Time that each container has to end by itself, before it is killed. Nothing accepted is lost by that.
    pub deadline: Duration,
    /// Also remove volumes, credentials and the instance's directory.
    pub volumes: bool,
}
