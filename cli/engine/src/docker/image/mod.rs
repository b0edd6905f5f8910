//! The images of a stack: which are there, which have to be pulled or built, and doing that.
//!
//! In order: [`role`] finds the image of the roles, whose reference the compose files take as `ODD_IMAGE`; [`resolve`] tells what each image of a
//! project needs; [`ensure`] does it.

mod builder;
mod elf;
pub mod error;
mod fingerprint;
mod login;
mod offline;
mod pull;
mod role_image;
mod tell;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use bollard::Docker;
use futures::future::join_all;
use futures::{StreamExt, TryStreamExt};
use tokio::sync::mpsc;

pub use error::ImageError;

use self::tell::Tell;
use super::{Event, ImageSource, ImageState, ImageStep};
use crate::compose::{Project, Source, recipe};
use crate::instance::Home;

/// How many images are pulled at the same time. The engine itself fetches three layers at a time.
const PULLS: usize = 4;

/// What the image of the roles is made of.
#[derive(Clone, Debug)]
pub struct RoleRequest {
    /// The `odd` binary that the roles shall run.
    pub program: PathBuf,
    /// Version of the build, as `odd version` tells.
    pub version: String,
    /// Commit of the build; absent where it is not known.
    pub commit: Option<String>,
    /// Where it is remembered which binary has which hash.
    pub home: Home,
    /// Directory with the compose files (`--project-dir`).
    pub project_dir: Option<PathBuf>,
    /// Whether the base is the one built from Debian packages, even where others could be pulled (`--offline`).
    pub offline: bool,
    /// Build anew, even where it is there (`--build`).
    pub build: bool,
    /// Where the engine listens, as `DOCKER_HOST` names it: the offline images are built by a script that uses Docker's own client.
    pub docker_host: String,
}

/// The image of the roles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleImage {
    /// Its reference, to be given to the compose files as `ODD_IMAGE`.
    pub reference: String,
    /// Where it comes from.
    pub source: ImageSource,
    make: role_image::Make,
}

/// Finds out which image the roles run from, without building it.
///
/// # Errors
/// Where the binary cannot be read or the engine does not answer.
pub async fn role(docker: &Docker, request: &RoleRequest) -> Result<RoleImage, ImageError> {
    role_image::choose(docker, request).await
}

/// What each image of the project needs.
///
/// # Errors
/// Where the engine does not answer.
pub async fn resolve(
    docker: &Docker,
    project: &Project,
    role: &RoleImage,
) -> Result<Vec<ImageStep>, ImageError> {
    let mut services: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for service in project.services.values() {
        services
            .entry(&service.image)
            .or_default()
            .push(service.name.clone());
    }
    let found = join_all(services.keys().map(|reference| source(docker, reference, role))).await;
    let steps = services
        .into_iter()
        .zip(found)
        .map(|((reference, services), source)| {
            Ok(ImageStep {
                reference: reference.to_owned(),
                source: source?,
                services,
            })
        });
    steps.collect()
}

async fn source(docker: &Docker, reference: &str, role: &RoleImage) -> Result<ImageSource, ImageError> {
    if reference == role.reference {
        return Ok(role.source);
    }
    Ok(match id(docker, reference).await? {
        Some(_) => ImageSource::Present,
        None if reference.starts_with(recipe::PREFIX) => ImageSource::Build,
        None => ImageSource::Pull,
    })
}

/// Pulls and builds what the steps of [`resolve`] say, several at a time. Afterwards every image is in the engine.
///
/// # Errors
/// The first image that was not to be had. What was done for others stays.
pub async fn ensure(
    docker: &Docker,
    source: &Source,
    request: &RoleRequest,
    role: &RoleImage,
    steps: &[ImageStep],
    mut progress: impl FnMut(Event) + Send,
) -> Result<(), ImageError> {
    let (sender, mut events) = mpsc::unbounded_channel();
    let tell = Tell(sender);
    let work = fetch(docker, source, request, role, steps, &tell);
    tokio::pin!(work);
    let done = loop {
        tokio::select! {
            biased;
            Some(event) = events.recv() => progress(event),
            done = &mut work => break done,
        }
    };
    while let Ok(event) = events.try_recv() {
        progress(event);
    }
    done
}

