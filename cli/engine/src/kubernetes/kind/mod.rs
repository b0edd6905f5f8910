//! A cluster on this machine, made by kind: one for every instance that is put into it, each in its namespace. It is made by the first and
//! removed with the data of the last; one of the same name that was there before is used and left.

mod tool;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use odd_contracts::Timestamp;
use serde::{Deserialize, Serialize};

use self::tool::Tool;
use super::cluster::{Cluster, Event};
use super::members::instances;
use super::{Image, KubernetesError};
use crate::docker::{self, ImageState};
use crate::error::{EngineError, IoContext};
use crate::instance::{Home, Instance};
use crate::lock;
use crate::state::{read_if_there, remove_if_there, write_private};

/// Name of this way to a cluster.
pub const NAME: &str = "kind";
/// The cluster.
pub const CLUSTER: &str = "task-observatory";
/// The context by which it is reached.
pub const CONTEXT: &str = "kind-task-observatory";
/// Time for another command that makes or removes it.
const PATIENCE: Duration = Duration::from_secs(1_800);

/// What is remembered of a cluster that was made from here.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Made {
    version: u32,
    cluster: String,
    /// Whether it was made to the end. What is left of one that was not is of no use.
    complete: bool,
    at: Timestamp,
}

/// How the cluster is made ready.
#[derive(Clone, Debug)]
pub struct KindOptions {
    /// The program `kind`, by its name or its path.
    pub kind: PathBuf,
    /// What the image of the roles is made of, on this machine's container engine.
    pub roles: docker::UpOptions,
    /// The image of the roles, where it is another one than that.
    pub image: Option<Image>,
    /// Only look: neither make a cluster nor carry an image into it.
    pub dry_run: bool,
}

/// The cluster, ready to take an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Local {
    /// The kubeconfig that leads to it.
    pub kubeconfig: PathBuf,
    /// The image that was carried into it; none where its nodes have to pull what was asked for.
    pub image: Option<Image>,
}

/// Makes the cluster where there is none, and carries the image of the roles into it. None where it would have to be made and nothing shall be.
///
/// Dropping the future in the middle of making it leaves a part: [`give_up`] removes that, and so does the next call of this.
///
/// # Errors
/// [`EngineError::Kubernetes`] where kind is missing or fails, [`EngineError::Docker`] where the image is not to be had.
pub async fn ready(
    instance: &Instance,
    options: &KindOptions,
    tell: &(impl Fn(Event) + Sync),
) -> Result<Option<Local>, EngineError> {
    let notice = |text: String| tell(Event::Notice { text });
    let home = &instance.home;
    let tool = Tool::find(&options.kind).await?;
    let _lock = lock(home, || {
        notice("another command makes or removes the cluster: waiting".to_owned())
    })
    .await?;
    if options.dry_run && !is_whole(home, &tool).await? {
        return Ok(None);
    }
    if !is_whole(home, &tool).await? {
        make(home, &tool, &notice).await?;
    }
    let kubeconfig = kubeconfig(home);
    keep(&kubeconfig, tool.kubeconfig().await?.as_bytes())?;
    let image = match options.dry_run {
        true => options.image.clone(),
        false => carry(instance, &tool, options, &notice).await?,
    };
    Ok(Some(Local { kubeconfig, image }))
}

/// Whether there is a cluster, made to the end.
async fn is_whole(home: &Home, tool: &Tool) -> Result<bool, EngineError> {
    let half = made(home)?.is_some_and(|made| !made.complete);
    Ok(!half && tool.has_cluster().await?)
}

async fn make(home: &Home, tool: &Tool, notice: &(impl Fn(String) + Sync)) -> Result<(), EngineError> {
    if tool.has_cluster().await? {
        notice("a cluster that was left half made is removed".to_owned());
        tool.delete(&kubeconfig(home)).await?;
    }
    notice(format!("kind {} makes the cluster {CLUSTER}", tool.version));
    let mut record = Made {
        version: 1,
        cluster: CLUSTER.to_owned(),
        complete: false,
        at: Timestamp::now(),
    };
    save(home, &record)?;
    if let Err(error) = tool.create(&kubeconfig(home), notice).await {
        // Where it fails by itself, kind removes what it made.
        remove_files(home)?;
        return Err(error.into());
    }
    record.complete = true;
    save(home, &record)
}

