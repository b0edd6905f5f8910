//! What of a stack is there, and how it is.

use bollard::Docker;
use bollard::models::ContainerInspectResponse;
use bollard::query_parameters::InspectContainerOptions;
use odd_contracts::Timestamp;
use serde::Serialize;

use super::apply::check::{self, Command};
use super::error::call::{refused, status as status_of};
use super::plan::present::{self, Container};
use super::{DockerError, StackFile, host, project_name};
use crate::error::EngineError;
use crate::instance::Instance;

/// A stack as the engine has it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StackStatus {
    /// What was started, where a stack file tells.
    pub stack: Option<StackFile>,
    /// Its containers, by service and number.
    pub containers: Vec<ContainerStatus>,
    /// Containers under its name that `odd` did not make.
    pub orphans: Vec<String>,
}

impl StackStatus {
    /// Names of containers that were made and are not there: somebody else removed them.
    pub fn missing(&self) -> impl Iterator<Item = &str> {
        let made = self.stack.iter().flat_map(|stack| &stack.containers);
        made.map(String::as_str)
            .filter(|name| !self.containers.iter().any(|container| container.name == *name))
    }
}

/// A container as the engine has it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerStatus {
    /// Its service.
    pub service: String,
    /// Number of the replica, from 1.
    pub number: u32,
    /// Its name.
    pub name: String,
    /// Reference of its image.
    pub image: String,
    /// In the engine's words: `created`, `running`, `paused`, `restarting`, `removing`, `exited` or `dead`.
    pub state: String,
    /// In the engine's words: `starting`, `healthy` or `unhealthy`; absent where it has no health check or does not run.
    pub health: Option<String>,
    /// How often the engine started it again.
    pub restarts: u64,
    /// How it ended; absent while it runs.
    pub exit_code: Option<i64>,
    /// When it was started last.
    pub started_at: Option<Timestamp>,
    /// Ports on this machine.
    pub ports: Vec<u16>,
    /// What is the matter with it, in words; absent where nothing is.
    pub detail: Option<String>,
}

impl ContainerStatus {
    /// Whether it does what it shall: it runs and its health check passes (or it has none).
    pub fn is_well(&self) -> bool {
        self.state == "running" && self.health.as_deref().is_none_or(|health| health == "healthy")
    }
}

/// Looks at the stack of an instance. One that is not there has no containers.
///
/// # Errors
/// [`EngineError::Docker`] where the engine does not answer.
pub async fn status(instance: &Instance) -> Result<StackStatus, EngineError> {
    let stack = StackFile::of(instance)?;
    let engine = host::connect_for(instance).await?;
    let containers = present::containers(&engine.client, &project_name(instance)).await?;
    let (ours, others): (Vec<Container>, Vec<Container>) =
        containers.into_iter().partition(Container::is_ours);
    let looks = ours.iter().map(|container| look(&engine.client, container));
    let seen = futures::future::try_join_all(looks).await?;
    Ok(StackStatus {
        stack,
        // Those that were removed since the list was made are not there.
        containers: seen.into_iter().flatten().collect(),
        orphans: others.into_iter().map(|container| container.name).collect(),
    })
}

async fn look(client: &Docker, container: &Container) -> Result<Option<ContainerStatus>, DockerError> {
    match client
        .inspect_container(&container.id, None::<InspectContainerOptions>)
        .await
    {
        Ok(seen) => Ok(Some(describe(client, container, seen).await)),
        Err(error) if status_of(&error) == Some(404) => Ok(None),
        Err(error) => Err(refused(format!("look at {}", container.name), &error)),
    }
}

async fn describe(client: &Docker, container: &Container, seen: ContainerInspectResponse) -> ContainerStatus {
    let own_check = seen
        .config
        .as_ref()
        .and_then(|config| config.healthcheck.as_ref())
        .and_then(Command::of);
    let state = seen.state.unwrap_or_default();
    let word = state.status.map(|status| status.to_string()).unwrap_or_default();
    let runs = matches!(word.as_str(), "running" | "paused");
    let health = state.health.as_ref().filter(|_| runs);
    let asked = health
        .and_then(|health| health.status)
        .map(|status| status.to_string());
    let mut asked = asked.filter(|text| !text.is_empty() && text != "none");
    let mut says = health.and_then(last_failure);
    let in_doubt = word == "running" && matches!(asked.as_deref(), Some("starting" | "unhealthy"));
    if let Some(command) = own_check.filter(|_| in_doubt) {
        // The engine asks rarely, so that what it knows may be old.
        match command.run(client, &container.id).await {
            check::Outcome::Passed => asked = Some("healthy".to_owned()),
            check::Outcome::Failed(output) => says = Some(output),
        }
    }
    let exit_code = state
        .exit_code
        .filter(|_| matches!(word.as_str(), "exited" | "dead" | "restarting"));
    let restarts = u64::try_from(seen.restart_count.unwrap_or_default()).unwrap_or_default();
    let detail = match (word.as_str(), asked.as_deref()) {
        ("running", None | Some("healthy")) => None,
        ("running", Some(health)) => {
            Some(says.map_or_else(|| health.to_owned(), |says| format!("{health}: {says}")))
        }
        ("exited" | "dead" | "restarting", _) => {
            Some(end(state.oom_killed, exit_code, state.error.as_deref()))
        }
        _ => None,
    };
    ContainerStatus {
        service: container.service().to_owned(),
        number: container.number(),
        name: container.name.clone(),
        image: container.image.clone(),
        state: word,
        health: asked,
        restarts,
        exit_code,
        // The year 1 stands for never.
        started_at: state.started_at.and_then(|text| text.parse().ok()),
        ports: container.ports.iter().copied().collect(),
        detail,
    }
}

fn last_failure(health: &bollard::models::Health) -> Option<String> {
    let last = health.log.as_ref()?.last()?;
    let failed = last.exit_code != Some(0);
    last.output.as_deref().filter(|_| failed).and_then(check::shown)
}

fn end(out_of_memory: Option<bool>, code: Option<i64>, error: Option<&str>) -> String {
    match (out_of_memory, error.filter(|error| !error.is_empty())) {
        (Some(true), _) => "killed for want of memory".to_owned(),
        (_, Some(error)) => error.to_owned(),
        _ => format!("exit code {}", code.unwrap_or_default()),
    }
}
