//! Removing objects, and waiting until they are gone.

use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use kube::api::DeleteParams;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::kinds::Kinds;
use super::{AT_ONCE, Cluster, ClusterError, Event, ObjectRef};

/// How often it is looked whether objects are gone.
const LOOK: Duration = Duration::from_millis(500);

/// What removing came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// The objects that were there.
    pub objects: Vec<ObjectRef>,
}

/// Removes these objects, those that refer to others first, and waits until they and what belongs to them are gone. What is not there, or
/// of a kind that the cluster does not know, counts as gone.
///
/// # Errors
/// [`ClusterError::NotGone`] when the time is over: the cluster goes on removing them.
pub async fn remove(
    cluster: &Cluster,
    objects: &[ObjectRef],
    limit: Duration,
    tell: &(impl Fn(Event) + Sync),
) -> Result<Removed, ClusterError> {
    let kinds = Kinds::of(cluster, objects).await?;
    let mut ordered: Vec<&ObjectRef> = objects.iter().collect();
    ordered.sort_by_key(|object| std::cmp::Reverse(object.rank()));
    let mut removed = Removed::default();
    for together in ordered.chunk_by(|a, b| a.rank() == b.rank()) {
        let found: Vec<Option<ObjectRef>> = stream::iter(together.iter().copied())
            .map(|object| delete(&kinds, object))
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        let found: Vec<ObjectRef> = found.into_iter().flatten().collect();
        gone(&kinds, &found, limit, tell).await?;
        removed.objects.extend(found);
    }
    Ok(removed)
}

/// Asks for the removal of an object and of what belongs to it. Tells it where it was there.
async fn delete(kinds: &Kinds<'_>, object: &ObjectRef) -> Result<Option<ObjectRef>, ClusterError> {
    let api = match kinds.api(object) {
        Ok(api) => api,
        Err(ClusterError::UnknownKind { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    // In the foreground: it stays until its pods are gone, so that its absence tells of theirs.
    match api.delete(&object.name, &DeleteParams::foreground()).await {
        Ok(_) => Ok(Some(object.clone())),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
        Err(error) => Err(ClusterError::of(format!("remove {object}"), &error)),
    }
}

async fn gone(
    kinds: &Kinds<'_>,
    objects: &[ObjectRef],
    limit: Duration,
    tell: &(impl Fn(Event) + Sync),
) -> Result<(), ClusterError> {
    let mut left: Vec<ObjectRef> = objects.to_vec();
    let look = async {
        let mut clock = interval(LOOK);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !left.is_empty() {
            clock.tick().await;
            let mut still = Vec::new();
            for object in &left {
                match is_there(kinds, object).await? {
                    true => still.push(object.clone()),
                    false => tell(Event::Removed {
                        object: object.clone(),
                    }),
                }
            }
            left = still;
        }
        Ok(())
    };
    let in_time = timeout(limit, look).await;
    in_time.unwrap_or(Err(ClusterError::NotGone { limit, objects: left }))
}

async fn is_there(kinds: &Kinds<'_>, object: &ObjectRef) -> Result<bool, ClusterError> {
    let present = kinds.api(object)?.get_metadata_opt(&object.name).await;
    let present = present.map_err(|error| ClusterError::of(format!("read {object}"), &error))?;
    Ok(present.is_some())
}