async fn fetch(
    docker: &Docker,
    source: &Source,
    request: &RoleRequest,
    role: &RoleImage,
    steps: &[ImageStep],
    tell: &Tell,
) -> Result<(), ImageError> {
    let is_role = |step: &&ImageStep| step.reference == role.reference;
    let role_step = steps.iter().find(is_role).map(|step| step.source);
    let others = || steps.iter().filter(|step| !is_role(step));
    let mut offline: BTreeSet<String> = others()
        .filter(|step| step.source == ImageSource::Build)
        .map(|step| step.reference.clone())
        .collect();
    if let (Some(ImageSource::Build), Some(base)) = (role_step, role.make.offline_base())
        && id(docker, base).await?.is_none()
    {
        offline.insert(base.to_owned());
    }
    let offline: Vec<String> = offline.into_iter().collect();

    // The script builds the base that the image of the roles may stand on.
    let built = async {
        if !offline.is_empty() {
            offline::build(docker, &request.docker_host, source, &offline, tell).await?;
        }
        match role_step {
            Some(ImageSource::Build) => role_image::make(docker, request, role, tell).await,
            Some(ImageSource::Pull) => role_image::pull(docker, request, role, tell).await,
            Some(ImageSource::Present) | None => Ok(()),
        }
    };
    let references = others()
        .filter(|step| step.source == ImageSource::Pull)
        .map(|step| step.reference.as_str());
    let pulled = futures::stream::iter(references)
        .map(|reference| pull::pull(docker, reference, None, tell))
        .buffer_unordered(PULLS)
        .try_collect::<Vec<()>>();
    tokio::try_join!(built, pulled)?;
    Ok(())
}

/// Id of an image (`sha256:…`); none where the engine does not have it.
///
/// # Errors
/// Where the engine does not answer.
pub async fn id(docker: &Docker, reference: &str) -> Result<Option<String>, ImageError> {
    match docker.inspect_image(reference).await {
        Ok(image) => Ok(image.id),
        Err(bollard::errors::Error::DockerResponseServerError { status_code: 404, .. }) => Ok(None),
        Err(error) => Err(ImageError::engine("look for", reference, error)),
    }
}

/// Whether the images of a project are to be had.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Availability {
    /// Images that the engine has.
    pub present: Vec<String>,
    /// Images that would be built here, offline or for the roles.
    pub build: Vec<String>,
    /// Images that would be pulled.
    pub pull: Vec<String>,
    /// What the registries of those that would be pulled answered: well, or why one did not. Absent where none would be pulled.
    pub registry: Option<Result<(), String>>,
}

impl Availability {
    /// Whether every image is there or can be had.
    pub fn is_complete(&self) -> bool {
        !matches!(self.registry, Some(Err(_)))
    }
}

/// Tells whether the images of a project are to be had, within `limit`. The engine asks the registries, for one image of each, since it may
/// have a proxy that this machine does not.
///
/// # Errors
/// Where the engine does not answer.
pub async fn availability(
    docker: &Docker,
    project: &Project,
    role: &RoleImage,
    limit: Duration,
) -> Result<Availability, ImageError> {
    let mut found = Availability::default();
    for step in resolve(docker, project, role).await? {
        match step.source {
            ImageSource::Present => found.present.push(step.reference),
            ImageSource::Build => found.build.push(step.reference),
            ImageSource::Pull => found.pull.push(step.reference),
        }
    }
    let by_registry: BTreeMap<&str, &String> = found
        .pull
        .iter()
        .map(|reference| (login::registry(reference), reference))
        .collect();
    if !by_registry.is_empty() {
        let answers = join_all(
            by_registry
                .into_values()
                .map(|reference| answers(docker, reference, limit)),
        )
        .await;
        found.registry = Some(answers.into_iter().collect());
    }
    Ok(found)
}

/// Whether a registry has an image, as the engine sees it.
async fn answers(docker: &Docker, reference: &str, limit: Duration) -> Result<(), String> {
    let asking = async {
        let credentials = login::credentials(reference).await;
        docker
            .inspect_registry_image(&pull::tagged(reference), credentials)
            .await
    };
    match tokio::time::timeout(limit, asking).await {
        Err(_) => Err(format!(
            "the registry of {reference} does not answer within {} s",
            limit.as_secs()
        )),
        Ok(Err(error)) => Err(ImageError::of_pull(reference, error).to_string()),
        Ok(Ok(_)) => Ok(()),
    }
}
