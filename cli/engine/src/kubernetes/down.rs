//! Taking an instance out of a cluster.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::cluster::{self, Cluster, Event, ObjectRef};
use super::members::{Owner, keeps_data, members, owner};
use super::variant::Variant;
use super::{ClusterFile, forwarding, kind};
use crate::embedded;
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
    /// Also remove the data, the passwords to them, the namespace and what is kept of the instance here.
    pub volumes: bool,
    /// Ask no cluster: only what is kept of it here is removed, since the cluster is gone.
    pub forget: bool,
    /// The program `kind`, by its name or its path.
    pub kind: PathBuf,
}

/// What taking it out came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Down {
    /// Whether ports were forwarded to it.
    pub forwarded: bool,
    /// Objects that were removed.
    pub objects: Vec<ObjectRef>,
    /// Whether kind knows of no such cluster: it was removed with everything in it, or kind asks another container engine than before.
    pub gone: bool,
    /// Whether the cluster was removed too, which was made for it.
    pub cluster: bool,
    /// Time it took.
    pub took: Duration,
}

/// Ends the forwarding of ports and removes every object of an instance but its data and the passwords to them; with `volumes` those too,
/// with their namespace. Doing it again changes nothing. The cluster itself stays, unless kind made it for this instance and no other is left in it
/// once the data go.
///
/// # Errors
/// [`EngineError::Cluster`], [`EngineError::Busy`] and [`EngineError::Io`]. What could be removed is removed.
pub async fn down(
    instance: &Instance,
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
    let mut down = Down {
        forwarded: forwarding::stop(instance).await?,
        ..Down::default()
    };
    // Another command may have put it elsewhere until now.
    let Some(file) = ClusterFile::of(instance)? else {
        return Ok(down);
    };
    let gone = file.kind.is_some() && !options.forget && kind::is_gone(&options.kind).await?;
    down.gone = gone;
    if options.forget {
        ClusterFile::remove(instance)?;
    } else if gone && options.volumes {
        embedded::remove_data(instance)?;
    } else if gone {
        ClusterFile { up: false, ..file }.save(instance)?;
    } else {
        let cluster = file.connect().await?;
        let objects = objects(&cluster, instance, options.volumes).await?;
        down.objects = cluster::remove(&cluster, &objects, options.deadline, tell)
            .await?
            .objects;
        if options.volumes {
            // Where this fails, the next call of this finds what is left.
            down.cluster =
                file.kind.is_some() && kind::remove(instance, &options.kind, &cluster, tell).await?;
            embedded::remove_data(instance)?;
        } else {
            // What is kept is found there by the next start.
            ClusterFile { up: false, ..file }.save(instance)?;
        }
    }
    down.took = begin.elapsed();
    Ok(down)
}

async fn objects(
    cluster: &Cluster,
    instance: &Instance,
    volumes: bool,
) -> Result<Vec<ObjectRef>, EngineError> {
    let namespace = Variant::namespace(&instance.name);
    let mut objects = members(cluster, &namespace, &instance.name).await?;
    if !volumes {
        objects.retain(|object| !keeps_data(object));
    } else if owner(cluster, &namespace, &instance.name).await? == Owner::Instance {
        // With it goes everything that is within, such as the volumes that a StatefulSet made.
        objects.push(ObjectRef {
            api_version: "v1".to_owned(),
            kind: "Namespace".to_owned(),
            namespace: None,
            name: namespace,
        });
    }
    Ok(objects)
}
