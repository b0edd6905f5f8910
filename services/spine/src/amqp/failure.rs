//! What went wrong, in words that say how to mend it.

use lapin::uri::AMQPUri;
use lapin::{Error, ErrorKind};

/// Reply code: wrong credentials, or not permitted.
pub(super) const ACCESS_REFUSED: u16 = 403;
/// Reply code: it is not there.
pub(super) const NOT_FOUND: u16 = 404;
/// Reply code: another connection has it for itself.
pub(super) const RESOURCE_LOCKED: u16 = 405;
/// Reply code: it is there with other properties.
pub(super) const PRECONDITION_FAILED: u16 = 406;
/// Reply code: the virtual host is missing, or closed to the user.
const NOT_ALLOWED: u16 = 530;

/// What the broker or the network said, in one line.
pub(super) fn told(error: &Error) -> String {
    match error.kind() {
        ErrorKind::IOError(error) => error.to_string(),
        ErrorKind::ProtocolError(error) => error.get_message().to_string(),
        ErrorKind::MissingHeartbeatError => "the broker has not been heard of for too long".to_owned(),
        ErrorKind::InvalidChannelState(..)
        | ErrorKind::InvalidConnectionState(_)
        | ErrorKind::InvalidChannel(_) => "the connection was lost".to_owned(),
        _ => error.to_string(),
    }
}

/// Why no connection could be made, and what to do where waiting does not mend it.
pub(super) fn of_connecting(error: &Error, uri: &AMQPUri) -> String {
    let place = format!("{}:{}", uri.authority.host, uri.authority.port);
    let said = told(error);
    match code(error) {
        Some(ACCESS_REFUSED) => format!(
            "the broker at {place} refuses the user {}: {said}; correct the user or the password in the address",
            uri.authority.userinfo.username
        ),
        Some(NOT_ALLOWED) => format!(
            "the broker at {place} does not open the virtual host {vhost}: {said}; create it with `rabbitmqctl \
             add_vhost {vhost}` and `rabbitmqctl set_permissions -p {vhost} {user} '.*' '.*' '.*'`, or correct the \
             address",
            vhost = uri.vhost,
            user = uri.authority.userinfo.username
        ),
        _ => format!("cannot connect to the broker at {place}: {said}"),
    }
}

/// The reply code of a refusal by the broker.
pub(super) fn code(error: &Error) -> Option<u16> {
    match error.kind() {
        ErrorKind::ProtocolError(error) => Some(error.get_id()),
        _ => None,
    }
}
