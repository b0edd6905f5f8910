//! Networks and volumes.

use std::collections::BTreeMap;

use bollard::models::NetworkCreateRequest;

use super::{Stage, teardown};
use crate::docker::error::DockerError;
use crate::docker::error::call::{Asked, refused, status};
use crate::docker::event::Event;
use crate::docker::plan::Action;
use crate::docker::plan::present::{self, Thing};
use crate::docker::plan::wanted::{WantedNetwork, WantedVolume};

/// Ids of the networks of a project by name. Containers are attached by id: an engine may have two networks of one name, since a request
/// that was given up is carried out all the same.
pub(super) type NetworkIds = BTreeMap<String, String>;

/// Makes the networks that are missing, and anew those that changed: no container of the project is attached to these any more.
pub(super) async fn networks(stage: &Stage<'_>) -> Result<NetworkIds, DockerError> {
    let all = stage
        .wanted
        .networks
        .iter()
        .map(|network| one_network(stage, network));
    let ids = futures::future::try_join_all(all).await?;
    let names = stage.wanted.networks.iter().map(|network| network.name.clone());
    Ok(names.zip(ids).collect())
}

async fn one_network(stage: &Stage<'_>, network: &WantedNetwork) -> Result<String, DockerError> {
    let mut steps = stage.plan.networks.iter();
    let keep = steps.any(|step| step.name == network.name && step.action == Action::Keep);
    let of_name = stage
        .present
        .networks
        .iter()
        .filter(|there| there.name == network.name);
    let there: Vec<&Thing> = of_name.collect();
    let used = |thing: &&&Thing| {
        let mut containers = stage.present.containers.iter();
        containers.any(|container| container.networks.contains(&thing.id))
    };
    let kept = there.iter().find(used).or(there.first()).filter(|_| keep);
    let Some(request) = &network.request else {
        return Ok(kept.map_or_else(|| network.name.clone(), |thing| thing.id.clone()));
    };
    for old in there
        .iter()
        .filter(|thing| kept.is_none_or(|kept| kept.id != thing.id))
    {
        remove_network(stage, old).await?;
    }
    match kept {
        Some(thing) => Ok(thing.id.clone()),
        None => make_network(stage, request.clone()).await,
    }
}

async fn make_network(stage: &Stage<'_>, request: NetworkCreateRequest) -> Result<String, DockerError> {
    let name = request.name.clone();
    let made = stage.carried(async move |client| client.create_network(request).await);
    let id = match made.await {
        Ok(made) => made.id,
        // Made since it was looked for, by a request that was given up.
        Err(error) if status(&error) == Some(409) => name.clone(),
        Err(error) => return Err(refused(format!("make the network {name}"), &error)),
    };
    tell_network(stage, &name, false);
    Ok(id)
}

/// Removes further networks of the same name, which a request that was given up may have left since.
pub(super) async fn remove_doubles(stage: &Stage<'_>, ids: &NetworkIds) -> Result<(), DockerError> {
    let all = present::networks(stage.client()).await?;
    let doubles = all.iter().filter(|thing| {
        let id = ids.get(&thing.name);
        thing.is_of(&stage.wanted.project) && id.is_some_and(|id| *id != thing.id && *id != thing.name)
    });
    for double in doubles {
        teardown::remove_network(stage.client(), double).await?;
    }
    Ok(())
}

async fn remove_network(stage: &Stage<'_>, network: &Thing) -> Result<(), DockerError> {
    teardown::remove_network(stage.client(), network).await?;
    tell_network(stage, &network.name, true);
    Ok(())
}

fn tell_network(stage: &Stage<'_>, name: &str, removed: bool) {
    stage.reporter.tell(Event::Network {
        name: name.to_owned(),
        removed,
    });
}

/// Makes the volumes that are missing.
pub(super) async fn volumes(stage: &Stage<'_>) -> Result<(), DockerError> {
    let is_new = |name: &str| {
        let step = stage.plan.volumes.iter().find(|step| step.name == name);
        step.is_some_and(|step| step.action == Action::Create)
    };
    let one = |volume: &WantedVolume| {
        let (name, request) = (volume.name.clone(), volume.request.clone());
        async move {
            let Some(request) = request else { return Ok(()) };
            let made = stage.carried(async move |client| client.create_volume(request).await);
            made.await.asked(format!("make the volume {name}"))?;
            stage.reporter.tell(Event::Volume { name, removed: false });
            Ok::<_, DockerError>(())
        }
    };
    let new = stage.wanted.volumes.iter().filter(|volume| is_new(&volume.name));
    futures::future::try_join_all(new.map(one)).await.map(drop)
}
