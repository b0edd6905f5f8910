//! One container: made, filled, started when what it depends on is ready, and watched until it is well.

use std::time::Instant;

use bollard::body_full;
use bollard::errors::Error;
use bollard::models::{ContainerCreateBody, NetworkConnectRequest};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, InspectContainerOptions, StartContainerOptions,
    UploadToContainerOptionsBuilder,
};

use super::board::{Board, Dependencies, Phase};
use super::published;
use super::resources::{self, NetworkIds};
use super::teardown;
use super::watch::{Stop, Watch};
use super::{Failure, Stage};
use crate::docker::error::DockerError;
use crate::docker::error::call::{self, Asked, reason, status};
use crate::docker::error::diagnosis::{self, End, taken_port};
use crate::docker::event::ContainerState;
use crate::docker::labels;
use crate::docker::plan::Action;
use crate::docker::plan::present::State;
use crate::docker::plan::wanted::WantedContainer;

/// How often a container is started anew where a second network of its network's name was in the way.
const ATTEMPTS: usize = 3;

impl From<DockerError> for Failure {
    fn from(error: DockerError) -> Self {
        Self::Engine(error)
    }
}

/// Brings a container to where it is well.
pub(super) async fn bring_up(
    stage: &Stage<'_>,
    board: &Board,
    networks: &NetworkIds,
    wanted: &WantedContainer,
) -> Result<(), Failure> {
    let result = steps(stage, board, networks, wanted).await;
    if result.is_err() {
        board.is_now(&wanted.name, Phase::Lost);
    }
    result
}

async fn steps(
    stage: &Stage<'_>,
    board: &Board,
    networks: &NetworkIds,
    wanted: &WantedContainer,
) -> Result<(), Failure> {
    let action = action(stage, wanted);
    if matches!(action, Action::Create | Action::Recreate) {
        stage
            .reporter
            .container(&wanted.service, &wanted.name, ContainerState::Creating, None);
        create(stage, networks, wanted).await?;
    }
    if action == Action::Keep {
        board.may_start(&wanted.name);
        board.is_now(&wanted.name, Phase::Started);
    } else {
        board.is_now(&wanted.name, Phase::Made);
        await_dependencies(stage, board, wanted).await?;
        board.may_start(&wanted.name);
        start(stage, networks, wanted).await?;
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
async fn create(
    stage: &Stage<'_>,
    networks: &NetworkIds,
    wanted: &WantedContainer,
) -> Result<(), DockerError> {
    let client = stage.client();
    let id = make(stage, for_engine(stage, networks, &wanted.body), wanted).await?;
    for (network, endpoint) in &wanted.further_networks {
        let request = NetworkConnectRequest {
            container: id.clone(),
            endpoint_config: Some(endpoint.clone()),
        };
        let attached = client
            .connect_network(networks.get(network).unwrap_or(network), request)
            .await;
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

/// Makes the container. One of the same name that appeared since it was looked for is ours, made by a request that was given up.
async fn make(
    stage: &Stage<'_>,
    body: ContainerCreateBody,
    wanted: &WantedContainer,
) -> Result<String, DockerError> {
    let (client, name) = (stage.client(), wanted.name.as_str());
    let mut options = CreateContainerOptionsBuilder::new().name(name);
    if let Some(platform) = &wanted.platform {
        options = options.platform(platform);
    }
    let options = options.build();
    let request = || {
        let (options, body) = (Some(options.clone()), body.clone());
        stage.carried(async move |client| client.create_container(options, body).await)
    };
    let mut made = request().await;
    if made.as_ref().is_err_and(|error| status(error) == Some(409)) && is_ours(stage, name).await {
        teardown::remove(client, name, name).await?;
        made = request().await;
    }
    match made {
        Ok(made) => Ok(made.id),
        Err(error) if status(&error) == Some(409) => Err(DockerError::NameTaken {
            kind: "container",
            name: name.to_owned(),
            owner: None,
        }),
        Err(error) => Err(call::refused(format!("make {name}"), &error)),
    }
}

async fn is_ours(stage: &Stage<'_>, name: &str) -> bool {
    let seen = stage
        .client()
        .inspect_container(name, None::<InspectContainerOptions>)
        .await;
    let labels = seen
        .ok()
        .and_then(|seen| seen.config)
        .and_then(|config| config.labels);
    labels.is_some_and(|labels| labels.get(labels::PROJECT) == Some(&stage.wanted.project))
}

/// Names networks by their ids, and leaves out what engines before API 1.44 refuse.
fn for_engine(stage: &Stage<'_>, networks: &NetworkIds, body: &ContainerCreateBody) -> ContainerCreateBody {
    let mut body = body.clone();
    let of = |name: String| networks.get(&name).cloned().unwrap_or(name);
    if let Some(host) = &mut body.host_config {
        host.network_mode = host.network_mode.take().map(of);
    }
    if let Some(networking) = &mut body.networking_config {
        let endpoints = networking.endpoints_config.take().unwrap_or_default().into_iter();
        networking.endpoints_config = Some(endpoints.map(|(name, endpoint)| (of(name), endpoint)).collect());
    }
    if let Some(check) = body
        .healthcheck
        .as_mut()
        .filter(|_| !stage.engine.info.speaks(1, 44))
    {
        check.start_interval = None;
    }
    body
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

async fn start(stage: &Stage<'_>, networks: &NetworkIds, wanted: &WantedContainer) -> Result<(), Failure> {
    let (client, name) = (stage.client(), wanted.name.as_str());
    if is_paused(stage, wanted) {
        return Ok(client
            .unpause_container(name)
            .await
            .asked(format!("let {name} go on"))?);
    }
    let mut attempts = 0;
    loop {
        match client.start_container(name, None::<StartContainerOptions>).await {
            Ok(()) => return Ok(()),
            // Some engines look networks up by name even so.
            Err(error) if reason(&error).contains("is ambiguous") && attempts < ATTEMPTS => {
                attempts += 1;
                resources::remove_doubles(stage, networks).await?;
            }
            Err(error) => return Err(not_started(stage, wanted, &error).await),
        }
    }
}

/// Whether a container that is to be started is there, and paused.
fn is_paused(stage: &Stage<'_>, wanted: &WantedContainer) -> bool {
    let mut there = stage.present.containers.iter();
    let paused = there.any(|have| have.name == wanted.name && have.state == State::Paused);
    paused && action(stage, wanted) == Action::Start
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
        let_go: is_paused(stage, wanted),
        engine_asks_early: stage.engine.info.speaks(1, 44),
    };
    let well = watch.until_well(|text| board.says(&wanted.name, text)).await;
    well.map_err(|stop| match stop {
        Stop::Trouble(trouble) => Failure::Trouble(trouble),
        Stop::Engine(error) => Failure::Engine(error),
    })
}
