//! Looking at an instance in a cluster, and starting parts of it anew.

use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use kube::Resource;
use kube::core::{PartialObjectMeta, Request};
use serde::Serialize;

use super::ClusterFile;
use super::cluster::{self, Cluster, ClusterError, Event, LogOptions, ObjectRef, Part};
use super::variant::{INSTANCE, MANAGED_BY};
use crate::error::EngineError;
use crate::instance::Instance;
use crate::lock::InstanceLock;

/// Time that another command may take.
const LOCK_PATIENCE: Duration = Duration::from_secs(300);

/// An instance as its cluster sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterStatus {
    /// The context that it was found by.
    pub context: String,
    /// Address of the server.
    pub server: String,
    /// Version of the server.
    pub version: String,
    /// Namespace of the instance.
    pub namespace: String,
    /// What it is made of.
    pub parts: Vec<Part>,
}

/// The labels of what belongs to an instance.
fn labels(instance: &Instance) -> String {
    format!("{MANAGED_BY}=odd,{INSTANCE}={}", instance.name)
}

/// Which lines `logs` shall take of an instance.
pub fn log_options(apps: Vec<String>, tail: Option<i64>, follow: bool) -> LogOptions {
    LogOptions {
        // Every pod of the namespace is the instance's.
        labels: String::new(),
        apps,
        tail,
        follow,
    }
}

/// Asks the cluster.
///
/// # Errors
/// [`EngineError::Cluster`] where it does not tell.
pub async fn status(instance: &Instance, file: &ClusterFile) -> Result<ClusterStatus, EngineError> {
    let cluster = file.connect().await?;
    let parts = cluster::parts(&cluster, &file.namespace, &labels(instance)).await?;
    Ok(ClusterStatus {
        context: cluster.context,
        server: cluster.server,
        version: cluster.version,
        namespace: file.namespace.clone(),
        parts,
    })
}

/// Replaces the pods of these parts, or of all, each as its own rules of rolling say, and waits until all are ready. Returns their names and
/// the time it took.
///
/// # Errors
/// [`EngineError::Cluster`] where there is no such part, or one is not ready in time.
pub async fn restart(
    instance: &Instance,
    file: &ClusterFile,
    services: &[String],
    limit: Duration,
    tell: &(impl Fn(Event) + Sync),
) -> Result<(Vec<String>, Duration), EngineError> {
    let begin = Instant::now();
    let waiting = || {
        tell(Event::Notice {
            text: "another command is starting or stopping it: waiting".to_owned(),
        });
    };
    let _lock = InstanceLock::take(instance, LOCK_PATIENCE, waiting).await?;
    let cluster = file.connect().await?;
    let there = cluster::parts(&cluster, &file.namespace, &labels(instance)).await?;
    let objects: Vec<ObjectRef> = there.into_iter().map(|part| part.object).collect();
    let chosen = chosen(&objects, services)?;
    if chosen.is_empty() {
        return Err(ClusterError::NotThere {
            namespace: file.namespace.clone(),
        }
        .into());
    }
    for object in &chosen {
        roll(&cluster, &file.namespace, object).await?;
    }
    cluster::wait(&cluster, &file.namespace, &chosen, limit, tell).await?;
    Ok((
        chosen.into_iter().map(|object| object.name).collect(),
        begin.elapsed(),
    ))
}

fn chosen(there: &[ObjectRef], services: &[String]) -> Result<Vec<ObjectRef>, ClusterError> {
    let missing = services
        .iter()
        .find(|name| !there.iter().any(|object| object.name == **name));
    if let Some(name) = missing {
        let known: Vec<&str> = there.iter().map(|object| object.name.as_str()).collect();
        return Err(ClusterError::NoSuchPart {
            name: name.clone(),
            known: known.join(", "),
        });
    }
    let wanted = |object: &&ObjectRef| services.is_empty() || services.contains(&object.name);
    Ok(there.iter().filter(wanted).cloned().collect())
}

/// As `kubectl rollout restart` does it: by an annotation of the template.
async fn roll(cluster: &Cluster, namespace: &str, object: &ObjectRef) -> Result<(), ClusterError> {
    let path = match object.kind.as_str() {
        "StatefulSet" => StatefulSet::url_path(&(), Some(namespace)),
        _ => Deployment::url_path(&(), Some(namespace)),
    };
    let request = Request::new(path).restart(&object.name);
    let request = request.map_err(kube::Error::BuildRequest);
    let rolled = match request {
        Ok(request) => cluster
            .client()
            .request::<PartialObjectMeta>(request)
            .await
            .map(drop),
        Err(error) => Err(error),
    };
    rolled.map_err(|error| ClusterError::of(format!("restart {object}"), &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_chosen_by_name_and_one_that_is_not_there_is_told() {
        let object = |name: &str| ObjectRef {
            api_version: "apps/v1".to_owned(),
            kind: "Deployment".to_owned(),
            namespace: None,
            name: name.to_owned(),
        };
        let there = [object("gateway"), object("web")];
        assert_eq!(chosen(&there, &[]).unwrap().len(), 2);
        assert_eq!(chosen(&there, &["web".to_owned()]).unwrap(), [object("web")]);
        let error = chosen(&there, &["none".to_owned()]).unwrap_err().to_string();
        assert_eq!(error, "there is no none; there are gateway, web");
    }
}
