//! The manifests and the compose files are two ways to start the same: where both say something they say the same.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use std::collections::{BTreeMap, BTreeSet};

use odd_contracts::Role;
use odd_engine::compose::{self, LoadOptions, Mount, Project, Service, Source};
use odd_engine::kubernetes::Overlay;
use serde_json::{Value, json};

use crate::bed::{container, items, name, objects, of_kind, pod, read, text, workloads};

/// Variables of which the two differ, by workload (`*`: every role), and why. One that does not differ has no place here.
const DIFFER: &[(&str, &str, &str)] = &[
    ("*", "ODD_ENGINE", "it is another engine"),
    (
        "*",
        "ODD_SHUTDOWN_SECONDS",
        "the time to end follows from it, so it is said",
    ),
    ("gateway", "ODD_READ_MODEL_URL", "any replica that is ready"),
    ("web", "ODD_READ_MODEL_URL", "any replica that is ready"),
    ("web", "ODD_GATEWAY_URL", "any replica that is ready"),
    (
        "web",
        "ODD_WEB_ALLOWED_HOSTS",
        "the name that the ingress gives it",
    ),
    (
        "alertmanager",
        "ALERT_WEBHOOK_TOKEN",
        "it is a file of the Secret",
    ),
    ("postgres", "PGDATA", "a folder within the volume"),
    (
        "mongo-express",
        "MONGO_PASSWORD",
        "its address is put together from it",
    ),
    (
        "mongo-express",
        "ME_CONFIG_MONGODB_URL",
        "put together from the Secret",
    ),
];
/// Settings that every role gets, since they come from one ConfigMap, and that only web reads.
const OF_WEB: [&str; 2] = ["ODD_WEB_ALLOWED_HOSTS", "ODD_WEB_TERMINAL"];

fn stack() -> Project {
    let options = LoadOptions {
        profiles: vec!["tools".to_owned()],
        ..LoadOptions::default()
    };
    compose::load(&Source::Embedded, &options).unwrap()
}

/// Each workload of the overlay that has everything, with the service of the same name.
fn pairs(stack: &Project) -> Vec<(&'static Value, &Service)> {
    let workloads = workloads(objects(Overlay::KindTools));
    let names: BTreeSet<&str> = workloads.iter().map(|workload| name(workload)).collect();
    let services: BTreeSet<&str> = stack.services.keys().map(String::as_str).collect();
    assert_eq!(names, services);
    let with_service = |workload| (workload, &stack.services[name(workload)]);
    workloads.into_iter().map(with_service).collect()
}

fn is_role(name: &str) -> bool {
    name.parse::<Role>().is_ok()
}

#[test]
fn every_role_runs_as_it_is_made() {
    let version = env!("CARGO_PKG_VERSION");
    for overlay in Overlay::ALL {
        let workloads = workloads(objects(overlay));
        let serves = |workload: &&&Value| container(workload)["args"][0] == "serve";
        let roles: BTreeSet<&str> = workloads
            .iter()
            .filter(serves)
            .map(|workload| name(workload))
            .collect();
        assert_eq!(roles, Role::ALL.map(Role::name).into(), "{overlay}");
        for role in Role::ALL {
            let workload = workloads
                .iter()
                .find(|workload| name(workload) == role.name())
                .unwrap();
            let container = container(workload);
            assert_eq!(
                container["image"],
                format!("ghcr.io/oddessentials/odd:{version}"),
                "{overlay}: {role}"
            );
            assert_eq!(container["args"], json!(["serve", role.name()]), "{overlay}");
            let port = json!([{"name": "http", "containerPort": role.default_port()}]);
            assert_eq!(container["ports"], port, "{overlay}: {role}");
            assert_eq!(
                workload["metadata"]["labels"]["app.kubernetes.io/version"], version,
                "{overlay}: {role}"
            );
            for (probe, path) in [
                ("startupProbe", "/healthz"),
                ("readinessProbe", "/readyz"),
                ("livenessProbe", "/healthz"),
            ] {
                assert_eq!(
                    container[probe]["httpGet"],
                    json!({"path": path, "port": "http"}),
                    "{overlay}: {role}"
                );
            }
        }
    }
}

