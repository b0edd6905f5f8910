//! Waiting until what was applied runs, with what keeps pods from it.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::pin;
use std::time::Duration;

use futures::{StreamExt, stream};
use kube::ResourceExt;
use kube::runtime::watcher::{self, watcher};
use kube::runtime::{WatchStreamExt, watcher::Config};
use serde::Serialize;

use super::view::{self, Deployment, Pod, StatefulSet};
use super::{Cluster, ClusterError, Event, ObjectRef, PodStage, PodTrouble, Symptom, symptom, trouble};

/// What a Deployment or a StatefulSet waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Waiting {
    /// The object.
    pub object: ObjectRef,
    /// Pods of its present form that take requests.
    pub ready: i32,
    /// Pods that it shall have.
    pub wanted: i32,
    /// What it waits for, in words.
    pub reason: String,
}

/// `deployment/gateway: 1 of 2 pods ready`.
impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.object, self.reason)
    }
}

/// Waits until each of these Deployments and StatefulSets of a namespace runs as it was last applied. What happens to pods meanwhile is
/// told; a pod that is stuck is told at once, with the reason, and waited for, since most reasons pass: the secret that it waits for is
/// made, a node is added, the registry answers again. A pod of an earlier form may be stuck until the end.
///
/// # Errors
/// [`ClusterError::NotReady`] when the time is over.
pub async fn wait(
    cluster: &Cluster,
    namespace: &str,
    workloads: &[ObjectRef],
    limit: Duration,
    tell: &(impl Fn(Event) + Sync),
) -> Result<(), ClusterError> {
    let mut board = Board::new(cluster, workloads, tell);
    let mut changes = pin!(changes(cluster, namespace));
    let mut deadline = pin!(tokio::time::sleep(limit));
    while !board.is_done() {
        tokio::select! {
            change = changes.next() => match change {
                Some(change) => board.take(change?).await,
                None => return Err(board.not_ready(limit)),
            },
            () = &mut deadline => return Err(board.not_ready(limit)),
        }
    }
    Ok(())
}

/// Something that changed in the namespace.
enum Change {
    Workload(Progress),
    Pod(Box<Pod>),
    PodGone(String),
    /// The server was asked anew, and does not tell what went meanwhile.
    PodsAnew,
}

/// How far a Deployment or a StatefulSet is.
pub(super) struct Progress {
    pub(super) kind: &'static str,
    pub(super) name: String,
    pub(super) ready: i32,
    pub(super) wanted: i32,
    /// What it waits for; none where it is done.
    pub(super) reason: Option<String>,
}

/// What the server tells of the namespace. It is asked again where it ends or fails; only what no asking mends is an error.
fn changes<'a>(
    cluster: &Cluster,
    namespace: &'a str,
) -> impl stream::Stream<Item = Result<Change, ClusterError>> + use<'a> {
    let deployments = watcher(view::deployments(cluster, namespace), Config::default())
        .default_backoff()
        .filter_map(async |event| workload("Deployment", event, |it| of_deployment(&it)));
    let sets = watcher(view::stateful_sets(cluster, namespace), Config::default())
        .default_backoff()
        .filter_map(async |event| workload("StatefulSet", event, |it| of_set(&it)));
    let pods = watcher(view::pods(cluster, namespace), Config::default())
        .default_backoff()
        .filter_map(async |event| pod(event));
    stream::select_all([deployments.boxed(), sets.boxed(), pods.boxed()])
}

fn workload<K>(
    kind: &str,
    event: Result<watcher::Event<K>, watcher::Error>,
    progress: impl Fn(K) -> Progress,
) -> Option<Result<Change, ClusterError>> {
    match event {
        Ok(watcher::Event::Apply(it) | watcher::Event::InitApply(it)) => {
            Some(Ok(Change::Workload(progress(it))))
        }
        Ok(_) => None,
        Err(error) => fatal(kind, &error).map(Err),
    }
}

fn pod(event: Result<watcher::Event<Pod>, watcher::Error>) -> Option<Result<Change, ClusterError>> {
    match event {
        Ok(watcher::Event::Apply(pod) | watcher::Event::InitApply(pod)) => {
            Some(Ok(Change::Pod(Box::new(pod))))
        }
        Ok(watcher::Event::Delete(pod)) => Some(Ok(Change::PodGone(pod.name_any()))),
        Ok(watcher::Event::Init) => Some(Ok(Change::PodsAnew)),
        Ok(watcher::Event::InitDone) => None,
        Err(error) => fatal("Pod", &error).map(Err),
    }
}

