//! Taking an instance out of a cluster.

use std::time::{Duration, Instant};

use super::ClusterFile;
use super::cluster::{self, Cluster, Event, ObjectRef, connect};
use super::members::{keeps_data, members};
use super::variant::Variant;
use crate::error::EngineError;
use crate::instance::Instance;
use crate::lock::InstanceLock;

/// Time that another command may take.
const LOCK_PATIENCE: Duration = Duration::from_secs(300);

/// How an instance is taken out.
#[derive(Clone, Debug)]
pub struct DownOptions {
    /// Time for pods to end and for objects to go. The cluster goes on after it.
    pub deadline: Duration,
    /// Also remove the data, the passwords to them and the namespace.
    pub volumes: bool,
}

/// What taking it out came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Down {
    /// Objects that were removed.
    pub objects: Vec<ObjectRef>,
    /// Time it took.
    pub took: Duration,
}

/// Removes every object of an instance but its data and the passwords to them; with `volumes` those too, with their namespace. Doing it
/// again changes nothing. The cluster itself stays.
///
/// # Errors
/// [`EngineError::Cluster`], [`EngineError::Busy`] and [`EngineError::Io`]. What could be removed is removed.
pub async fn down(
    instance: &Instance,
    file: &ClusterFile,
    options: &DownOptions,
    tell: &(impl Fn(Event) + Sync),
) -> Result<Down, EngineError> {
    let begin = Instant::now();
    let waiting = || {
        tell(Event::Notice {
            text: "another command is starting or stopping it: waiting".to_owned(),
        });
    };
    let _lock = InstanceLock::take(instance, LOCK_PATIENCE, waiting).await?;
    let cluster = connect(file.kubeconfig.as_deref(), Some(&file.context)).await?;
    let objects = objects(&cluster, instance, options.volumes).await?;
    let removed = cluster::remove(&cluster, &objects, options.deadline, tell).await?;
    if options.volumes {
        ClusterFile::remove(instance)?;
    } else {
        // What is kept is found there by the next start.
        let stopped = ClusterFile {
            up: false,
            ..file.clone()
        };
        stopped.save(instance)?;
    }
    Ok(Down {
        objects: removed.objects,
        took: begin.elapsed(),
    })
}

async fn objects(
    cluster: &Cluster,
    instance: &Instance,
    volumes: bool,
) -> Result<Vec<ObjectRef>, EngineError> {
    let namespace = Variant::namespace(&instance.name);
    let mut objects = members(cluster, &namespace, &instance.name).await?;
    if volumes {
        // With it goes everything that is within, such as the volumes that a StatefulSet made.
        objects.push(ObjectRef {
            api_version: "v1".to_owned(),
            kind: "Namespace".to_owned(),
            namespace: None,
            name: namespace,
        });
    } else {
        objects.retain(|object| !keeps_data(object));
    }
    Ok(objects)
}
