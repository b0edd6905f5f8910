//! What the Docker engine answers, as errors of this crate.

use std::error::Error as _;
use std::io;

use bollard::errors::Error;

use super::DockerError;
use crate::error::chain;

/// Says what was asked of the engine when it refuses.
pub(in crate::docker) trait Asked<T> {
    /// With the action, as in «cannot {action}».
    fn asked(self, action: impl Into<String>) -> Result<T, DockerError>;
}

impl<T> Asked<T> for Result<T, Error> {
    fn asked(self, action: impl Into<String>) -> Result<T, DockerError> {
        self.map_err(|error| refused(action, &error))
    }
}

/// What it means that the engine did not do something.
pub(in crate::docker) fn refused(action: impl Into<String>, error: &Error) -> DockerError {
    let (action, reason) = (action.into(), reason(error));
    if is_disk_full(&reason) {
        DockerError::DiskFull { action, reason }
    } else if is_connection_lost(error) {
        DockerError::EngineGone {
            action,
            reason,
            left: Vec::new(),
        }
    } else {
        DockerError::Refused { action, reason }
    }
}

/// What the engine said, or the whole chain of causes.
pub(in crate::docker) fn reason(error: &Error) -> String {
    match error {
        Error::DockerResponseServerError { message, .. } => message.trim().to_owned(),
        Error::DockerStreamError { error } => error.trim().to_owned(),
        Error::RequestTimeoutError => "it did not answer in time".to_owned(),
        other => chain(other),
    }
}

/// The status of the engine's answer; none where it gave none.
pub(in crate::docker) fn status(error: &Error) -> Option<u16> {
    match error {
        Error::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// The system's own error at the end of the chain.
pub(in crate::docker) fn io_kind(error: &Error) -> Option<io::ErrorKind> {
    if let Error::IOError { err } = error {
        return Some(err.kind());
    }
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(io) = cause.downcast_ref::<io::Error>() {
            return Some(io.kind());
        }
        source = cause.source();
    }
    None
}

/// Whether there was no answer because nobody listens any more or the connection broke.
fn is_connection_lost(error: &Error) -> bool {
    matches!(
        error,
        Error::HyperLegacyError { .. }
            | Error::HyperResponseError { .. }
            | Error::IOError { .. }
            | Error::RequestTimeoutError
            | Error::SocketNotFoundError(_)
    )
}

pub(in crate::docker) fn is_disk_full(text: &str) -> bool {
    text.contains("no space left on device") || text.contains("disk quota exceeded")
}

/// That something was not there is as well: for removing.
pub(in crate::docker) fn unless_gone(result: Result<(), Error>) -> Result<(), Error> {
    match result {
        Err(error) if status(&error) == Some(404) => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status_code: u16, message: &str) -> Error {
        Error::DockerResponseServerError {
            status_code,
            message: message.to_owned(),
        }
    }

    #[test]
    fn a_full_disk_is_told_from_other_refusals() {
        let full = answered(500, "write /var/lib/docker/x: no space left on device");
        assert!(matches!(
            refused("create a container", &full),
            DockerError::DiskFull { .. }
        ));
        let other = refused("create a container", &answered(400, "invalid mount"));
        assert_eq!(
            other.to_string(),
            "the Docker engine cannot create a container: invalid mount"
        );
    }

    #[test]
    fn a_broken_connection_means_that_the_engine_went_away() {
        let broken = Error::IOError {
            err: io::ErrorKind::ConnectionRefused.into(),
        };
        assert_eq!(io_kind(&broken), Some(io::ErrorKind::ConnectionRefused));
        let gone = refused("start postgres", &broken);
        assert!(matches!(gone, DockerError::EngineGone { .. }), "{gone:?}");
        assert!(gone.remedy().contains("odd up") && gone.remedy().contains("odd down"));
    }

    #[test]
    fn what_is_gone_need_not_be_removed() {
        assert!(unless_gone(Err(answered(404, "no such container"))).is_ok());
        assert!(unless_gone(Err(answered(409, "in use"))).is_err());
    }
}
