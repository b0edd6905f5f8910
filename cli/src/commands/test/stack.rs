//! The instance under test as its engine has it: what can be reached of it, and what can be done to it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use odd_client::HttpOptions;
use odd_contracts::Role;
use odd_engine::docker::{self, Plan, StackFile, StackStatus};
use odd_engine::embedded;
use odd_engine::kubernetes::{self, ClusterFile};
use odd_engine::{EngineError, Instance};

use super::prometheus::Prometheus;
use crate::context::Context;
use crate::engine::Engine;
use crate::error::Error;
use crate::pages;

/// Name of Prometheus among the services of a stack.
const PROMETHEUS: &str = "prometheus";
/// Time that a role has to finish its work before it is killed.
const GRACE: Duration = Duration::from_secs(10);
/// Time that it has to become ready again.
const START: Duration = Duration::from_secs(60);
/// Time that one request to Prometheus may take.
const REQUEST: Duration = Duration::from_secs(10);

/// The instance under test as its engine has it.
pub(super) struct Stack {
    instance: Instance,
    docker: Option<Docker>,
    /// Where it is, if that is a cluster: only what is forwarded can be called there.
    cluster: Option<InCluster>,
    /// Roles that were stopped and not started again.
    stopped: Mutex<BTreeSet<Role>>,
}

struct Docker {
    file: StackFile,
    prometheus: Option<Prometheus>,
}

struct InCluster {
    file: ClusterFile,
    prometheus: Option<Prometheus>,
}

impl Stack {
    /// What runs under the name of the instance; the embedded engine where nothing does.
    pub(super) fn of(context: &Context) -> Result<Self, Error> {
        let docker = match context.stack() {
            Some(file) if context.process().is_none() => Some(Docker::new(context, file.clone())?),
            _ => None,
        };
        let file = context
            .cluster()
            .filter(|file| file.up && context.engine() == Engine::Kubernetes);
        let cluster = file
            .map(|file| InCluster::new(context, file.clone()))
            .transpose()?;
        Ok(Self {
            instance: context.instance.clone(),
            docker,
            cluster,
            stopped: Mutex::default(),
        })
    }

    /// What it runs on.
    pub(super) const fn engine(&self) -> Engine {
        match self.docker {
            Some(_) => Engine::Docker,
            None if self.cluster.is_some() => Engine::Kubernetes,
            None => Engine::Embedded,
        }
    }

    /// Whether the role has a port on this machine.
    pub(super) fn publishes(&self, role: Role) -> bool {
        let file = self.docker.as_ref().map(|docker| &docker.file);
        match file {
            Some(file) => file.ports.contains_key(role.name()),
            None => self.cluster.is_none() || role.is_public(),
        }
    }

    /// Port on this machine of a service of the stack, such as `alertmanager`.
    pub(super) fn port(&self, service: &str) -> Option<u16> {
        self.docker.as_ref()?.file.ports.get(service).copied()
    }

    /// The instance.
    pub(super) const fn instance(&self) -> &Instance {
        &self.instance
    }

    /// What would have to be done for the stack to be as it was asked for; none where it does not run in containers.
    pub(super) async fn plan(&self, project_dir: Option<PathBuf>) -> Option<Result<Plan, String>> {
        let file = &self.docker.as_ref()?.file;
        let options = docker::UpOptions {
            program: std::env::current_exe().unwrap_or_default(),
            project_dir,
            offline: file.offline,
            build: false,
            profiles: file.profiles.clone(),
            scale: file.scale.clone(),
            wait_timeout: START,
            dry_run: true,
        };
        let planned = docker::up(&self.instance, &options, |_| {}).await;
        Some(planned.map(|up| up.plan).map_err(chain))
    }

    /// Whether there is a Prometheus that can be asked.
    pub(super) fn has_prometheus(&self) -> bool {
        self.prometheus().is_ok()
    }

    /// The Prometheus of the stack.
    pub(super) fn prometheus(&self) -> Result<&Prometheus, String> {
        let of_stack = self.docker.as_ref().and_then(|docker| docker.prometheus.as_ref());
        let of_cluster = self
            .cluster
            .as_ref()
            .and_then(|cluster| cluster.prometheus.as_ref());
        let prometheus = of_stack.or(of_cluster);
        prometheus.ok_or_else(|| "the instance has no Prometheus that can be reached from here".to_owned())
    }

