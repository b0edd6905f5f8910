//! What an apply would do: the server is asked to try it and to keep nothing.

use futures::{StreamExt, TryStreamExt, stream};
use kube::Api;
use kube::api::{Patch, PatchParams};
use kube::core::DynamicObject;
use serde::Serialize;
use serde_json::Value;

use super::diff::{FieldChange, changes};
use super::kinds::Kinds;
use super::{AT_ONCE, ApplyOptions, Cluster, ClusterError, Object, ObjectRef};

/// What is done with an object.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "action", rename_all = "camelCase")]
pub enum Action {
    /// It is not there.
    Create,
    /// It is there and differs.
    Change {
        /// In these fields.
        fields: Vec<FieldChange>,
    },
    /// It is there as it shall be.
    Keep,
}

/// What is done with which object.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    /// The object.
    pub object: ObjectRef,
    /// What is done with it.
    #[serde(flatten)]
    pub action: Action,
}

/// What [`super::apply`] would do of these objects, in its order. Nothing is changed.
///
/// # Errors
/// Those of the apply, as far as the server can tell before it is done.
pub async fn plan(
    cluster: &Cluster,
    objects: &[Object],
    options: ApplyOptions,
) -> Result<Vec<Step>, ClusterError> {
    let kinds = Kinds::of(cluster, objects.iter().map(|object| &object.reference)).await?;
    let namespaces = absent_namespaces(&kinds, objects).await?;
    let step = |object: &Object| {
        let (kinds, namespaces, object) = (&kinds, &namespaces, object.clone());
        async move {
            let api = kinds.api(&object.reference)?;
            let is_absent = |name: &String| namespaces.contains(name);
            // The server tries nothing in a namespace that is not there.
            let action = match object.reference.namespace.as_ref().is_some_and(is_absent) {
                true => Action::Create,
                false => action(&api, &object, options).await?,
            };
            Ok::<_, ClusterError>(Step {
                object: object.reference,
                action,
            })
        }
    };
    stream::iter(objects)
        .map(step)
        .buffered(AT_ONCE)
        .try_collect()
        .await
}

/// The namespaces among these objects that are not there yet.
async fn absent_namespaces(kinds: &Kinds<'_>, objects: &[Object]) -> Result<Vec<String>, ClusterError> {
    let mut absent = Vec::new();
    for object in objects
        .iter()
        .filter(|object| object.reference.kind == "Namespace")
    {
        if present(&kinds.api(&object.reference)?, &object.reference)
            .await?
            .is_none()
        {
            absent.push(object.reference.name.clone());
        }
    }
    Ok(absent)
}

pub(super) async fn present(
    api: &Api<DynamicObject>,
    object: &ObjectRef,
) -> Result<Option<DynamicObject>, ClusterError> {
    let present = api.get_opt(&object.name).await;
    present.map_err(|error| ClusterError::of(format!("read {object}"), &error))
}

async fn action(
    api: &Api<DynamicObject>,
    object: &Object,
    options: ApplyOptions,
) -> Result<Action, ClusterError> {
    let Some(present) = present(api, &object.reference).await? else {
        tried(api, object, options).await?;
        return Ok(Action::Create);
    };
    let after = tried(api, object, options).await?;
    let fields = changes(&value(&present)?, &value(&after)?, object.is_secret());
    Ok(match fields.is_empty() {
        true => Action::Keep,
        false => Action::Change { fields },
    })
}

/// The object as it would be.
async fn tried(
    api: &Api<DynamicObject>,
    object: &Object,
    options: ApplyOptions,
) -> Result<DynamicObject, ClusterError> {
    let params = PatchParams {
        dry_run: true,
        ..options.params()
    };
    let tried = api
        .patch(&object.reference.name, &params, &Patch::Apply(&object.wanted))
        .await;
    tried.map_err(|error| ClusterError::of_apply(&object.reference, &error))
}

pub(super) fn value(object: &DynamicObject) -> Result<Value, ClusterError> {
    serde_json::to_value(object).map_err(|error| ClusterError::Refused {
        action: "read what the cluster says".to_owned(),
        reason: error.to_string(),
    })
}
