//! Who listens where on this machine.

use std::fmt;
use std::net::{IpAddr, SocketAddr, TcpListener};

/// A process that listens on a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortHolder {
    /// The process.
    pub pid: u32,
    /// Its name.
    pub name: String,
}

impl fmt::Display for PortHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (process {})", self.name, self.pid)
    }
}

/// Whether a listener can be bound at this address now.
pub fn is_free(address: IpAddr, port: u16) -> bool {
    TcpListener::bind(SocketAddr::new(address, port)).is_ok()
}

/// Who listens on this port; none where nobody does, or where the process is not ours to see.
pub fn holder(port: u16) -> Option<PortHolder> {
    let process = listeners::get_process_by_port(port, listeners::Protocol::TCP).ok()?;
    Some(PortHolder {
        pid: process.pid,
        name: process.name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn a_listener_is_found_by_its_port() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(!is_free(Ipv4Addr::LOCALHOST.into(), port));
        assert_eq!(holder(port).unwrap().pid, std::process::id());
        drop(listener);
        assert!(is_free(Ipv4Addr::LOCALHOST.into(), port));
    }
}
