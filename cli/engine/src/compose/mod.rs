//! The compose files: read, merged, interpolated and checked, as a typed model of exactly what this engine can do.
//!
//! The same files serve `docker compose`. What the engine cannot do is an error that names file, place and key; nothing is ignored.

pub mod error;
pub mod model;

mod decode;
mod dotenv;
mod export;
pub(crate) mod files;
mod interpolate;
pub(crate) mod json;
mod merge;
mod project;
pub(crate) mod recipe;
mod yaml;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub use error::ComposeError;
pub use export::{ExportOptions, export};
pub use model::{
    Build, Condition, ConfigFile, ConfigMount, Dependency, Environment, Healthcheck, Logging, Mount, Network,
    NetworkAttachment, Port, Project, Protocol, Resources, RestartPolicy, Service, Ulimit, Volume,
};

use files::Files;

/// The compose file.
const COMPOSE: &str = "compose.yaml";
/// Its overlay for machines that reach no registry.
const OFFLINE: &str = "offline.yaml";
/// The variables and their defaults.
const ENV: &str = ".env";

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
    defaults(&Files::of(source)?)
}

fn defaults(files: &Files) -> Result<BTreeMap<String, String>, ComposeError> {
    match files.text(ENV) {
        // Docker Compose does without it as well.
        Err(ComposeError::Unreadable { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            Ok(BTreeMap::new())
        }
        text => dotenv::parse(ENV, &text?),
    }
}

/// Reads the compose files.
///
/// # Errors
/// A file that is missing or no YAML, a key or value that this engine does not support, and whatever contradicts itself; each with its place.
pub fn load(source: &Source, options: &LoadOptions) -> Result<Project, ComposeError> {
    let files = Files::of(source)?;
    let mut variables = defaults(&files)?;
    variables.extend(options.variables.clone());

    let first = merge::first(read(&files, COMPOSE, &variables)?)?;
    let profiles = project::profiles(&first)?;
    let mut names = vec![COMPOSE];
    let mut tree = first;
    if options.offline {
        tree = merge::overlay(tree, read(&files, OFFLINE, &variables)?)?;
        names.push(OFFLINE);
    }
    let mut project = project::assemble(&files, &tree, &profiles, &variables, options)?;
    project.files = names.into_iter().map(|name| files.label(name)).collect();
    Ok(project)
}

fn read(files: &Files, name: &str, variables: &BTreeMap<String, String>) -> Result<yaml::Node, ComposeError> {
    let mut tree = yaml::parse(name, &files.text(name)?)?;
    interpolate::tree(&mut tree, "", variables)?;
    Ok(tree)
}

/// Reads one compose file of a text alone, such as one that somebody gives. Its variables are all given.
#[cfg(test)]
pub(crate) fn load_text(text: &str, options: &LoadOptions) -> Result<Project, ComposeError> {
    let mut tree = yaml::parse(COMPOSE, text)?;
    interpolate::tree(&mut tree, "", &options.variables)?;
    let tree = merge::first(tree)?;
    let profiles = project::profiles(&tree)?;
    project::assemble(&Files::Embedded, &tree, &profiles, &options.variables, options)
}

#[cfg(test)]
mod tests;
