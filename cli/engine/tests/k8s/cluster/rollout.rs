//! Waiting for pods.
//!
//! The conversations were recorded with a controller manager and, in the place of nodes, a program that sets the states of pods as a kubelet
//! does; the annotation `stand-in/fail` asks it for a failure. On a cluster with nodes the image of these pods is not to be had, so that of
//! these tests only that of the pod that is stuck can pass.

use std::collections::BTreeMap;
use std::time::Duration;

use odd_engine::kubernetes::cluster::{
    ApplyOptions, Cluster, ClusterError, Event, ObjectRef, PodStage, PodTrouble, apply, wait,
};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{Told, cluster, deployment, namespace, parsed, stateful_set};
use crate::api::Conversation;

/// Longest wait for anything.
const LONG: Duration = Duration::from_secs(60);

/// Applies these, and names those of them that have pods.
#[expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]
async fn applied(cluster: &Cluster, manifests: Vec<Value>) -> Vec<ObjectRef> {
    let wanted = parsed(manifests);
    let told = Told::default();
    let applied = apply(cluster, &wanted, ApplyOptions::default(), &told.tell())
        .await
        .unwrap();
    let names = applied.into_iter().map(|applied| applied.object);
    names.filter(|object| object.kind != "Namespace").collect()
}

#[tokio::test]
async fn pods_are_told_as_they_come_until_all_are_ready() {
    const HERE: &str = "odd-test-rollout";
    let conversation = Conversation::start("rollout", &[HERE]).await;
    let cluster = cluster(&conversation).await;
    let workloads = applied(
        &cluster,
        vec![
            namespace(HERE),
            deployment(HERE, "gateway", 2, &json!({})),
            stateful_set(HERE, "postgres"),
        ],
    )
    .await;
    let told = Told::default();
    wait(&cluster, HERE, &workloads, LONG, &told.tell())
        .await
        .unwrap();
    let events = told.events();
    let mut stages: BTreeMap<&str, Vec<PodStage>> = BTreeMap::new();
    for event in &events {
        if let Event::Pod { pod, stage, .. } = event {
            stages.entry(pod).or_default().push(*stage);
        }
    }
    // How far each is told to be before the last Deployment is done is a matter of which news come first.
    assert!(stages.keys().any(|pod| pod.starts_with("gateway-")), "{events:?}");
    assert!(stages.values().all(|stages| stages.is_sorted()), "{stages:?}");
    let done: Vec<String> = events
        .iter()
        .filter_map(|event| match event {
            Event::Rollout {
                waiting: None,
                object,
            } => Some(object.to_string()),
            _ => None,
        })
        .collect();
    assert!(done.contains(&"deployment/gateway".to_owned()), "{done:?}");
    assert!(done.contains(&"statefulset/postgres".to_owned()), "{done:?}");
    let troubled = events.iter().any(|event| matches!(event, Event::Trouble(_)));
    assert!(!troubled, "{events:?}");
    conversation.finish().await;
}

/// What is told of a pod of this Deployment that is stuck.
#[expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]
async fn trouble(name: &str, failure: &str) -> PodTrouble {
    let here = format!("odd-test-{name}");
    let conversation = Conversation::start(name, &[&here]).await;
    let cluster = cluster(&conversation).await;
    let stuck = deployment(&here, "gateway", 1, &json!({"stand-in/fail": failure}));
    let workloads = applied(&cluster, vec![namespace(&here), stuck]).await;
    let (sender, mut told) = mpsc::unbounded_channel();
    let tell = move |event| {
        if let Event::Trouble(trouble) = event {
            let _ = sender.send(trouble);
        }
    };
    let trouble = tokio::select! {
        ended = wait(&cluster, &here, &workloads, LONG, &tell) => panic!("it does not wait: {ended:?}"),
        trouble = told.recv() => trouble.unwrap(),
    };
    conversation.finish().await;
    trouble
}

#[tokio::test]
async fn an_image_that_is_not_to_be_had_is_told_with_what_the_node_says() {
    let trouble = trouble("no-image", "ImagePullBackOff").await;
    assert_eq!(trouble.app.as_deref(), Some("gateway"));
    let reason = trouble.symptom.reason.as_str();
    assert!(
        matches!(reason, "ErrImagePull" | "ImagePullBackOff"),
        "{trouble:?}"
    );
    assert_eq!(trouble.symptom.container.as_deref(), Some("gateway"));
    assert!(
        trouble
            .warnings
            .iter()
            .any(|text| text.contains("registry.invalid/odd:0.1.0")),
        "{trouble:?}"
    );
}

#[tokio::test]
async fn a_container_that_crashes_is_told_with_how_it_ended() {
    let trouble = trouble("crash", "CrashLoopBackOff").await;
    assert_eq!(trouble.symptom.reason, "CrashLoopBackOff", "{trouble:?}");
    assert!(trouble.symptom.message.contains("exit code"), "{trouble:?}");
    assert!(
        trouble.warnings.iter().any(|text| text.starts_with("BackOff: ")),
        "{trouble:?}"
    );
}

#[tokio::test]
async fn a_pod_that_no_node_takes_is_told_with_what_the_scheduler_says() {
    let trouble = trouble("no-node", "Unschedulable").await;
    assert_eq!(trouble.symptom.reason, "Unschedulable", "{trouble:?}");
    assert!(
        trouble.symptom.message.contains("Insufficient cpu"),
        "{trouble:?}"
    );
    assert!(
        trouble
            .warnings
            .iter()
            .any(|text| text.starts_with("FailedScheduling: ")),
        "{trouble:?}"
    );
}

#[tokio::test]
async fn what_is_not_ready_in_time_is_named() {
    const HERE: &str = "odd-test-late";
    let conversation = Conversation::start("late", &[HERE]).await;
    let cluster = cluster(&conversation).await;
    let stuck = deployment(HERE, "gateway", 1, &json!({"stand-in/fail": "Unschedulable"}));
    let mut workloads = applied(&cluster, vec![namespace(HERE), stuck]).await;
    workloads.push(ObjectRef {
        name: "nowhere".to_owned(),
        ..workloads[0].clone()
    });
    let told = Told::default();
    let short = Duration::from_secs(2);
    let error = wait(&cluster, HERE, &workloads, short, &told.tell())
        .await
        .unwrap_err();
    let ClusterError::NotReady { waiting, .. } = &error else {
        panic!("{error}")
    };
    let waiting: Vec<String> = waiting.iter().map(ToString::to_string).collect();
    assert_eq!(
        waiting,
        [
            "deployment/gateway: 0 of 1 pods ready",
            "deployment/nowhere: it is not there"
        ]
    );
    conversation.finish().await;
}
