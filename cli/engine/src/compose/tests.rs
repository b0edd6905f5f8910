//! Whole compose files: the real ones, and small ones that break one rule each.

use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn options() -> LoadOptions {
    LoadOptions {
        project: "odd-test".to_owned(),
        ..LoadOptions::default()
    }
}

fn one(service: &str) -> Result<Service, ComposeError> {
    let indented: String = service.lines().map(|line| format!("    {line}\n")).collect();
    let text = format!(
        "services:\n  a:\n{indented}volumes: {{v: , w: }}\nnetworks: {{n: }}\nconfigs: {{c: {{content: hello}}}}\n"
    );
    Ok(load_text(&text, &options())?.services.remove("a").unwrap())
}

fn error(text: &str) -> ComposeError {
    load_text(text, &options()).unwrap_err()
}

fn secrets() -> BTreeMap<String, String> {
    let all = variables(&Source::Embedded).unwrap();
    all.into_keys()
        .filter(|name| name.ends_with("_PASSWORD") || name.ends_with("_TOKEN"))
        .map(|name| {
            let value = format!("secret-of-{name}");
            (name, value)
        })
        .collect()
}

#[test]
fn the_real_files_make_a_project() {
    let options = LoadOptions {
        port_offset: 100,
        variables: secrets(),
        ..options()
    };
    let project = load(&Source::Embedded, &options).unwrap();
    assert_eq!(project.files, ["builtin:compose.yaml"]);
    assert_eq!(project.left_out, []);
    assert_eq!(project.networks["default"].name, "odd-test_default");
    assert_eq!(project.volumes["postgres-data"].name, "odd-test_postgres-data");
    let names: Vec<&str> = project.services.keys().map(String::as_str).collect();
    for service in [
        "alertmanager",
        "gateway",
        "grafana",
        "mongo",
        "postgres",
        "processor",
        "prometheus",
        "rabbitmq",
        "read-model",
        "redis",
        "web",
    ] {
        assert!(names.contains(&service), "{service} is missing in {names:?}");
    }
    for tool in ["pgadmin", "mongo-express", "redisinsight"] {
        assert!(!names.contains(&tool), "{tool} is there without its profile");
    }
    let gateway = &project.services["gateway"];
    assert_eq!(gateway.ports[0].published, Some(3100));
    assert_eq!(gateway.ports[0].target, 3000);
    assert!(gateway.environment["ODD_AMQP_URL"].contains("secret-of-RABBITMQ_PASSWORD"));
    assert!(
        !format!("{project:?}").contains("secret-of"),
        "secrets are in the debug text"
    );
}

#[test]
fn every_real_service_is_secured_and_checked() {
    let options = LoadOptions {
        profiles: vec!["tools".to_owned()],
        ..options()
    };
    for (name, service) in load(&Source::Embedded, &options).unwrap().services {
        assert!(service.read_only, "{name}: its root file system can be written");
        assert_eq!(service.cap_drop, ["ALL"], "{name}");
        assert!(
            service
                .security_opt
                .iter()
                .any(|option| option.starts_with("no-new-privileges")),
            "{name}"
        );
        assert!(
            service.resources.memory.is_some() && service.resources.pids.is_some(),
            "{name}: no limits"
        );
        assert!(
            service.user.as_deref().is_some_and(|user| !user.starts_with('0')),
            "{name}: user root"
        );
        assert!(
            service
                .healthcheck
                .as_ref()
                .is_some_and(|check| !check.is_disabled()),
            "{name}: no health check"
        );
        for port in &service.ports {
            assert!(
                port.host_ip.is_some_and(|ip| ip.is_loopback()),
                "{name}: published beyond this machine"
            );
        }
    }
}