/// Carries the image of the roles into the nodes.
async fn carry(
    instance: &Instance,
    tool: &Tool,
    options: &KindOptions,
    notice: &(impl Fn(String) + Sync),
) -> Result<Option<Image>, EngineError> {
    if let Some(image) = &options.image {
        let reference = format!("{}:{}", image.name, image.tag);
        if let Err(error) = tool.load(&reference).await {
            notice(format!("its nodes have to pull {reference}: {error}"));
        }
        return Ok(Some(image.clone()));
    }
    let mut building = false;
    let reference = docker::role_image(instance, &options.roles, |event| {
        if let docker::Event::Image { reference, state, .. } = event
            && matches!(state, ImageState::Building | ImageState::Pulling)
            && !std::mem::replace(&mut building, true)
        {
            notice(format!("the image {reference} is made ready"));
        }
    })
    .await?;
    notice(format!("the image {reference} is carried into the cluster"));
    tool.load(&reference).await?;
    Ok(Image::parse(&reference))
}

/// Removes what is left of a cluster that was about to be made. Tells whether there was anything.
///
/// # Errors
/// [`EngineError::Kubernetes`] where kind fails.
pub async fn give_up(home: &Home, kind: &Path) -> Result<bool, EngineError> {
    if made(home)?.is_none_or(|made| made.complete) {
        return Ok(false);
    }
    let _lock = lock(home, || {}).await?;
    Tool::find(kind).await?.delete(&kubeconfig(home)).await?;
    remove_files(home)?;
    Ok(true)
}

/// Whether the cluster is gone: whoever removed it took every instance in it along.
///
/// # Errors
/// [`EngineError::Kubernetes`] where kind fails.
pub(super) async fn is_gone(kind: &Path) -> Result<bool, EngineError> {
    match Tool::find(kind).await {
        Ok(tool) => Ok(!tool.has_cluster().await?),
        // Without the program the cluster itself tells.
        Err(KubernetesError::NoKind { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Removes the cluster where it was made from here and no other instance is in it. Tells whether it did.
///
/// # Errors
/// [`EngineError::Cluster`] where it does not tell what is in it, [`EngineError::Kubernetes`] where kind fails.
pub(super) async fn remove(home: &Home, kind: &Path, cluster: &Cluster) -> Result<bool, EngineError> {
    let _lock = lock(home, || {}).await?;
    if made(home)?.is_none() || !instances(cluster).await?.is_empty() {
        return Ok(false);
    }
    Tool::find(kind).await?.delete(&kubeconfig(home)).await?;
    remove_files(home)?;
    Ok(true)
}

/// Forgets a cluster that is gone.
///
/// # Errors
/// [`EngineError::Io`].
pub(super) fn forget(home: &Home) -> Result<(), EngineError> {
    remove_files(home)
}

fn kubeconfig(home: &Home) -> PathBuf {
    home.path().join("kind.kubeconfig")
}

fn made_file(home: &Home) -> PathBuf {
    home.path().join("kind.json")
}

fn made(home: &Home) -> Result<Option<Made>, EngineError> {
    let path = made_file(home);
    read_if_there(&path).context("read the file", &path)
}

fn save(home: &Home, made: &Made) -> Result<(), EngineError> {
    let path = made_file(home);
    let written = serde_json::to_vec_pretty(made).map_err(std::io::Error::from);
    let bytes = written.context("write the file", &path)?;
    keep(&path, &bytes)
}

fn remove_files(home: &Home) -> Result<(), EngineError> {
    for path in [made_file(home), kubeconfig(home)] {
        remove_if_there(&path).context("remove the file", &path)?;
    }
    Ok(())
}

/// A kubeconfig is as good as a password.
fn keep(path: &Path, bytes: &[u8]) -> Result<(), EngineError> {
    write_private(path, bytes).context("write the file", path)
}

/// One command at a time makes or removes the cluster.
async fn lock(home: &Home, waiting: impl FnOnce()) -> Result<File, EngineError> {
    let held = lock::take(&home.path().join("kind.lock"), PATIENCE, waiting).await?;
    held.ok_or_else(|| KubernetesError::KindBusy.into())
}
