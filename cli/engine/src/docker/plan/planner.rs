//! Makes the plan: compares what is wanted with what is there. Changes nothing and asks nobody.

use std::collections::BTreeSet;

use super::present::{Container, Present, State, Thing, bare_id};
use super::wanted::{LAYOUT, Wanted, WantedContainer, WantedNetwork};
use super::{Action, ContainerStep, ImageStep, Plan, Step};
use crate::docker::error::DockerError;
use crate::docker::labels;

/// What has to be done. `made` names the containers that an earlier `up` made: one of them that is not there was removed by hand.
///
/// # Errors
/// [`DockerError::NameTaken`] where a name belongs to somebody else, [`DockerError::NewerVolumes`] where a newer release made the data, and
/// [`DockerError::Refused`] where something that others make is not there.
pub(in crate::docker) fn plan(
    wanted: &Wanted,
    present: &Present,
    images: Vec<ImageStep>,
    made: &[String],
) -> Result<Plan, DockerError> {
    let networks = networks(wanted, present)?;
    let volumes = volumes(wanted, present)?;
    let mut containers = wanted_containers(wanted, present, &networks, made)?;
    with_those_that_follow(wanted, &mut containers);
    containers.extend(unwanted_containers(wanted, present));
    Ok(Plan {
        project: wanted.project.clone(),
        images,
        networks,
        volumes,
        containers,
        orphans: orphans(wanted, present),
        left_out: wanted.left_out.clone(),
    })
}

fn step(name: &str, action: Action, reason: Option<String>) -> Step {
    Step {
        name: name.to_owned(),
        action,
        reason,
    }
}

fn missing(kind: &str, name: &str) -> DockerError {
    DockerError::Refused {
        action: format!("use the {kind} {name}"),
        reason: "the compose files say that others make it, and it is not there".to_owned(),
    }
}

fn taken(kind: &'static str, thing: &Thing) -> DockerError {
    let owner = thing
        .labels
        .get(labels::PROJECT)
        .map(|project| format!("the project {project} made it"));
    DockerError::NameTaken {
        kind,
        name: thing.name.clone(),
        owner,
    }
}

fn networks(wanted: &Wanted, present: &Present) -> Result<Vec<Step>, DockerError> {
    let one = |network: &WantedNetwork| {
        let there = present.networks.iter().find(|thing| thing.name == network.name);
        match (there, &network.request) {
            (None, None) => Err(missing("network", &network.name)),
            (None, Some(_)) => Ok(step(&network.name, Action::Create, None)),
            (Some(_), None) => Ok(step(&network.name, Action::Keep, None)),
            (Some(thing), Some(_)) if !thing.is_of(&wanted.project) => Err(taken("network", thing)),
            (Some(thing), Some(_)) => {
                let changed = thing
                    .labels
                    .get(labels::HASH)
                    .is_some_and(|hash| *hash != network.hash);
                Ok(match changed {
                    true => step(
                        &network.name,
                        Action::Recreate,
                        Some("configuration changed".to_owned()),
                    ),
                    false => step(&network.name, Action::Keep, None),
                })
            }
        }
    };
    wanted.networks.iter().map(one).collect()
}

fn volumes(wanted: &Wanted, present: &Present) -> Result<Vec<Step>, DockerError> {
    let mut steps = Vec::new();
    let mut newer: Vec<(String, u32)> = Vec::new();
    for volume in &wanted.volumes {
        let there = present.volumes.iter().find(|thing| thing.name == volume.name);
        steps.push(match (there, &volume.request) {
            (None, None) => return Err(missing("volume", &volume.name)),
            (None, Some(_)) => step(&volume.name, Action::Create, None),
            (Some(_), None) => step(&volume.name, Action::Keep, None),
            (Some(thing), Some(_)) if !thing.is_of(&wanted.project) => return Err(taken("volume", thing)),
            (Some(thing), Some(_)) => {
                let layout = thing
                    .labels
                    .get(labels::LAYOUT)
                    .and_then(|text| text.parse().ok());
                newer.extend(
                    layout
                        .filter(|layout| *layout > LAYOUT)
                        .map(|layout| (thing.name.clone(), layout)),
                );
                step(&volume.name, Action::Keep, None)
            }
        });
    }
    match newer.iter().map(|(_, layout)| *layout).max() {
        None => Ok(steps),
        Some(found) => Err(DockerError::NewerVolumes {
            volumes: newer.into_iter().map(|(name, _)| name).collect(),
            found,
            known: LAYOUT,
        }),
    }
}

fn wanted_containers(
    wanted: &Wanted,
    present: &Present,
    networks: &[Step],
    made: &[String],
) -> Result<Vec<ContainerStep>, DockerError> {
    let new_networks: BTreeSet<&str> = networks
        .iter()
        .filter(|step| step.action != Action::Keep)
        .map(|step| step.name.as_str())
        .collect();
    let mut steps = Vec::new();
    for want in &wanted.containers {
        if let Some(owner) = present
            .foreign
            .iter()
            .find(|container| container.name == want.name)
        {
            return Err(DockerError::NameTaken {
                kind: "container",
                name: want.name.clone(),
                owner: Some(format!("it runs {}", owner.image)),
            });
        }
        let there = present
            .containers
            .iter()
            .find(|container| container.name == want.name);
        let (action, reason) = match there {
            None => (Action::Create, absent(want, present, made)),
            Some(have)
                if attached(want).any(|network| new_networks.contains(network))
                    && have.state != State::Created =>
            {
                (Action::Recreate, Some("its network is made anew".to_owned()))
            }
            Some(have) => match detached(want, have, present) {
                Some(network) => (
                    Action::Recreate,
                    Some(format!("is no longer attached to {network}")),
                ),
                None => compare(want, have),
            },
        };
        steps.push(ContainerStep {
            service: want.service.clone(),
            number: want.number,
            step: step(&want.name, action, reason),
        });
    }
    Ok(steps)
}

