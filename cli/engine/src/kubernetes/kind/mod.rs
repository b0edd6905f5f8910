//! A cluster on this machine, made by kind: one for every instance that is put into it, each in its namespace. It is made by the first and
//! removed with the data of the last; one of the same name that was there before is used and left.

mod tool;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use odd_contracts::{Timestamp, VERSION};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use self::tool::Tool;
use super::cluster::{Cluster, Event};
use super::members::is_used;
use super::variant::Variant;
use super::{ClusterFile, Image, KubernetesError};
use crate::compose::{json, model::hex};
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
const WAITING: &str = "another command makes or removes the cluster: waiting";
/// Time for another command that makes or removes it.
const PATIENCE: Duration = Duration::from_secs(1_800);

/// What is remembered of a cluster that was made from here.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Made {
    /// Version of this shape.
    version: u32,
    /// The process that made it.
    process: u32,
    /// What tells it from every other cluster of its name; none where it was not made to the end.
    authority: Option<String>,
    /// When it was begun.
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
    /// The image that its pods take.
    pub image: Option<Image>,
}

/// Version of the kind on the `PATH`.
///
/// # Errors
/// Where there is none that can be used.
pub(crate) async fn found() -> Result<String, KubernetesError> {
    Ok(Tool::find(Path::new(NAME)).await?.version.to_string())
}

/// Makes the cluster where there is none, and carries the image of the roles into it. None where it would have to be made and nothing shall be.
///
/// The instance is in it from then on: [`super::down()`] with its volumes removes the cluster. Dropping the future in the middle of making it
/// leaves a part, which [`give_up`] removes.
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
    let _lock = lock(home, || notice(WAITING.to_owned())).await?;
    if !tool.has_cluster().await? {
        if options.dry_run {
            return Ok(None);
        }
        make(home, &tool, &notice).await?;
    } else if made(home)?.is_some_and(|made| made.authority.is_none()) {
        return Err(KubernetesError::KindHalf.into());
    }
    let text = tool.kubeconfig().await?;
    let kubeconfig = kubeconfig(home);
    keep(&kubeconfig, text.as_bytes())?;
    if !options.dry_run {
        remember(instance, &kubeconfig, &text)?;
    }
    let image = carry(instance, &tool, options, &notice).await?;
    Ok(Some(Local { kubeconfig, image }))
}

async fn make(home: &Home, tool: &Tool, notice: &(impl Fn(String) + Sync)) -> Result<(), EngineError> {
    notice(format!("kind {} makes the cluster {CLUSTER}", tool.version));
    let mut record = Made {
        version: 1,
        process: std::process::id(),
        authority: None,
        at: Timestamp::now(),
    };
    save(home, &record)?;
    if let Err(error) = tool.create(&kubeconfig(home), notice).await {
        // Where it fails by itself, kind removes what it made. There was no cluster of the name before.
        if !matches!(error, KubernetesError::KindFailed { .. }) {
            tool.delete(&kubeconfig(home)).await?;
        }
        remove_files(home)?;
        return Err(error.into());
    }
    record.authority = Some(authority(&tool.kubeconfig().await?));
    save(home, &record)
}

/// What tells a cluster from every other of its name: the authority that signs for its server, which each is given when it is made.
fn authority(kubeconfig: &str) -> String {
    let documents = json::documents("kubeconfig", kubeconfig).unwrap_or_default();
    let data = documents.first().and_then(|it| {
        it.pointer("/clusters/0/cluster/certificate-authority-data")?
            .as_str()
    });
    hex(&Sha256::digest(data.unwrap_or(kubeconfig)))
}

/// The instance is in the cluster, whatever else comes of its start.
fn remember(instance: &Instance, kubeconfig: &Path, text: &str) -> Result<(), EngineError> {
    let before = ClusterFile::of(instance)?.filter(|file| file.kind.is_some());
    let documents = json::documents("kubeconfig", text).unwrap_or_default();
    let server = documents
        .first()
        .and_then(|it| it.pointer("/clusters/0/cluster/server")?.as_str());
    let file = before.unwrap_or_else(|| ClusterFile {
        version: ClusterFile::VERSION,
        up: true,
        context: CONTEXT.to_owned(),
        kubeconfig: Some(kubeconfig.to_owned()),
        kind: Some(CLUSTER.to_owned()),
        server: server.unwrap_or_default().trim_end_matches('/').to_owned(),
        cluster_uid: None,
        port_offset: instance.port_offset,
        namespace: Variant::namespace(&instance.name),
        release: VERSION.to_owned(),
        started_at: Timestamp::now(),
        tools: false,
        scale: BTreeMap::new(),
        image: None,
    });
    ClusterFile { up: true, ..file }.save(instance)
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
        if !options.dry_run
            && let Err(error) = tool.load(&reference).await
        {
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
    if !options.dry_run {
        notice(format!("the image {reference} is carried into the cluster"));
        tool.load(&reference).await?;
    }
    Ok(Image::parse(&reference))
}

/// Removes what is left of a cluster that this process was about to make. Tells whether there was anything.
///
/// # Errors
/// [`EngineError::Kubernetes`] where kind fails.
pub async fn give_up(home: &Home, kind: &Path) -> Result<bool, EngineError> {
    // Whoever holds the lock makes the cluster now: what is half made is theirs.
    let held = lock::take(&lock_file(home), Duration::ZERO, || {}).await?;
    let half = made(home)?.filter(|made| made.authority.is_none() && made.process == std::process::id());
    if held.is_none() || half.is_none() {
        return Ok(false);
    }
    Tool::find(kind).await?.delete(&kubeconfig(home)).await?;
    remove_files(home)?;
    Ok(true)
}

/// Whether kind knows of no such cluster: it was removed, or kind asks another container engine than before.
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

/// Removes the cluster of an instance that was taken out of it, where it is the one that was made from here and nobody else is in it. Tells
/// whether it did.
///
/// # Errors
/// [`EngineError::Cluster`] where it does not tell what is in it, [`EngineError::Kubernetes`] where kind fails.
pub(super) async fn remove(
    instance: &Instance,
    kind: &Path,
    cluster: &Cluster,
    tell: &(impl Fn(Event) + Sync),
) -> Result<bool, EngineError> {
    let home = &instance.home;
    let waiting = || {
        tell(Event::Notice {
            text: WAITING.to_owned(),
        });
    };
    let _lock = lock(home, waiting).await?;
    let Some(ours) = made(home)?.and_then(|made| made.authority) else {
        return Ok(false);
    };
    let tool = Tool::find(kind).await?;
    if authority(&tool.kubeconfig().await?) != ours || has_others(instance)? || is_used(cluster).await? {
        return Ok(false);
    }
    tool.delete(&kubeconfig(home)).await?;
    remove_files(home)?;
    Ok(true)
}

/// Whether another instance of this home is in the cluster, or about to be.
fn has_others(instance: &Instance) -> Result<bool, EngineError> {
    for name in instance.home.instance_names() {
        let other = Instance {
            name,
            ..instance.clone()
        };
        if other.name != instance.name && ClusterFile::of(&other)?.is_some_and(|file| file.kind.is_some()) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn kubeconfig(home: &Home) -> PathBuf {
    home.path().join("kind.kubeconfig")
}

fn made_file(home: &Home) -> PathBuf {
    home.path().join("kind.json")
}

fn lock_file(home: &Home) -> PathBuf {
    home.path().join("kind.lock")
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
    let held = lock::take(&lock_file(home), PATIENCE, waiting).await?;
    held.ok_or_else(|| KubernetesError::KindBusy.into())
}
