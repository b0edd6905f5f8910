//! One container: made, filled, started when what it depends on is ready, and watched until it is well.

use std::time::Instant;

use bollard::body_full;
use bollard::errors::Error;
use bollard::models::{ContainerCreateBody, NetworkConnectRequest};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, StartContainerOptions, UploadToContainerOptionsBuilder,
};

use super::board::{Board, Dependencies, Phase};
use super::{Failure, Stage};
use crate::docker::call::{self, Asked, reason, status};
use crate::docker::diagnosis::{self, End, taken_port};
use crate::docker::error::DockerError;
use crate::docker::event::ContainerState;
use crate::docker::plan::Action;
use crate::docker::published;
use crate::docker::wanted::WantedContainer;
use crate::docker::watch::{Stop, Watch};

impl From<DockerError> for Failure {
    fn from(error: DockerError) -> Self {
        Self::Engine(error)
    }
}

/// Brings a container to where it is well.
pub(super) async fn bring_up(
    stage: &Stage<'_>,
    board: &Board,
    wanted: &WantedContainer,
) -> Result<(), Failure> {
    let result = steps(stage, board, wanted).await;
    if result.is_err() {
        board.is_now(&wanted.name, Phase::Lost);
    }
    result
}

async fn steps(stage: &Stage<'_>, board: &Board, wanted: &WantedContainer) -> Result<(), Failure> {
    let action = action(stage, wanted);
    if matches!(action, Action::Create | Action::Recreate) {
        stage
            .reporter
            .container(&wanted.service, &wanted.name, ContainerState::Creating, None);
        create(stage, wanted).await?;
    }
    if action == Action::Keep {
        board.may_start(&wanted.name);
        board.is_now(&wanted.name, Phase::Started);
    } else {
        board.is_now(&wanted.name, Phase::Made);
        await_dependencies(stage, board, wanted).await?;
        board.may_start(&wanted.name);
        start(stage, wanted).await?;
        board.is_now(&wanted.name, Phase::Started);
        stage
            .reporter
            .container(&wanted.service, &wanted.name, ContainerState::Starting, None);
    }
    let begin = Instant::now();
    watch(stage, board, wanted, action == Action::Keep).await?;
    board.is_now(&wanted.name, Phase::Well);
    if action != Action::Keep {
        stage.reporter.container(
            &wanted.service,
            &wanted.name,
            ContainerState::Healthy,
            Some(begin.elapsed()),
        );
    }
    Ok(())
}

fn action(stage: &Stage<'_>, wanted: &WantedContainer) -> Action {
    let step = stage
        .plan
        .containers
        .iter()
        .find(|container| container.step.name == wanted.name);
    step.map_or(Action::Create, |container| container.step.action)
}

/// Makes the container, attaches it to its further networks and puts its configuration files into it.
async fn create(stage: &Stage<'_>, wanted: &WantedContainer) -> Result<(), DockerError> {
    let client = stage.client();
    let mut options = CreateContainerOptionsBuilder::new().name(&wanted.name);
    if let Some(platform) = &wanted.platform {
        options = options.platform(platform);
    }
    let body = for_engine(stage, &wanted.body);
    let made = client.create_container(Some(options.build()), body).await;
    let id = made.map_err(|error| not_created(wanted, &error))?.id;
    for (network, endpoint) in &wanted.further_networks {
        let request = NetworkConnectRequest {
            container: id.clone(),
            endpoint_config: Some(endpoint.clone()),
        };
        let attached = client.connect_network(network, request).await;
        attached.asked(format!("attach {} to {network}", wanted.name))?;
    }
    for upload in &wanted.uploads {
        let options = UploadToContainerOptionsBuilder::new()
            .path(&upload.directory)
            .build();
        let body = body_full(upload.archive.clone().into());
        let done = client.upload_to_container(&id, Some(options), body).await;
        done.asked(format!("put configuration files into {}", wanted.name))?;
    }
    Ok(())
}

/// Engines before API 1.44 refuse what they do not know.
fn for_engine(stage: &Stage<'_>, body: &ContainerCreateBody) -> ContainerCreateBody {
    let mut body = body.clone();
    if let Some(check) = body
        .healthcheck
        .as_mut()
        .filter(|_| !stage.engine.info.speaks(1, 44))
    {
        check.start_interval = None;
    }
    body
}

fn not_created(wanted: &WantedContainer, error: &Error) -> DockerError {
    if status(error) == Some(409) {
        return DockerError::NameTaken {
            kind: "container",
            name: wanted.name.clone(),
            owner: None,
        };
    }
    call::refused(format!("make {}", wanted.name), error)
}

async fn await_dependencies(
    stage: &Stage<'_>,
    board: &Board,
    wanted: &WantedContainer,
) -> Result<(), Failure> {
    if !wanted.depends_on.is_empty() {
        stage
            .reporter
            .container(&wanted.service, &wanted.name, ContainerState::Waiting, None);
    }
    match board.dependencies(&wanted.depends_on).await {
        Dependencies::Ready => Ok(()),
        Dependencies::Lost => Err(Failure::NotStarted),
    }
}

async fn start(stage: &Stage<'_>, wanted: &WantedContainer) -> Result<(), Failure> {
    let (client, name) = (stage.client(), wanted.name.as_str());
    let paused = stage
        .present
        .containers
        .iter()
        .any(|have| have.name == name && have.status.contains("(Paused)"));
    if paused && action(stage, wanted) == Action::Start {
        return Ok(client
            .unpause_container(name)
            .await
            .asked(format!("let {name} go on"))?);
    }
    match client.start_container(name, None::<StartContainerOptions>).await {
        Ok(()) => Ok(()),
        Err(error) => Err(not_started(stage, wanted, &error).await),
    }
}

/// Why the engine did not start a container: a port, the engine itself, or what is in the container.
async fn not_started(stage: &Stage<'_>, wanted: &WantedContainer, error: &Error) -> Failure {
    let said = reason(error);
    if let Some(port) = taken_port(&said) {
        return Failure::Engine(published::taken(stage, &wanted.service, port));
    }
    let refused = call::refused(format!("start {}", wanted.name), error);
    if !matches!(refused, DockerError::Refused { .. }) {
        return Failure::Engine(refused);
    }
    let end = End {
        error: Some(said.clone()),
        ..End::default()
    };
    let reason = "cannot be started".to_owned();
    let mut trouble = diagnosis::trouble(stage.client(), &wanted.service, &wanted.name, reason, &end).await;
    if trouble.log.is_empty() {
        trouble.log.push(said);
    }
    Failure::Trouble(Box::new(trouble))
}

async fn watch(
    stage: &Stage<'_>,
    board: &Board,
    wanted: &WantedContainer,
    kept: bool,
) -> Result<(), Failure> {
    let watch = Watch {
        client: stage.client(),
        service: &wanted.service,
        container: &wanted.name,
        one_shot: wanted.one_shot,
        kept,
        engine_asks_early: stage.engine.info.speaks(1, 44),
    };
    let well = watch.until_well(|text| board.says(&wanted.name, text)).await;
    well.map_err(|stop| match stop {
        Stop::Trouble(trouble) => Failure::Trouble(trouble),
        Stop::Engine(error) => Failure::Engine(error),
    })
}
