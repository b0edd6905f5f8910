//! What is wanted: every network, volume and container of a project, ready to be created.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use bollard::models::{ContainerCreateBody, EndpointSettings, NetworkCreateRequest, VolumeCreateRequest};
use sha2::{Digest, Sha256};

use super::LeftOut;
use super::body::{body, endpoint, networks};
use super::upload::{Upload, uploads};
use crate::compose::model::hex;
use crate::compose::{Condition, Dependency, Network, Project, Service, Volume};
use crate::docker::error::DockerError;
use crate::docker::labels;
use crate::instance::Instance;

/// Layout of the data in the volumes that this release makes and understands.
pub(in crate::docker) const LAYOUT: u32 = 1;

/// Everything of a project.
#[derive(Clone, Debug, Default)]
pub(in crate::docker) struct Wanted {
    /// Name of the project.
    pub(in crate::docker) project: String,
    pub(in crate::docker) networks: Vec<WantedNetwork>,
    pub(in crate::docker) volumes: Vec<WantedVolume>,
    /// Containers, dependencies first.
    pub(in crate::docker) containers: Vec<WantedContainer>,
    /// Every service that the files have and that is on, also with no containers.
    pub(in crate::docker) services: BTreeSet<String>,
    pub(in crate::docker) left_out: Vec<LeftOut>,
}

/// A network.
#[derive(Clone, Debug)]
pub(in crate::docker) struct WantedNetwork {
    pub(in crate::docker) name: String,
    /// What it is created from; none where somebody else makes it.
    pub(in crate::docker) request: Option<NetworkCreateRequest>,
    pub(in crate::docker) hash: String,
}

/// A volume.
#[derive(Clone, Debug)]
pub(in crate::docker) struct WantedVolume {
    pub(in crate::docker) name: String,
    /// What it is created from; none where somebody else makes it.
    pub(in crate::docker) request: Option<VolumeCreateRequest>,
}

/// A container.
#[derive(Clone, Debug)]
pub(in crate::docker) struct WantedContainer {
    pub(in crate::docker) service: String,
    pub(in crate::docker) number: u32,
    pub(in crate::docker) name: String,
    /// Id of its image; none where the engine does not have it yet.
    pub(in crate::docker) image_id: Option<String>,
    pub(in crate::docker) hash: String,
    pub(in crate::docker) body: ContainerCreateBody,
    pub(in crate::docker) platform: Option<String>,
    /// Further networks, to which it is attached before it starts.
    pub(in crate::docker) further_networks: Vec<(String, EndpointSettings)>,
    pub(in crate::docker) uploads: Vec<Upload>,
    pub(in crate::docker) depends_on: BTreeMap<String, Dependency>,
    /// Whether others wait for its end, not for its health.
    pub(in crate::docker) one_shot: bool,
    /// Addresses and ports on the engine's machine.
    pub(in crate::docker) ports: Vec<(Option<IpAddr>, u16)>,
}

/// Puts together what a project wants. `image_ids` are those that the engine has, by reference; `release` is the version of this build.
pub(in crate::docker) fn wanted(
    project: &Project,
    instance: &Instance,
    image_ids: &BTreeMap<String, String>,
    release: &str,
) -> Result<Wanted, DockerError> {
    let maker = Maker {
        project,
        instance,
        release,
    };
    let mut containers = Vec::new();
    for service in project.in_start_order() {
        for number in 1..=service.replicas {
            containers.push(maker.container(service, number, image_ids)?);
        }
    }
    Ok(Wanted {
        project: project.name.clone(),
        networks: project
            .networks
            .iter()
            .map(|(key, network)| maker.network(key, network))
            .collect(),
        volumes: project
            .volumes
            .iter()
            .map(|(key, volume)| maker.volume(key, volume))
            .collect(),
        containers,
        services: project.services.keys().cloned().collect(),
        left_out: project.left_out.clone(),
    })
}

struct Maker<'a> {
    project: &'a Project,
    instance: &'a Instance,
    release: &'a str,
}

