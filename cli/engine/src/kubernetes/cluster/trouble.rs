//! Why a pod does not get further: its status, the warnings that the cluster keeps of it, and the end of its log.

use std::time::Duration;

use k8s_openapi::api::core::v1 as whole;
use kube::api::{ListParams, LogParams};
use kube::{Api, ResourceExt};
use serde::Serialize;

use super::view::{self, Happening, Pod};
use super::{Cluster, Symptom};

/// Time for what explains a symptom; what does not come by then is left out.
const PATIENCE: Duration = Duration::from_secs(5);
/// Warnings that are told of a pod, the latest.
const WARNINGS: usize = 3;
/// Lines of a log that are told.
const LINES: i64 = 20;
/// The label that names what a pod is part of.
const APP: &str = "app.kubernetes.io/name";

/// A pod that does not get further by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PodTrouble {
    /// Its name.
    pub pod: String,
    /// The value of its label `app.kubernetes.io/name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// What keeps it.
    #[serde(flatten)]
    pub symptom: Symptom,
    /// Warnings that the cluster keeps of it, the latest last.
    pub warnings: Vec<String>,
    /// The end of the log of the container that is stuck.
    pub log: Vec<String>,
}

/// What a pod is part of.
pub(super) fn app(pod: &Pod) -> Option<String> {
    pod.labels().get(APP).cloned()
}

/// All that the cluster knows of it.
pub(super) async fn explain(cluster: &Cluster, pod: &Pod, symptom: Symptom) -> PodTrouble {
    let (warnings, log) = tokio::join!(
        tokio::time::timeout(PATIENCE, warnings(cluster, pod)),
        tokio::time::timeout(PATIENCE, log(cluster, pod, &symptom)),
    );
    PodTrouble {
        pod: pod.name_any(),
        app: app(pod),
        warnings: warnings.unwrap_or_default(),
        log: log.unwrap_or_default(),
        symptom,
    }
}

async fn warnings(cluster: &Cluster, pod: &Pod) -> Vec<String> {
    let Some(namespace) = pod.namespace() else {
        return Vec::new();
    };
    let events = view::happenings(cluster, &namespace);
    let of_pod = format!(
        "involvedObject.kind=Pod,involvedObject.name={},type=Warning",
        pod.name_any()
    );
    let listed = events.list(&ListParams::default().fields(&of_pod)).await;
    // What explains an error must not hide it.
    let Ok(listed) = listed else { return Vec::new() };
    let events = listed.items.into_iter().filter_map(view::happening).collect();
    latest(events, pod.uid().as_deref())
}

/// Those of this very pod: one of a StatefulSet has the name of the one before.
fn latest(mut events: Vec<Happening>, uid: Option<&str>) -> Vec<String> {
    events.retain(|event| uid.is_none() || event.involved_object.uid.as_deref() == uid);
    let time = |event: &Happening| {
        let last = event.last_timestamp.as_ref().map(|time| time.0);
        last.or(event.event_time.as_ref().map(|time| time.0))
    };
    events.sort_by_key(time);
    let first = events.len().saturating_sub(WARNINGS);
    events[first..].iter().map(in_words).collect()
}

fn in_words(event: &Happening) -> String {
    let reason = event.reason.as_deref().unwrap_or("Warning");
    let message = event.message.as_deref().unwrap_or_default().trim();
    match event.count.unwrap_or(1) {
        0 | 1 => format!("{reason}: {message}"),
        count => format!("{reason}: {message} ({count} times)"),
    }
}

async fn log(cluster: &Cluster, pod: &Pod, symptom: &Symptom) -> Vec<String> {
    // A container that never ran has said nothing.
    let (Some(namespace), true) = (pod.namespace(), symptom.ended_before) else {
        return Vec::new();
    };
    let pods: Api<whole::Pod> = Api::namespaced(cluster.client.clone(), &namespace);
    let params = LogParams {
        container: symptom.container.clone(),
        previous: true,
        tail_lines: Some(LINES),
        ..LogParams::default()
    };
    let text = pods.logs(&pod.name_any(), &params).await.unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn event(reason: &str, uid: &str, at: Value, count: i32) -> Happening {
        serde_json::from_value(json!({
            "metadata": {"name": "x"}, "reason": reason, "message": "why ", "lastTimestamp": at, "count": count,
            "involvedObject": {"kind": "Pod", "name": "postgres-0", "uid": uid},
        }))
        .unwrap()
    }

    #[test]
    fn the_latest_warnings_of_this_pod_are_told_in_order() {
        let at = |second: u32| json!(format!("2026-11-22T00:00:{second:02}Z"));
        let events = vec![
            event("Third", "now", at(30), 1),
            event("First", "now", at(10), 1),
            event("Second", "now", at(20), 4),
            event("Zeroth", "now", at(5), 1),
            event("Before", "earlier", at(40), 1),
        ];
        assert_eq!(
            latest(events, Some("now")),
            ["First: why", "Second: why (4 times)", "Third: why"]
        );
    }
}
