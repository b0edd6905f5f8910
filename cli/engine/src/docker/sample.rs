//! Pieces of projects for unit tests.

use std::collections::BTreeMap;

use crate::compose::{
    Condition, Dependency, Environment, Network, NetworkAttachment, Project, Resources, RestartPolicy,
    Service,
};

/// A service of which nothing is said but its name and image.
pub(super) fn service(name: &str) -> Service {
    Service {
        name: name.to_owned(),
        replicas: 1,
        image: format!("{name}:1"),
        build: None,
        platform: None,
        command: None,
        entrypoint: None,
        environment: Environment::default(),
        ports: Vec::new(),
        expose: Vec::new(),
        mounts: Vec::new(),
        configs: Vec::new(),
        depends_on: BTreeMap::new(),
        healthcheck: None,
        resources: Resources::default(),
        user: None,
        working_dir: None,
        read_only: false,
        cap_add: Vec::new(),
        cap_drop: Vec::new(),
        security_opt: Vec::new(),
        group_add: Vec::new(),
        init: None,
        restart: RestartPolicy::No,
        stop_signal: None,
        stop_grace_period: None,
        ulimits: BTreeMap::new(),
        sysctls: BTreeMap::new(),
        hostname: None,
        extra_hosts: Vec::new(),
        labels: BTreeMap::new(),
        profiles: Vec::new(),
        networks: BTreeMap::from([("default".to_owned(), NetworkAttachment::default())]),
        shm_size: None,
        logging: None,
    }
}

/// That a service waits until another is as `condition` says.
pub(super) fn dependency(condition: Condition) -> Dependency {
    Dependency {
        condition,
        restart: false,
        required: true,
    }
}

/// A project `odd-t` with these services on one network.
pub(super) fn project(services: Vec<Service>) -> Project {
    Project {
        name: "odd-t".to_owned(),
        services: services
            .into_iter()
            .map(|service| (service.name.clone(), service))
            .collect(),
        networks: BTreeMap::from([(
            "default".to_owned(),
            Network {
                name: "odd-t_default".to_owned(),
                ..Network::default()
            },
        )]),
        ..Project::default()
    }
}
