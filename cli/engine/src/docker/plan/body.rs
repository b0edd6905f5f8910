//! A service of the compose files as the body of the request that creates its container.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use bollard::models::{
    ContainerCreateBody, EndpointSettings, HealthConfig, HostConfig, HostConfigLogConfig,
    Mount as DockerMount, MountType, MountVolumeOptions, NetworkingConfig, PortBinding, ResourcesUlimits,
    RestartPolicy as DockerRestart, RestartPolicyNameEnum,
};

use super::upload;
use crate::compose::{Healthcheck, Logging, Mount, Project, RestartPolicy, Service};
use crate::docker::labels;

/// What a replica of a service is created from; labels that say who made it are not in it yet.
pub(in crate::docker) fn body(project: &Project, service: &Service, container: &str) -> ContainerCreateBody {
    let list = |values: &[String]| (!values.is_empty()).then(|| values.to_vec());
    let published = service
        .ports
        .iter()
        .map(|port| format!("{}/{}", port.target, port.protocol));
    let exposed = service
        .expose
        .iter()
        .map(|(port, protocol)| format!("{port}/{protocol}"));
    let mut exposed: Vec<String> = published.chain(exposed).collect();
    exposed.sort();
    exposed.dedup();
    ContainerCreateBody {
        hostname: service.hostname.clone(),
        user: service.user.clone(),
        exposed_ports: list(&exposed),
        env: Some(
            service
                .environment
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect(),
        ),
        cmd: service.command.clone(),
        entrypoint: service.entrypoint.clone(),
        healthcheck: service.healthcheck.as_ref().map(health),
        image: Some(service.image.clone()),
        working_dir: service.working_dir.clone(),
        labels: Some(service.labels.clone().into_iter().collect()),
        stop_signal: service.stop_signal.clone(),
        stop_timeout: service.stop_grace_period.map(whole_seconds),
        host_config: Some(host(project, service)),
        networking_config: networking(project, service, container),
        ..ContainerCreateBody::default()
    }
}

fn host(project: &Project, service: &Service) -> HostConfig {
    let list = |values: &[String]| (!values.is_empty()).then(|| values.to_vec());
    let bytes = |value: Option<u64>| value.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
    let resources = &service.resources;
    HostConfig {
        memory: bytes(resources.memory),
        memory_reservation: bytes(resources.memory_reservation),
        nano_cpus: bytes(resources.nano_cpus),
        pids_limit: resources.pids,
        init: service.init,
        ulimits: ulimits(service),
        log_config: service.logging.as_ref().map(logging),
        network_mode: first_network(project, service),
        port_bindings: ports(service),
        restart_policy: Some(restart(service.restart)),
        mounts: Some(mounts(project, service)),
        tmpfs: memory_file_systems(service),
        cap_add: list(&service.cap_add),
        cap_drop: list(&service.cap_drop),
        extra_hosts: list(&service.extra_hosts),
        group_add: list(&service.group_add),
        readonly_rootfs: Some(service.read_only),
        security_opt: list(&service.security_opt),
        shm_size: bytes(service.shm_size),
        sysctls: map(&service.sysctls),
        ..HostConfig::default()
    }
}

fn map(values: &BTreeMap<String, String>) -> Option<HashMap<String, String>> {
    (!values.is_empty()).then(|| values.clone().into_iter().collect())
}

fn health(check: &Healthcheck) -> HealthConfig {
    let nanos = |time: Option<Duration>| time.map(|time| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX));
    HealthConfig {
        test: check.test.clone(),
        interval: nanos(check.interval),
        timeout: nanos(check.timeout),
        retries: check.retries.map(i64::from),
        start_period: nanos(check.start_period),
        start_interval: nanos(check.start_interval),
    }
}

fn ulimits(service: &Service) -> Option<Vec<ResourcesUlimits>> {
    let one = |(name, limit): (&String, &crate::compose::Ulimit)| ResourcesUlimits {
        name: Some(name.clone()),
        soft: Some(limit.soft),
        hard: Some(limit.hard),
    };
    (!service.ulimits.is_empty()).then(|| service.ulimits.iter().map(one).collect())
}

fn logging(logging: &Logging) -> HostConfigLogConfig {
    HostConfigLogConfig {
        typ: logging.driver.clone(),
        config: map(&logging.options),
    }
}

fn restart(policy: RestartPolicy) -> DockerRestart {
    let (name, count) = match policy {
        RestartPolicy::No => (RestartPolicyNameEnum::NO, None),
        RestartPolicy::Always => (RestartPolicyNameEnum::ALWAYS, None),
        RestartPolicy::UnlessStopped => (RestartPolicyNameEnum::UNLESS_STOPPED, None),
        RestartPolicy::OnFailure(count) => (RestartPolicyNameEnum::ON_FAILURE, count),
    };
    DockerRestart {
        name: Some(name),
        maximum_retry_count: count.map(i64::from),
    }
}

