//! How far a pod is, and what keeps it from getting further, as its status says.

use serde::Serialize;

use super::PodStage;
use super::view::{ContainerState, ContainerStatus, Pod, PodStatus};

/// Reasons for which a container waits that are no matter of time alone, as the kubelet writes them.
const STUCK: [&str; 10] = [
    "CrashLoopBackOff",
    "CreateContainerConfigError",
    "CreateContainerError",
    "ErrImageNeverPull",
    "ErrImagePull",
    "ImageInspectError",
    "ImagePullBackOff",
    "InvalidImageName",
    "RegistryUnavailable",
    "RunContainerError",
];

/// What keeps a pod from getting further.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Symptom {
    /// In one word, as Kubernetes says it: `ImagePullBackOff`, `CrashLoopBackOff`, `OOMKilled`, `Unschedulable`.
    pub reason: String,
    /// In a sentence, as Kubernetes says it; empty where it says none.
    pub message: String,
    /// The container, where it is one that is stuck.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// Whether the end of the log is that of an earlier run of the container.
    #[serde(skip)]
    pub ended_before: bool,
}

/// How far a pod is.
pub(super) fn stage(pod: &Pod) -> PodStage {
    let Some(status) = &pod.status else {
        return PodStage::Scheduling;
    };
    if pod.metadata.deletion_timestamp.is_some() {
        return PodStage::Ending;
    }
    if symptom(pod).is_some() {
        return PodStage::Failed;
    }
    let is = |kind: &str| condition(status, kind) == Some("True");
    let running = containers(status).any(|container| {
        let state = container.state.as_ref();
        state.is_some_and(|state| state.running.is_some())
    });
    match (is("Ready"), running, is("PodScheduled")) {
        (true, ..) => PodStage::Ready,
        (false, true, _) => PodStage::Starting,
        (false, false, true) => PodStage::Creating,
        (false, false, false) => PodStage::Scheduling,
    }
}

/// What keeps a pod from getting further; none where only time does.
pub(super) fn symptom(pod: &Pod) -> Option<Symptom> {
    let status = pod.status.as_ref()?;
    // What is being ended is somebody's wish.
    if pod.metadata.deletion_timestamp.is_some() {
        return None;
    }
    containers(status)
        .find_map(of_container)
        .or_else(|| failed(status))
        .or_else(|| unschedulable(status))
}

fn containers(status: &PodStatus) -> impl Iterator<Item = &ContainerStatus> {
    let init = status.init_container_statuses.iter().flatten();
    init.chain(status.container_statuses.iter().flatten())
}

fn condition<'a>(status: &'a PodStatus, kind: &str) -> Option<&'a str> {
    let all = status.conditions.iter().flatten();
    let mut of_kind = all.filter(|condition| condition.kind == kind);
    of_kind.next().map(|condition| condition.status.as_str())
}

fn of_container(container: &ContainerStatus) -> Option<Symptom> {
    let state = container.state.as_ref()?;
    let waiting = state.waiting.as_ref();
    let reason = waiting.and_then(|waiting| waiting.reason.as_deref());
    let stuck = reason.filter(|reason| STUCK.contains(reason))?;
    let message = waiting
        .and_then(|waiting| waiting.message.clone())
        .unwrap_or_default();
    // Why it crashes stands with the end of its last run; that it crashes again and again is known by then.
    let ended = container.last_state.as_ref().and_then(end_of);
    let (reason, message) = match ended.filter(|_| stuck == "CrashLoopBackOff") {
        Some((word, sentence)) => (word.unwrap_or(stuck.to_owned()), sentence),
        None => (stuck.to_owned(), message),
    };
    Some(Symptom {
        reason,
        message,
        container: Some(container.name.clone()),
        ended_before: stuck == "CrashLoopBackOff",
    })
}

/// How a run of a container ended: in a word where Kubernetes has one that says more than `Error`, and in a sentence.
fn end_of(state: &ContainerState) -> Option<(Option<String>, String)> {
    let end = state.terminated.as_ref()?;
    let word = end
        .reason
        .clone()
        .filter(|word| word != "Error" && word != "Completed");
    let sentence = match (end.signal, end.message.as_deref()) {
        (Some(signal), _) if signal != 0 => format!("it was ended by signal {signal}"),
        (_, Some(message)) if !message.is_empty() => {
            format!("it ended with exit code {}: {}", end.exit_code, message.trim())
        }
        _ => format!("it ended with exit code {}", end.exit_code),
    };
    Some((word, sentence))
}

