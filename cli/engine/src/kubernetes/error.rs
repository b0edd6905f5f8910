//! What can be wrong with manifests and with the programs that deal with them.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::render::{OLDEST, OLDEST_KUBECTL};
use crate::doctor::remedy::{self, Tool};

/// Why manifests were not rendered.
#[derive(Debug, thiserror::Error)]
pub enum KubernetesError {
    /// The directory has no manifests.
    #[error("{directory} holds no k8s/base/kustomization.yaml")]
    NoManifests {
        /// The directory.
        directory: String,
    },
    /// No program here can render.
    #[error("no program here renders the manifests: {}", tried.join("; "))]
    NoRenderer {
        /// What was looked for, each with what is wrong with it.
        tried: Vec<String>,
    },
    /// The program refuses.
    #[error("{program} refuses {folder}: {said}")]
    Refused {
        /// The program with its version.
        program: String,
        /// What it was to render.
        folder: String,
        /// What it said.
        said: String,
    },
    /// The program takes too long. It was ended.
    #[error("{program} has taken more than {} s", limit.as_secs())]
    TimedOut {
        /// The program.
        program: String,
        /// The limit.
        limit: Duration,
    },
    /// The program says more than is taken. It was ended.
    #[error("{program} says more than {} MiB", limit >> 20)]
    TooMuch {
        /// The program.
        program: String,
        /// Bytes that are taken.
        limit: usize,
    },
    /// The program cannot be run.
    #[error("cannot run {program}")]
    Program {
        /// The program.
        program: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// What the program made is no list of manifests.
    #[error("what {program} made is no manifest: {reason}")]
    NotManifests {
        /// The program with its version.
        program: String,
        /// What is the matter.
        reason: String,
    },
    /// There is no kind that can be used.
    #[error("kind {reason}")]
    NoKind {
        /// What is the matter with it.
        reason: String,
        /// The oldest one that can be.
        oldest: String,
    },
    /// kind does not do what is asked for.
    #[error("kind cannot {doing}: {reason}")]
    KindFailed {
        /// What it was to do.
        doing: String,
        /// What it said.
        reason: String,
    },
    /// kind was ended by somebody.
    #[error("kind was to {doing}, and was ended: {status}")]
    KindEnded {
        /// What it was to do.
        doing: String,
        /// How it ended.
        status: String,
    },
    /// The cluster of kind does not run.
    #[error("the cluster {} of kind does not run: {reason}", super::kind::CLUSTER)]
    KindAsleep {
        /// What kind said.
        reason: String,
    },
    /// A cluster of the name is there, and may be the half of one that was not made to its end, or somebody's.
    #[error(
        "there is a cluster {} of kind, which a start was interrupted in the middle of, or which somebody made since",
        super::kind::CLUSTER
    )]
    KindHalf,
    /// Another command makes or removes the cluster of kind, and does not come to its end.
    #[error("another command makes or removes the cluster of kind")]
    KindBusy,
    /// The file system refused something.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl KubernetesError {
    /// What to try next.
    pub fn remedy(&self) -> String {
        match self {
            Self::NoManifests { .. } => {
                "name a directory with the folder k8s with --project-dir, or leave that out to take the built-in one".to_owned()
            }
            Self::NoRenderer { .. } => format!(
                "{}   (kustomize {OLDEST} or later, or kubectl {OLDEST_KUBECTL} or later)",
                remedy::install(Tool::Kustomize)
            ),
            Self::Refused { folder, .. } => format!("kubectl kustomize {folder}   (it says the same, and where)"),
            Self::TimedOut { .. } => "try again when the machine has less to do; a base on another host needs that host".to_owned(),
            Self::TooMuch { .. } => "render a smaller overlay".to_owned(),
            Self::NotManifests { program, .. } => format!("install another version than {program}"),
            Self::NoKind { oldest, .. } => format!("{}   (kind {oldest} or later)", remedy::install(Tool::Kind)),
            Self::KindFailed { .. } => {
                "look at what its container engine says: docker info; or put it into a cluster that is there: odd up --context NAME".to_owned()
            }
            Self::KindEnded { .. } => "try again".to_owned(),
            Self::KindAsleep { .. } => {
                let cluster = super::kind::CLUSTER;
                format!("docker start {cluster}-control-plane   (or give its data up: kind delete cluster --name {cluster})")
            }
            Self::KindHalf => format!(
                "look into it: kind get nodes --name {0}; remove it: kind delete cluster --name {0}",
                super::kind::CLUSTER
            ),
            Self::KindBusy => "wait for it, or end it, and try again".to_owned(),
            Self::Program { .. } => "check that the program may be run".to_owned(),
            Self::Io { .. } => "check that the directory can be written (TMPDIR chooses another)".to_owned(),
        }
    }
}
