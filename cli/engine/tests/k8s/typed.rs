//! Every object of Kubernetes' own kinds is one of `k8s-openapi`'s types, with nothing lost on the way there and back.

use std::collections::BTreeSet;

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::{Ingress, NetworkPolicy};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use odd_engine::kubernetes::Overlay;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::bed::{FOLDERS, broken, name, objects, rendered, text};

/// Into a type and back.
type Through = fn(&Value) -> Result<Value, serde_json::Error>;

const TYPES: [(&str, &str, Through); 10] = [
    ("apps/v1", "Deployment", through::<Deployment>),
    ("apps/v1", "StatefulSet", through::<StatefulSet>),
    (
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        through::<HorizontalPodAutoscaler>,
    ),
    ("networking.k8s.io/v1", "Ingress", through::<Ingress>),
    ("networking.k8s.io/v1", "NetworkPolicy", through::<NetworkPolicy>),
    ("policy/v1", "PodDisruptionBudget", through::<PodDisruptionBudget>),
    ("v1", "ConfigMap", through::<ConfigMap>),
    ("v1", "Namespace", through::<Namespace>),
    ("v1", "Service", through::<Service>),
    ("v1", "ServiceAccount", through::<ServiceAccount>),
];

/// Groups of others, which have types of their own.
const OF_OTHERS: [&str; 4] = [
    "keda.sh/v1alpha1",
    "mongodbcommunity.mongodb.com/v1",
    "postgresql.cnpg.io/v1",
    "rabbitmq.com/v1beta1",
];

fn through<T: DeserializeOwned + Serialize>(object: &Value) -> Result<Value, serde_json::Error> {
    serde_json::to_value(serde_json::from_value::<T>(object.clone())?)
}

/// The first place at which two values differ.
fn difference(one: &Value, other: &Value) -> Option<String> {
    let below = |key: &str, one: Option<&Value>, other: Option<&Value>| {
        let (one, other) = (one.unwrap_or(&Value::Null), other.unwrap_or(&Value::Null));
        difference(one, other).map(|place| format!("/{key}{place}"))
    };
    match (one, other) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            keys.into_iter()
                .find_map(|key| below(key, a.get(key), b.get(key)))
        }
        (Value::Array(a), Value::Array(b)) => {
            let places = 0..a.len().max(b.len());
            places
                .into_iter()
                .find_map(|at| below(&at.to_string(), a.get(at), b.get(at)))
        }
        _ => (one != other).then(|| format!(": {one} becomes {other}")),
    }
}

/// What is lost or wrong of an object.
fn check(object: &Value) -> Result<(), String> {
    let (group, kind) = (text(&object["apiVersion"]), text(&object["kind"]));
    if OF_OTHERS.contains(&group) {
        return Ok(());
    }
    let known = TYPES
        .iter()
        .find(|(version, of, _)| group == *version && kind == *of);
    let (_, _, through) = known.ok_or_else(|| format!("no type is known for {group} {kind}"))?;
    let back = through(object).map_err(|error| format!("{kind} {}: {error}", name(object)))?;
    match difference(object, &back) {
        Some(place) => Err(format!("{kind} {}: {place}", name(object))),
        None => Ok(()),
    }
}

#[test]
fn every_object_is_what_its_type_holds() {
    for folder in FOLDERS {
        for object in &rendered(folder).documents {
            check(object).unwrap_or_else(|error| panic!("{folder}: {error}"));
        }
    }
}

#[test]
fn what_a_type_does_not_hold_is_found() {
    let find = |pointer: &str, value: Value| {
        let changed = broken(
            objects(Overlay::Kind),
            ("Deployment", "web"),
            pointer,
            Some(value),
        );
        let errors: Vec<String> = changed.iter().filter_map(|object| check(object).err()).collect();
        assert_eq!(errors.len(), 1, "{pointer}: {errors:?}");
        errors[0].clone()
    };
    assert!(find("/spec/template/spec/hostnetwork", json!(true)).ends_with("hostnetwork: true becomes null"));
    assert!(find("/spec/template/spec/containers", json!("none")).contains("Deployment web: invalid type"));
    assert!(find("/apiVersion", json!("apps/v2")).contains("no type is known"));
}
