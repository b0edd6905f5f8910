//! Stopping services of a stack that goes on without them.

use std::time::Duration;

use super::apply::teardown::{self, Leave};
use super::event::reporter::{Progress, Reporter};
use super::plan::present::{self, Container};
use super::{DockerError, Event, host, project_name};
use crate::error::EngineError;
use crate::instance::Instance;

/// Stops the containers of these services and leaves them, stopped, where they are: [`super::restart`] starts them again. Each has
/// `grace` to end by itself before it is killed.
///
/// # Errors
/// [`EngineError::Docker`].
pub async fn stop(instance: &Instance, services: &[String], grace: Duration) -> Result<(), EngineError> {
    let engine = host::connect_for(instance).await?;
    let containers = present::containers(&engine.client, &project_name(instance)).await?;
    let chosen = choose(instance, &containers, services)?;
    let progress = Progress::new(|_: Event| {});
    teardown::take_down(
        &engine.client,
        &chosen,
        Some(grace),
        Leave::Stopped,
        Reporter::new(&progress),
    )
    .await?;
    Ok(())
}

/// The containers of these services; of all of them where none is named.
///
/// # Errors
/// [`DockerError::NoStack`] where there is nothing, [`DockerError::UnknownService`] for a service that has no container.
pub(super) fn choose<'c>(
    instance: &Instance,
    containers: &'c [Container],
    services: &[String],
) -> Result<Vec<&'c Container>, DockerError> {
    if containers.is_empty() {
        return Err(DockerError::NoStack {
            project: project_name(instance),
        });
    }
    let has = |service: &&String| {
        containers
            .iter()
            .any(|container| container.service() == **service)
    };
    if let Some(unknown) = services.iter().find(|service| !has(service)) {
        let mut known: Vec<String> = containers
            .iter()
            .map(|container| container.service().to_owned())
            .collect();
        known.dedup();
        return Err(DockerError::UnknownService {
            service: unknown.clone(),
            services: known,
        });
    }
    let is_asked =
        |container: &&Container| services.is_empty() || services.iter().any(|s| s == container.service());
    Ok(containers.iter().filter(is_asked).collect())
}
