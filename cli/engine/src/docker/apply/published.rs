//! Ports that are published on the engine's machine.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use super::Stage;
use crate::docker::error::DockerError;
use crate::docker::plan::Action;
use crate::docker::plan::present::State;
use crate::instance::Instance;
use crate::ports;

/// Distance between two port offsets that are tried.
const STEP: usize = 100;

/// Looks whether every port that would be published is free, before anything is changed.
///
/// # Errors
/// [`DockerError::PortTaken`] for the first that is not.
pub(in crate::docker) fn check(stage: &Stage<'_>) -> Result<(), DockerError> {
    // Ports of our own containers are free by the time that they are needed.
    let ours: BTreeSet<u16> = stage
        .present
        .containers
        .iter()
        .flat_map(|have| have.ports.iter().copied())
        .collect();
    for wanted in &stage.wanted.containers {
        let step = stage
            .plan
            .containers
            .iter()
            .find(|container| container.step.name == wanted.name);
        if step.is_none_or(|container| container.step.action == Action::Keep) {
            continue;
        }
        for (address, port) in wanted.ports.iter().filter(|(_, port)| !ours.contains(port)) {
            if owner(stage, *port).is_some() || stage.engine.info.local && !is_free(*address, *port) {
                return Err(taken(stage, &wanted.service, *port));
            }
        }
    }
    Ok(())
}

/// That a port is in use, and by whom.
pub(in crate::docker) fn taken(stage: &Stage<'_>, service: &str, port: u16) -> DockerError {
    let container = owner(stage, port);
    let holder = || ports::holder(&stage.instance.home, port);
    DockerError::PortTaken {
        service: service.to_owned(),
        port,
        holder: if container.is_none() && stage.engine.info.local {
            holder()
        } else {
            None
        },
        container,
        free_offset: free_offset(stage),
    }
}

/// The container of somebody else that publishes a port.
fn owner(stage: &Stage<'_>, port: u16) -> Option<String> {
    let mut running = stage
        .present
        .foreign
        .iter()
        .filter(|container| container.state == State::Running);
    running
        .find(|container| container.ports.contains(&port))
        .map(|container| container.name.clone())
}

fn is_free(address: Option<IpAddr>, port: u16) -> bool {
    ports::is_free(address.unwrap_or(Ipv4Addr::UNSPECIFIED.into()), port)
}

/// The next port offset above the instance's own under which every port of the stack is free.
fn free_offset(stage: &Stage<'_>) -> Option<u16> {
    let instance = stage.instance;
    let published = stage
        .wanted
        .containers
        .iter()
        .flat_map(|wanted| wanted.ports.iter().copied());
    let bases: Vec<(Option<IpAddr>, u16)> = published
        .filter_map(|(address, port)| Some((address, port.checked_sub(instance.port_offset)?)))
        .collect();
    let next = instance.port_offset.saturating_add(100) / 100 * 100;
    (next..=Instance::MAX_PORT_OFFSET).step_by(STEP).find(|offset| {
        let moved = |(address, base): &(Option<IpAddr>, u16)| {
            let port = base.checked_add(*offset)?;
            Some(owner(stage, port).is_none() && is_free(*address, port))
        };
        bases.iter().all(|base| moved(base) == Some(true))
    })
}
