//! What can be wrong with compose files.

use std::fmt;
use std::io;

/// A place in a compose file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, relative to the directory of the compose files.
    pub file: String,
    /// Line, from 1. Zero where none can be told.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
    /// Path of keys, such as `services.redis.ports[0]`. Empty at the top.
    pub path: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        if !self.path.is_empty() {
            write!(f, " ({})", self.path)?;
        }
        Ok(())
    }
}

/// Why the compose files were not taken.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// A file could not be read.
    #[error("cannot read {file}")]
    Unreadable {
        /// The file.
        file: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The directory has no compose files.
    #[error("{directory} holds no compose.yaml, and no compose/compose.yaml either")]
    NoComposeFile {
        /// The directory.
        directory: String,
    },
    /// A file is no YAML, or uses something of YAML that has no place here.
    #[error("{place}: {reason}")]
    Syntax {
        /// Where.
        place: Place,
        /// What is the matter.
        reason: String,
    },
    /// A key that this engine does not know.
    #[error("{place}: the key {key:?} is not supported")]
    UnsupportedKey {
        /// Where.
        place: Place,
        /// The key.
        key: String,
        /// Keys that can stand there.
        supported: Vec<&'static str>,
    },
    /// A value that its key cannot have.
    #[error("{place}: {reason}")]
    InvalidValue {
        /// Where.
        place: Place,
        /// What is the matter.
        reason: String,
    },
    /// A variable that has to be given is missing, or `${…}` is not well formed.
    #[error("{place}: {reason}")]
    Interpolation {
        /// Where.
        place: Place,
        /// What is the matter.
        reason: String,
    },
    /// Something is named that is not there.
    #[error("{place}: there is no {kind} {name:?}")]
    Unknown {
        /// Where it is named.
        place: Place,
        /// What it would be: `service`, `volume`, `config`, `network`.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// A number of containers is asked for a service that is not there.
    #[error("cannot scale {service:?}: there is no such service")]
    UnknownScale {
        /// The name.
        service: String,
        /// Services that there are.
        services: Vec<String>,
    },
    /// Several containers are asked of a service that can be there only once.
    #[error("cannot run {replicas} containers of {service}: {reason}")]
    NotScalable {
        /// The service.
        service: String,
        /// How many were asked for.
        replicas: u32,
        /// Why not.
        reason: String,
    },
    /// A profile is asked for that no service has.
    #[error("there is no profile {profile:?}")]
    UnknownProfile {
        /// The name.
        profile: String,
        /// Profiles that there are.
        profiles: Vec<String>,
    },
    /// Services wait for each other.
    #[error("services depend on each other in a circle: {}", services.join(" → "))]
    Cycle {
        /// The circle; the first service is also the last.
        services: Vec<String>,
    },
    /// A service needs one that is not started.
    #[error("{service} depends on {dependency}, which is left out: {reason}")]
    DependencyLeftOut {
        /// The service.
        service: String,
        /// What it needs.
        dependency: String,
        /// Why that is not started.
        reason: String,
    },
    /// Every service is left out.
    #[error("no service is left to be started")]
    NothingToStart,
    /// The project has a name that no engine takes.
    #[error(
        "{name:?} is no name of a compose project: it is of a-z, 0-9, '-' and '_', with a letter or digit first"
    )]
    InvalidProjectName {
        /// The name.
        name: String,
    },
    /// A port plus the offset is no port.
    #[error("port {port} of {service} plus the offset {offset} is beyond 65535")]
    PortOutOfRange {
        /// The service.
        service: String,
        /// The port in the files.
        port: u16,
        /// The offset.
        offset: u16,
    },
    /// Two services publish the same port.
    #[error("{first} and {second} both publish port {port}")]
    DuplicatePort {
        /// One service.
        first: String,
        /// The other.
        second: String,
        /// The port on this machine.
        port: u16,
    },
}

impl ComposeError {
    /// What to try next.
    pub fn remedy(&self) -> String {
        match self {
            Self::Unreadable { .. } => "check that the file is there and may be read".to_owned(),
            Self::NoComposeFile { .. } => "name the directory of the compose files with --project-dir, or leave that out to take the built-in ones".to_owned(),
            Self::UnsupportedKey { supported, .. } => format!("remove it, or use one of: {}", supported.join(", ")),
            Self::Syntax { .. } | Self::InvalidValue { .. } | Self::Interpolation { .. } | Self::Unknown { .. } => {
                "correct the file; `docker compose config` shows what it makes of it".to_owned()
            }
            Self::UnknownScale { services, .. } => format!("services are: {}", services.join(", ")),
            Self::NotScalable { service, .. } => format!("leave --scale {service} out"),
            Self::UnknownProfile { profiles, .. } => match profiles.is_empty() {
                true => "the compose files have no profiles".to_owned(),
                false => format!("profiles are: {}", profiles.join(", ")),
            },
            Self::Cycle { .. } => "remove one of these depends_on".to_owned(),
            Self::DependencyLeftOut { .. } => "start its profile too (--profile), or set required: false".to_owned(),
            Self::NothingToStart => "start a profile (--profile), or leave --offline out".to_owned(),
            Self::InvalidProjectName { .. } => "correct `name:` in the compose file".to_owned(),
            Self::PortOutOfRange { .. } => "choose a smaller --port-offset".to_owned(),
            Self::DuplicatePort { .. } => "publish one of them elsewhere".to_owned(),
        }
    }
}
