//! Who listens where on this machine.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};

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

/// The next port offset above the instance's own under which every role's port is free.
pub fn free_offset(instance: &Instance) -> Option<u16> {
    const STEP: usize = 100;
    let next = instance.port_offset.saturating_add(100) / 100 * 100;
    let free = |offset: &u16| {
        let moved = Instance {
            port_offset: *offset,
            ..instance.clone()
        };
        let mut ports = moved.ports().into_iter();
        ports.all(|(_, port)| is_free(Ipv4Addr::LOCALHOST.into(), port))
    };
    (next..=Instance::MAX_PORT_OFFSET).step_by(STEP).find(free)
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

    #[test]
    fn the_next_offset_avoids_ports_in_use() {
        let instance = |port_offset| Instance {
            name: InstanceName::default(),
            home: Home::at("/nowhere"),
            port_offset,
        };
        let first = free_offset(&instance(23_000)).unwrap();
        assert!(first > 23_000 && first.is_multiple_of(100), "{first}");
        let port = instance(first).port(odd_contracts::Role::Processor);
        let _listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        assert!(free_offset(&instance(23_000)).unwrap() > first);
    }
}
