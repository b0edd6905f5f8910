//! Whatever an object names is there.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use std::collections::{BTreeMap, BTreeSet};

use odd_engine::kubernetes::Overlay;
use serde_json::{Value, json};

use crate::bed::{
    Break, container, holds, items, name, objects, of_kind, pod, read, selects, text, workloads,
};

/// The one Secret, which whoever runs the cluster makes.
const SECRET: &str = "odd-secrets";

/// Ports of a container by name.
fn ports(workload: &Value) -> BTreeMap<&str, &Value> {
    let ports = items(&container(workload)["ports"]).iter();
    ports
        .map(|port| (text(&port["name"]), &port["containerPort"]))
        .collect()
}

fn services(objects: &[Value]) -> Vec<String> {
    let mut found = Vec::new();
    for service in of_kind(objects, "Service") {
        let spec = &service["spec"];
        if spec["type"] == "ExternalName" {
            continue;
        }
        let selector = json!({"matchLabels": spec["selector"]});
        let behind = crate::bed::selected(objects, &selector);
        let [behind] = behind[..] else {
            found.push(format!(
                "the Service {} selects {} workloads",
                name(service),
                behind.len()
            ));
            continue;
        };
        for port in items(&spec["ports"]) {
            let target = ports(behind).get(text(&port["targetPort"])).copied();
            if target != Some(&port["port"]) {
                found.push(format!(
                    "the Service {} leads to {port}, which is not there",
                    name(service)
                ));
            }
        }
    }
    let of_service = |service: &Value, port: &Value| {
        let there = of_kind(objects, "Service")
            .into_iter()
            .find(|it| service == name(it));
        there.is_some_and(|there| {
            items(&there["spec"]["ports"])
                .iter()
                .any(|it| it["name"] == *port)
        })
    };
    for ingress in of_kind(objects, "Ingress") {
        for rule in items(&ingress["spec"]["rules"]) {
            for path in items(&rule["http"]["paths"]) {
                let service = &path["backend"]["service"];
                if !of_service(&service["name"], &service["port"]["name"]) {
                    found.push(format!(
                        "the Ingress {} leads to {service}, which is not there",
                        name(ingress)
                    ));
                }
            }
        }
    }
    found
}

#[test]
fn services_lead_to_pods_and_ingresses_to_services() {
    let backend = "/spec/rules/0/http/paths/0/backend/service";
    let breaks: Vec<Break> = vec![
        (
            "Service",
            "redis",
            "/spec/selector",
            Some(json!({"app.kubernetes.io/name": "x"})),
            "the Service redis selects 0",
        ),
        (
            "Service",
            "redis",
            "/spec/selector",
            Some(json!({"app.kubernetes.io/component": "role"})),
            "the Service redis selects 5",
        ),
        (
            "Service",
            "redis",
            "/spec/ports/0/targetPort",
            Some(json!("http")),
            "the Service redis leads to",
        ),
        (
            "Service",
            "web",
            "/spec/ports/0/port",
            Some(json!(80)),
            "the Service web leads to",
        ),
        (
            "Ingress",
            "odd",
            backend,
            Some(json!({"name": "web", "port": {"name": "x"}})),
            "the Ingress odd leads to",
        ),
    ];
    holds(services, &breaks);
}

/// What a workload itself names: its labels, its account, its Service, ports and volumes.
fn own_parts(objects: &[Value]) -> Vec<String> {
    let mut found = Vec::new();
    let named = |kind: &str, wanted: &Value| of_kind(objects, kind).iter().any(|it| wanted == name(it));
    for workload in workloads(objects) {
        let mut missing = |what: String| found.push(format!("{}: {what}", name(workload)));
        let (spec, pod, container) = (&workload["spec"], pod(workload), container(workload));
        if !selects(&spec["selector"], &spec["template"]["metadata"]["labels"]) {
            missing("its selector takes other pods".to_owned());
        }
        if !named("ServiceAccount", &pod["serviceAccountName"]) {
            missing("its account is not there".to_owned());
        }
        if workload["kind"] == "StatefulSet" && !named("Service", &spec["serviceName"]) {
            missing("its Service is not there".to_owned());
        }
        for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
            for kind in ["httpGet", "tcpSocket"] {
                let port = &container[probe][kind]["port"];
                if !port.is_null() && !ports(workload).contains_key(text(port)) {
                    missing(format!("its {probe} asks a port that is not there"));
                }
            }
        }
        let claims = items(&spec["volumeClaimTemplates"]).iter().map(name);
        let volumes = items(&pod["volumes"]).iter().map(|volume| text(&volume["name"]));
        let volumes: BTreeSet<&str> = volumes.chain(claims).collect();
        let mounts: BTreeSet<&str> = items(&container["volumeMounts"])
            .iter()
            .map(|mount| text(&mount["name"]))
            .collect();
        if volumes != mounts {
            missing(format!("it has {volumes:?} and mounts {mounts:?}"));
        }
    }
    for scaler in [
        of_kind(objects, "HorizontalPodAutoscaler"),
        of_kind(objects, "ScaledObject"),
    ]
    .concat()
    {
        if !named("Deployment", &scaler["spec"]["scaleTargetRef"]["name"]) {
            found.push(format!("what {} scales is not there", name(scaler)));
        }
    }
    found
}

