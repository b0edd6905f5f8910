//! What a service may say, and what becomes of it.

use std::time::Duration;

use super::{one, options};
use crate::compose::*;

#[test]
fn extensions_are_free_and_may_carry_anchors() {
    let text = "x-all: &all {read_only: true, x-note: {any: [thing]}}\nservices:\n  a:\n    <<: *all\n    image: x\n    x-own: 1\n";
    assert!(load_text(text, &options()).unwrap().services["a"].read_only);
}

#[test]
fn everything_that_a_service_may_say() {
    let service = one(r#"
image: odd-offline/redis:latest
build: {context: ./d, dockerfile: F, args: [A=1], target: t}
platform: linux/amd64
command: serve "a b"
entrypoint: [/e]
environment: [A=1, "B=x=y", NOT_SET]
ports: ["127.0.0.1:80:81", {target: 82, published: "83", host_ip: 127.0.0.1, protocol: udp}]
expose: ["90", 91/udp]
volumes: ["v:/v:ro", /anonymous, {type: volume, source: w, target: /w, volume: {nocopy: true}}, {type: tmpfs, target: /t, tmpfs: {size: 1m, mode: 01777}}]
tmpfs: /run:size=1m
configs: [c, {source: c, target: /etc/c, uid: "5", gid: "6", mode: 0440}]
healthcheck: {test: curl x, interval: 10s, timeout: 1s, retries: 3, start_period: 1m, start_interval: 500ms}
deploy: {replicas: 1, resources: {limits: {memory: 64m, cpus: "0.5", pids: 10}, reservations: {memory: 32m}}}
user: 1000
working_dir: /w
read_only: true
cap_drop: [ALL, ALL]
cap_add: [CHOWN]
security_opt: ["no-new-privileges:true"]
group_add: ["5"]
init: true
restart: on-failure:3
stop_signal: SIGINT
stop_grace_period: 1m30s
ulimits: {nofile: {soft: 10, hard: 20}, nproc: 5}
sysctls: {net.core.somaxconn: 1024}
hostname: h
extra_hosts: ["x:1.2.3.4", "y=::1"]
labels: [l=1, m]
networks: {n: {aliases: [z]}}
shm_size: 64m
logging: {driver: json-file, options: {max-size: 10m, max-file: "3"}}
"#)
    .unwrap();
    assert_eq!(service.command.as_deref().unwrap(), ["serve", "a b"]);
    assert_eq!(
        service.environment.0,
        [("A", "1"), ("B", "x=y")]
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .into()
    );
    assert_eq!(service.ports.len(), 2);
    assert_eq!(
        (service.ports[1].published, service.ports[1].protocol),
        (Some(83), Protocol::Udp)
    );
    assert_eq!(service.expose, [(90, Protocol::Tcp), (91, Protocol::Udp)]);
    assert_eq!(
        service.mounts.iter().map(Mount::target).collect::<Vec<_>>(),
        ["/v", "/anonymous", "/w", "/t", "/run"]
    );
    assert!(matches!(&service.mounts[0], Mount::Volume { source: Some(v), read_only: true, .. } if v == "v"));
    assert!(matches!(&service.mounts[2], Mount::Volume { no_copy: true, .. }));
    assert!(
        matches!(&service.mounts[3], Mount::Tmpfs { options, .. } if options == "size=1048576,mode=1777")
    );
    assert_eq!(
        service
            .configs
            .iter()
            .map(|config| (config.target.as_str(), config.uid, config.mode))
            .collect::<Vec<_>>(),
        [("/c", 0, 0o444), ("/etc/c", 5, 0o440)]
    );
    assert_eq!(&*service.configs[0].content.0, b"hello");
    let check = service.healthcheck.unwrap();
    assert_eq!(check.test.unwrap(), ["CMD-SHELL", "curl x"]);
    assert_eq!(check.start_interval, Some(Duration::from_millis(500)));
    assert_eq!(
        service.resources,
        Resources {
            memory: Some(64 << 20),
            memory_reservation: Some(32 << 20),
            nano_cpus: Some(500_000_000),
            pids: Some(10)
        }
    );
    assert_eq!(service.user.as_deref(), Some("1000"));
    assert_eq!(
        (service.cap_drop.len(), service.restart),
        (1, RestartPolicy::OnFailure(Some(3)))
    );
    assert_eq!(service.stop_grace_period, Some(Duration::from_secs(90)));
    assert_eq!(
        (service.ulimits["nofile"], service.ulimits["nproc"]),
        (Ulimit { soft: 10, hard: 20 }, Ulimit { soft: 5, hard: 5 })
    );
    assert_eq!(service.extra_hosts, ["x:1.2.3.4", "y:::1"]);
    assert_eq!(service.labels["m"], "");
    assert_eq!(service.networks["n"].aliases, ["z"]);
    assert_eq!(service.build.unwrap().args["A"], "1");
}

#[test]
fn variables_without_value_come_from_those_that_are_given() {
    let mut options = options();
    options.variables.insert("GIVEN".to_owned(), "yes".to_owned());
    let project = load_text(
        "services: {a: {image: x, environment: {GIVEN: , ABSENT: }}}",
        &options,
    )
    .unwrap();
    assert_eq!(
        project.services["a"].environment.0,
        [("GIVEN".to_owned(), "yes".to_owned())].into()
    );
}

#[test]
fn what_changes_a_service_changes_its_serialised_form() {
    let form = |service: &str| serde_json::to_string(&one(service).unwrap()).unwrap();
    let base = form("image: x\nconfigs: [c]");
    assert_eq!(base, form("configs: [c]\nimage: x"));
    for other in [
        "image: y\nconfigs: [c]",
        "image: x",
        "image: x\nconfigs: [c]\ninit: false",
        "image: x\nconfigs: [c]\nlabels: {a: b}",
    ] {
        assert_ne!(base, form(other), "{other}");
    }
}
