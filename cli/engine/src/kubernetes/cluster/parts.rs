//! What runs in a namespace: its Deployments and StatefulSets with their pods.

use std::collections::BTreeMap;

use kube::ResourceExt;
use kube::api::ListParams;
use serde::Serialize;

use super::rollout::{Progress, of_deployment, of_set};
use super::view::{self, Pod};
use super::{Cluster, ClusterError, ObjectRef, PodStage, Symptom, symptom, trouble};

/// A Deployment or a StatefulSet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Part {
    /// The object.
    pub object: ObjectRef,
    /// Pods of its present form that take requests.
    pub ready: i32,
    /// Pods that it shall have.
    pub wanted: i32,
    /// What it waits for; none where it is as it shall be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting: Option<String>,
    /// Its pods, by the label `app.kubernetes.io/name`.
    pub pods: Vec<PodState>,
}

/// A pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PodState {
    /// Its name.
    pub name: String,
    /// How far it is.
    pub stage: PodStage,
    /// How often its containers were started again.
    pub restarts: i32,
    /// What keeps it from getting further.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub symptom: Option<Symptom>,
}

/// The Deployments and StatefulSets with these labels in a namespace, by name.
///
/// # Errors
/// Where the cluster does not tell.
pub async fn parts(cluster: &Cluster, namespace: &str, labels: &str) -> Result<Vec<Part>, ClusterError> {
    let ours = ListParams::default().labels(labels);
    let every = ListParams::default();
    let deployments = view::deployments(cluster, namespace);
    let sets = view::stateful_sets(cluster, namespace);
    let pods = view::pods(cluster, namespace);
    let listed = tokio::try_join!(deployments.list(&ours), sets.list(&ours), pods.list(&every));
    let (deployments, sets, pods) =
        listed.map_err(|error| ClusterError::of(format!("list what runs in {namespace}"), &error))?;
    let mut by_app: BTreeMap<String, Vec<PodState>> = BTreeMap::new();
    for pod in &pods.items {
        if let Some(app) = trouble::app(pod) {
            by_app.entry(app).or_default().push(state(pod));
        }
    }
    let progress = deployments.items.iter().map(of_deployment);
    let progress = progress.chain(sets.items.iter().map(of_set));
    let mut parts: Vec<Part> = progress.map(|it| part(it, namespace, &mut by_app)).collect();
    parts.sort_by(|a, b| a.object.name.cmp(&b.object.name));
    Ok(parts)
}

fn part(progress: Progress, namespace: &str, pods: &mut BTreeMap<String, Vec<PodState>>) -> Part {
    Part {
        object: ObjectRef {
            api_version: "apps/v1".to_owned(),
            kind: progress.kind.to_owned(),
            namespace: Some(namespace.to_owned()),
            name: progress.name.clone(),
        },
        ready: progress.ready,
        wanted: progress.wanted,
        waiting: progress.reason,
        pods: pods.remove(&progress.name).unwrap_or_default(),
    }
}

fn state(pod: &Pod) -> PodState {
    let containers = pod
        .status
        .iter()
        .flat_map(|status| status.container_statuses.iter().flatten());
    PodState {
        name: pod.name_any(),
        stage: symptom::stage(pod),
        restarts: containers.map(|container| container.restart_count).sum(),
        symptom: symptom::symptom(pod),
    }
}
