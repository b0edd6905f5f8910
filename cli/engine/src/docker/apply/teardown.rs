//! Stopping and removing containers, those that depend on others first, and networks.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bollard::Docker;
use bollard::query_parameters::{
    InspectContainerOptions, InspectNetworkOptions, RemoveContainerOptionsBuilder,
    StopContainerOptionsBuilder,
};
use tokio::sync::watch;

use crate::docker::error::DockerError;
use crate::docker::error::call::{self, Asked, reason, status, unless_gone};
use crate::docker::event::ContainerState;
use crate::docker::event::reporter::Reporter;
use crate::docker::plan::body::whole_seconds;
use crate::docker::plan::present::{Container, State, Thing};

/// Time that the engine has to remove a container that has ended.
const REMOVAL: Duration = Duration::from_secs(30);
/// How often a container that is being removed is looked at.
const POLL: Duration = Duration::from_millis(25);
/// Time that the last endpoint of a network may take to vanish.
const NETWORK_PATIENCE: Duration = Duration::from_secs(5);
/// How often a network is looked at.
const NETWORK_POLL: Duration = Duration::from_millis(50);
/// Exit code of a killed process.
const KILLED: i64 = 137;

/// What shall be left of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::docker) enum Leave {
    /// Nothing, nor its anonymous volumes.
    Nothing,
    /// The container, stopped.
    Stopped,
}

/// Stops containers, and removes them where nothing shall be left. Each goes as soon as all of them that depend on it are gone. `grace` is
/// the time that each has to end by itself; its own where absent. Tells which ones had to be killed.
///
/// # Errors
/// The first that did not go; the others are gone by then, or were tried.
pub(in crate::docker) async fn take_down(
    client: &Docker,
    containers: &[&Container],
    grace: Option<Duration>,
    leave: Leave,
    reporter: Reporter<'_>,
) -> Result<Vec<String>, DockerError> {
    let names: BTreeSet<String> = containers
        .iter()
        .map(|container| container.name.clone())
        .collect();
    let (remaining, _) = watch::channel(names);
    let killed = Mutex::new(Vec::new());
    let one = |container: &Container| {
        let (container, remaining, killed) = (container.clone(), &remaining, &killed);
        async move {
            let before = dependents(&container, containers);
            let mut changes = remaining.subscribe();
            // The sender lives as long as this does.
            let _ = changes
                .wait_for(|left| before.iter().all(|name| !left.contains(name)))
                .await;
            let gone = take_one(client, &container, grace, leave, reporter).await;
            remaining.send_modify(|left| {
                left.remove(&container.name);
            });
            if gone? {
                killed
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(container.name);
            }
            Ok::<_, DockerError>(())
        }
    };
    let results = futures::future::join_all(containers.iter().map(|container| one(container))).await;
    for result in results {
        result?;
    }
    let mut killed = killed.into_inner().unwrap_or_else(PoisonError::into_inner);
    killed.sort();
    Ok(killed)
}

/// Names of the containers that wait, directly, for the service of this one. A circle, which the files cannot have, is nobody's dependency.
fn dependents(container: &Container, all: &[&Container]) -> Vec<String> {
    let waits = |other: &&&Container| {
        other.service() != container.service()
            && other
                .dependencies()
                .iter()
                .any(|name| name == container.service())
    };
    let circular = |other: &&&Container| {
        container
            .dependencies()
            .iter()
            .any(|name| name == other.service())
    };
    all.iter()
        .filter(waits)
        .filter(|other| !circular(other))
        .map(|other| other.name.clone())
        .collect()
}

async fn take_one(
    client: &Docker,
    container: &Container,
    grace: Option<Duration>,
    leave: Leave,
    reporter: Reporter<'_>,
) -> Result<bool, DockerError> {
    let (service, name) = (container.service(), container.name.as_str());
    let begin = Instant::now();
    let mut killed = false;
    if matches!(
        container.state,
        State::Running | State::Paused | State::Restarting
    ) {
        reporter.container(service, name, ContainerState::Stopping, None);
        killed = stop(client, container, grace).await?;
    }
    if leave == Leave::Nothing {
        remove(client, &container.id, name).await?;
        reporter.container(service, name, ContainerState::Removed, Some(begin.elapsed()));
    }
    Ok(killed)
}

