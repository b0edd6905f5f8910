//! Objects as they are wanted, and what names them.

use std::fmt;

use kube::core::{DynamicObject, GroupVersionKind};
use serde::Serialize;
use serde_json::Value;

use super::ClusterError;

/// What names an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectRef {
    /// Group and version, such as `apps/v1`.
    pub api_version: String,
    /// Kind, such as `Deployment`.
    pub kind: String,
    /// Namespace; none of an object that belongs to the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Name.
    pub name: String,
}

impl ObjectRef {
    pub(super) fn gvk(&self) -> GroupVersionKind {
        let (group, version) = self
            .api_version
            .split_once('/')
            .unwrap_or(("", &self.api_version));
        GroupVersionKind::gvk(group, version, &self.kind)
    }

    /// Whether this is the same object, whatever version of its kind either of them names.
    pub(in crate::kubernetes) fn is_of(&self, other: &Self) -> bool {
        (&self.kind, &self.namespace, &self.name) == (&other.kind, &other.namespace, &other.name)
    }

    /// How early it has to be there. What others refer to comes first: the namespace before everything, configuration before pods.
    pub(super) fn rank(&self) -> u8 {
        match self.kind.as_str() {
            "Namespace" => 0,
            "CustomResourceDefinition" | "PriorityClass" | "StorageClass" => 1,
            "ServiceAccount"
            | "ConfigMap"
            | "Secret"
            | "PersistentVolumeClaim"
            | "NetworkPolicy"
            | "Role"
            | "ClusterRole"
            | "RoleBinding"
            | "ClusterRoleBinding"
            | "ResourceQuota"
            | "LimitRange" => 2,
            "Service" => 3,
            _ => 4,
        }
    }
}

/// As kubectl names it, without the group: `deployment/gateway`.
impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.to_lowercase(), self.name)
    }
}

/// An object as it is wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// What names it.
    pub reference: ObjectRef,
    /// All of it, as it is sent.
    pub(super) wanted: DynamicObject,
}

impl Object {
    /// Of a manifest.
    ///
    /// # Errors
    /// Where it has no `apiVersion`, no kind or no name.
    pub fn parse(manifest: Value) -> Result<Self, ClusterError> {
        let wrong = |reason: String| ClusterError::Refused {
            action: "read a manifest".to_owned(),
            reason,
        };
        let wanted: DynamicObject =
            serde_json::from_value(manifest).map_err(|error| wrong(error.to_string()))?;
        let (Some(types), Some(name)) = (&wanted.types, &wanted.metadata.name) else {
            return Err(wrong("it has no apiVersion, kind or name".to_owned()));
        };
        Ok(Self {
            reference: ObjectRef {
                api_version: types.api_version.clone(),
                kind: types.kind.clone(),
                namespace: wanted.metadata.namespace.clone(),
                name: name.clone(),
            },
            wanted,
        })
    }

    /// The order in which objects are applied.
    pub(in crate::kubernetes) fn in_order(a: &Self, b: &Self) -> std::cmp::Ordering {
        (a.reference.rank(), &a.reference).cmp(&(b.reference.rank(), &b.reference))
    }

    /// Whether its values must not be shown.
    pub(super) fn is_secret(&self) -> bool {
        self.reference.kind == "Secret"
    }
}

/// The objects of rendered manifests, in the order in which they are applied. Each one is named once.
///
/// # Errors
/// Of [`Object::parse`], and where two have the same name.
pub fn objects(manifests: impl IntoIterator<Item = Value>) -> Result<Vec<Object>, ClusterError> {
    let mut all = manifests
        .into_iter()
        .map(Object::parse)
        .collect::<Result<Vec<_>, _>>()?;
    all.sort_by(Object::in_order);
    let twice = all.windows(2).find(|pair| pair[0].reference == pair[1].reference);
    match twice {
        Some(pair) => Err(ClusterError::Refused {
            action: "read the manifests".to_owned(),
            reason: format!("{} is among them twice", pair[0].reference),
        }),
        None => Ok(all),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_others_need_comes_first() {
        let one =
            |kind: &str, name: &str| json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name}});
        let all = objects([
            one("Deployment", "b"),
            one("Deployment", "a"),
            one("Service", "a"),
            one("ConfigMap", "a"),
            one("Namespace", "z"),
        ]);
        let names: Vec<String> = all.unwrap().iter().map(|it| it.reference.to_string()).collect();
        assert_eq!(
            names,
            [
                "namespace/z",
                "configmap/a",
                "service/a",
                "deployment/a",
                "deployment/b"
            ]
        );
    }

    #[test]
    fn a_manifest_without_a_name_and_one_that_comes_twice_are_refused() {
        let nameless = json!({"apiVersion": "v1", "kind": "Service", "metadata": {}});
        assert!(Object::parse(nameless).is_err());
        let one = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}});
        let error = objects([one.clone(), one]).unwrap_err().to_string();
        assert!(error.contains("service/a is among them twice"), "{error}");
    }

    #[test]
    fn groups_are_told_from_versions() {
        let of = |api_version: &str| {
            let reference = ObjectRef {
                api_version: api_version.to_owned(),
                kind: "X".to_owned(),
                namespace: None,
                name: "x".to_owned(),
            };
            let gvk = reference.gvk();
            (gvk.group, gvk.version)
        };
        assert_eq!(of("v1"), (String::new(), "v1".to_owned()));
        assert_eq!(of("apps/v1"), ("apps".to_owned(), "v1".to_owned()));
    }
}
