//! The program `kind`: what is asked of it, and what it says.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;

use super::super::KubernetesError;
use super::super::program::{Bounds, Said, run, run_telling};
use super::CLUSTER;

/// Removes a lock that a kind left which was killed while it wrote the kubeconfig: every other would fail on it. The caller is the only one here.
fn unlock(kubeconfig: &Path) {
    let _ = std::fs::remove_file(kubeconfig.with_extension("kubeconfig.lock"));
}

/// The oldest one whose nodes run a Kubernetes that takes the manifests (1.30).
const OLDEST: Version = Version(0, 23, 0);
/// What it may take to tell something.
const QUESTION: Bounds = Bounds {
    time: Duration::from_secs(60),
    bytes: 1024 * 1024,
};
/// What it may take to make a cluster: the image of a node is a gigabyte.
const MAKING: Bounds = Bounds {
    time: Duration::from_secs(1_800),
    bytes: 1024 * 1024,
};
/// What it may take to carry an image into the nodes, or to remove them.
const CARRYING: Bounds = Bounds {
    time: Duration::from_secs(600),
    bytes: 1024 * 1024,
};
/// How long it waits for the node to be ready.
const NODE_READY: &str = "5m";

/// A version of kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::kubernetes) struct Version(u32, u32, u32);

impl Version {
    /// Of `kind v0.33.0 go1.27.2 linux/amd64`.
    fn of(said: &str) -> Option<Self> {
        let word = said.split_whitespace().nth(1)?.strip_prefix('v')?;
        let number = word.split(['-', '+']).next()?;
        let mut parts = number.split('.').map(str::parse);
        let mut part = || parts.next()?.ok();
        Some(Self(part()?, part()?, part()?))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// A kind that was found.
#[derive(Clone, Debug)]
pub(in crate::kubernetes) struct Tool {
    program: PathBuf,
    pub(in crate::kubernetes) version: Version,
}

impl Tool {
    /// That of this name on the `PATH`, or of this path.
    pub(in crate::kubernetes) async fn find(program: &Path) -> Result<Self, KubernetesError> {
        let missing = |reason: String| KubernetesError::NoKind {
            reason,
            oldest: OLDEST.to_string(),
        };
        let said = match run("kind", Command::new(program).arg("version"), QUESTION).await {
            Ok(said) => said,
            Err(KubernetesError::Program { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                return Err(missing("is not installed".to_owned()));
            }
            Err(error) => return Err(error),
        };
        let text = String::from_utf8_lossy(&said.answer);
        let line = text.lines().next().unwrap_or_default().trim();
        match Version::of(line).filter(|_| said.status.success()) {
            Some(version) if version >= OLDEST => Ok(Self {
                program: program.to_owned(),
                version,
            }),
            Some(version) => Err(missing(format!("{version} is too old"))),
            None => Err(missing(format!(
                "does not tell its version: {line}{}",
                said.errors
            ))),
        }
    }

    /// Whether the cluster is there.
    pub(in crate::kubernetes) async fn has_cluster(&self) -> Result<bool, KubernetesError> {
        let said = self
            .done("list its clusters", &["get", "clusters"], QUESTION)
            .await?;
        let names = String::from_utf8_lossy(&said.answer);
        Ok(names.lines().any(|name| name.trim() == CLUSTER))
    }

    /// Makes it, and tells each step. The user's kubeconfig is left as it is.
    pub(in crate::kubernetes) async fn create(
        &self,
        kubeconfig: &Path,
        tell: &(impl Fn(String) + Sync),
    ) -> Result<(), KubernetesError> {
        unlock(kubeconfig);
        let mut command = Command::new(&self.program);
        command
            .args([
                "create",
                "cluster",
                "--name",
                CLUSTER,
                "--wait",
                NODE_READY,
                "--kubeconfig",
            ])
            .arg(kubeconfig);
        let tell_step = |line: &str| {
            if let Some(step) = step(line) {
                tell(step);
            }
        };
        let said = run_telling("kind", &mut command, MAKING, &tell_step).await?;
        checked("make the cluster", said).map(drop)
    }

    /// The kubeconfig of the cluster.
    pub(in crate::kubernetes) async fn kubeconfig(&self) -> Result<String, KubernetesError> {
        let arguments = ["get", "kubeconfig", "--name", CLUSTER];
        let said = self
            .done("tell how the cluster is reached", &arguments, QUESTION)
            .await
            .map_err(|error| match error {
                KubernetesError::KindFailed { reason, .. } => KubernetesError::KindAsleep { reason },
                other => other,
            })?;
        Ok(String::from_utf8_lossy(&said.answer).into_owned())
    }

    /// Carries an image of the container engine into the nodes. One that they have is not carried again.
    pub(in crate::kubernetes) async fn load(&self, image: &str) -> Result<(), KubernetesError> {
        let arguments = ["load", "docker-image", image, "--name", CLUSTER];
        let doing = format!("carry the image {image} into the cluster");
        self.done(&doing, &arguments, CARRYING).await.map(drop)
    }

    /// Removes the cluster with everything in it. One that is not there is no error.
    pub(in crate::kubernetes) async fn delete(&self, kubeconfig: &Path) -> Result<(), KubernetesError> {
        unlock(kubeconfig);
        let mut command = Command::new(&self.program);
        command
            .args(["delete", "cluster", "--name", CLUSTER, "--kubeconfig"])
            .arg(kubeconfig);
        let said = run("kind", &mut command, CARRYING).await?;
        checked("delete the cluster", said).map(drop)
    }

    async fn done(&self, doing: &str, arguments: &[&str], bounds: Bounds) -> Result<Said, KubernetesError> {
        let said = run("kind", Command::new(&self.program).args(arguments), bounds).await?;
        checked(doing, said)
    }
}

fn checked(doing: &str, said: Said) -> Result<Said, KubernetesError> {
    if said.status.success() {
        return Ok(said);
    }
    if said.status.code().is_none() {
        return Err(KubernetesError::KindEnded {
            doing: doing.to_owned(),
            status: said.status.to_string(),
        });
    }
    // What stands before is what it was about to do.
    let reason = said
        .errors
        .rsplit_once("ERROR: ")
        .map_or(said.errors.as_str(), |(_, reason)| reason);
    Err(KubernetesError::KindFailed {
        doing: doing.to_owned(),
        reason: match reason {
            "" => said.status.to_string(),
            reason => reason.to_owned(),
        },
    })
}

/// What it begins to do, of a line such as ` • Ensuring node image (kindest/node:v1.37.0) 🖼  ...`.
fn step(line: &str) -> Option<String> {
    let step = line.trim().strip_prefix('•')?.trim().trim_end_matches("...");
    let plain: String = step.chars().filter(char::is_ascii).collect();
    Some(plain.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_from_what_it_says() {
        assert_eq!(
            Version::of("kind v0.33.0 go1.27.2 linux/amd64"),
            Some(Version(0, 33, 0))
        );
        assert_eq!(
            Version::of("kind v0.24.0-alpha+1 go1.22"),
            Some(Version(0, 24, 0))
        );
        assert_eq!(Version::of("something else"), None);
        assert!(Version(0, 9, 9) < OLDEST && Version(1, 0, 0) > OLDEST);
    }

    #[test]
    fn a_step_is_told_without_its_ornaments_and_only_when_it_begins() {
        let begun = " • Ensuring node image (kindest/node:v1.37.0) \u{1f5bc}\u{fe0f}  ...";
        assert_eq!(
            step(begun).as_deref(),
            Some("Ensuring node image (kindest/node:v1.37.0)")
        );
        assert_eq!(step(" ✓ Ensuring node image (kindest/node:v1.37.0)"), None);
        assert_eq!(step("Creating cluster \"x\" ..."), None);
    }
}