/// Names of the networks that a container is attached to.
fn attached(want: &WantedContainer) -> impl Iterator<Item = &str> {
    let first = want
        .body
        .host_config
        .as_ref()
        .and_then(|host| host.network_mode.as_deref());
    first
        .into_iter()
        .chain(want.further_networks.iter().map(|(name, _)| name.as_str()))
}

/// A network that a running container was taken off. None where the engine tells of no container which networks it is attached to.
fn detached<'a>(want: &'a WantedContainer, have: &Container, present: &Present) -> Option<&'a str> {
    let told = present.containers.iter().any(|any| !any.networks.is_empty());
    if !told || have.state != State::Running {
        return None;
    }
    let id_of = |name: &str| {
        let there = present.networks.iter().find(|network| network.name == name);
        there.map(|network| &network.id)
    };
    attached(want).find(|name| id_of(name).is_some_and(|id| !have.networks.contains(id)))
}

/// Why a container is not there.
fn absent(want: &WantedContainer, present: &Present, made: &[String]) -> Option<String> {
    let siblings = present
        .containers
        .iter()
        .any(|container| container.service() == want.service);
    if made.contains(&want.name) {
        Some("was removed by hand".to_owned())
    } else if siblings && want.number > 1 {
        Some("scaled up".to_owned())
    } else {
        None
    }
}

/// What happens to a container that is there.
fn compare(want: &WantedContainer, have: &Container) -> (Action, Option<String>) {
    if let Some(reason) = difference(want, have) {
        return (Action::Recreate, Some(reason));
    }
    let recreate = |reason: &str| (Action::Recreate, Some(reason.to_owned()));
    match have.state {
        State::Created => recreate("was not completed"),
        State::Removing | State::Dead => recreate("was being removed"),
        State::Restarting => recreate("keeps restarting"),
        State::Paused => (Action::Start, Some("is paused".to_owned())),
        State::Running if have.is_unhealthy() => recreate("is unhealthy"),
        State::Running => (Action::Keep, None),
        State::Exited if want.one_shot && have.exit_code() == Some(0) => (Action::Keep, None),
        State::Exited => {
            let how = have
                .exit_code()
                .map_or_else(String::new, |code| format!(" (exit code {code})"));
            (Action::Start, Some(format!("does not run{how}")))
        }
    }
}

/// Why a container is not what is wanted; none where it is.
fn difference(want: &WantedContainer, have: &Container) -> Option<String> {
    if !have.is_ours() {
        return Some("was not made by odd".to_owned());
    }
    let same_image = want
        .image_id
        .as_deref()
        .is_some_and(|id| bare_id(id) == have.image_id);
    if !same_image {
        return Some("image changed".to_owned());
    }
    if have.label(labels::HASH) == want.hash {
        return None;
    }
    let (theirs, ours) = (have.label(labels::RELEASE), label_of(want, labels::RELEASE));
    Some(match theirs == ours {
        true => "configuration changed".to_owned(),
        false => format!("was made by release {theirs}"),
    })
}

fn label_of<'a>(want: &'a WantedContainer, name: &str) -> &'a str {
    want.body
        .labels
        .as_ref()
        .and_then(|labels| labels.get(name))
        .map_or("", String::as_str)
}

/// Containers that have to be started anew because one that they depend on is.
fn with_those_that_follow(wanted: &Wanted, steps: &mut [ContainerStep]) {
    // Dependencies come first, so that one pass reaches chains too.
    for at in 0..steps.len() {
        let Some(want) = wanted.containers.get(at) else {
            return;
        };
        if steps[at].step.action != Action::Keep {
            continue;
        }
        let follows = want
            .depends_on
            .iter()
            .filter(|(_, dependency)| dependency.restart)
            .map(|(name, _)| name);
        let anew = follows.into_iter().find(|name| {
            let made_anew =
                |step: &ContainerStep| step.service == **name && step.step.action == Action::Recreate;
            steps.iter().any(made_anew)
        });
        if let Some(name) = anew {
            steps[at].step.action = Action::Recreate;
            steps[at].step.reason = Some(format!("{name} is made anew"));
        }
    }
}

/// Containers of services of this project that are too many, or that this stack does without.
fn unwanted_containers(wanted: &Wanted, present: &Present) -> Vec<ContainerStep> {
    let mut steps = Vec::new();
    for have in &present.containers {
        let is_wanted = wanted.containers.iter().any(|want| want.name == have.name);
        if is_wanted || have.label(labels::ONE_OFF) == "True" {
            continue;
        }
        let left_out = wanted.left_out.iter().find(|left| left.service == have.service());
        let reason = match left_out {
            Some(left) => format!("left out: {}", left.reason),
            None if wanted.services.contains(have.service()) => "scaled down".to_owned(),
            None => continue,
        };
        steps.push(ContainerStep {
            service: have.service().to_owned(),
            number: have.number(),
            step: step(&have.name, Action::Remove, Some(reason)),
        });
    }
    steps
}

/// Containers under the project's name whose service the files do not have.
fn orphans(wanted: &Wanted, present: &Present) -> Vec<String> {
    let known = |have: &Container| {
        let service = have.service();
        wanted.services.contains(service) || wanted.left_out.iter().any(|left| left.service == service)
    };
    let mut names: Vec<String> = present
        .containers
        .iter()
        .filter(|have| !known(have))
        .map(|have| have.name.clone())
        .collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests;
