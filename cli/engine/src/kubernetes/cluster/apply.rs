//! Server-side apply: the server merges what is wanted into what is there and keeps who owns which field.

use futures::{StreamExt, TryStreamExt, stream};
use kube::api::{Patch, PatchParams};

use super::diff::changes;
use super::kinds::Kinds;
use super::plan::{present, value};
use super::{AT_ONCE, Cluster, ClusterError, Event, FIELD_MANAGER, Object, ObjectRef};

/// How objects are applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ApplyOptions {
    /// Take over fields that others own, instead of failing.
    pub force: bool,
}

impl ApplyOptions {
    pub(super) fn params(self) -> PatchParams {
        let mut params = PatchParams::apply(FIELD_MANAGER);
        params.force = self.force;
        params
    }
}

/// What became of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The object.
    pub object: ObjectRef,
    /// Whether it is another one than before.
    pub changed: bool,
}

/// Applies the objects: first what others refer to, within that several at once. An object that is as it shall be is not changed by it.
///
/// # Errors
/// Of the first object that the server refuses. What was applied before stays: the same call goes on from there.
pub async fn apply(
    cluster: &Cluster,
    objects: &[Object],
    options: ApplyOptions,
    tell: &(impl Fn(Event) + Sync),
) -> Result<Vec<Applied>, ClusterError> {
    let kinds = Kinds::of(cluster, objects.iter().map(|object| &object.reference)).await?;
    let mut all = Vec::with_capacity(objects.len());
    for together in objects.chunk_by(|a, b| a.reference.rank() == b.reference.rank()) {
        let one = |object| one(&kinds, object, options, tell);
        let applied: Vec<Applied> = stream::iter(together)
            .map(one)
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        all.extend(applied);
    }
    Ok(all)
}

async fn one(
    kinds: &Kinds<'_>,
    object: &Object,
    options: ApplyOptions,
    tell: &(impl Fn(Event) + Sync),
) -> Result<Applied, ClusterError> {
    let api = kinds.api(&object.reference)?;
    let before = present(&api, &object.reference).await?;
    let patch = Patch::Apply(&object.wanted);
    let after = api
        .patch(&object.reference.name, &options.params(), &patch)
        .await
        .map_err(|error| ClusterError::of_apply(&object.reference, &error))?;
    // Its version tells nothing: whoever keeps its status may have written meanwhile.
    let changed = match &before {
        Some(before) => !changes(&value(before)?, &value(&after)?, object.is_secret()).is_empty(),
        None => true,
    };
    let applied = Applied {
        object: object.reference.clone(),
        changed,
    };
    tell(Event::Applied {
        object: applied.object.clone(),
        created: before.is_none(),
        changed: applied.changed,
    });
    Ok(applied)
}
