//! The objects of an instance in a cluster, found by their labels: what was made once is found even where these manifests have it no more.

use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::ListParams;

use super::cluster::{Cluster, ClusterError, Kinds, ObjectRef};
use super::variant::{INSTANCE, MANAGED_BY};
use crate::instance::InstanceName;

/// Kinds that an instance is made of, those with data last.
const KINDS: [(&str, &str); 11] = [
    ("apps/v1", "Deployment"),
    ("apps/v1", "StatefulSet"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
    ("networking.k8s.io/v1", "Ingress"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("policy/v1", "PodDisruptionBudget"),
    ("v1", "ConfigMap"),
    ("v1", "Service"),
    ("v1", "ServiceAccount"),
    ("v1", "Secret"),
    ("v1", "PersistentVolumeClaim"),
];
/// Kinds that hold what cannot be made again: data, and the passwords to them.
const KEEPERS: [&str; 3] = ["Namespace", "PersistentVolumeClaim", "Secret"];

/// Whether the loss of an object is a loss of data.
pub(super) fn keeps_data(object: &ObjectRef) -> bool {
    KEEPERS.contains(&object.kind.as_str())
}

/// Whose a namespace is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// It is not there.
    Nobody,
    /// It was made for the instance of this name, from here or from elsewhere.
    Instance,
    /// It was made by somebody else.
    Other,
}

/// Whose the namespace of an instance is.
///
/// # Errors
/// Where the cluster does not tell.
pub(super) async fn owner(
    cluster: &Cluster,
    namespace: &str,
    instance: &InstanceName,
) -> Result<Owner, ClusterError> {
    let namespaces: Api<Namespace> = Api::all(cluster.client().clone());
    let found = namespaces.get_metadata_opt(namespace).await;
    let found = found.map_err(|error| ClusterError::of(format!("read namespace/{namespace}"), &error))?;
    let Some(found) = found else {
        return Ok(Owner::Nobody);
    };
    let labels = found.metadata.labels.unwrap_or_default();
    let is = |label: &str, value: &str| labels.get(label).is_some_and(|found| found == value);
    Ok(match is(MANAGED_BY, "odd") && is(INSTANCE, instance.as_str()) {
        true => Owner::Instance,
        false => Owner::Other,
    })
}

/// Namespaces that a new cluster of kind has.
const OF_EVERY_CLUSTER: [&str; 5] = [
    "default",
    "kube-node-lease",
    "kube-public",
    "kube-system",
    "local-path-storage",
];

/// Whether anybody put anything into a cluster that is there still.
///
/// # Errors
/// Where the cluster does not tell.
pub(super) async fn is_used(cluster: &Cluster) -> Result<bool, ClusterError> {
    let namespaces: Api<Namespace> = Api::all(cluster.client().clone());
    let listed = namespaces.list_metadata(&ListParams::default()).await;
    let listed = listed.map_err(|error| ClusterError::of("list its namespaces", &error))?;
    let mut names = listed
        .items
        .iter()
        .filter_map(|item| item.metadata.name.as_deref());
    Ok(names.any(|name| !OF_EVERY_CLUSTER.contains(&name)))
}

/// The objects of an instance in its namespace, the namespace itself not among them.
///
/// # Errors
/// Where the cluster does not tell.
pub(super) async fn members(
    cluster: &Cluster,
    namespace: &str,
    instance: &InstanceName,
) -> Result<Vec<ObjectRef>, ClusterError> {
    let kinds: Vec<ObjectRef> = KINDS
        .iter()
        .map(|(api_version, kind)| ObjectRef {
            api_version: (*api_version).to_owned(),
            kind: (*kind).to_owned(),
            namespace: Some(namespace.to_owned()),
            name: String::new(),
        })
        .collect();
    let known = Kinds::of(cluster, &kinds).await?;
    let labels = format!("{MANAGED_BY}=odd,{INSTANCE}={instance}");
    let of_instance = ListParams::default().labels(&labels);
    let mut found = Vec::new();
    for kind in &kinds {
        let api = match known.api(kind) {
            Ok(api) => api,
            // An older cluster has none of these.
            Err(ClusterError::UnknownKind { .. }) => continue,
            Err(error) => return Err(error),
        };
        let listed = api.list_metadata(&of_instance).await;
        let listed = listed
            .map_err(|error| ClusterError::of(format!("list objects of kind {}", kind.kind), &error))?;
        found.extend(listed.items.into_iter().filter_map(|item| {
            Some(ObjectRef {
                name: item.metadata.name?,
                ..kind.clone()
            })
        }));
    }
    Ok(found)
}