    /// The containers of each service that run, or the pods of each part of a cluster.
    pub(super) async fn running(&self) -> Result<BTreeMap<String, usize>, String> {
        if let Some(cluster) = &self.cluster {
            let status = kubernetes::status(&self.instance, &cluster.file)
                .await
                .map_err(chain)?;
            let parts = status.parts.into_iter();
            return Ok(parts.map(|part| (part.object.name, part.pods.len())).collect());
        }
        let status: StackStatus = docker::status(&self.instance).await.map_err(chain)?;
        let mut running = BTreeMap::new();
        for container in status
            .containers
            .iter()
            .filter(|container| container.state == "running")
        {
            *running.entry(container.service.clone()).or_default() += 1;
        }
        Ok(running)
    }

    /// Stops every container of a role. Whoever does so starts it again; [`Stack::mend`] does where that was not possible.
    pub(super) async fn stop(&self, role: Role) -> Result<(), String> {
        self.stopped().insert(role);
        let services = [role.name().to_owned()];
        docker::stop(&self.instance, &services, GRACE)
            .await
            .map_err(chain)
    }

    /// Starts what [`Stack::stop`] stopped, and waits until it is healthy.
    pub(super) async fn start(&self, role: Role) -> Result<(), String> {
        self.restart(role).await?;
        self.stopped().remove(&role);
        Ok(())
    }

    /// Ends every container of a role and starts it again, or replaces its pods, and waits until it is healthy.
    pub(super) async fn restart(&self, role: Role) -> Result<(), String> {
        let services = [role.name().to_owned()];
        if let Some(cluster) = &self.cluster {
            let restarted =
                kubernetes::restart(&self.instance, &cluster.file, &services, START, &|_| {}).await;
            return restarted.map(drop).map_err(chain);
        }
        let restarted = docker::restart(&self.instance, &services, START, |_| {}).await;
        restarted.map(drop).map_err(chain)
    }

    /// Ends the one process of the embedded engine and starts it again, and waits until it is ready.
    pub(super) async fn restart_process(&self) -> Result<(), String> {
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let down = embedded::DownOptions {
            deadline: GRACE,
            volumes: false,
        };
        embedded::down(&self.instance, &down, |_| {})
            .await
            .map_err(chain)?;
        let up = embedded::UpOptions {
            program,
            deadline: START,
        };
        embedded::up(&self.instance, &up, |_| {})
            .await
            .map(drop)
            .map_err(chain)
    }

    /// Starts again what a check stopped and could not start.
    pub(super) async fn mend(&self) -> Result<(), String> {
        let stopped: Vec<Role> = self.stopped().iter().copied().collect();
        for role in stopped {
            self.start(role).await?;
        }
        Ok(())
    }

    fn stopped(&self) -> std::sync::MutexGuard<'_, BTreeSet<Role>> {
        self.stopped.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Docker {
    fn new(context: &Context, file: StackFile) -> Result<Self, Error> {
        let port = file.ports.get(PROMETHEUS).copied();
        Ok(Self {
            prometheus: prometheus_at(context, port)?,
            file,
        })
    }
}

impl InCluster {
    fn new(context: &Context, file: ClusterFile) -> Result<Self, Error> {
        let forwarded = pages::further_services(file.tools);
        let port = forwarded.get(PROMETHEUS);
        let port = port.and_then(|port| port.checked_add(file.port_offset));
        Ok(Self {
            prometheus: prometheus_at(context, port)?,
            file,
        })
    }
}

fn prometheus_at(context: &Context, port: Option<u16>) -> Result<Option<Prometheus>, Error> {
    let options = HttpOptions {
        timeout: REQUEST,
        ..HttpOptions::default()
    };
    let client = |port| Prometheus::new(&format!("http://127.0.0.1:{port}"), options);
    let client = port.map(client).transpose();
    client.map_err(|error| context.client_error("speak to Prometheus", error))
}

/// An error of an engine with its causes, in one line.
pub(super) fn chain(error: EngineError) -> String {
    let chain: Vec<String> = anyhow::Error::new(error)
        .chain()
        .map(ToString::to_string)
        .collect();
    chain.join(": ")
}
