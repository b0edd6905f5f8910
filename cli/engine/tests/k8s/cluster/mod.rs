//! What the engine does in a cluster: on a real API server, or on recorded conversations with one.

mod apply;
mod forward;
mod life;
mod remove;
mod rollout;

use std::sync::Mutex;

use odd_engine::kubernetes::cluster::{Cluster, Event, Object, connect, objects};
use serde_json::{Value, json};

use crate::api::Conversation;

/// The cluster of a conversation.
#[expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]
async fn cluster(conversation: &Conversation) -> Cluster {
    let context = Some(conversation.context());
    connect(Some(conversation.kubeconfig()), context).await.unwrap()
}

/// Keeps what it is told.
#[derive(Default)]
pub(crate) struct Told(Mutex<Vec<Event>>);

#[expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]
impl Told {
    pub(crate) fn tell(&self) -> impl Fn(Event) + Sync + '_ {
        |event| self.0.lock().unwrap().push(event)
    }

    fn events(&self) -> Vec<Event> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn notices(&self) -> Vec<String> {
        let notice = |event| match event {
            Event::Notice { text } => Some(text),
            _ => None,
        };
        self.events().into_iter().filter_map(notice).collect()
    }
}

#[expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]
fn parsed(manifests: Vec<Value>) -> Vec<Object> {
    objects(manifests).unwrap()
}

fn namespace(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": name, "labels": {"app.kubernetes.io/part-of": "odd"}},
    })
}

fn config_map(namespace: &str, value: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "settings", "namespace": namespace},
        "data": {"ODD_LOG": value},
    })
}

/// A template of pods with one container, with these annotations.
fn template(name: &str, annotations: &Value) -> Value {
    json!({
        "metadata": {"labels": {"app.kubernetes.io/name": name}, "annotations": annotations},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "containers": [{"name": name, "image": "registry.invalid/odd:0.1.0", "ports": [{"name": "http", "containerPort": 8081}]}],
        },
    })
}

fn deployment(namespace: &str, name: &str, replicas: u32, annotations: &Value) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app.kubernetes.io/name": name}},
            "template": template(name, annotations),
        },
    })
}

fn stateful_set(namespace: &str, name: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "serviceName": name,
            "selector": {"matchLabels": {"app.kubernetes.io/name": name}},
            "template": template(name, &json!({})),
        },
    })
}
