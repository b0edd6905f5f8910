//! Who listens where on this machine.

use std::fmt;
use std::net::{IpAddr, SocketAddr, TcpListener};

use crate::instance::{Home, Instance, InstanceName};
use crate::state::ProcessFile;

/// A process that listens on a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortHolder {
    /// The process.
    pub pid: u32,
    /// Its name.
    pub name: String,
    /// The instance that it runs, where it is one of ours.
    pub instance: Option<InstanceName>,
}

impl fmt::Display for PortHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.instance {
            Some(instance) => write!(f, "the instance {instance} (process {})", self.pid),
            None => write!(f, "{} (process {})", self.name, self.pid),
        }
    }
}

/// Whether a listener can be bound at this address now.
pub fn is_free(address: IpAddr, port: u16) -> bool {
    TcpListener::bind(SocketAddr::new(address, port)).is_ok()
}

/// Who listens on this port; none where nobody does, or where the process is not ours to see. `home` tells which processes are instances.
pub fn holder(home: &Home, port: u16) -> Option<PortHolder> {
    let process = listeners::get_process_by_port(port, listeners::Protocol::TCP).ok()?;
    Some(PortHolder {
        pid: process.pid,
        name: process.name,
        instance: instance_of(home, process.pid),
    })
}

fn instance_of(home: &Home, pid: u32) -> Option<InstanceName> {
    home.instance_names().into_iter().find(|name| {
        let instance = Instance {
            name: name.clone(),
            home: home.clone(),
            port_offset: 0,
        };
        let file = ProcessFile::read(&instance.process_file()).ok().flatten();
        file.is_some_and(|file| file.pid == pid && file.is_alive())
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
        assert_eq!(
            holder(&Home::at("/nowhere"), port).unwrap().pid,
            std::process::id()
        );
        drop(listener);
        assert!(is_free(Ipv4Addr::LOCALHOST.into(), port));
    }
}
