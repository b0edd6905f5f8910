//! Starting an instance in a cluster.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use odd_contracts::names::env;
use odd_contracts::{Timestamp, VERSION};

use super::cluster::{
    self, ApplyOptions, Cluster, ClusterError, Event, Object, ObjectRef, Step, connect, objects,
};
use super::forwarding;
use super::members::{Owner, keeps_data, members, owner};
use super::secret::Secrets;
use super::variant::{Image, Variant};
use super::{ClusterFile, Renderer, Tree};
use crate::compose::Source;
use crate::error::EngineError;
use crate::instance::Instance;
use crate::lock::InstanceLock;
use crate::{ports, web_token};

/// Time that another command may take that starts or stops the same instance.
const LOCK_PATIENCE: Duration = Duration::from_secs(300);
/// Time for what is no longer wanted to go.
const REMOVAL: Duration = Duration::from_secs(60);
/// The oldest Kubernetes that takes the manifests: the kubelet itself waits before a pod ends (`preStop.sleep`).
const OLDEST: (u32, u32) = (1, 30);

/// What is asked for.
#[derive(Clone, Debug)]
pub struct UpOptions {
    /// The context of the kubeconfig; the current one where there is none.
    pub context: Option<String>,
    /// The kubeconfig, where it is not the user's usual one.
    pub kubeconfig: Option<PathBuf>,
    /// The cluster of kind that it is, where it is one.
    pub kind: Option<String>,
    /// Where the manifests are taken from.
    pub source: Source,
    /// What renders them, where it is not the program on the `PATH`.
    pub renderer: Option<Renderer>,
    /// Start administrative pages too.
    pub tools: bool,
    /// The image of the roles, where it is another one than the released one of this version.
    pub image: Option<Image>,
    /// Whether it is the one that somebody asked for, which later starts keep.
    pub keep_image: bool,
    /// Numbers of pods by Deployment, where they are others.
    pub scale: BTreeMap<String, u32>,
    /// Take over fields that others own.
    pub force: bool,
    /// Time for every pod to be ready.
    pub wait_timeout: Duration,
}

/// A start that is known in all its steps, of which none was done yet.
pub struct Prepared {
    cluster: Cluster,
    instance: Instance,
    options: UpOptions,
    namespace: String,
    objects: Vec<Object>,
    /// Whether the namespace is there already.
    pub joins: bool,
    /// What is done with each object.
    pub steps: Vec<Step>,
    /// Objects of an earlier start that are wanted no more.
    pub leftovers: Vec<ObjectRef>,
}

/// Connects, renders the manifests, and asks the cluster what they would change. Nothing is changed by it.
///
/// # Errors
/// [`EngineError::Kubernetes`] and [`EngineError::Cluster`].
pub async fn prepare(
    instance: &Instance,
    options: &UpOptions,
    tell: &(impl Fn(Event) + Sync),
) -> Result<Prepared, EngineError> {
    let cluster = connect(options.kubeconfig.as_deref(), options.context.as_deref()).await?;
    check_version(&cluster)?;
    tell(Event::Connected {
        context: cluster.context.clone(),
        server: cluster.server.clone(),
        version: cluster.version.clone(),
    });
    let namespace = Variant::namespace(&instance.name);
    let owner = owner(&cluster, &namespace, &instance.name).await?;
    if owner == Owner::Other {
        return Err(ClusterError::ForeignNamespace { namespace }.into());
    }
    let secrets = Secrets::of(&cluster, &namespace).await?;
    let mut wanted = rendered(instance, options).await?;
    check_scale(&wanted, &options.scale)?;
    wanted.push(secrets.object(&instance.name, &namespace)?);
    wanted.sort_by(Object::in_order);
    let force = ApplyOptions { force: options.force };
    let steps = cluster::plan(&cluster, &wanted, force).await?;
    let mut leftovers = members(&cluster, &namespace, &instance.name).await?;
    leftovers.retain(|object| !keeps_data(object) && !wanted.iter().any(|it| it.reference.is_of(object)));
    tell(Event::Planned { steps: steps.clone() });
    Ok(Prepared {
        joins: owner == Owner::Instance,
        instance: instance.clone(),
        options: options.clone(),
        objects: wanted,
        cluster,
        namespace,
        steps,
        leftovers,
    })
}

/// The manifests of an instance.
async fn rendered(instance: &Instance, options: &UpOptions) -> Result<Vec<Object>, EngineError> {
    let tree = Tree::of(&options.source)?;
    let variant = Variant {
        instance: instance.name.clone(),
        tools: options.tools,
        image: options.image.clone(),
        scale: options.scale.clone(),
    };
    let folder = variant.write(&tree)?;
    let renderer = match &options.renderer {
        Some(renderer) => renderer.clone(),
        None => Renderer::find(None).await?,
    };
    let rendered = renderer.render(folder.path()).await?;
    Ok(objects(rendered.documents)?)
}

/// Databases and the broker keep what they have in volumes of their own: two of them would be two that know nothing of each other.
fn check_scale(objects: &[Object], scale: &BTreeMap<String, u32>) -> Result<(), ClusterError> {
    let deployments = objects.iter().map(|object| &object.reference);
    let deployments = deployments.filter(|reference| reference.kind == "Deployment");
    let known: Vec<String> = deployments.map(|reference| reference.name.clone()).collect();
    match scale.keys().find(|name| !known.contains(name)) {
        Some(name) => Err(ClusterError::NotScalable {
            name: name.clone(),
            known,
        }),
        None => Ok(()),
    }
}