/// Asks a container to end, and kills it after its time. Tells whether it was killed.
async fn stop(client: &Docker, container: &Container, grace: Option<Duration>) -> Result<bool, DockerError> {
    let (id, name) = (&container.id, &container.name);
    let action = || format!("stop {name}");
    if container.state == State::Paused {
        // What is stopped in its tracks cannot end by itself. That it was let go meanwhile is as well.
        let _ = client.unpause_container(id).await;
    }
    let seconds = grace.map(|grace| i32::try_from(whole_seconds(grace)).unwrap_or(i32::MAX));
    let options = seconds.map(|seconds| StopContainerOptionsBuilder::new().t(seconds).build());
    match client.stop_container(id, options).await {
        Err(error) if status(&error) == Some(404) => return Ok(false),
        other => other.asked(action())?,
    }
    match client
        .inspect_container(id, None::<InspectContainerOptions>)
        .await
    {
        Ok(seen) => {
            let state = seen.state.unwrap_or_default();
            Ok(state.exit_code == Some(KILLED) && state.oom_killed != Some(true))
        }
        Err(error) if status(&error) == Some(404) => Ok(false),
        Err(error) => Err(call::refused(action(), &error)),
    }
}

/// Removes a container, also one that runs, and its anonymous volumes. Waits for whoever else removes it.
pub(in crate::docker) async fn remove(client: &Docker, id: &str, name: &str) -> Result<(), DockerError> {
    let deadline = Instant::now() + REMOVAL;
    loop {
        let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        let removed = unless_gone(client.remove_container(id, Some(options)).await);
        let Err(error) = removed else { return Ok(()) };
        // 409: it is being removed; 500: its file system was still in use for a moment.
        let again = matches!(status(&error), Some(409 | 500)) && !call::is_disk_full(&reason(&error));
        if !again || Instant::now() >= deadline {
            return Err(call::refused(format!("remove {name}"), &error));
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Removes a network. The engine may take a moment to note that nobody is attached any more.
pub(in crate::docker) async fn remove_network(client: &Docker, network: &Thing) -> Result<(), DockerError> {
    let deadline = Instant::now() + NETWORK_PATIENCE;
    loop {
        let Err(error) = unless_gone(client.remove_network(&network.id).await) else {
            return Ok(());
        };
        let attached = attached(client, network).await;
        let in_use = matches!(status(&error), Some(403 | 409)) || reason(&error).contains("active endpoints");
        if !in_use || (attached.is_empty() && Instant::now() >= deadline) {
            return Err(call::refused(
                format!("remove the network {}", network.name),
                &error,
            ));
        }
        if !attached.is_empty() && Instant::now() >= deadline - NETWORK_PATIENCE * 4 / 5 {
            return Err(DockerError::NetworkInUse {
                network: network.name.clone(),
                containers: attached,
            });
        }
        tokio::time::sleep(NETWORK_POLL).await;
    }
}

async fn attached(client: &Docker, network: &Thing) -> Vec<String> {
    let seen = client
        .inspect_network(&network.id, None::<InspectNetworkOptions>)
        .await;
    let containers = seen.ok().and_then(|seen| seen.containers).unwrap_or_default();
    let mut names: Vec<String> = containers
        .into_values()
        .filter_map(|endpoint| endpoint.name)
        .collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::docker::labels;

    fn container(service: &str, depends_on: &str) -> Container {
        Container {
            id: service.to_owned(),
            name: format!("odd-t-{service}-1"),
            image: String::new(),
            image_id: String::new(),
            labels: BTreeMap::from([
                (labels::SERVICE.to_owned(), service.to_owned()),
                (labels::DEPENDS_ON.to_owned(), depends_on.to_owned()),
            ]),
            state: State::Running,
            status: String::new(),
            ports: BTreeSet::new(),
            volumes: Vec::new(),
            networks: Vec::new(),
        }
    }

    #[test]
    fn what_depends_on_others_goes_first() {
        let (db, web, top) = (
            container("db", ""),
            container("web", "db:service_healthy:false"),
            container("top", "web:service_started:false,db:service_started:false"),
        );
        let all = [&db, &web, &top];
        assert_eq!(dependents(&db, &all), ["odd-t-web-1", "odd-t-top-1"]);
        assert_eq!(dependents(&web, &all), ["odd-t-top-1"]);
        assert!(dependents(&top, &all).is_empty());
    }

    #[test]
    fn labels_that_make_a_circle_do_not_block() {
        let (a, b) = (container("a", "b:x:false"), container("b", "a:x:false"));
        assert!(dependents(&a, &[&a, &b]).is_empty());
        assert!(dependents(&b, &[&a, &b]).is_empty());
    }
}
