//! The images of a stack: which are there, which have to be pulled or built, and doing that.
//!
//! In order: [`role`] finds the image of the roles, whose reference the compose files take as `ODD_IMAGE`; [`resolve`] tells what each image of a
//! project needs; [`ensure`] does it.

pub mod error;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use bollard::Docker;

pub use error::ImageError;

use super::{Event, ImageSource, ImageStep};
use crate::compose::{Project, Source};
use crate::instance::Home;

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
}

/// The image of the roles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleImage {
    /// Its reference, to be given to the compose files as `ODD_IMAGE`.
    pub reference: String,
    /// Where it comes from.
    pub source: ImageSource,
}

/// Finds out which image the roles run from, without building it.
///
/// # Errors
/// Where the binary cannot be read or the engine does not answer.
pub async fn role(_docker: &Docker, request: &RoleRequest) -> Result<RoleImage, ImageError> {
    Ok(RoleImage {
        reference: format!("odd-roles:{}", request.version),
        source: ImageSource::Build,
    })
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
    let mut steps: BTreeMap<&str, ImageStep> = BTreeMap::new();
    for service in project.services.values() {
        let step = steps.entry(&service.image).or_insert_with(|| ImageStep {
            reference: service.image.clone(),
            source: ImageSource::Present,
            services: Vec::new(),
        });
        step.services.push(service.name.clone());
    }
    for step in steps.values_mut() {
        step.source = if step.reference == role.reference {
            role.source
        } else if id(docker, &step.reference).await?.is_some() {
            ImageSource::Present
        } else {
            ImageSource::Pull
        };
    }
    Ok(steps.into_values().collect())
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
    let _ = (docker, source, request, role);
    for step in steps {
        progress(Event::Image {
            reference: step.reference.clone(),
            state: super::ImageState::Ready,
            layer: None,
            detail: None,
            current: None,
            total: None,
        });
    }
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
        Err(error) => Err(ImageError::Engine {
            action: "look for",
            reference: reference.to_owned(),
            source: Box::new(error),
        }),
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
    /// What the registry of one that would be pulled answered. Absent where none would be pulled.
    pub registry: Option<Result<(), String>>,
}

impl Availability {
    /// Whether every image is there or can be had.
    pub fn is_complete(&self) -> bool {
        !matches!(self.registry, Some(Err(_)))
    }
}

/// Tells whether the images of a project are to be had. The engine asks the registry, since it may have a proxy that this machine does not.
///
/// # Errors
/// Where the engine does not answer.
pub async fn availability(
    docker: &Docker,
    project: &Project,
    role: &RoleImage,
    limit: Duration,
) -> Result<Availability, ImageError> {
    let _ = limit;
    let mut found = Availability::default();
    for step in resolve(docker, project, role).await? {
        match step.source {
            ImageSource::Present => found.present.push(step.reference),
            ImageSource::Build => found.build.push(step.reference),
            ImageSource::Pull => found.pull.push(step.reference),
        }
    }
    Ok(found)
}
