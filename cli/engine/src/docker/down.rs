//! Removing a stack.

use std::time::{Duration, Instant};

use bollard::Docker;
use bollard::query_parameters::RemoveVolumeOptionsBuilder;

use super::apply::teardown::{self, Leave};
use super::error::call::{self, unless_gone};
use super::event::reporter::{Progress, Reporter};
use super::host::{self, Engine};
use super::plan::present::{self, Container, Thing};
use super::{Credentials, DockerError, DownOptions, Event, StackFile, labels, project_name};
use crate::embedded;
use crate::error::{EngineError, IoContext};
use crate::instance::Instance;
use crate::lock::InstanceLock;
use crate::state::{ProcessFile, remove_if_there};

/// Time that another command may take.
const LOCK_PATIENCE: Duration = Duration::from_secs(120);
/// How often it is looked whether a container appeared while others were removed.
const ROUNDS: usize = 3;

/// What removing came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Down {
    /// Whether anything of the stack was there.
    pub was_running: bool,
    /// Containers that were removed.
    pub containers: Vec<String>,
    /// Volumes that were removed.
    pub volumes: Vec<String>,
    /// Containers that did not end in time and were killed.
    pub killed: Vec<String>,
    /// Time it took.
    pub took: Duration,
}

/// Stops and removes every container and network of the instance, found by their labels; with `volumes` also its data. Doing it again
/// changes nothing.
///
/// # Errors
/// [`EngineError::Docker`], [`EngineError::Busy`] and [`EngineError::Io`]. What could be removed is removed.
pub async fn down(
    instance: &Instance,
    options: &DownOptions,
    mut progress: impl FnMut(Event) + Send,
) -> Result<Down, EngineError> {
    let begin = Instant::now();
    let _lock = InstanceLock::take(instance, LOCK_PATIENCE, || progress(Event::WaitingForOther)).await?;
    let engine = match host::connect_for(instance).await {
        Ok(engine) => engine,
        // Where no engine answers and none was ever used, there is nothing to remove.
        Err(EngineError::Docker(_)) if is_unknown(instance) => return Ok(Down::default()),
        Err(error) => return Err(error),
    };
    let progress = Progress::new(progress);
    let reporter = Reporter::new(&progress);
    let mut done = remove_all(&engine, instance, options, reporter).await?;
    StackFile::remove(instance)?;
    if options.volumes {
        remove_directory(instance)?;
    }
    done.took = begin.elapsed();
    Ok(done)
}

/// Whether no stack was ever started for an instance from this machine.
fn is_unknown(instance: &Instance) -> bool {
    !instance.stack_file().exists() && !Credentials::file(instance).exists()
}

async fn remove_all(
    engine: &Engine,
    instance: &Instance,
    options: &DownOptions,
    reporter: Reporter<'_>,
) -> Result<Down, DockerError> {
    let client = &engine.client;
    let project = project_name(instance);
    let mut containers = Vec::new();
    let mut killed = Vec::new();
    // Again where one appears meanwhile: a request of an `up` that was given up may still be carried out.
    for _ in 0..ROUNDS {
        let there = present::containers(client, &project).await?;
        if there.is_empty() {
            break;
        }
        let all: Vec<&Container> = there.iter().collect();
        killed.extend(
            teardown::take_down(client, &all, Some(options.deadline), Leave::Nothing, reporter).await?,
        );
        containers.extend(there);
    }
    let networks = present::networks(client).await?;
    let networks: Vec<Thing> = networks
        .into_iter()
        .filter(|network| network.is_of(&project))
        .collect();
    let detached = remove_networks(client, &networks, reporter).await;
    // Looked at now, since anonymous volumes went with their containers.
    let volumes = present::volumes(client).await?;
    let old: Vec<&Thing> = volumes
        .iter()
        .filter(|volume| volume.is_of(&project) && (options.volumes || is_left_over(volume)))
        .collect();
    let removed = remove_volumes(client, &old, reporter).await?;
    detached?;
    Ok(Down {
        was_running: !containers.is_empty() || !networks.is_empty(),
        containers: containers.into_iter().map(|container| container.name).collect(),
        volumes: removed,
        killed,
        took: Duration::ZERO,
    })
}

/// Whether a volume has no data: it carried configuration files into a container that is gone.
fn is_left_over(volume: &Thing) -> bool {
    volume.labels.contains_key(labels::CONFIGS)
}

async fn remove_networks(
    client: &Docker,
    networks: &[Thing],
    reporter: Reporter<'_>,
) -> Result<(), DockerError> {
    let mut first_error = Ok(());
    for network in networks {
        match teardown::remove_network(client, network).await {
            Ok(()) => reporter.tell(Event::Network {
                name: network.name.clone(),
                removed: true,
            }),
            Err(error) => {
                if let DockerError::NetworkInUse { network, containers } = &error {
                    let who = containers.join(", ");
                    reporter.notice(format!(
                        "the network {network} stays: {who} attached, and not of this instance"
                    ));
                }
                first_error = first_error.and(Err(error));
            }
        }
    }
    first_error
}

async fn remove_volumes(
    client: &Docker,
    volumes: &[&Thing],
    reporter: Reporter<'_>,
) -> Result<Vec<String>, DockerError> {
    let one = |volume: &Thing| {
        let name = volume.name.clone();
        async move {
            let options = RemoveVolumeOptionsBuilder::new().build();
            let removed = unless_gone(client.remove_volume(&name, Some(options)).await);
            removed.map_err(|error| call::refused(format!("remove the volume {name}"), &error))?;
            reporter.tell(Event::Volume {
                name: name.clone(),
                removed: true,
            });
            Ok::<_, DockerError>(name)
        }
    };
    let results = futures::future::join_all(volumes.iter().map(|volume| one(volume))).await;
    results.into_iter().collect()
}

/// The directory of the instance; only what belongs to this engine where another one runs in it.
fn remove_directory(instance: &Instance) -> Result<(), EngineError> {
    let path = instance.process_file();
    let process = ProcessFile::read(&path).context("read the process file", &path)?;
    if process.is_some_and(|process| process.is_alive()) {
        let credentials = Credentials::file(instance);
        return remove_if_there(&credentials).context("remove", &credentials);
    }
    embedded::remove_data(instance).map(drop)
}
