//! What holds for every pod: rights, bounds, checks, images, secrets.

use serde_json::{Value, json};

use crate::bed::{Break, container, each, holds, items, name, of_kind, pod, text};

/// The one capability that is given at all, and to whom: its Python is a file with it.
const KEPT: (&str, &str) = ("pgadmin", "NET_BIND_SERVICE");
/// Variables that are named like a secret and are none.
const NO_SECRETS: [&str; 1] = ["ME_CONFIG_BASICAUTH"];

fn rights(objects: &[Value]) -> Vec<String> {
    let accounts = of_kind(objects, "ServiceAccount");
    each(objects, |workload, findings| {
        let pod = pod(workload);
        let account = accounts
            .iter()
            .find(|account| pod["serviceAccountName"] == name(account));
        let without_token = |of: &Value| of["automountServiceAccountToken"] == false;
        findings.demand(
            without_token(pod) && account.is_some_and(|account| without_token(account)),
            "no token, and an account of its own without one",
        );
        findings.demand(pod["enableServiceLinks"] == false, "no variables of Services");
        let context = &pod["securityContext"];
        findings.demand(context["runAsNonRoot"] == true, "not root");
        findings.demand(
            context["runAsUser"].as_u64().is_some_and(|user| user > 0),
            "a user of its own",
        );
        findings.demand(
            context["seccompProfile"] == json!({"type": "RuntimeDefault"}),
            "seccomp",
        );
        let of_host = ["hostNetwork", "hostPID", "hostIPC"];
        findings.demand(
            of_host.iter().all(|key| pod.get(key).is_none()),
            "nothing of the host",
        );
        let volumes = items(&pod["volumes"]);
        findings.demand(
            volumes.iter().all(|volume| volume.get("hostPath").is_none()),
            "no path of the host",
        );
        findings.demand(items(&pod["initContainers"]).is_empty(), "one container");
        let context = &container(workload)["securityContext"];
        findings.demand(context["allowPrivilegeEscalation"] == false, "no more privileges");
        findings.demand(
            context["readOnlyRootFilesystem"] == true,
            "a root file system that cannot be written",
        );
        findings.demand(context.get("privileged").is_none(), "no privileges");
        findings.demand(
            context["capabilities"]["drop"] == json!(["ALL"]),
            "no capabilities",
        );
        let kept = match findings.of == KEPT.0 {
            true => json!([KEPT.1]),
            false => Value::Null,
        };
        findings.demand(
            context["capabilities"]["add"] == kept,
            "no capability that is given",
        );
    })
}

#[test]
fn no_pod_may_do_more_than_it_has_to() {
    let context = "/spec/template/spec/securityContext";
    let own = "/spec/template/spec/containers/0/securityContext";
    let at =
        |parent: &str, key: &str| -> &'static str { Box::leak(format!("{parent}/{key}").into_boxed_str()) };
    let breaks: Vec<Break> = vec![
        (
            "Deployment",
            "gateway",
            "/spec/template/spec/automountServiceAccountToken",
            None,
            "gateway: no token",
        ),
        (
            "ServiceAccount",
            "redis",
            "/automountServiceAccountToken",
            Some(json!(true)),
            "redis: no token",
        ),
        (
            "Deployment",
            "web",
            "/spec/template/spec/enableServiceLinks",
            None,
            "web: no variables",
        ),
        (
            "StatefulSet",
            "mongo",
            at(context, "runAsNonRoot"),
            Some(json!(false)),
            "mongo: not root",
        ),
        (
            "StatefulSet",
            "mongo",
            at(context, "runAsUser"),
            Some(json!(0)),
            "mongo: a user",
        ),
        (
            "Deployment",
            "pgadmin",
            at(context, "seccompProfile"),
            None,
            "pgadmin: seccomp",
        ),
        (
            "Deployment",
            "web",
            "/spec/template/spec/hostNetwork",
            Some(json!(true)),
            "web: nothing of the host",
        ),
        (
            "Deployment",
            "web",
            at(own, "allowPrivilegeEscalation"),
            None,
            "web: no more privileges",
        ),
        (
            "Deployment",
            "web",
            at(own, "readOnlyRootFilesystem"),
            Some(json!(false)),
            "web: a root file system",
        ),
        (
            "Deployment",
            "web",
            at(own, "capabilities/drop"),
            Some(json!([])),
            "web: no capabilities",
        ),
        (
            "Deployment",
            "web",
            at(own, "capabilities/add"),
            Some(json!(["SYS_ADMIN"])),
            "web: no capability that is given",
        ),
        (
            "StatefulSet",
            "redis",
            "/spec/template/spec/volumes/0",
            Some(json!({"name": "tmp", "hostPath": {"path": "/"}})),
            "redis: no path",
        ),
    ];
    holds(rights, &breaks);
}

