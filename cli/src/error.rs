//! The one error of commands: what failed, why, and what to try next. Printed once, by `main`.

use odd_client::ClientError;
use odd_engine::EngineError;
use odd_engine::docker::DockerError;
use odd_engine::docker::image::ImageError;
use odd_engine::kubernetes::cluster::ClusterError;

use crate::exit::ExitCode;

/// Why a command failed.
#[derive(Debug)]
pub struct Error {
    /// What was to be done, as in «failed to {action}».
    pub action: String,
    /// The chain of causes, outermost first.
    pub cause: anyhow::Error,
    /// Lines that explain it further, such as the end of a log.
    pub details: Vec<String>,
    /// The next command to try.
    pub hint: Option<String>,
    /// How the process shall exit.
    pub code: ExitCode,
}

impl Error {
    /// Failed to `action` because of `cause`.
    pub fn new(action: impl Into<String>, cause: impl Into<anyhow::Error>) -> Self {
        Self {
            action: action.into(),
            cause: cause.into(),
            details: Vec::new(),
            hint: None,
            code: ExitCode::Failed,
        }
    }

    /// Failed to `action` for a reason in words.
    pub fn because(action: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::new(action, anyhow::Error::msg(reason.into()))
    }

    /// With the next command to try.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// With another exit code than 1.
    #[must_use]
    pub fn code(mut self, code: ExitCode) -> Self {
        self.code = code;
        self
    }

    /// From a client that got no answer, or the wrong one. `instance` is named in the hint.
    pub fn from_client(action: impl Into<String>, cause: ClientError, instance: &str) -> Self {
        let (code, hint) = match &cause {
            ClientError::Unreachable { .. } => (
                ExitCode::Prerequisite,
                Some(format!(
                    "odd up{}   (or `odd status` to see what runs)",
                    of_instance(instance)
                )),
            ),
            ClientError::TimedOut { .. } => (
                ExitCode::TimedOut,
                Some(format!("odd status{}", of_instance(instance))),
            ),
            ClientError::InvalidUrl { .. } => (ExitCode::Usage, Some("odd config show --origin".to_owned())),
            ClientError::Unexpected { .. } => (ExitCode::Failed, Some("odd config show --origin".to_owned())),
            ClientError::Problem { problem, .. } if problem.code.is_retryable() => (
                ExitCode::Failed,
                Some(format!("odd status{}", of_instance(instance))),
            ),
            ClientError::Problem { .. } => (ExitCode::Failed, None),
        };
        let mut error = Self::new(action, cause).code(code);
        error.hint = hint;
        error
    }

    /// From an engine.
    pub fn from_engine(action: impl Into<String>, mut cause: EngineError, instance: &str) -> Self {
        let of = of_instance(instance);
        let (code, hint, details) = match &mut cause {
            EngineError::Busy { .. } => (ExitCode::TimedOut, format!("odd status{of}"), Vec::new()),
            EngineError::PortTaken { free_offset, .. } => (
                ExitCode::Prerequisite,
                match free_offset {
                    Some(offset) => format!("odd up{of} --port-offset {offset}   (or end that process)"),
                    None => format!("odd doctor{of}   (it lists every port)"),
                },
                Vec::new(),
            ),
            EngineError::CrashedOnStart { log_tail, .. } => (
                ExitCode::Failed,
                format!("odd doctor{of}"),
                std::mem::take(log_tail),
            ),
            EngineError::NotReady { log_tail, .. } => (
                ExitCode::TimedOut,
                format!("odd logs{of} --tail 50"),
                std::mem::take(log_tail),
            ),
            EngineError::Unstoppable { .. } => (ExitCode::Failed, format!("odd status{of}"), Vec::new()),
            EngineError::Io { .. } => (
                ExitCode::Prerequisite,
                "odd doctor   (ODD_HOME chooses another directory)".to_owned(),
                Vec::new(),
            ),
            EngineError::Kubernetes(error) => {
                (ExitCode::Prerequisite, of_this(&error.remedy(), &of), Vec::new())
            }
            EngineError::Cluster(error) => (of_cluster(error), of_this(&error.remedy(), &of), Vec::new()),
            EngineError::Docker(error) => (
                of_docker(error),
                of_this(&error.remedy(), &of),
                error.log().to_vec(),
            ),
        };
        let mut error = Self::new(action, cause).code(code).hint(hint);
        error.details = details;
        error
    }
}

/// How a command exits that a Docker engine, compose file or image was in the way of.
fn of_docker(error: &DockerError) -> ExitCode {
    match error {
        DockerError::Compose(_) | DockerError::UnknownService { .. } => ExitCode::Usage,
        DockerError::TimedOut { .. } => ExitCode::TimedOut,
        DockerError::Failed { .. }
        | DockerError::EngineGone { .. }
        | DockerError::NetworkInUse { .. }
        | DockerError::Refused { .. }
        | DockerError::Image(ImageError::Engine { .. } | ImageError::BuildFailed { .. }) => ExitCode::Failed,
        _ => ExitCode::Prerequisite,
    }
}

/// How a command exits that a cluster was in the way of.
fn of_cluster(error: &ClusterError) -> ExitCode {
    match error {
        ClusterError::NoContext { .. } | ClusterError::NoSuchPart { .. } => ExitCode::Usage,
        ClusterError::NotReady { .. } | ClusterError::NotGone { .. } => ExitCode::TimedOut,
        ClusterError::Conflict { .. } | ClusterError::Refused { .. } | ClusterError::NoReadyPod { .. } => {
            ExitCode::Failed
        }
        _ => ExitCode::Prerequisite,
    }
}

/// The commands of a remedy for the instance that it is about: an engine does not know how it was named.
fn of_this(remedy: &str, of: &str) -> String {
    if of.is_empty() {
        return remedy.to_owned();
    }
    ["odd up", "odd down", "odd logs"]
        .iter()
        .fold(remedy.to_owned(), |text, command| {
            text.replace(command, &format!("{command}{of}"))
        })
}

/// The flag that makes a command speak to this instance; nothing for the default one.
pub fn of_instance(instance: &str) -> String {
    if instance == odd_engine::InstanceName::DEFAULT {
        String::new()
    } else {
        format!(" --instance {instance}")
    }
}
