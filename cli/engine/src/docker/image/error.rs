//! Why an image is not to be had.

use std::io;
use std::path::PathBuf;

use bollard::errors::Error;

use super::pull::{Meaning, meaning};
use crate::compose::ComposeError;

/// Why an image was not pulled or built.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The registry does not answer.
    #[error("cannot pull {reference}: its registry does not answer: {reason}")]
    NoRegistry {
        /// The image.
        reference: String,
        /// What the engine said.
        reason: String,
    },
    /// The registry has no such image.
    #[error("cannot pull {reference}: {reason}")]
    NotFound {
        /// The image.
        reference: String,
        /// What the engine said.
        reason: String,
    },
    /// The registry wants a login.
    #[error("cannot pull {reference}: the registry refuses access: {reason}")]
    Denied {
        /// The image.
        reference: String,
        /// What the engine said.
        reason: String,
    },
    /// The registry has had enough of us for now.
    #[error("cannot pull {reference}: the registry's rate limit is reached: {reason}")]
    RateLimited {
        /// The image.
        reference: String,
        /// What the engine said.
        reason: String,
    },
    /// The engine's disk is full.
    #[error("no space is left for {reference} where the Docker engine keeps its images: {reason}")]
    NoSpace {
        /// The image.
        reference: String,
        /// What the engine said.
        reason: String,
    },
    /// The engine refused otherwise, or does not answer.
    #[error("the Docker engine cannot {action} {reference}")]
    Engine {
        /// What was tried, as in «cannot {action} {reference}».
        action: &'static str,
        /// The image.
        reference: String,
        /// What it said.
        #[source]
        source: Box<Error>,
    },
    /// A build failed.
    #[error("the build of {reference} failed: {reason}")]
    BuildFailed {
        /// The image.
        reference: String,
        /// What the builder said last.
        reason: String,
        /// The end of what it said.
        log: Vec<String>,
    },
    /// The binary cannot run in a container of this engine, and no image of its version can be had.
    #[error("no image of the roles: {reason}")]
    NoRoleImage {
        /// Why.
        reason: String,
        /// Why it was not pulled.
        #[source]
        source: Option<Box<ImageError>>,
    },
    /// The offline images cannot be built here.
    #[error("the offline images {} are missing and cannot be built here: {reason}", missing.join(", "))]
    OfflineMissing {
        /// The images.
        missing: Vec<String>,
        /// Why.
        reason: String,
        /// The end of what the builder said.
        log: Vec<String>,
    },
    /// A recipe of an offline image cannot be read.
    #[error("the recipes of the offline images cannot be read")]
    Recipe {
        /// Why.
        #[source]
        source: Box<ComposeError>,
    },
    /// A file refused to be read or written.
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

impl ImageError {
    pub(super) fn engine(action: &'static str, reference: &str, error: Error) -> Self {
        Self::Engine {
            action,
            reference: reference.to_owned(),
            source: Box::new(error),
        }
    }

    pub(super) fn recipe(error: ComposeError) -> Self {
        Self::Recipe {
            source: Box::new(error),
        }
    }

    /// What an engine said of a pull.
    pub(super) fn of_pull(reference: &str, error: Error) -> Self {
        let Some(reason) = words(&error) else {
            return Self::engine("pull", reference, error);
        };
        let reference = reference.to_owned();
        match meaning(&reason) {
            Meaning::NoRegistry => Self::NoRegistry { reference, reason },
            Meaning::NotFound => Self::NotFound { reference, reason },
            Meaning::Denied => Self::Denied { reference, reason },
            Meaning::RateLimited => Self::RateLimited { reference, reason },
            Meaning::NoSpace => Self::NoSpace { reference, reason },
            Meaning::Other => Self::engine("pull", &reference, error),
        }
    }

    /// What an engine said of a build.
    pub(super) fn of_build(reference: &str, error: Error, log: Vec<String>) -> Self {
        let Some(reason) = words(&error) else {
            return Self::engine("build", reference, error);
        };
        let reference = reference.to_owned();
        match meaning(&reason) {
            Meaning::NoSpace => Self::NoSpace { reference, reason },
            _ => Self::BuildFailed {
                reference,
                reason,
                log,
            },
        }
    }

    /// What to try next.
    pub fn remedy(&self) -> String {
        match self {
            Self::NoRegistry { .. } => {
                "check the network and the proxy of the Docker engine; or take images built from Debian packages (odd up --offline), or do without Docker (odd up --engine embedded)"
            }
            Self::NotFound { .. } => "check the reference; or take images built from Debian packages (odd up --offline)",
            Self::Denied { .. } => "log in with `docker login`; or take images built from Debian packages (odd up --offline)",
            Self::RateLimited { .. } => {
                "log in with `docker login`, or wait; or take images built from Debian packages (odd up --offline), or do without Docker (odd up --engine embedded)"
            }
            Self::NoSpace { .. } => "make room: `docker system df` shows what takes it, `docker image prune` removes images without a name; or do without Docker (odd up --engine embedded)",
            Self::Engine { .. } => "check the Docker engine: odd doctor",
            Self::BuildFailed { .. } => "the log shows the step that failed",
            Self::NoRoleImage { .. } => {
                "run odd from a Linux binary of the engine's architecture, or from a checkout of the project with --project-dir, or do without Docker (odd up --engine embedded)"
            }
            Self::OfflineMissing { .. } => "on Debian or Ubuntu run: scripts/images.sh; elsewhere start without --offline, or with --engine embedded",
            Self::Recipe { source } => return source.remedy(),
            Self::Io { .. } => "check that the file is there and may be read",
        }
        .to_owned()
    }

    /// The end of a log that explains it; empty where none does.
    pub fn log(&self) -> &[String] {
        match self {
            Self::BuildFailed { log, .. } | Self::OfflineMissing { log, .. } => log,
            _ => &[],
        }
    }
}

/// The words of an engine that answered; none where it did not.
fn words(error: &Error) -> Option<String> {
    match error {
        Error::DockerResponseServerError { message, .. } => Some(message.trim().to_owned()),
        Error::DockerStreamError { error } => Some(error.trim().to_owned()),
        _ => None,
    }
}