#[test]
fn images_users_and_commands_are_those_of_compose() {
    let stack = stack();
    for (workload, service) in pairs(&stack) {
        let (of, pod, container) = (name(workload), pod(workload), container(workload));
        assert_eq!(container["image"], *service.image, "{of}");
        let context = &pod["securityContext"];
        let user = format!("{}:{}", context["runAsUser"], context["runAsGroup"]);
        assert_eq!(Some(&user), service.user.as_ref(), "{of}");
        if let Some(command) = &service.command {
            assert_eq!(container["args"], json!(command), "{of}");
        }
        // Alertmanager's reads its token from the environment, where Kubernetes has a file of it.
        match &service.entrypoint {
            Some(_) if of == "alertmanager" => assert!(container.get("command").is_none()),
            entrypoint => assert_eq!(
                container.get("command"),
                entrypoint.as_ref().map(|it| json!(it)).as_ref(),
                "{of}"
            ),
        }
        let grace = pod["terminationGracePeriodSeconds"].as_u64().unwrap();
        assert!(grace >= service.stop_grace_period.unwrap().as_secs(), "{of}");
        let ports = items(&container["ports"]);
        for port in &service.ports {
            assert!(
                ports.iter().any(|it| it["containerPort"] == port.target),
                "{of} has no port {}",
                port.target
            );
        }
    }
}

/// Bytes of a quantity such as `16Mi`.
fn bytes(quantity: &Value) -> u64 {
    let quantity = text(quantity);
    let (number, factor) = match quantity.strip_suffix("Gi") {
        Some(number) => (number, 1 << 30),
        None => (
            quantity
                .strip_suffix("Mi")
                .unwrap_or_else(|| panic!("{quantity:?}")),
            1 << 20,
        ),
    };
    number.parse::<u64>().unwrap() * factor
}

/// The volume at a path of a container.
fn volume_at<'a>(workload: &'a Value, path: &str) -> &'a Value {
    let mounts = items(&container(workload)["volumeMounts"]);
    let mount = mounts.iter().find(|mount| mount["mountPath"] == path);
    let mount = mount.unwrap_or_else(|| panic!("{} has nothing at {path}", name(workload)));
    let volumes = items(&pod(workload)["volumes"]).iter();
    let claims = items(&workload["spec"]["volumeClaimTemplates"]).iter();
    let volume = volumes
        .chain(claims)
        .find(|it| it["name"] == mount["name"] || it["metadata"]["name"] == mount["name"]);
    volume.unwrap()
}

#[test]
fn memory_and_volumes_are_those_of_compose() {
    let stack = stack();
    for (workload, service) in pairs(&stack) {
        let of = name(workload);
        let limit = bytes(&container(workload)["resources"]["limits"]["memory"]);
        assert_eq!(Some(limit), service.resources.memory, "{of}");
        if let Some(size) = service.shm_size {
            assert_eq!(
                bytes(&volume_at(workload, "/dev/shm")["emptyDir"]["sizeLimit"]),
                size,
                "{of}"
            );
        }
        for mount in &service.mounts {
            let volume = volume_at(workload, mount.target());
            match mount {
                Mount::Volume { .. } => assert!(
                    volume["spec"]["resources"]["requests"]["storage"].is_string(),
                    "{of}"
                ),
                Mount::Tmpfs { target, .. } if of == "alertmanager" => {
                    assert!(volume.get("secret").is_some(), "{target}")
                }
                Mount::Tmpfs { target, options } => {
                    let size = options.split("size=").nth(1).unwrap().split('m').next().unwrap();
                    assert_eq!(volume["emptyDir"]["medium"], "Memory", "{of}: {target}");
                    assert_eq!(
                        volume["emptyDir"]["sizeLimit"],
                        format!("{size}Mi"),
                        "{of}: {target}"
                    );
                }
            }
        }
    }
}

/// The settings of all roles.
fn settings(overlay: Overlay) -> &'static Value {
    let mut maps = of_kind(objects(overlay), "ConfigMap").into_iter();
    &maps.find(|map| name(map).starts_with("odd-settings")).unwrap()["data"]
}

/// Variables of a container; none for a value that comes from the Secret.
fn environment(overlay: Overlay, workload: &Value) -> BTreeMap<String, Option<String>> {
    let own = items(&container(workload)["env"]).iter();
    let own = own.map(|it| {
        (
            text(&it["name"]).to_owned(),
            it.get("value").map(|value| text(value).to_owned()),
        )
    });
    let mut all = BTreeMap::new();
    if is_role(name(workload)) {
        let settings = settings(overlay).as_object().unwrap().iter();
        all.extend(settings.map(|(key, value)| (key.clone(), Some(text(value).to_owned()))));
    }
    all.extend(own);
    all
}