fn check_version(cluster: &Cluster) -> Result<(), ClusterError> {
    let number = |text: &str| text.parse::<u32>().ok();
    let mut parts = cluster.version.trim_start_matches('v').split('.');
    let version = (parts.next().and_then(number), parts.next().and_then(number));
    match version {
        (Some(major), Some(minor)) if (major, minor) < OLDEST => Err(ClusterError::TooOld {
            version: cluster.version.clone(),
            oldest: format!("{}.{}", OLDEST.0, OLDEST.1),
        }),
        // One that calls itself by another name is taken at its word when it takes the manifests.
        _ => Ok(()),
    }
}

/// What starting came to.
#[derive(Clone, Debug)]
pub struct Up {
    /// Whether anything was changed.
    pub changed: bool,
    /// Time it took.
    pub took: Duration,
    /// What was started.
    pub file: ClusterFile,
}

impl Prepared {
    /// The cluster that it is for.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Its namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Whether there is anything to be done.
    pub fn changes_anything(&self) -> bool {
        let kept = |step: &Step| step.action == cluster::Action::Keep;
        !self.leftovers.is_empty() || !self.steps.iter().all(kept)
    }

    /// Applies everything, waits until every pod is ready, removes what is wanted no more, and forwards ports by a process of `program`.
    ///
    /// Dropping the future (because of Ctrl-C) leaves what was applied so far: `up` completes it, `down` removes it.
    ///
    /// # Errors
    /// [`EngineError::Cluster`], [`EngineError::Busy`] and [`EngineError::Io`].
    pub async fn carry_out(
        &self,
        program: Option<&Path>,
        tell: &(impl Fn(Event) + Sync),
    ) -> Result<Up, EngineError> {
        let begin = Instant::now();
        let waiting = || {
            tell(Event::Notice {
                text: "another command is starting or stopping it: waiting".to_owned(),
            });
        };
        let _lock = InstanceLock::take(&self.instance, LOCK_PATIENCE, waiting).await?;
        if program.is_some()
            && let Some((role, port)) = forwarding::taken(&self.instance)?
        {
            return Err(EngineError::PortTaken {
                role,
                port,
                holder: ports::holder(&self.instance.home, port),
                free_offset: ports::free_offset(&self.instance),
            });
        }
        let file = self.file()?;
        // What has to be known even when this command does not come to its end.
        file.save(&self.instance)?;
        let objects = self.objects_with_secrets().await?;
        let force = ApplyOptions {
            force: self.options.force,
        };
        let applied = cluster::apply(&self.cluster, &objects, force, tell).await?;
        let workloads = self.workloads();
        cluster::wait(
            &self.cluster,
            &self.namespace,
            &workloads,
            self.options.wait_timeout,
            tell,
        )
        .await?;
        // Pods of before were made with what goes now, and might have been started again until here.
        cluster::remove(&self.cluster, &self.leftovers, REMOVAL, tell).await?;
        if let Some(program) = program {
            forwarding::start(&self.instance, &file, program).await?;
        }
        Ok(Up {
            changed: applied.iter().any(|applied| applied.changed) || !self.leftovers.is_empty(),
            took: begin.elapsed(),
            file,
        })
    }

    /// The objects, with the Secret as it has to be now: another command may have made it since they were planned.
    async fn objects_with_secrets(&self) -> Result<Vec<Object>, EngineError> {
        let secrets = Secrets::of(&self.cluster, &self.namespace).await?;
        web_token::remember(&self.instance, secrets.get(env::WEB_TOKEN))?;
        let secret = secrets.object(&self.instance.name, &self.namespace)?;
        let mut objects = self.objects.clone();
        for object in &mut objects {
            if object.reference == secret.reference {
                object.clone_from(&secret);
            }
        }
        Ok(objects)
    }

    /// The objects that have pods.
    fn workloads(&self) -> Vec<ObjectRef> {
        let has_pods =
            |object: &&Object| matches!(object.reference.kind.as_str(), "Deployment" | "StatefulSet");
        let workloads = self.objects.iter().filter(has_pods);
        workloads.map(|object| object.reference.clone()).collect()
    }

    fn file(&self) -> Result<ClusterFile, EngineError> {
        let before = ClusterFile::of(&self.instance)?;
        let same = before.filter(|file| file.up && file.is_of(&self.cluster));
        Ok(ClusterFile {
            version: ClusterFile::VERSION,
            up: true,
            context: self.cluster.context.clone(),
            kubeconfig: self.options.kubeconfig.clone(),
            kind: self.options.kind.clone(),
            server: self.cluster.server.clone(),
            cluster_uid: self.cluster.uid.clone(),
            port_offset: self.instance.port_offset,
            namespace: self.namespace.clone(),
            release: VERSION.to_owned(),
            started_at: same.as_ref().map_or_else(Timestamp::now, |file| file.started_at),
            tools: self.options.tools,
            scale: self.options.scale.clone(),
            image: self.options.image.clone().filter(|_| self.options.keep_image),
        })
    }
}
