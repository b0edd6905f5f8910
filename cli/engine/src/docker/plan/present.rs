//! What is there: the containers, networks and volumes of the engine, as far as they matter to a project.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bollard::Docker;
use bollard::models::{ContainerSummary, Volume};
use bollard::query_parameters::{ListContainersOptionsBuilder, ListNetworksOptions, ListVolumesOptions};

use crate::docker::error::DockerError;
use crate::docker::error::call::Asked;
use crate::docker::labels;

/// In which state a container is, in the engine's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::docker) enum State {
    /// Made and never started.
    Created,
    /// It runs.
    Running,
    /// It runs and is stopped in its tracks.
    Paused,
    /// It ended and is about to be started again.
    Restarting,
    /// It is being removed.
    Removing,
    /// It ended.
    Exited,
    /// It could not be removed.
    Dead,
}

impl State {
    fn of(text: &str) -> Self {
        match text {
            "created" | "configured" | "initialized" => Self::Created,
            "running" | "stopping" => Self::Running,
            "paused" => Self::Paused,
            "restarting" => Self::Restarting,
            "removing" => Self::Removing,
            "dead" => Self::Dead,
            _ => Self::Exited,
        }
    }
}

/// A container that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::docker) struct Container {
    pub(in crate::docker) id: String,
    pub(in crate::docker) name: String,
    /// Reference of its image.
    pub(in crate::docker) image: String,
    /// Id of its image.
    pub(in crate::docker) image_id: String,
    pub(in crate::docker) labels: BTreeMap<String, String>,
    pub(in crate::docker) state: State,
    /// In the engine's words, such as `Exited (1) 3 seconds ago` or `Up 2 minutes (healthy)`.
    pub(in crate::docker) status: String,
    /// Ports on the engine's machine.
    pub(in crate::docker) ports: BTreeSet<u16>,
    /// Volumes by name.
    pub(in crate::docker) volumes: Vec<String>,
    /// Networks by id.
    pub(in crate::docker) networks: Vec<String>,
}

impl Container {
    /// The value of a label; empty where it has none.
    pub(in crate::docker) fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }

    /// Its compose service.
    pub(in crate::docker) fn service(&self) -> &str {
        self.label(labels::SERVICE)
    }

    /// Number of the replica; 1 where it has none.
    pub(in crate::docker) fn number(&self) -> u32 {
        self.label(labels::NUMBER).parse().unwrap_or(1)
    }

    /// Whether `odd` made it.
    pub(in crate::docker) fn is_ours(&self) -> bool {
        !self.label(labels::INSTANCE).is_empty()
    }

    /// Whether its health check fails for good.
    pub(in crate::docker) fn is_unhealthy(&self) -> bool {
        self.state == State::Running && self.status.contains("(unhealthy)")
    }

    /// How it ended; none where it did not.
    pub(in crate::docker) fn exit_code(&self) -> Option<i64> {
        let behind = self.status.strip_prefix("Exited (")?;
        behind.split(')').next()?.parse().ok()
    }

    /// Services that it waits for.
    pub(in crate::docker) fn dependencies(&self) -> Vec<String> {
        labels::dependencies(self.label(labels::DEPENDS_ON))
    }

    fn of(summary: ContainerSummary) -> Option<Self> {
        let name = summary
            .names?
            .into_iter()
            .find(|name| name.matches('/').count() <= 1)?;
        let volumes = summary
            .mounts
            .unwrap_or_default()
            .into_iter()
            .filter_map(|mount| mount.name);
        let networks = summary.network_settings.and_then(|settings| settings.networks);
        let networks = networks.unwrap_or_default().into_values();
        Some(Self {
            networks: networks.filter_map(|endpoint| endpoint.network_id).collect(),
            id: summary.id?,
            name: name.trim_start_matches('/').to_owned(),
            image: summary.image.unwrap_or_default(),
            image_id: bare_id(&summary.image_id.unwrap_or_default()).to_owned(),
            labels: summary.labels.unwrap_or_default().into_iter().collect(),
            state: State::of(&summary.state.map(|state| state.to_string()).unwrap_or_default()),
            status: summary.status.unwrap_or_default(),
            ports: summary
                .ports
                .unwrap_or_default()
                .into_iter()
                .filter_map(|port| port.public_port)
                .collect(),
            volumes: volumes.filter(|name| !name.is_empty()).collect(),
        })
    }
}

/// An id without the name of its algorithm, which some engines leave out.
pub(in crate::docker) fn bare_id(id: &str) -> &str {
    id.strip_prefix("sha256:").unwrap_or(id)
}