/// Variables of which a workload and its service differ.
fn differing(workload: &Value, service: &Service) -> BTreeSet<String> {
    let there = environment(Overlay::KindTools, workload);
    let names: BTreeSet<&String> = there.keys().chain(service.environment.keys()).collect();
    let differs = |variable: &&&String| match (there.get(**variable), service.environment.get(**variable)) {
        // A value of the Secret is the same when it is asked for at all.
        (Some(None), Some(_)) => false,
        (Some(Some(value)), Some(of_compose)) => value != of_compose,
        _ => true,
    };
    names.iter().filter(differs).map(|name| (*name).clone()).collect()
}

#[test]
fn environments_are_those_of_compose_but_for_what_is_told() {
    let stack = stack();
    for (workload, service) in pairs(&stack) {
        let of = name(workload);
        let told = DIFFER
            .iter()
            .filter(|(name, ..)| *name == of || (*name == "*" && is_role(of)));
        let mut expected: BTreeSet<String> = told.map(|(_, variable, _)| (*variable).to_owned()).collect();
        if is_role(of) && of != Role::Web.name() {
            expected.extend(OF_WEB.map(str::to_owned));
        }
        assert_eq!(differing(workload, service), expected, "{of}");
    }
}

/// A variable that no part knows would do nothing, and nobody would notice.
#[test]
fn every_variable_of_ours_is_one_that_is_known() {
    let source = read("contracts/src/names.rs");
    let known: BTreeSet<&str> = source
        .split('"')
        .skip(1)
        .step_by(2)
        .filter(|text| text.starts_with("ODD_"))
        .collect();
    assert!(known.len() > 20, "the names were read: {known:?}");
    for overlay in Overlay::ALL {
        for workload in workloads(objects(overlay)) {
            let all = environment(overlay, workload);
            let ours = all.keys().filter(|variable| variable.starts_with("ODD_"));
            let unknown: Vec<&String> = ours
                .filter(|variable| !known.contains(variable.as_str()))
                .collect();
            assert!(
                unknown.is_empty(),
                "{overlay}: {} has {unknown:?}",
                name(workload)
            );
        }
    }
}

/// Paths of a container that ConfigMaps make, with their content.
fn files(overlay: Overlay, workload: &Value) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for mount in items(&container(workload)["volumeMounts"]) {
        let path = text(&mount["mountPath"]);
        let volume = volume_at(workload, path);
        let projected = items(&volume["projected"]["sources"])
            .iter()
            .map(|source| &source["configMap"]["name"]);
        for map in projected.chain(volume["configMap"].get("name")) {
            let maps = of_kind(objects(overlay), "ConfigMap");
            let map = maps.iter().find(|it| map == name(it)).unwrap();
            for (key, content) in map["data"].as_object().unwrap() {
                all.insert(format!("{path}/{key}"), text(content).to_owned());
            }
        }
    }
    all
}

/// Prometheus, its rules, Alertmanager, Grafana and its dashboards, RabbitMQ: the same paths, the same bytes.
#[test]
fn configuration_files_are_those_of_compose() {
    let stack = stack();
    let mut compared = 0;
    for overlay in Overlay::ALL {
        for workload in workloads(objects(overlay)) {
            let service = &stack.services[name(workload)].configs;
            let of_compose = service.iter().map(|config| {
                let content = String::from_utf8(config.content.0.to_vec()).unwrap();
                (config.target.clone(), content)
            });
            let files = files(overlay, workload);
            compared += files.len();
            assert!(
                files == of_compose.collect(),
                "{overlay}: {} has {:?}",
                name(workload),
                files.keys()
            );
        }
    }
    assert!(compared > 30, "{compared} files were compared");
}

/// The image of a server that an operator runs is the version that compose.yaml names.
#[test]
fn operators_run_the_versions_of_compose() {
    let stack = stack();
    let tag = |service: &str| {
        stack.services[service]
            .image
            .rsplit_once(':')
            .unwrap()
            .1
            .to_owned()
    };
    let find = |kind: &str| {
        let all = &crate::bed::rendered("k8s/operators").documents;
        &of_kind(all, kind)[0]["spec"]
    };
    assert_eq!(find("RabbitmqCluster")["image"], stack.services["rabbitmq"].image);
    let postgres = text(&find("Cluster")["imageName"]);
    assert!(postgres.contains(&format!(":{}-", tag("postgres"))), "{postgres}");
    assert_eq!(find("MongoDBCommunity")["version"], tag("mongo"));
}
