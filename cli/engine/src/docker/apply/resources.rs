//! Networks and volumes.

use super::Stage;
use crate::docker::call::{Asked, status};
use crate::docker::error::DockerError;
use crate::docker::event::Event;
use crate::docker::plan::Action;
use crate::docker::present::Thing;
use crate::docker::wanted::{WantedNetwork, WantedVolume};

/// Makes the networks that are missing, and anew those that changed: no container of the project is attached to these any more.
pub(super) async fn networks(stage: &Stage<'_>) -> Result<(), DockerError> {
    let action = |name: &str| {
        stage
            .plan
            .networks
            .iter()
            .find(|step| step.name == name)
            .map(|step| step.action)
    };
    let one = |network: &WantedNetwork| {
        let (network, action) = (network.clone(), action(&network.name));
        async move {
            let Some(request) = network.request else {
                return Ok(());
            };
            let named: Vec<&Thing> = stage
                .present
                .networks
                .iter()
                .filter(|n| n.name == network.name)
                .collect();
            let keep = usize::from(action == Some(Action::Keep));
            // An `up` that was interrupted may have left a second one of the same name, which the engine allows.
            for old in named.into_iter().skip(keep) {
                remove_network(stage, old).await?;
            }
            if action == Some(Action::Keep) {
                return Ok(());
            }
            let made = stage.client().create_network(request).await;
            match made {
                Err(error) if status(&error) == Some(409) => {}
                other => drop(other.asked(format!("make the network {}", network.name))?),
            }
            tell_network(stage, &network.name, false);
            Ok::<_, DockerError>(())
        }
    };
    futures::future::try_join_all(stage.wanted.networks.iter().map(one))
        .await
        .map(drop)
}

async fn remove_network(stage: &Stage<'_>, network: &Thing) -> Result<(), DockerError> {
    crate::docker::down::remove_network(stage.client(), network).await?;
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
            stage
                .client()
                .create_volume(request)
                .await
                .asked(format!("make the volume {name}"))?;
            stage.reporter.tell(Event::Volume { name, removed: false });
            Ok::<_, DockerError>(())
        }
    };
    let new = stage.wanted.volumes.iter().filter(|volume| is_new(&volume.name));
    futures::future::try_join_all(new.map(one)).await.map(drop)
}
