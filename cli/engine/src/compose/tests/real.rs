//! The files of this project.

use std::path::Path;

use super::options;
use crate::compose::*;

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
