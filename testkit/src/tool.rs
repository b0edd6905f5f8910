//! Programs of an image that run to their end, such as the checkers that come with a server.

use std::path::Path;

use futures::StreamExt;
use testcontainers::bollard::errors::Error as EngineError;
use testcontainers::bollard::models::{ContainerCreateBody, HostConfig};
use testcontainers::bollard::query_parameters::{
    CreateContainerOptionsBuilder, StartContainerOptions, UploadToContainerOptionsBuilder,
    WaitContainerOptions,
};
use testcontainers::bollard::{Docker, body_full};

use crate::docker::{self, Result, Trouble};
use crate::run::{self, Run};
use crate::{images, runtime};

/// Where the folder lies within the container, and where the program starts.
const FOLDER: &str = "check";
/// Lines that are read of what a program wrote.
const LINES: usize = 10_000;
/// Bytes of memory that a program may use.
const MEMORY: i64 = 512 << 20;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// How a program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its exit code.
    pub code: i64,
    /// What it wrote, both streams together.
    pub text: String,
}

/// Runs a program of the offline image `image` (a folder of `compose/images/`) in a copy of a folder of this checkout,
/// without a network, and returns how it ended.
///
/// # Panics
/// Where the folder cannot be read, the image is missing, or the engine fails.
pub async fn tool(image: &str, folder: &str, command: &[&str]) -> Ended {
    let (image, folder) = (image.to_owned(), folder.to_owned());
    let command = command.iter().map(|&word| word.to_owned()).collect();
    let ended = runtime::run(async move { ended(&image, &folder, command).await }).await;
    ended.unwrap_or_else(|error| panic!("{error}"))
}

async fn ended(image: &str, folder: &str, command: Vec<String>) -> Result<Ended> {
    let root = images::repository();
    let reference = images::offline(&root.join("compose/images"), image);
    let reference =
        reference.map_err(|error| Trouble::of(&format!("the recipe of {image} cannot be read"), &error))?;
    if !images::is_present(&reference).await? {
        return Err(Trouble::new(format!(
            "there is no image {reference}; {}",
            images::MEND
        )));
    }
    let files = packed(&root.join(folder))
        .map_err(|error| Trouble::of(&format!("the folder {folder} cannot be read"), &error))?;
    let (client, run) = (docker::client().await?, run::current().await?);
    let name = format!("odd-test-{}-tool-{:08x}", run.id, rand::random::<u32>());
    let result = run_in(client, run, &name, &reference, files, command).await;
    docker::remove(&name).await?;
    result.map_err(|error| Trouble::of(&format!("{reference} cannot be run"), &*error))
}

/// The folder as an archive.
fn packed(folder: &Path) -> std::io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_dir_all(FOLDER, folder)?;
    archive.into_inner()
}

/// Its log is read before the caller removes the container.
async fn run_in(
    client: &Docker,
    run: &Run,
    name: &str,
    image: &str,
    files: Vec<u8>,
    mut command: Vec<String>,
) -> std::result::Result<Ended, BoxError> {
    let program = command.remove(0);
    let body = ContainerCreateBody {
        image: Some(image.to_owned()),
        entrypoint: Some(vec![program]),
        cmd: Some(command),
        working_dir: Some(format!("/{FOLDER}")),
        labels: Some(run.labels().into_iter().collect()),
        host_config: Some(HostConfig {
            network_mode: Some("none".to_owned()),
            memory: Some(MEMORY),
            memory_swap: Some(MEMORY),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    };
    let options = CreateContainerOptionsBuilder::new().name(name).build();
    client.create_container(Some(options), body).await?;
    let to_root = UploadToContainerOptionsBuilder::new().path("/").build();
    client
        .upload_to_container(name, Some(to_root), body_full(files.into()))
        .await?;
    client
        .start_container(name, None::<StartContainerOptions>)
        .await?;
    let code = exit_code(client, name).await?;
    let text = docker::logs(name, LINES).await?;
    Ok(Ended { code, text })
}

async fn exit_code(client: &Docker, name: &str) -> std::result::Result<i64, BoxError> {
    let mut ends = Box::pin(client.wait_container(name, None::<WaitContainerOptions>));
    match ends.next().await {
        Some(Ok(end)) => Ok(end.status_code),
        Some(Err(EngineError::DockerContainerWaitError { code, .. })) => Ok(code),
        Some(Err(error)) => Err(error.into()),
        None => Err("the engine does not tell how it ended".into()),
    }
}
