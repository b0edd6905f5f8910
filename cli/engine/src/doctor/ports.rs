//! Ports that will be listened on, and who has them.

use std::net::Ipv4Addr;

use odd_contracts::Role;

use super::{Check, CheckState};
use crate::docker::StackFile;
use crate::instance::Instance;
use crate::kubernetes::forwarding::forwarding;
use crate::ports::{free_offset, holder, is_free};
use crate::state::ProcessFile;

/// Step and number of the offsets that are tried where a port is taken.
const STEP: u16 = 100;

/// The ports of the roles in one process.
pub(super) fn of_roles(instance: &Instance, running: Option<&ProcessFile>) -> Vec<Check> {
    let ports = instance.ports().into_iter();
    // What leads to a cluster is in use by the instance as well.
    let forward = forwarding(instance).ok().flatten();
    ports
        .map(|(role, port)| {
            let of = |process: &ProcessFile| process.ports.get(&role).copied();
            let own = running.and_then(of).or(forward.as_ref().and_then(of));
            of_role(instance, role, port, own)
        })
        .collect()
}

fn of_role(instance: &Instance, role: Role, port: u16, own: Option<u16>) -> Check {
    check(instance, role.name(), port, own, || free_offset(instance))
}

/// The ports that services of a stack publish on this machine.
pub(super) fn published(instance: &Instance, ports: &[(String, u16)]) -> Vec<Check> {
    let stack = StackFile::read(&instance.stack_file()).ok().flatten();
    let wanted: Vec<u16> = ports.iter().map(|(_, port)| *port).collect();
    ports
        .iter()
        .map(|(service, port)| {
            let own = stack.as_ref().and_then(|stack| stack.ports.get(service).copied());
            check(instance, service, *port, own, || {
                next_free_offset(instance.port_offset, &wanted)
            })
        })
        .collect()
}

fn check(
    instance: &Instance,
    service: &str,
    port: u16,
    own: Option<u16>,
    other: impl FnOnce() -> Option<u16>,
) -> Check {
    let name = format!("port of {service}");
    if let Some(own) = own {
        return Check::ok(name, format!("{own}, in use by this instance"));
    }
    if is_free(Ipv4Addr::LOCALHOST.into(), port) {
        return Check::ok(name, format!("{port} is free"));
    }
    let holder = holder(&instance.home, port);
    let holder = holder.map_or_else(|| "another process".to_owned(), |h| h.to_string());
    Check::ok(name, format!("{port} is taken by {holder}")).wrong(
        CheckState::Failed,
        format!("the {service} cannot listen"),
        match other() {
            Some(offset) => format!("odd up --instance {} --port-offset {offset}", instance.name),
            None => "odd status   (and end what is not needed)".to_owned(),
        },
    )
}

/// The next offset under which all of these ports, which stand under the present one, are free.
fn next_free_offset(present: u16, ports: &[u16]) -> Option<u16> {
    let first = present.saturating_add(STEP) / STEP * STEP;
    (first..=Instance::MAX_PORT_OFFSET)
        .step_by(usize::from(STEP))
        .find(|offset| {
            let moved = |port: &u16| port.checked_sub(present)?.checked_add(*offset);
            let free = |port: u16| is_free(Ipv4Addr::LOCALHOST.into(), port);
            ports.iter().all(|port| moved(port).is_some_and(free))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instance::{Home, InstanceName};

    fn instance() -> Instance {
        Instance {
            name: InstanceName::default(),
            home: Home::at("/nowhere"),
            port_offset: 41_000,
        }
    }

    #[test]
    fn a_taken_port_names_its_holder() {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let check = of_role(&instance(), Role::Gateway, port, None);
        assert_eq!(check.state, CheckState::Failed);
        assert!(
            check.detail.contains(&std::process::id().to_string()),
            "{}",
            check.detail
        );
    }

    #[test]
    fn a_taken_port_of_a_stack_offers_an_offset_for_all_of_them() {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let of = |offset| Instance {
            port_offset: offset,
            ..instance()
        };
        let checks = published(&of(1_000), &[("redis".to_owned(), port)]);
        assert_eq!(checks[0].state, CheckState::Failed);
        let remedy = checks[0].remedy.as_ref().unwrap();
        assert!(remedy.contains("--port-offset"), "{remedy}");
        assert_eq!(next_free_offset(0, &[65_535]), None, "there is no higher port");
    }
}
