use std::sync::Arc;

use super::*;
use crate::compose::{
    ConfigFile, ConfigMount, Environment, Healthcheck, Mount, Port, Protocol, Resources, RestartPolicy,
    Ulimit,
};
use crate::docker::sample::{dependency, project, service};
use crate::instance::Home;

fn one(service: Service) -> WantedContainer {
    let instance = Instance {
        name: "t".parse().unwrap(),
        home: Home::at("/nowhere"),
        port_offset: 0,
    };
    let project = project(vec![service]);
    wanted(&project, &instance, &BTreeMap::new(), "1.0.0")
        .unwrap()
        .containers
        .remove(0)
}

#[test]
fn the_settings_of_security_are_carried_over() {
    let mut secured = service("web");
    secured.read_only = true;
    secured.cap_drop = vec!["ALL".to_owned()];
    secured.cap_add = vec!["CHOWN".to_owned()];
    secured.security_opt = vec!["no-new-privileges:true".to_owned()];
    secured.user = Some("65532:65532".to_owned());
    secured.init = Some(true);
    secured.resources = Resources {
        memory: Some(268_435_456),
        memory_reservation: Some(1),
        nano_cpus: Some(500_000_000),
        pids: Some(512),
    };
    secured.ulimits.insert(
        "nofile".to_owned(),
        Ulimit {
            soft: 1_024,
            hard: 2_048,
        },
    );
    secured.stop_signal = Some("SIGINT".to_owned());
    secured.stop_grace_period = Some(std::time::Duration::from_millis(15_500));
    secured.restart = RestartPolicy::OnFailure(Some(3));
    secured.mounts = vec![Mount::Tmpfs {
        target: "/tmp".to_owned(),
        options: "size=16m,mode=1777".to_owned(),
    }];
    secured.ports = vec![Port {
        host_ip: Some([127, 0, 0, 1].into()),
        published: Some(3_000),
        target: 3_000,
        protocol: Protocol::Tcp,
    }];
    secured.healthcheck = Some(Healthcheck {
        test: Some(vec!["CMD".to_owned(), "/odd".to_owned()]),
        interval: Some(std::time::Duration::from_secs(10)),
        start_interval: Some(std::time::Duration::from_millis(500)),
        retries: Some(3),
        ..Healthcheck::default()
    });
    let container = one(secured);
    let body = serde_json::to_value(&container.body).unwrap();
    let host = &body["HostConfig"];
    assert_eq!(host["ReadonlyRootfs"], true);
    assert_eq!(host["CapDrop"], serde_json::json!(["ALL"]));
    assert_eq!(host["CapAdd"], serde_json::json!(["CHOWN"]));
    assert_eq!(host["SecurityOpt"], serde_json::json!(["no-new-privileges:true"]));
    assert_eq!(body["User"], "65532:65532");
    assert_eq!(host["Init"], true);
    assert_eq!(
        (&host["Memory"], &host["NanoCpus"], &host["PidsLimit"]),
        (&268_435_456.into(), &500_000_000.into(), &512.into())
    );
    assert_eq!(
        host["Ulimits"],
        serde_json::json!([{"Name": "nofile", "Soft": 1_024, "Hard": 2_048}])
    );
    assert_eq!(
        (&body["StopSignal"], &body["StopTimeout"]),
        (&"SIGINT".into(), &16.into())
    );
    assert_eq!(
        host["RestartPolicy"],
        serde_json::json!({"Name": "on-failure", "MaximumRetryCount": 3})
    );
    assert_eq!(host["Tmpfs"], serde_json::json!({"/tmp": "size=16m,mode=1777"}));
    assert_eq!(
        host["PortBindings"],
        serde_json::json!({"3000/tcp": [{"HostIp": "127.0.0.1", "HostPort": "3000"}]})
    );
    assert_eq!(body["ExposedPorts"], serde_json::json!({"3000/tcp": {}}));
    assert_eq!(body["Healthcheck"]["Interval"], 10_000_000_000_i64);
    assert_eq!(body["Healthcheck"]["StartInterval"], 500_000_000_i64);
    assert_eq!(host["NetworkMode"], "odd-t_default");
    let aliases = &body["NetworkingConfig"]["EndpointsConfig"]["odd-t_default"]["Aliases"];
    assert_eq!(*aliases, serde_json::json!(["odd-t-web-1", "web"]));
    assert_eq!(container.ports, [(Some([127, 0, 0, 1].into()), 3_000)]);
}

#[test]
fn labels_are_those_of_docker_compose_and_our_own() {
    let mut web = service("web");
    web.depends_on
        .insert("db".to_owned(), dependency(Condition::ServiceHealthy));
    let container = one(web);
    let found = container.body.labels.unwrap();
    for (name, value) in [
        (labels::PROJECT, "odd-t"),
        (labels::SERVICE, "web"),
        (labels::NUMBER, "1"),
        (labels::ONE_OFF, "False"),
        (labels::DEPENDS_ON, "db:service_healthy:false"),
        (labels::INSTANCE, "t"),
        (labels::RELEASE, "1.0.0"),
        (labels::HASH, container.hash.as_str()),
        (labels::COMPOSE_HASH, container.hash.as_str()),
    ] {
        assert_eq!(found.get(name).map(String::as_str), Some(value), "{name}");
    }
}

#[test]
fn every_setting_and_every_byte_of_a_file_counts_for_the_hash() {
    let config = |content: &str| ConfigMount {
        source: "c".to_owned(),
        target: "/etc/odd/c".to_owned(),
        uid: 0,
        gid: 0,
        mode: 0o444,
        content: ConfigFile(Arc::from(content.as_bytes())),
    };
    let mut base = service("web");
    base.environment = Environment(BTreeMap::from([("A".to_owned(), "1".to_owned())]));
    base.configs = vec![config("one")];
    let hash = one(base.clone()).hash;
    assert_eq!(hash, one(base.clone()).hash, "the same each time");
    let changes: [fn(&mut Service); 5] = [
        |s| drop(s.environment.insert("A".to_owned(), "2".to_owned())),
        |s| s.read_only = true,
        |s| s.labels.extend([("a".to_owned(), "b".to_owned())]),
        |s| s.configs[0].content = ConfigFile(Arc::from(&b"onf"[..])),
        |s| s.configs[0].mode = 0o400,
    ];
    for (at, change) in changes.into_iter().enumerate() {
        let mut changed = base.clone();
        change(&mut changed);
        assert_ne!(one(changed).hash, hash, "change {at}");
    }
}

#[test]
fn replicas_differ_in_their_names_only() {
    let mut web = service("web");
    web.replicas = 2;
    let instance = Instance {
        name: "t".parse().unwrap(),
        home: Home::at("/nowhere"),
        port_offset: 0,
    };
    let found = wanted(&project(vec![web]), &instance, &BTreeMap::new(), "1")
        .unwrap()
        .containers;
    let names: Vec<&str> = found.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["odd-t-web-1", "odd-t-web-2"]);
}
