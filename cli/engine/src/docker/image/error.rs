//! Why an image is not to be had.

use std::io;
use std::path::PathBuf;

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
        source: Box<bollard::errors::Error>,
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