fn bounds(objects: &[Value]) -> Vec<String> {
    each(objects, |workload, findings| {
        let resources = &container(workload)["resources"];
        for side in ["requests", "limits"] {
            for of in ["cpu", "memory"] {
                findings.demand(resources[side][of].is_string(), &format!("{side} of {of}"));
            }
        }
        for volume in items(&pod(workload)["volumes"]) {
            let unbounded = volume
                .get("emptyDir")
                .is_some_and(|volume| volume.get("sizeLimit").is_none());
            findings.demand(!unbounded, "volumes in memory have a size");
        }
        for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
            let probe_of = &container(workload)[probe];
            let kinds = ["httpGet", "tcpSocket", "exec"];
            findings.demand(kinds.iter().any(|kind| probe_of.get(kind).is_some()), probe);
        }
    })
}

#[test]
fn every_container_is_bounded_and_checked() {
    let own = "/spec/template/spec/containers/0/";
    let at = |key: &str| -> &'static str { Box::leak(format!("{own}{key}").into_boxed_str()) };
    let breaks: Vec<Break> = vec![
        (
            "Deployment",
            "web",
            at("resources/limits/memory"),
            None,
            "web: limits of memory",
        ),
        (
            "Deployment",
            "web",
            at("resources/requests/cpu"),
            None,
            "web: requests of cpu",
        ),
        (
            "StatefulSet",
            "redis",
            at("livenessProbe"),
            None,
            "redis: livenessProbe",
        ),
        (
            "Deployment",
            "web",
            "/spec/template/spec/volumes/0/emptyDir/sizeLimit",
            None,
            "web: volumes in memory",
        ),
    ];
    holds(bounds, &breaks);
}

fn images(objects: &[Value]) -> Vec<String> {
    each(objects, |workload, findings| {
        let image = text(&container(workload)["image"]);
        let tag = image
            .rsplit('/')
            .next()
            .and_then(|last| last.split_once(':'))
            .map(|(_, tag)| tag);
        let numbered = tag.is_some_and(|tag| tag != "latest" && tag.contains(|c: char| c.is_ascii_digit()));
        findings.demand(numbered || image.contains("@sha256:"), "an image of one version");
    })
}

#[test]
fn every_image_is_of_one_version() {
    let of = "/spec/template/spec/containers/0/image";
    let breaks: Vec<Break> = vec![
        (
            "Deployment",
            "web",
            of,
            Some(json!("ghcr.io/oddessentials/odd")),
            "web: an image of one version",
        ),
        (
            "Deployment",
            "web",
            of,
            Some(json!("localhost:5000/odd")),
            "web: an image of one version",
        ),
        (
            "StatefulSet",
            "redis",
            of,
            Some(json!("redis:latest")),
            "redis: an image of one version",
        ),
        (
            "StatefulSet",
            "redis",
            of,
            Some(json!("redis:alpine")),
            "redis: an image of one version",
        ),
    ];
    holds(images, &breaks);
}

fn secrets(objects: &[Value]) -> Vec<String> {
    let mut found = each(objects, |workload, findings| {
        for variable in items(&container(workload)["env"]) {
            let (name, value) = (text(&variable["name"]), text(&variable["value"]));
            let like_one = ["PASSWORD", "PASS", "TOKEN", "SECRET", "AUTH"]
                .iter()
                .any(|end| name.ends_with(end));
            let in_clear = variable.get("value").is_some() && like_one && !NO_SECRETS.contains(&name);
            findings.demand(!in_clear, &format!("{name} is in clear"));
            let authority = value
                .split_once("://")
                .and_then(|(_, rest)| rest.split('/').next());
            let user = authority.and_then(|authority| Some(authority.split_once('@')?.0));
            // A reference to another variable stands for what the Secret has.
            let in_clear = user.is_some_and(|user| !user.contains(":$("));
            findings.demand(!in_clear, &format!("{name} has a password"));
        }
    });
    let kept = of_kind(objects, "Secret");
    found.extend(
        kept.iter()
            .map(|secret| format!("the Secret {} is among the manifests", name(secret))),
    );
    for map in of_kind(objects, "ConfigMap") {
        let data = map["data"].as_object().into_iter().flatten();
        let like_one = |key: &&String| key.ends_with("PASSWORD") || key.ends_with("TOKEN");
        found.extend(
            data.map(|(key, _)| key)
                .filter(like_one)
                .map(|key| format!("{key} is in a ConfigMap")),
        );
    }
    found
}

#[test]
fn nothing_secret_stands_in_the_manifests() {
    let first = "/spec/template/spec/containers/0/env/0";
    let breaks: Vec<Break> = vec![
        (
            "StatefulSet",
            "redis",
            first,
            Some(json!({"name": "REDISCLI_AUTH", "value": "x"})),
            "REDISCLI_AUTH is in clear",
        ),
        (
            "Deployment",
            "gateway",
            first,
            Some(json!({"name": "ODD_AMQP_URL", "value": "amqp://u:p@rabbitmq:5672"})),
            "ODD_AMQP_URL has a password",
        ),
        (
            "Namespace",
            "odd-observatory",
            "/kind",
            Some(json!("Secret")),
            "the Secret odd-observatory",
        ),
    ];
    holds(secrets, &breaks);
}