/// The error where asking again mends nothing: who asks is not known, or may not.
fn fatal(kind: &str, error: &watcher::Error) -> Option<ClusterError> {
    let cause = match error {
        watcher::Error::InitialListFailed(cause)
        | watcher::Error::WatchStartFailed(cause)
        | watcher::Error::WatchFailed(cause) => cause,
        watcher::Error::WatchError(_) | watcher::Error::NoResourceVersion => return None,
    };
    let is_fatal = matches!(cause, kube::Error::Api(status) if matches!(status.code, 401 | 403));
    is_fatal.then(|| ClusterError::of(format!("watch objects of kind {kind}"), cause))
}

/// As `kubectl rollout status` has it.
pub(super) fn of_deployment(it: &Deployment) -> Progress {
    let wanted = it.spec.replicas.unwrap_or(1);
    let status = it.status.clone().unwrap_or_default();
    let updated = status.updated_replicas.unwrap_or(0);
    let available = status.available_replicas.unwrap_or(0);
    let ready = available.min(updated);
    let reason = if status.observed_generation < it.metadata.generation {
        Some("the cluster has not taken it up yet".to_owned())
    } else if updated < wanted || ready < wanted {
        Some(format!("{} of {wanted} pods ready", ready.min(wanted)))
    } else if status.replicas.unwrap_or(0) > updated {
        Some("pods of its earlier form end".to_owned())
    } else {
        None
    };
    Progress {
        kind: "Deployment",
        name: it.name_any(),
        ready,
        wanted,
        reason,
    }
}

/// As `kubectl rollout status` has it.
pub(super) fn of_set(it: &StatefulSet) -> Progress {
    let wanted = it.spec.replicas.unwrap_or(1);
    let status = it.status.clone().unwrap_or_default();
    let ready = status.ready_replicas.unwrap_or(0);
    let is_updated =
        status.update_revision == status.current_revision || status.updated_replicas.unwrap_or(0) >= wanted;
    let reason = if status.observed_generation < it.metadata.generation {
        Some("the cluster has not taken it up yet".to_owned())
    } else if ready < wanted {
        Some(format!("{ready} of {wanted} pods ready"))
    } else if !is_updated {
        Some("pods of its earlier form end".to_owned())
    } else {
        None
    };
    Progress {
        kind: "StatefulSet",
        name: it.name_any(),
        ready,
        wanted,
        reason,
    }
}

/// What is known so far.
struct Board<'a, Tell> {
    cluster: &'a Cluster,
    /// What each of them waits for; none where it is done.
    workloads: BTreeMap<ObjectRef, Option<Waiting>>,
    stages: BTreeMap<String, PodStage>,
    troubles: BTreeMap<String, PodTrouble>,
    tell: &'a Tell,
}

impl<'a, Tell: Fn(Event) + Sync> Board<'a, Tell> {
    fn new(cluster: &'a Cluster, workloads: &[ObjectRef], tell: &'a Tell) -> Self {
        let unknown = |object: &ObjectRef| {
            let waiting = Waiting {
                object: object.clone(),
                ready: 0,
                wanted: 0,
                reason: "it is not there".to_owned(),
            };
            (object.clone(), Some(waiting))
        };
        Self {
            cluster,
            workloads: workloads.iter().map(unknown).collect(),
            stages: BTreeMap::new(),
            troubles: BTreeMap::new(),
            tell,
        }
    }

    fn is_done(&self) -> bool {
        self.workloads.values().all(Option::is_none)
    }

    fn not_ready(&self, limit: Duration) -> ClusterError {
        ClusterError::NotReady {
            limit,
            waiting: self.workloads.values().flatten().cloned().collect(),
            troubles: self.troubles.values().cloned().collect(),
        }
    }

    async fn take(&mut self, change: Change) {
        match change {
            Change::Workload(progress) => self.progress(progress),
            Change::Pod(pod) => self.pod(&pod).await,
            Change::PodGone(name) => self.forget(&name),
            Change::PodsAnew => {
                self.stages.clear();
                self.troubles.clear();
            }
        }
    }

    fn forget(&mut self, pod: &str) {
        self.stages.remove(pod);
        self.troubles.remove(pod);
    }