fn ports(service: &Service) -> Option<HashMap<String, Option<Vec<PortBinding>>>> {
    let mut bindings: HashMap<String, Option<Vec<PortBinding>>> = HashMap::new();
    for port in &service.ports {
        let binding = PortBinding {
            host_ip: port.host_ip.map(|ip| ip.to_string()),
            host_port: Some(port.published.map(|port| port.to_string()).unwrap_or_default()),
        };
        let key = format!("{}/{}", port.target, port.protocol);
        bindings
            .entry(key)
            .or_default()
            .get_or_insert_default()
            .push(binding);
    }
    (!bindings.is_empty()).then_some(bindings)
}

/// Volumes of the service, and an anonymous one for each directory that configuration files are uploaded into.
fn mounts(project: &Project, service: &Service) -> Vec<DockerMount> {
    let anonymous = |purpose: Option<&str>| {
        let mut found = HashMap::from([(labels::PROJECT.to_owned(), project.name.clone())]);
        found.extend(purpose.map(|purpose| (purpose.to_owned(), service.name.clone())));
        Some(found)
    };
    let volumes = service.mounts.iter().filter_map(|mount| match mount {
        Mount::Volume {
            source,
            target,
            read_only,
            no_copy,
        } => Some(DockerMount {
            typ: Some(MountType::VOLUME),
            source: source.as_ref().map(|source| volume_name(project, source)),
            target: Some(target.clone()),
            read_only: Some(*read_only),
            volume_options: Some(MountVolumeOptions {
                no_copy: Some(*no_copy),
                labels: if source.is_none() { anonymous(None) } else { None },
                ..MountVolumeOptions::default()
            }),
            ..DockerMount::default()
        }),
        Mount::Tmpfs { .. } => None,
    });
    let configs = upload::volumes(service).into_iter().map(|directory| DockerMount {
        typ: Some(MountType::VOLUME),
        target: Some(directory),
        volume_options: Some(MountVolumeOptions {
            labels: anonymous(Some(labels::CONFIGS)),
            ..MountVolumeOptions::default()
        }),
        ..DockerMount::default()
    });
    volumes.chain(configs).collect()
}

fn volume_name(project: &Project, source: &str) -> String {
    project
        .volumes
        .get(source)
        .map_or_else(|| source.to_owned(), |volume| volume.name.clone())
}

fn memory_file_systems(service: &Service) -> Option<HashMap<String, String>> {
    let found: HashMap<String, String> = service
        .mounts
        .iter()
        .filter_map(|mount| match mount {
            Mount::Tmpfs { target, options } => Some((target.clone(), options.clone())),
            Mount::Volume { .. } => None,
        })
        .collect();
    (!found.is_empty()).then_some(found)
}

/// Names in the engine of the networks that a service is attached to, the first one first.
pub(in crate::docker) fn networks(project: &Project, service: &Service) -> Vec<String> {
    let name = |key: &String| {
        project
            .networks
            .get(key)
            .map_or_else(|| key.clone(), |network| network.name.clone())
    };
    service.networks.keys().map(name).collect()
}

fn first_network(project: &Project, service: &Service) -> Option<String> {
    networks(project, service).into_iter().next()
}

/// Attaches to the first network. Engines before API 1.44 take no more than one here; to further ones it is attached before it starts.
fn networking(project: &Project, service: &Service, container: &str) -> Option<NetworkingConfig> {
    let (network, (key, _)) = networks(project, service)
        .into_iter()
        .zip(&service.networks)
        .next()?;
    Some(NetworkingConfig {
        endpoints_config: Some(HashMap::from([(network, endpoint(service, key, container))])),
    })
}

/// How a service is attached to a network: under its own name, that of the container, and its aliases.
pub(in crate::docker) fn endpoint(service: &Service, network: &str, container: &str) -> EndpointSettings {
    let further = service
        .networks
        .get(network)
        .map(|attachment| attachment.aliases.clone())
        .unwrap_or_default();
    let mut aliases = vec![container.to_owned(), service.name.clone()];
    aliases.extend(further);
    EndpointSettings {
        aliases: Some(aliases),
        ..EndpointSettings::default()
    }
}

/// Seconds, never fewer than the time given.
pub(in crate::docker) fn whole_seconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis().div_ceil(1_000)).unwrap_or(i64::MAX)
}