#[test]
fn a_workload_has_whatever_it_names() {
    let own = "/spec/template/spec/";
    let at = |key: &str| -> &'static str { Box::leak(format!("{own}{key}").into_boxed_str()) };
    let breaks: Vec<Break> = vec![
        (
            "Deployment",
            "web",
            "/spec/selector/matchLabels",
            Some(json!({"app.kubernetes.io/name": "x"})),
            "web: its selector",
        ),
        (
            "Deployment",
            "web",
            at("serviceAccountName"),
            Some(json!("default")),
            "web: its account",
        ),
        (
            "StatefulSet",
            "redis",
            "/spec/serviceName",
            Some(json!("cache")),
            "redis: its Service",
        ),
        (
            "Deployment",
            "web",
            at("containers/0/livenessProbe/httpGet/port"),
            Some(json!("admin")),
            "web: its livenessProbe",
        ),
        (
            "StatefulSet",
            "redis",
            at("containers/0/volumeMounts/0/name"),
            Some(json!("x")),
            "redis: it has",
        ),
    ];
    holds(own_parts, &breaks);
    let scaled = crate::bed::broken(
        objects(Overlay::Production),
        ("ScaledObject", "processor"),
        "/spec/scaleTargetRef/name",
        Some(json!("x")),
    );
    assert_eq!(own_parts(&scaled), ["what processor scales is not there"]);
}

/// Every `configMap`, `configMapRef` and `configMapKeyRef` below a value: its name and the keys that are asked for.
fn maps_named(value: &Value, found: &mut Vec<(String, Vec<String>)>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                if key.starts_with("configMap") && value.is_object() {
                    let keys = items(&value["items"])
                        .iter()
                        .map(|item| text(&item["key"]).to_owned());
                    let one = value.get("key").map(|key| text(key).to_owned());
                    found.push((text(&value["name"]).to_owned(), keys.chain(one).collect()));
                }
                maps_named(value, found);
            }
        }
        Value::Array(list) => list.iter().for_each(|value| maps_named(value, found)),
        _ => {}
    }
}

fn maps(objects: &[Value]) -> Vec<String> {
    let there: BTreeMap<&str, &Value> = of_kind(objects, "ConfigMap")
        .into_iter()
        .map(|map| (name(map), &map["data"]))
        .collect();
    let mut named = Vec::new();
    workloads(objects)
        .into_iter()
        .for_each(|workload| maps_named(workload, &mut named));
    let mut found: Vec<String> = named
        .iter()
        .filter(|(map, keys)| {
            there
                .get(map.as_str())
                .is_none_or(|data| keys.iter().any(|key| data.get(key).is_none()))
        })
        .map(|(map, keys)| format!("the ConfigMap {map} with {keys:?} is not there"))
        .collect();
    let used: BTreeSet<&str> = named.iter().map(|(map, _)| map.as_str()).collect();
    let idle = there.keys().filter(|map| !used.contains(*map));
    found.extend(idle.map(|map| format!("nobody uses the ConfigMap {map}")));
    found
}

#[test]
fn configuration_that_is_named_is_there_and_is_used() {
    let volume = |of: Value| Some(json!({"name": "configuration", "configMap": of}));
    let breaks: Vec<Break> = vec![
        (
            "StatefulSet",
            "prometheus",
            "/spec/template/spec/volumes/0",
            volume(json!({"name": "odd-none"})),
            "the ConfigMap odd-none with [] is not there",
        ),
        (
            "StatefulSet",
            "prometheus",
            "/spec/template/spec/volumes/0",
            volume(json!({"name": "odd-none"})),
            "nobody uses the ConfigMap odd-prometheus",
        ),
    ];
    holds(maps, &breaks);
}

/// Keys of the Secret that are asked for, below a value; another Secret is told under its own name.
fn keys_named(value: &Value, found: &mut BTreeSet<String>) {
    let mut add = |secret: &Value, key: &Value| {
        let of_others = (secret != SECRET).then(|| format!("{secret}: "));
        found.insert(of_others.unwrap_or_default() + text(key));
    };
    match value {
        Value::Object(map) => {
            if let Some(of) = map.get("secretKeyRef") {
                add(&of["name"], &of["key"]);
            }
            for item in map
                .get("secret")
                .map(|of| items(&of["items"]))
                .unwrap_or_default()
            {
                add(&map["secret"]["secretName"], &item["key"]);
            }
            for of in map.get("secretTargetRef").map(items).unwrap_or_default() {
                add(&of["name"], &of["key"]);
            }
            map.values().for_each(|value| keys_named(value, found));
        }
        Value::Array(list) => list.iter().for_each(|value| keys_named(value, found)),
        _ => {}
    }
}

/// Keys that k8s/README.md tells to make: all, and those of production.
fn keys_told() -> (BTreeSet<String>, BTreeSet<String>) {
    let readme = read("k8s/README.md");
    let is_key = |word: &&str| !word.is_empty() && word.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    let block = readme
        .split("<<SECRETS\n")
        .nth(1)
        .unwrap()
        .split("\nSECRETS\n")
        .next()
        .unwrap();
    let all = block
        .lines()
        .filter_map(|line| line.split('=').next())
        .filter(is_key);
    let of_production = readme.split("The overlay `production` needs").nth(1).unwrap();
    let words = of_production.split("\n\n").next().unwrap().split('`');
    let rows = of_production
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    (
        all.map(str::to_owned).collect(),
        words.chain(rows).filter(is_key).map(str::to_owned).collect(),
    )
}

#[test]
fn the_readme_tells_every_key_of_the_secret_and_no_other() {
    let (all, of_production) = keys_told();
    let asked = |overlay: Overlay| {
        let mut found = BTreeSet::new();
        objects(overlay)
            .iter()
            .for_each(|object| keys_named(object, &mut found));
        found
    };
    assert_eq!(asked(Overlay::KindTools), all);
    assert!(asked(Overlay::Kind).is_subset(&all));
    assert_eq!(asked(Overlay::Production), of_production);
    assert_eq!(of_production.len(), 8);
}