/// A pod that ended as a whole, such as one that was evicted.
fn failed(status: &PodStatus) -> Option<Symptom> {
    (status.phase.as_deref() == Some("Failed")).then(|| Symptom {
        reason: status.reason.clone().unwrap_or_else(|| "Failed".to_owned()),
        message: status.message.clone().unwrap_or_default(),
        container: None,
        ended_before: false,
    })
}

fn unschedulable(status: &PodStatus) -> Option<Symptom> {
    let mut all = status.conditions.iter().flatten();
    let condition = all.find(|condition| {
        condition.kind == "PodScheduled"
            && condition.status == "False"
            && condition.reason.as_deref() == Some("Unschedulable")
    })?;
    Some(Symptom {
        reason: "Unschedulable".to_owned(),
        message: condition.message.clone().unwrap_or_default(),
        container: None,
        ended_before: false,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(status: Value) -> Pod {
        serde_json::from_value(json!({"metadata": {"name": "gateway-1"}, "spec": {}, "status": status}))
            .unwrap()
    }

    fn waiting(reason: &str, message: &str, last: Value) -> Pod {
        pod(json!({
            "phase": "Running",
            "conditions": [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": "False"}],
            "containerStatuses": [{
                "name": "gateway", "image": "odd", "imageID": "", "ready": false, "restartCount": 3,
                "state": {"waiting": {"reason": reason, "message": message}}, "lastState": last,
            }],
        }))
    }

    #[test]
    fn a_pod_goes_through_its_stages() {
        let conditions = |ready: &str| json!([{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": ready}]);
        let running = |ready: bool| {
            json!([{
                "name": "gateway", "image": "odd", "imageID": "", "ready": ready, "restartCount": 0,
                "state": {"running": {}},
            }])
        };
        assert_eq!(stage(&pod(json!({"phase": "Pending"}))), PodStage::Scheduling);
        assert_eq!(
            stage(&waiting("ContainerCreating", "", json!({}))),
            PodStage::Creating
        );
        let starting = pod(json!({"conditions": conditions("False"), "containerStatuses": running(false)}));
        assert_eq!(stage(&starting), PodStage::Starting);
        let ready = pod(json!({"conditions": conditions("True"), "containerStatuses": running(true)}));
        assert_eq!(stage(&ready), PodStage::Ready);
        let mut ending = ready;
        ending.metadata.deletion_timestamp = serde_json::from_value(json!("2026-11-22T00:00:00Z")).unwrap();
        assert_eq!(stage(&ending), PodStage::Ending);
    }

    #[test]
    fn an_image_that_is_not_to_be_had_is_told_as_the_kubelet_says_it() {
        let found = symptom(&waiting(
            "ImagePullBackOff",
            "Back-off pulling image \"odd:x\"",
            json!({}),
        ))
        .unwrap();
        assert_eq!(
            (
                found.reason.as_str(),
                found.message.as_str(),
                found.container.as_deref()
            ),
            (
                "ImagePullBackOff",
                "Back-off pulling image \"odd:x\"",
                Some("gateway")
            )
        );
        assert!(!found.ended_before);
        assert_eq!(stage(&waiting("ErrImagePull", "", json!({}))), PodStage::Failed);
    }

    #[test]
    fn a_container_that_crashes_is_told_by_how_it_ended() {
        let last = json!({"terminated": {"exitCode": 78, "reason": "Error"}});
        let found = symptom(&waiting("CrashLoopBackOff", "back-off 10s", last)).unwrap();
        assert_eq!(
            (found.reason.as_str(), found.message.as_str()),
            ("CrashLoopBackOff", "it ended with exit code 78")
        );
        assert!(found.ended_before);
        let last = json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}});
        let found = symptom(&waiting("CrashLoopBackOff", "back-off 10s", last)).unwrap();
        assert_eq!(found.reason, "OOMKilled");
    }

    #[test]
    fn a_pod_that_no_node_takes_and_one_that_was_evicted_are_told() {
        let message = "0/1 nodes are available: 1 Insufficient cpu.";
        let found = symptom(&pod(json!({
            "phase": "Pending",
            "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}],
        })));
        assert_eq!(
            found.map(|it| (it.reason, it.message)),
            Some(("Unschedulable".to_owned(), message.to_owned()))
        );
        let found = symptom(&pod(
            json!({"phase": "Failed", "reason": "Evicted", "message": "low on memory"}),
        ));
        assert_eq!(found.map(|it| it.reason).as_deref(), Some("Evicted"));
    }

    #[test]
    fn what_only_needs_time_is_no_symptom() {
        for reason in ["ContainerCreating", "PodInitializing"] {
            assert_eq!(symptom(&waiting(reason, "", json!({}))), None);
        }
    }
}
