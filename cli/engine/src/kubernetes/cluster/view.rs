//! What is read of the objects in a cluster: the fields that are looked at, and no others. The types of `k8s-openapi` know every field there
//! is; reading whole pods into them for the few below would cost time with each change that is watched, and megabytes of the program.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1 as apps;
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, Time};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::Api;
use kube::core::{ApiResource, DynamicObject, NotUsed, Object};
use serde::Deserialize;

use super::Cluster;

/// A pod.
pub(super) type Pod = Object<PodSpec, PodStatus>;
/// A Deployment.
pub(super) type Deployment = Object<Replicas, DeploymentStatus>;
/// A StatefulSet.
pub(super) type StatefulSet = Object<Replicas, StatefulSetStatus>;
/// A Service.
pub(super) type Service = Object<ServiceSpec, NotUsed>;

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct PodSpec {
    #[serde(default)]
    pub(super) containers: Vec<Container>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Container {
    pub(super) ports: Option<Vec<ContainerPort>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ContainerPort {
    pub(super) name: Option<String>,
    pub(super) container_port: i32,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PodStatus {
    pub(super) phase: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) message: Option<String>,
    pub(super) conditions: Option<Vec<Condition>>,
    pub(super) init_container_statuses: Option<Vec<ContainerStatus>>,
    pub(super) container_statuses: Option<Vec<ContainerStatus>>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Condition {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) status: String,
    pub(super) reason: Option<String>,
    pub(super) message: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ContainerStatus {
    pub(super) name: String,
    #[serde(default)]
    pub(super) restart_count: i32,
    pub(super) state: Option<ContainerState>,
    pub(super) last_state: Option<ContainerState>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct ContainerState {
    pub(super) waiting: Option<Waiting>,
    pub(super) running: Option<NotUsed>,
    pub(super) terminated: Option<Terminated>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Waiting {
    pub(super) reason: Option<String>,
    pub(super) message: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Terminated {
    pub(super) exit_code: i32,
    pub(super) signal: Option<i32>,
    pub(super) reason: Option<String>,
    pub(super) message: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Replicas {
    pub(super) replicas: Option<i32>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeploymentStatus {
    pub(super) observed_generation: Option<i64>,
    pub(super) replicas: Option<i32>,
    pub(super) updated_replicas: Option<i32>,
    pub(super) available_replicas: Option<i32>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StatefulSetStatus {
    pub(super) observed_generation: Option<i64>,
    pub(super) ready_replicas: Option<i32>,
    pub(super) updated_replicas: Option<i32>,
    pub(super) current_revision: Option<String>,
    pub(super) update_revision: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct ServiceSpec {
    pub(super) ports: Option<Vec<ServicePort>>,
    pub(super) selector: Option<BTreeMap<String, String>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServicePort {
    pub(super) name: Option<String>,
    pub(super) port: i32,
    pub(super) target_port: Option<IntOrString>,
}

/// What the cluster keeps of something that happened. It has neither `spec` nor `status`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Happening {
    pub(super) reason: Option<String>,
    pub(super) message: Option<String>,
    pub(super) count: Option<i32>,
    pub(super) last_timestamp: Option<Time>,
    pub(super) event_time: Option<MicroTime>,
    pub(super) involved_object: Involved,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Involved {
    pub(super) uid: Option<String>,
}

/// The pods of a namespace.
pub(super) fn pods(cluster: &Cluster, namespace: &str) -> Api<Pod> {
    api::<core::Pod, _>(cluster, namespace)
}

/// The Deployments of a namespace.
pub(super) fn deployments(cluster: &Cluster, namespace: &str) -> Api<Deployment> {
    api::<apps::Deployment, _>(cluster, namespace)
}

/// The StatefulSets of a namespace.
pub(super) fn stateful_sets(cluster: &Cluster, namespace: &str) -> Api<StatefulSet> {
    api::<apps::StatefulSet, _>(cluster, namespace)
}

/// The Services of a namespace.
pub(super) fn services(cluster: &Cluster, namespace: &str) -> Api<Service> {
    api::<core::Service, _>(cluster, namespace)
}

/// What happened in a namespace; [`happening`] reads it.
pub(super) fn happenings(cluster: &Cluster, namespace: &str) -> Api<DynamicObject> {
    api::<core::Event, _>(cluster, namespace)
}

/// None of another shape.
pub(super) fn happening(event: DynamicObject) -> Option<Happening> {
    serde_json::from_value(event.data).ok()
}

fn api<Whole, View>(cluster: &Cluster, namespace: &str) -> Api<View>
where
    Whole: kube::Resource<DynamicType = ()>,
    View: kube::Resource<DynamicType = ApiResource, Scope = kube::core::DynamicResourceScope>,
{
    Api::namespaced_with(
        cluster.client.clone(),
        namespace,
        &ApiResource::erase::<Whole>(&()),
    )
}
