//! The Docker engine: reaching it, and what tests need of its containers.

use std::collections::HashMap;
use std::fmt;

use futures::StreamExt;
use testcontainers::bollard::Docker;
use testcontainers::bollard::container::LogOutput;
use testcontainers::bollard::errors::Error as EngineError;
use testcontainers::bollard::exec::{CreateExecOptions, StartExecResults};
use testcontainers::bollard::models::ContainerSummary;
use testcontainers::bollard::query_parameters::{
    InspectContainerOptions, ListContainersOptionsBuilder, LogsOptionsBuilder, RemoveContainerOptionsBuilder,
};
use testcontainers::core::client::docker_client_instance;
use tokio::sync::OnceCell;

/// Why a server could not be had; a test panics with it.
#[derive(Clone, Debug)]
pub(crate) struct Trouble(String);

pub(crate) type Result<T> = std::result::Result<T, Trouble>;

impl Trouble {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// `what` failed because of `error` and all that caused it.
    pub(crate) fn of(what: &str, error: &dyn std::error::Error) -> Self {
        let mut text = format!("{what}: {error}");
        let mut source = error.source();
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            if !text.contains(&cause_text) {
                text = format!("{text}: {cause_text}");
            }
            source = cause.source();
        }
        Self(text)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Trouble {}

/// Connection to the engine that `DOCKER_HOST` names, else the one of this machine. To be used on the testkit's own
/// runtime only.
pub(crate) async fn client() -> Result<&'static Docker> {
    static CLIENT: OnceCell<Docker> = OnceCell::const_new();
    let connect = || async {
        let client = docker_client_instance().await.map_err(|error| missing(&error))?;
        client.ping().await.map_err(|error| missing(&error))?;
        Ok(client)
    };
    CLIENT.get_or_try_init(connect).await
}

fn missing(error: &dyn std::error::Error) -> Trouble {
    Trouble::of(
        "tests run on real servers in containers, and no Docker engine answers; `make test` installs and starts one on \
         Debian and Ubuntu as root and says elsewhere what to install",
        error,
    )
}

/// Containers that carry all of these labels, running or not.
pub(crate) async fn labelled(labels: Vec<String>) -> Result<Vec<ContainerSummary>> {
    let filters = HashMap::from([("label".to_owned(), labels)]);
    let options = ListContainersOptionsBuilder::new()
        .all(true)
        .filters(&filters)
        .build();
    let listed = client().await?.list_containers(Some(options)).await;
    listed.map_err(|error| Trouble::of("containers cannot be listed", &error))
}

/// Removes a container and its anonymous volumes. One that is gone already is no error.
pub(crate) async fn remove(id: &str) -> Result<()> {
    let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
    match client().await?.remove_container(id, Some(options)).await {
        // 409: somebody else is removing it.
        Ok(())
        | Err(EngineError::DockerResponseServerError {
            status_code: 404 | 409,
            ..
        }) => Ok(()),
        Err(error) => Err(Trouble::of(&format!("container {id} cannot be removed"), &error)),
    }
}

/// Whether a container is there and runs.
pub(crate) async fn is_running(id: &str) -> Result<bool> {
    match client()
        .await?
        .inspect_container(id, None::<InspectContainerOptions>)
        .await
    {
        Ok(container) => Ok(container.state.and_then(|state| state.running) == Some(true)),
        Err(EngineError::DockerResponseServerError { status_code: 404, .. }) => Ok(false),
        Err(error) => Err(Trouble::of(
            &format!("container {id} cannot be inspected"),
            &error,
        )),
    }
}

/// Whether there is a container under this name.
#[cfg(all(test, target_os = "linux"))]
pub(crate) async fn is_there(name: &str) -> Result<bool> {
    match client()
        .await?
        .inspect_container(name, None::<InspectContainerOptions>)
        .await
    {
        Ok(_) => Ok(true),
        Err(EngineError::DockerResponseServerError { status_code: 404, .. }) => Ok(false),
        Err(error) => Err(Trouble::of("a container cannot be inspected", &error)),
    }
}

/// Ports of a running container: published on this machine for those within.
pub(crate) async fn ports(id: &str) -> Result<HashMap<u16, u16>> {
    let inspected = client()
        .await?
        .inspect_container(id, None::<InspectContainerOptions>)
        .await;
    let container = inspected.map_err(|error| Trouble::of("the container cannot be inspected", &error))?;
    let published = container.network_settings.and_then(|settings| settings.ports);
    let pairs = published
        .unwrap_or_default()
        .into_iter()
        .filter_map(|(inner, bindings)| {
            let inner = inner.split('/').next()?.parse().ok()?;
            let outer = bindings?.first()?.host_port.as_ref()?.parse().ok()?;
            Some((inner, outer))
        });
    Ok(pairs.collect())
}

/// The last `lines` lines that a container wrote.
pub(crate) async fn logs(id: &str, lines: usize) -> Result<String> {
    let options = LogsOptionsBuilder::new()
        .stdout(true)
        .stderr(true)
        .tail(&lines.to_string())
        .build();
    let mut stream = client().await?.logs(id, Some(options));
    let mut text = String::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|error| Trouble::of("the container's log cannot be read", &error))?;
        text.push_str(&said(&chunk));
    }
    Ok(text)
}

fn said(chunk: &LogOutput) -> String {
    String::from_utf8_lossy(chunk.as_ref()).into_owned()
}

/// Runs a command in a container to its end and returns what it wrote.
pub(crate) async fn exec(id: &str, command: Vec<String>) -> Result<String> {
    let name = command.first().cloned().unwrap_or_default();
    let failed = |error: EngineError| Trouble::of("a command cannot be run in the container", &error);
    let options = CreateExecOptions {
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        cmd: Some(command),
        ..CreateExecOptions::default()
    };
    let client = client().await?;
    let exec = client.create_exec(id, options).await.map_err(failed)?;
    let mut text = String::new();
    if let StartExecResults::Attached { mut output, .. } =
        client.start_exec(&exec.id, None).await.map_err(failed)?
    {
        while let Some(chunk) = output.next().await {
            text.push_str(&said(&chunk.map_err(failed)?));
        }
    }
    let ended = client.inspect_exec(&exec.id).await.map_err(failed)?;
    match ended.exit_code {
        Some(0) => Ok(text),
        code => Err(Trouble::new(format!(
            "{name} ended with {code:?}: {}",
            text.trim()
        ))),
    }
}