#[test]
fn offline_takes_the_images_of_the_recipes_and_tells_what_is_left_out() {
    let mut options = LoadOptions {
        offline: true,
        ..options()
    };
    let project = load(&Source::Embedded, &options).unwrap();
    let left_out = |project: &Project| {
        project
            .left_out
            .iter()
            .map(|left| left.service.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(left_out(&project), ["grafana"]);
    assert!(!project.services.contains_key("grafana"));
    assert!(!project.volumes.contains_key("grafana-data"), "nothing uses it");
    for name in [
        "postgres",
        "rabbitmq",
        "redis",
        "mongo",
        "prometheus",
        "alertmanager",
    ] {
        let expected = recipe::reference(&Files::Embedded, name).unwrap();
        assert_eq!(project.services[name].image, expected);
    }
    assert_eq!(project.files, ["builtin:compose.yaml", "builtin:offline.yaml"]);

    options.profiles = vec!["tools".to_owned()];
    let project = load(&Source::Embedded, &options).unwrap();
    assert_eq!(
        left_out(&project),
        ["grafana", "mongo-express", "pgadmin", "redisinsight"]
    );
    assert!(!project.services.contains_key("pgadmin"));
}

#[test]
fn a_checkout_and_its_folder_give_what_the_binary_has() {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let built_in = load(&Source::Embedded, &options()).unwrap();
    for directory in [checkout.clone(), checkout.join("compose")] {
        let project = load(&Source::Directory(directory), &options()).unwrap();
        assert_eq!(project.services, built_in.services);
        assert!(
            project.files[0].ends_with("compose.yaml") && Path::new(&project.files[0]).is_absolute(),
            "{:?}",
            project.files
        );
    }
}

#[test]
fn variables_of_the_file_are_all_there_is() {
    let names = variables(&Source::Embedded).unwrap();
    for name in [
        "ODD_IMAGE",
        "ODD_INSTANCE",
        "RABBITMQ_PASSWORD",
        "POSTGRES_PASSWORD",
        "REDIS_PASSWORD",
        "GRAFANA_PASSWORD",
        "ALERT_WEBHOOK_TOKEN",
    ] {
        assert!(names.contains_key(name), "{name}");
    }
}

#[test]
fn services_come_after_what_they_wait_for() {
    let project = load(&Source::Embedded, &options()).unwrap();
    let order: Vec<&str> = project
        .in_start_order()
        .iter()
        .map(|service| service.name.as_str())
        .collect();
    assert_eq!(order.len(), project.services.len());
    for service in project.services.values() {
        let place = |name: &str| order.iter().position(|other| *other == name).unwrap();
        for dependency in service.depends_on.keys() {
            assert!(
                place(dependency) < place(&service.name),
                "{} before {dependency}",
                service.name
            );
        }
    }
}

#[test]
fn keys_that_are_not_supported_are_errors_with_file_place_and_key() {
    for (text, expected) in [
        (
            "services: {a: {image: x}}\nsecrets: {}\n",
            "compose.yaml:2:1: the key \"secrets\" is not supported",
        ),
        (
            "services:\n  a:\n    image: x\n    privileged: true\n",
            "compose.yaml:4:5 (services.a): the key \"privileged\" is not supported",
        ),
        (
            "services:\n  a:\n    image: x\n    healthcheck: {test: x, intervall: 1s}\n",
            "compose.yaml:4:28 (services.a.healthcheck): the key \"intervall\" is not supported",
        ),
        (
            "services: {a: {image: x, deploy: {resources: {limits: {gpus: 1}}}}}",
            "compose.yaml:1:56 (services.a.deploy.resources.limits): the key \"gpus\" is not supported",
        ),
        (
            "services: {a: {image: x, ports: [{target: 80, mode: host}]}}",
            "compose.yaml:1:47 (services.a.ports[0]): the key \"mode\" is not supported",
        ),
        (
            "services: {a: {image: x, env_file: x}}",
            "compose.yaml:1:26 (services.a): the key \"env_file\" is not supported",
        ),
        (
            "services: {a: {image: x, build: {context: ., cache_from: []}}}",
            "compose.yaml:1:46 (services.a.build): the key \"cache_from\" is not supported",
        ),
        (
            "services: {a: {image: x}}\nvolumes: {v: {driver_opts: {}}}",
            "compose.yaml:2:15 (volumes.v): the key \"driver_opts\" is not supported",
        ),
        (
            "services: {a: {image: x}}\nnetworks: {n: {ipam: {}}}",
            "compose.yaml:2:16 (networks.n): the key \"ipam\" is not supported",
        ),
    ] {
        let error = error(text);
        assert_eq!(error.to_string(), expected);
        assert!(matches!(error, ComposeError::UnsupportedKey { .. }));
        assert!(error.remedy().contains("use one of"), "{}", error.remedy());
    }
}

#[test]
fn extensions_are_free_and_may_carry_anchors() {
    let text = "x-all: &all {read_only: true, x-note: {any: [thing]}}\nservices:\n  a:\n    <<: *all\n    image: x\n    x-own: 1\n";
    assert!(load_text(text, &options()).unwrap().services["a"].read_only);
}

#[test]
fn values_that_their_key_cannot_have_are_errors() {
    for (service, part) in [
        (
            "image: [x]",
            "services.a.image): a list stands where a text is expected",
        ),
        ("image: ''", "its image is an empty text"),
        ("command: [x]", "a service needs an image"),
        (
            "image: x\nread_only: maybe",
            "services.a.read_only): \"maybe\" is neither true nor false",
        ),
        ("image: x\nmem_limit: lots", "\"lots\" is no size"),
        ("image: x\nstop_grace_period: 10", "\"10\" is no time span"),
        ("image: x\nrestart: sometimes", "no restart policy"),
        (
            "image: x\nports: ['80:0']",
            "services.a.ports[0]): \"0\" is no port",
        ),
        (
            "image: x\nvolumes: ['./x:/y']",
            "binds a directory of this machine",
        ),
        (
            "image: x\nvolumes: [{type: bind, source: ., target: /y}]",
            "binds a directory of this machine",
        ),
        ("image: x\nvolumes: ['v:y']", "no absolute path in the container"),
        ("image: x\nhealthcheck: {test: [a, b]}", "a test is a text"),
        ("image: x\nhealthcheck: {retries: -1}", "no whole number"),
        ("image: x\nenvironment: {A: 010}", "put it in quotes"),
        (
            "image: x\nenvironment: {A: [b]}",
            "services.a.environment.A): a list stands where a text is expected",
        ),
        (
            "image: x\nenvironment: [[b]]",
            "services.a.environment): a list stands in a list of texts",
        ),
        ("image: x\ncpus: 0", "no number of processors"),
        (
            "image: x\nmem_limit: 1g\ndeploy: {resources: {limits: {memory: 2g}}}",
            "mem_limit and what deploy says of the same differ",
        ),
        (
            "image: x\nconfigs: [{source: c, target: ../x}]",
            "no absolute path of a file",
        ),
        (
            "image: x\nconfigs: [{source: c, mode: 440}]",
            "write it in octal digits",
        ),
        ("image: x\nextra_hosts: [h]", "is no name:address"),
        (
            "image: x\nulimits: {nofile: {soft: 1}}",
            "a limit needs soft and hard",
        ),
        (
            "image: x\ncommand: 'a \"b'",
            "a quote of the command is not closed",
        ),
        (
            "image: x\ndepends_on: {a: {condition: service_ready}}",
            "is no condition",
        ),
        ("image: x\nbuild: .", "odd builds only images of its own recipes"),
        (
            "image: ${IMAGE}",
            "services.a.image): the variable IMAGE is not set",
        ),
        (
            "image: x\nenvironment: [\"A=${B:?give it}\"]",
            "services.a.environment[0]): the variable B has to be set: give it",
        ),
    ] {
        let error = one(service).unwrap_err().to_string();
        assert!(
            error.starts_with("compose.yaml:") && error.contains(part),
            "{service}\n  {error}"
        );
    }
    for text in [
        "",
        "services: {}",
        "- a",
        "services: [a]",
        "services: {a: x}",
        "services: {'a b': {image: x}}",
    ] {
        assert!(
            matches!(error(text), ComposeError::InvalidValue { .. }),
            "{text}: {}",
            error(text)
        );
    }
}

#[test]
fn names_that_are_not_there_are_errors() {
    for (service, expected) in [
        ("image: x\ndepends_on: [b]", "there is no service \"b\""),
        ("image: x\nvolumes: ['u:/u']", "there is no volume \"u\""),
        ("image: x\nnetworks: [m]", "there is no network \"m\""),
        ("image: x\nconfigs: [d]", "there is no config \"d\""),
    ] {
        let error = one(service).unwrap_err();
        assert!(
            matches!(error, ComposeError::Unknown { .. }) && error.to_string().ends_with(expected),
            "{error}"
        );
    }
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
fn profiles_decide_who_starts() {
    let text = "services:\n  a: {image: x}\n  b: {image: x, profiles: [p, q]}\n  c: {image: x, depends_on: {b: {condition: service_started, required: false}}}\n";
    let names = |profiles: &[&str]| {
        let options = LoadOptions {
            profiles: profiles.iter().map(|profile| (*profile).to_owned()).collect(),
            ..options()
        };
        load_text(text, &options).map(|project| {
            let waits = project.services["c"].depends_on.len();
            (project.services.into_keys().collect::<Vec<_>>().join(""), waits)
        })
    };
    assert_eq!(names(&[]).unwrap(), ("ac".to_owned(), 0));
    assert_eq!(names(&["q"]).unwrap(), ("abc".to_owned(), 1));
    let error = names(&["r"]).unwrap_err();
    assert_eq!(
        (error.to_string().as_str(), error.remedy().as_str()),
        ("there is no profile \"r\"", "profiles are: p, q")
    );
    assert!(matches!(
        super::tests::error("services: {a: {image: x, profiles: [p]}}"),
        ComposeError::NothingToStart
    ));
}

#[test]
fn what_a_service_needs_must_not_be_off_unless_an_overlay_left_it_out() {
    let off = "services:\n  a: {image: x, depends_on: [b]}\n  b: {image: x, profiles: [p]}\n";
    assert_eq!(
        error(off).to_string(),
        "a depends on b, which is left out: its profile p is off"
    );
    let told = "services:\n  a: {image: x, depends_on: [b]}\n  b: {image: x, profiles: [p], x-odd-left-out: too big}\n";
    let project = load_text(told, &options()).unwrap();
    assert!(project.services["a"].depends_on.is_empty());
}

#[test]
fn circles_are_named() {
    let text = "services:\n  a: {image: x, depends_on: [b]}\n  b: {image: x, depends_on: [c]}\n  c: {image: x, depends_on: [b]}\n  d: {image: x}\n";
    assert_eq!(
        error(text).to_string(),
        "services depend on each other in a circle: b → c → b"
    );
    assert!(matches!(
        error("services: {a: {image: x, depends_on: [a]}}"),
        ComposeError::Cycle { .. }
    ));
}

#[test]
fn scaling_needs_a_service_that_can_be_there_more_than_once() {
    let text = "services:\n  a: {image: x}\n  p: {image: x, ports: ['1:1']}\n  v: {image: x, volumes: ['v:/v']}\n  o: {image: x, profiles: [p]}\nvolumes: {v: }\n";
    let scaled = |service: &str, replicas: u32| {
        let options = LoadOptions {
            scale: [(service.to_owned(), replicas)].into(),
            ..options()
        };
        load_text(text, &options)
    };
    assert_eq!(scaled("a", 4).unwrap().services["a"].replicas, 4);
    assert_eq!(scaled("p", 0).unwrap().services["p"].replicas, 0);
    for (service, replicas, expected) in [
        (
            "p",
            2,
            "cannot run 2 containers of p: all of them would publish port 1",
        ),
        (
            "v",
            2,
            "cannot run 2 containers of v: all of them would write the volume v",
        ),
        (
            "o",
            2,
            "cannot run 2 containers of o: it is left out: its profile p is off",
        ),
        ("a", 65, "cannot run 65 containers of a: there may be 64 at most"),
        ("z", 2, "cannot scale \"z\": there is no such service"),
    ] {
        assert_eq!(scaled(service, replicas).unwrap_err().to_string(), expected);
    }
    assert_eq!(scaled("z", 2).unwrap_err().remedy(), "services are: a, p, v");
}

#[test]
fn ports_move_by_the_offset_and_never_collide() {
    let shifted = LoadOptions {
        port_offset: 50_000,
        ..options()
    };
    let error = load_text("services: {a: {image: x, ports: ['20000:1']}}", &shifted).unwrap_err();
    assert_eq!(
        error.to_string(),
        "port 20000 of a plus the offset 50000 is beyond 65535"
    );
    for (ports, clash) in [
        (("'1:1'", "'1:2'"), true),
        (("'127.0.0.1:1:1'", "'1:2'"), true),
        (("'127.0.0.1:1:1'", "'127.0.0.2:1:2'"), false),
        (("'1:1'", "'1:2/udp'"), false),
        (("'1'", "'1'"), false),
    ] {
        let text = format!(
            "services: {{a: {{image: x, ports: [{}]}}, b: {{image: x, ports: [{}]}}}}",
            ports.0, ports.1
        );
        let result = load_text(&text, &options());
        assert_eq!(
            matches!(result, Err(ComposeError::DuplicatePort { port: 1, .. })),
            clash,
            "{text}"
        );
        assert_eq!(result.is_ok(), !clash);
    }
}

#[test]
fn names_in_the_engine() {
    let text = "name: from-file\nservices: {a: {image: x, volumes: ['v:/v', 'e:/e', 'n:/n'], networks: [default, o]}}\nvolumes: {v: , e: {external: true}, n: {name: own}, unused: }\nnetworks: {o: {internal: true}}\n";
    let project = load_text(text, &LoadOptions::default()).unwrap();
    assert_eq!(project.name, "from-file");
    let volumes: Vec<&str> = project
        .volumes
        .values()
        .map(|volume| volume.name.as_str())
        .collect();
    assert_eq!(volumes, ["e", "own", "from-file_v"]);
    let networks: Vec<(&str, bool)> = project
        .networks
        .values()
        .map(|network| (network.name.as_str(), network.internal))
        .collect();
    assert_eq!(networks, [("from-file_default", false), ("from-file_o", true)]);
    let error = load_text(
        "name: 'No Name'\nservices: {a: {image: x}}",
        &LoadOptions::default(),
    )
    .unwrap_err();
    assert!(matches!(error, ComposeError::InvalidProjectName { .. }));
}

#[test]
fn a_configuration_file_that_is_missing_is_told() {
    let text = "services: {a: {image: x, configs: [c]}}\nconfigs: {c: {file: ./nowhere.yml}}";
    assert!(
        error(text).to_string().ends_with("./nowhere.yml is not there"),
        "{}",
        error(text)
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

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in any::<String>()) {
        let _ = load_text(&text, &options());
    }

    #[test]
    fn no_text_that_looks_like_yaml_makes_the_reader_panic(text in "[a-c:{}\\[\\],&*!<|>'\"#$%@`?~ \n\t-]{0,80}") {
        let _ = load_text(&text, &options());
    }

    #[test]
    fn no_change_of_the_real_file_makes_the_reader_panic(cut in 0_usize..20_000, length in 0_usize..40, put in "[a-z:{}\\[\\]&*!$ \n-]{0,12}") {
        let real = Files::Embedded.text(COMPOSE).unwrap();
        let characters: Vec<char> = real.chars().collect();
        let start = cut.min(characters.len());
        let end = (start + length).min(characters.len());
        let text: String = characters[..start].iter().copied().chain(put.chars()).chain(characters[end..].iter().copied()).collect();
        let _ = load_text(&text, &LoadOptions { variables: variables(&Source::Embedded).unwrap(), ..options() });
    }
}