    fn progress(&mut self, progress: Progress) {
        let mut all = self.workloads.iter_mut();
        let found = all.find(|(object, _)| object.kind == progress.kind && object.name == progress.name);
        // Others of the namespace are not waited for.
        let Some((object, waiting)) = found else { return };
        let now = progress.reason.map(|reason| Waiting {
            object: object.clone(),
            ready: progress.ready,
            wanted: progress.wanted,
            reason,
        });
        if *waiting != now {
            waiting.clone_from(&now);
            (self.tell)(Event::Rollout {
                waiting: now,
                object: object.clone(),
            });
        }
    }

    async fn pod(&mut self, pod: &Pod) {
        let name = pod.name_any();
        let stage = symptom::stage(pod);
        if self.stages.insert(name.clone(), stage) != Some(stage) {
            (self.tell)(Event::Pod {
                app: trouble::app(pod),
                pod: name.clone(),
                stage,
            });
        }
        let Some(symptom) = symptom::symptom(pod) else {
            self.troubles.remove(&name);
            return;
        };
        let known = self.troubles.get(&name);
        if known.is_some_and(|known| is_same(&known.symptom, &symptom)) {
            return;
        }
        let trouble = trouble::explain(self.cluster, pod, symptom).await;
        (self.tell)(Event::Trouble(trouble.clone()));
        self.troubles.insert(name, trouble);
    }
}

/// Whether a symptom is told already. An image that is not to be had changes between two words for it.
fn is_same(known: &Symptom, new: &Symptom) -> bool {
    let of_image = |symptom: &Symptom| matches!(symptom.reason.as_str(), "ErrImagePull" | "ImagePullBackOff");
    known.container == new.container && (known.reason == new.reason || (of_image(known) && of_image(new)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn deployment(generation: i64, status: Value) -> Option<String> {
        let it = json!({
            "metadata": {"name": "gateway", "generation": generation}, "status": status,
            "spec": {"replicas": 2, "selector": {}, "template": {}},
        });
        of_deployment(&serde_json::from_value(it).unwrap()).reason
    }

    #[test]
    fn a_deployment_is_done_when_all_its_pods_are_of_its_present_form_and_available() {
        let of = |updated: i32, all: i32, available: i32| {
            let status = json!({
                "observedGeneration": 3, "replicas": all, "updatedReplicas": updated, "availableReplicas": available,
            });
            deployment(3, status)
        };
        assert_eq!(of(2, 2, 2), None);
        assert_eq!(of(2, 2, 1).as_deref(), Some("1 of 2 pods ready"));
        assert_eq!(
            of(1, 3, 3).as_deref(),
            Some("1 of 2 pods ready"),
            "those of the earlier form do not count"
        );
        assert_eq!(of(2, 3, 3).as_deref(), Some("pods of its earlier form end"));
        let late =
            json!({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2});
        assert_eq!(
            deployment(3, late).as_deref(),
            Some("the cluster has not taken it up yet")
        );
        assert_eq!(
            deployment(1, json!({})).as_deref(),
            Some("the cluster has not taken it up yet")
        );
    }

    #[test]
    fn a_set_is_done_when_its_pods_are_ready_and_of_its_present_form() {
        let of = |ready: i32, updated: i32, current: &str| {
            let it = json!({
                "metadata": {"name": "postgres", "generation": 1},
                "spec": {"replicas": 1, "selector": {}, "template": {}, "serviceName": "postgres"},
                "status": {
                    "observedGeneration": 1, "replicas": 1, "readyReplicas": ready, "updatedReplicas": updated,
                    "currentRevision": current, "updateRevision": "b",
                },
            });
            of_set(&serde_json::from_value(it).unwrap()).reason
        };
        assert_eq!(of(1, 1, "b"), None);
        assert_eq!(of(0, 1, "b").as_deref(), Some("0 of 1 pods ready"));
        assert_eq!(of(1, 0, "a").as_deref(), Some("pods of its earlier form end"));
    }

    #[test]
    fn an_image_that_is_not_to_be_had_is_told_once() {
        let symptom = |reason: &str| Symptom {
            reason: reason.to_owned(),
            message: String::new(),
            container: Some("gateway".to_owned()),
            ended_before: false,
        };
        assert!(is_same(&symptom("ErrImagePull"), &symptom("ImagePullBackOff")));
        assert!(!is_same(&symptom("ErrImagePull"), &symptom("CrashLoopBackOff")));
    }
}
