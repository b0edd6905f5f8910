//! Which resources the server has for which kinds: asked once for each group and version.

use std::collections::HashMap;

use futures::future;
use kube::Api;
use kube::core::{ApiResource, DynamicObject, GroupVersion, GroupVersionKind};
use kube::discovery::{self, ApiCapabilities, ApiGroup, Scope};

use super::{Cluster, ClusterError, ObjectRef};

/// The kinds that a set of objects needs.
pub(in crate::kubernetes) struct Kinds<'a> {
    cluster: &'a Cluster,
    known: HashMap<GroupVersionKind, (ApiResource, ApiCapabilities)>,
}

impl<'a> Kinds<'a> {
    /// Asks for the kinds of these objects.
    ///
    /// # Errors
    /// Where the server does not answer. A kind that it does not know is told when it is needed.
    pub(in crate::kubernetes) async fn of(
        cluster: &'a Cluster,
        objects: impl IntoIterator<Item = &ObjectRef>,
    ) -> Result<Self, ClusterError> {
        let mut wanted: Vec<GroupVersion> = Vec::new();
        for object in objects {
            let GroupVersionKind { group, version, .. } = object.gvk();
            let one = GroupVersion { group, version };
            if !wanted.contains(&one) {
                wanted.push(one);
            }
        }
        let groups = wanted.iter().map(|one| group(cluster, one));
        let mut known = HashMap::new();
        for (group, asked) in future::try_join_all(groups).await?.into_iter().zip(&wanted) {
            let Some(group) = group else { continue };
            for (resource, capabilities) in group.versioned_resources(&asked.version) {
                let gvk = GroupVersionKind::gvk(&resource.group, &resource.version, &resource.kind);
                known.insert(gvk, (resource, capabilities));
            }
        }
        Ok(Self { cluster, known })
    }

    /// Where objects like this one are kept.
    pub(in crate::kubernetes) fn api(&self, object: &ObjectRef) -> Result<Api<DynamicObject>, ClusterError> {
        let found = self.known.get(&object.gvk());
        let (resource, capabilities) = found.ok_or_else(|| ClusterError::UnknownKind {
            kind: object.kind.clone(),
            api_version: object.api_version.clone(),
            version: self.cluster.version.clone(),
        })?;
        let client = self.cluster.client.clone();
        Ok(match (&capabilities.scope, &object.namespace) {
            (Scope::Namespaced, Some(namespace)) => Api::namespaced_with(client, namespace, resource),
            (Scope::Namespaced, None) => Api::default_namespaced_with(client, resource),
            (Scope::Cluster, _) => Api::all_with(client, resource),
        })
    }
}

/// What the server has of a group and version; none where it has none of them.
async fn group(cluster: &Cluster, wanted: &GroupVersion) -> Result<Option<ApiGroup>, ClusterError> {
    match discovery::pinned_group(&cluster.client, wanted).await {
        Ok(group) => Ok(Some(group)),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
        Err(error) => Err(ClusterError::of(
            format!("tell its resources of {}", wanted.api_version()),
            &error,
        )),
    }
}
