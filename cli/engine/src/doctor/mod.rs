//! Whether this machine can run an observatory, and what mends it where not. One file a subject; nothing is changed but for
//! a file that is removed again.

mod builds;
mod docker;
mod home;
mod instance;
mod machine;
mod ports;
pub(crate) mod remedy;
mod tools;

use std::path::PathBuf;

use serde::Serialize;

pub use docker::images;

use crate::instance::Instance;
use crate::state::ProcessFile;

/// Whether a check passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckState {
    /// All is well.
    Ok,
    /// It will start, with a limit.
    Warning,
    /// It will not start.
    Failed,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at.
    pub name: String,
    /// Whether it passed.
    pub state: CheckState,
    /// What was found.
    pub detail: String,
    /// What follows from that, where it did not pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consequence: Option<String>,
    /// The command that mends it.
    #[serde(rename = "try", skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Check {
    fn ok(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            state: CheckState::Ok,
            detail: detail.into(),
            consequence: None,
            remedy: None,
        }
    }

    fn wrong(self, state: CheckState, consequence: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            state,
            consequence: Some(consequence.into()),
            remedy: Some(remedy.into()),
            ..self
        }
    }
}

/// What an observatory shall be made of, as far as it decides what is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Docker where it can be had, else embedded: what is missing for Docker is a warning.
    Auto,
    /// The embedded engine: Docker is not looked at.
    Embedded,
    /// Docker: what is missing for it is a failure.
    Docker,
    /// A local Kubernetes cluster in Docker.
    Kind,
}

impl Purpose {
    /// How much it matters that something is missing for Docker.
    fn missing(self) -> CheckState {
        match self {
            Self::Docker | Self::Kind => CheckState::Failed,
            Self::Auto | Self::Embedded => CheckState::Warning,
        }
    }
}

/// What is looked at.
#[derive(Clone, Debug)]
pub struct DoctorOptions {
    /// What the observatory shall be made of.
    pub purpose: Purpose,
    /// Whether images built from Debian packages shall be used.
    pub offline: bool,
    /// The `odd` binary that roles would run.
    pub program: PathBuf,
}

/// Looks at everything that an instance needs. Bounded by some seconds.
pub async fn check(instance: &Instance, options: &DoctorOptions) -> Vec<Check> {
    let mut checks = local(instance.clone()).await;
    let found = match options.purpose {
        Purpose::Embedded => None,
        _ => Some(docker::look(instance, options).await),
    };
    let needs_docker = found.as_ref().is_some_and(|found| found.is_usable);
    if let Some(found) = &found {
        checks.extend(found.checks.clone());
    }
    if options.purpose == Purpose::Kind {
        checks.extend(tools::of_kind().await);
    }
    let process = ProcessFile::read(&instance.process_file()).ok().flatten();
    checks.extend(instance::running(instance, process.as_ref()).await);
    let running = process.filter(ProcessFile::is_alive);
    let wanted = found.and_then(|found| found.ports);
    let (instance, on_docker) = (
        instance.clone(),
        options.purpose == Purpose::Docker || needs_docker,
    );
    let ports = match (running, wanted) {
        (None, Some(ports)) if on_docker => {
            tokio::task::spawn_blocking(move || ports::published(&instance, &ports))
        }
        (running, _) => tokio::task::spawn_blocking(move || ports::of_roles(&instance, running.as_ref())),
    };
    checks.extend(ports.await.unwrap_or_default());
    checks
}

/// What can be looked at without asking anybody, off the runtime's threads.
async fn local(instance: Instance) -> Vec<Check> {
    let look = move || {
        let mut checks = vec![machine::platform(), home::home(&instance)];
        if checks.iter().all(|check| check.state != CheckState::Failed) {
            checks.push(home::locks(&instance));
        }
        checks.extend([machine::disk(instance.home.path()), machine::memory()]);
        checks
    };
    // A look that panics is a defect that the tests find; the other checks are still worth having.
    tokio::task::spawn_blocking(look).await.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::instance::{Home, InstanceName};

    fn instance(home: &Path) -> Instance {
        Instance {
            name: InstanceName::default(),
            home: Home::at(home),
            port_offset: 41_000,
        }
    }

    fn options() -> DoctorOptions {
        DoctorOptions {
            purpose: Purpose::Embedded,
            offline: false,
            program: PathBuf::from("odd"),
        }
    }

    #[tokio::test]
    async fn a_usable_directory_passes_and_is_left_clean() {
        let dir = tempfile::tempdir().unwrap();
        let checks = check(&instance(dir.path()), &options()).await;
        let state = |name: &str| checks.iter().find(|c| c.name == name).unwrap().state;
        assert_eq!(state("home"), CheckState::Ok);
        assert_eq!(state("database"), CheckState::Ok);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_file_in_the_place_of_the_directory_fails_with_a_remedy() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, b"").unwrap();
        let checks = check(&instance(&file), &options()).await;
        let home = checks.iter().find(|c| c.name == "home").unwrap();
        assert_eq!(home.state, CheckState::Failed);
        assert!(home.remedy.as_ref().unwrap().contains("ODD_HOME"));
    }
}