impl Maker<'_> {
    fn container(
        &self,
        service: &Service,
        number: u32,
        image_ids: &BTreeMap<String, String>,
    ) -> Result<WantedContainer, DockerError> {
        let project = self.project;
        let name = format!("{}-{}-{number}", project.name, service.name);
        let uploads = uploads(service).map_err(|error| DockerError::Refused {
            action: format!("be given the configuration files of {}", service.name),
            reason: error.to_string(),
        })?;
        let mut body = body(project, service, &name);
        let hash = hash(&body, service);
        let image_id = image_ids.get(&service.image).cloned();
        let mut all = body.labels.take().unwrap_or_default();
        all.extend(self.labels(service, number, &hash, image_id.as_deref()));
        body.labels = Some(all);
        let keys = service.networks.keys().skip(1);
        let further = networks(project, service).into_iter().skip(1).zip(keys);
        Ok(WantedContainer {
            further_networks: further
                .map(|(network, key)| (network, endpoint(service, key, &name)))
                .collect(),
            service: service.name.clone(),
            number,
            name,
            image_id,
            hash,
            body,
            platform: service.platform.clone(),
            uploads,
            depends_on: service.depends_on.clone(),
            one_shot: is_one_shot(project, &service.name),
            ports: service
                .ports
                .iter()
                .filter_map(|port| Some((port.host_ip, port.published?)))
                .collect(),
        })
    }

    fn labels(
        &self,
        service: &Service,
        number: u32,
        hash: &str,
        image: Option<&str>,
    ) -> HashMap<String, String> {
        let dependencies: Vec<String> = service
            .depends_on
            .iter()
            .map(|(name, dependency)| {
                format!("{name}:{}:{}", dependency.condition.as_str(), dependency.restart)
            })
            .collect();
        let number = number.to_string();
        let (files, dependencies) = (self.project.files.join(","), dependencies.join(","));
        let own = [
            (labels::SERVICE, service.name.as_str()),
            (labels::NUMBER, &number),
            (labels::ONE_OFF, "False"),
            (labels::COMPOSE_HASH, hash),
            (labels::HASH, hash),
            (labels::FILES, &files),
            (labels::DIRECTORY, &self.project.directory),
            (labels::DEPENDS_ON, &dependencies),
            (labels::IMAGE, image.unwrap_or_default()),
        ];
        let mut found = self.common();
        found.extend(own.map(|(name, value)| (name.to_owned(), value.to_owned())));
        found
    }

    /// Labels of everything.
    fn common(&self) -> HashMap<String, String> {
        let all = [
            (labels::PROJECT, self.project.name.as_str()),
            (labels::COMPOSE_VERSION, self.release),
            (labels::INSTANCE, self.instance.name.as_str()),
            (labels::RELEASE, self.release),
        ];
        all.map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into_iter()
            .collect()
    }

    fn network(&self, key: &str, network: &Network) -> WantedNetwork {
        let hash = digest(&serde_json::json!({
            "driver": network.driver, "internal": network.internal, "labels": network.labels,
        }));
        let mut all: HashMap<String, String> = network.labels.clone().into_iter().collect();
        all.extend(self.common());
        all.insert(labels::NETWORK.to_owned(), key.to_owned());
        all.insert(labels::HASH.to_owned(), hash.clone());
        let request = NetworkCreateRequest {
            name: network.name.clone(),
            driver: network.driver.clone(),
            internal: Some(network.internal),
            labels: Some(all),
            ..NetworkCreateRequest::default()
        };
        WantedNetwork {
            name: network.name.clone(),
            request: (!network.external).then_some(request),
            hash,
        }
    }

    fn volume(&self, key: &str, volume: &Volume) -> WantedVolume {
        let mut all: HashMap<String, String> = volume.labels.clone().into_iter().collect();
        all.extend(self.common());
        all.insert(labels::VOLUME.to_owned(), key.to_owned());
        all.insert(labels::LAYOUT.to_owned(), LAYOUT.to_string());
        let request = VolumeCreateRequest {
            name: Some(volume.name.clone()),
            driver: volume.driver.clone(),
            labels: Some(all),
            ..VolumeCreateRequest::default()
        };
        WantedVolume {
            name: volume.name.clone(),
            request: (!volume.external).then_some(request),
        }
    }
}

/// Whether another service waits for the end of this one.
fn is_one_shot(project: &Project, name: &str) -> bool {
    let waits = |service: &Service| {
        let dependency = service.depends_on.get(name);
        dependency.is_some_and(|d| d.condition == Condition::ServiceCompletedSuccessfully)
    };
    project.services.values().any(waits)
}

/// Hash over all that a container is created from but its image, which is compared by its id, and the labels that say who made it.
fn hash(body: &ContainerCreateBody, service: &Service) -> String {
    let body = ContainerCreateBody {
        image: None,
        ..body.clone()
    };
    let networks = &service.networks;
    digest(&serde_json::json!({
        "body": body, "configs": service.configs, "networks": networks, "platform": service.platform,
    }))
}

/// SHA-256 of a document whose keys are sorted.
fn digest(document: &serde_json::Value) -> String {
    hex(&Sha256::digest(document.to_string()))
}

#[cfg(test)]
mod tests;