/// A network or volume that is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::docker) struct Thing {
    /// Its id; its name, where it has none.
    pub(in crate::docker) id: String,
    pub(in crate::docker) name: String,
    pub(in crate::docker) labels: BTreeMap<String, String>,
}

impl Thing {
    /// Whether it belongs to this project.
    pub(in crate::docker) fn is_of(&self, project: &str) -> bool {
        self.labels.get(labels::PROJECT).is_some_and(|of| of == project)
    }

    fn of_volume(volume: Volume) -> Self {
        Self {
            id: volume.name.clone(),
            name: volume.name,
            labels: volume.labels.into_iter().collect(),
        }
    }
}

/// What is there.
#[derive(Clone, Debug, Default)]
pub(in crate::docker) struct Present {
    /// Containers of the project.
    pub(in crate::docker) containers: Vec<Container>,
    /// Containers of others.
    pub(in crate::docker) foreign: Vec<Container>,
    /// Every network.
    pub(in crate::docker) networks: Vec<Thing>,
    /// Every volume.
    pub(in crate::docker) volumes: Vec<Thing>,
}

/// Looks at everything in the engine.
pub(in crate::docker) async fn everything(client: &Docker, project: &str) -> Result<Present, DockerError> {
    let (containers, networks, volumes) =
        futures::try_join!(list(client, None), networks(client), volumes(client))?;
    let (containers, foreign) = containers
        .into_iter()
        .partition(|container| container.label(labels::PROJECT) == project);
    Ok(Present {
        containers,
        foreign,
        networks,
        volumes,
    })
}

/// The containers of a project, running or not, by service and number.
pub(in crate::docker) async fn containers(
    client: &Docker,
    project: &str,
) -> Result<Vec<Container>, DockerError> {
    let mut found = list(client, Some(project)).await?;
    found.sort_by(|a, b| (a.service(), a.number(), &a.name).cmp(&(b.service(), b.number(), &b.name)));
    Ok(found)
}

async fn list(client: &Docker, project: Option<&str>) -> Result<Vec<Container>, DockerError> {
    let label = |project: &str| format!("{}={project}", labels::PROJECT);
    let filters: HashMap<String, Vec<String>> = project
        .map(|project| ("label".to_owned(), vec![label(project)]))
        .into_iter()
        .collect();
    let options = ListContainersOptionsBuilder::new()
        .all(true)
        .filters(&filters)
        .build();
    let found = client
        .list_containers(Some(options))
        .await
        .asked("list containers")?;
    Ok(found.into_iter().filter_map(Container::of).collect())
}

/// Every network of the engine.
pub(in crate::docker) async fn networks(client: &Docker) -> Result<Vec<Thing>, DockerError> {
    let found = client
        .list_networks(None::<ListNetworksOptions>)
        .await
        .asked("list networks")?;
    let things = found.into_iter().filter_map(|network| {
        Some(Thing {
            id: network.id?,
            name: network.name?,
            labels: network.labels.unwrap_or_default().into_iter().collect(),
        })
    });
    Ok(things.collect())
}

/// Every volume of the engine.
pub(in crate::docker) async fn volumes(client: &Docker) -> Result<Vec<Thing>, DockerError> {
    let found = client
        .list_volumes(None::<ListVolumesOptions>)
        .await
        .asked("list volumes")?;
    Ok(found
        .volumes
        .unwrap_or_default()
        .into_iter()
        .map(Thing::of_volume)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_tells_state_health_and_end() {
        let summary = |state: &str, status: &str| {
            let json = serde_json::json!({
                "Id": "1", "Names": ["/odd-x-web-2"], "Image": "i", "ImageID": "sha256:9", "State": state, "Status": status,
                "Labels": {"com.docker.compose.service": "web", "com.docker.compose.container-number": "2"},
            });
            Container::of(serde_json::from_value(json).unwrap()).unwrap()
        };
        let ended = summary("exited", "Exited (137) 3 seconds ago");
        assert_eq!((ended.state, ended.exit_code()), (State::Exited, Some(137)));
        assert_eq!(
            (ended.service(), ended.number(), ended.image_id.as_str()),
            ("web", 2, "9")
        );
        assert!(!ended.is_ours());
        assert!(summary("running", "Up 2 minutes (unhealthy)").is_unhealthy());
        assert!(!summary("running", "Up 2 minutes (healthy)").is_unhealthy());
        assert_eq!(summary("running", "Up 2 minutes").exit_code(), None);
    }
}
