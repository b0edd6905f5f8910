//! What the compose files promise for every container, and that their variables are documented.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use odd_engine::compose::{self, LoadOptions, Mount, Project, RestartPolicy, Service, Source};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../compose")
}

fn read(file: &str) -> String {
    std::fs::read_to_string(folder().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn load(offline: bool) -> Project {
    let options = LoadOptions {
        offline,
        profiles: vec!["tools".to_owned()],
        ..LoadOptions::default()
    };
    compose::load(&Source::Directory(folder()), &options).unwrap()
}

#[test]
fn every_container_is_secured_and_bounded() {
    for project in [load(false), load(true)] {
        for service in project.services.values() {
            let name = &service.name;
            let user = service.user.as_deref().unwrap_or_default();
            assert!(
                !user.is_empty() && !user.starts_with("0:") && user != "0" && !user.starts_with("root"),
                "{name}: {user}"
            );
            assert!(service.read_only, "{name}");
            assert_eq!(service.cap_drop, ["ALL"], "{name}");
            assert_eq!(service.security_opt, ["no-new-privileges:true"], "{name}");
            assert!(
                service.resources.memory.is_some_and(|bytes| bytes <= 1 << 30),
                "{name} has a limit of memory"
            );
            assert!(
                service.resources.pids.is_some_and(|pids| pids > 0),
                "{name} has a limit of processes"
            );
            assert_eq!(service.restart, RestartPolicy::UnlessStopped, "{name}");
            let log = service
                .logging
                .as_ref()
                .unwrap_or_else(|| panic!("{name} logs without bound"));
            assert!(
                log.options.contains_key("max-size") && log.options.contains_key("max-file"),
                "{name}"
            );
            for port in &service.ports {
                assert!(
                    port.host_ip.is_some_and(|address| address.is_loopback()),
                    "{name}: {port:?}"
                );
            }
        }
    }
}

/// Only one capability is given at all.
#[test]
fn only_pgadmin_keeps_a_capability() {
    for service in load(false).services.values() {
        let kept = service.cap_add.iter().map(String::as_str).collect::<Vec<_>>();
        let expected: &[&str] = if service.name == "pgadmin" {
            &["NET_BIND_SERVICE"]
        } else {
            &[]
        };
        assert_eq!(kept, expected, "{}", service.name);
    }
}

#[test]
fn every_health_check_is_quick_at_first_and_rare_later() {
    for service in load(false).services.values() {
        let check = service
            .healthcheck
            .clone()
            .unwrap_or_else(|| panic!("{} has no health check", service.name));
        assert!(check.test.is_some() && !check.is_disabled(), "{}", service.name);
        let milliseconds = |duration: Option<std::time::Duration>| duration.unwrap().as_millis();
        assert_eq!(milliseconds(check.start_interval), 500, "{}", service.name);
        assert_eq!(milliseconds(check.interval), 10_000, "{}", service.name);
        assert!(milliseconds(check.timeout) <= 5_000 && milliseconds(check.start_period) >= 30_000);
    }
}

/// A role ends within ten seconds, a server perhaps not.
#[test]
fn everything_has_time_to_end() {
    for service in load(false).services.values() {
        let grace = service.stop_grace_period.unwrap().as_secs();
        assert!((15..=30).contains(&grace), "{}: {grace} s", service.name);
    }
}

/// Nothing else is in that folder, so that one volume can stand for it.
#[test]
fn configuration_files_are_in_one_folder() {
    for service in load(false).services.values() {
        for config in &service.configs {
            assert!(
                config.target.starts_with("/etc/odd/"),
                "{}: {}",
                service.name,
                config.target
            );
            assert!(
                !config.content.0.is_empty(),
                "{}: {} is empty",
                service.name,
                config.target
            );
        }
        for mount in &service.mounts {
            assert!(!mount.target().starts_with("/etc/odd"), "{}", service.name);
            let bounded = match mount {
                Mount::Volume { source, .. } => source.is_some(),
                Mount::Tmpfs { options, .. } => options.contains("size="),
            };
            assert!(bounded, "{}: {mount:?}", service.name);
        }
    }
}

#[test]
fn versions_are_pinned_to_the_patch() {
    for service in load(false).services.values() {
        let tag = service
            .image
            .rsplit_once(':')
            .unwrap_or_else(|| panic!("{} has no tag", service.image))
            .1;
        let version = tag.trim_start_matches('v').split('-').next().unwrap();
        let parts = version
            .split('.')
            .filter(|part| part.parse::<u32>().is_ok())
            .count();
        // PostgreSQL and pgAdmin count in two parts.
        let enough = if matches!(service.name.as_str(), "postgres" | "pgadmin") {
            2
        } else {
            3
        };
        assert_eq!(parts, enough, "{}", service.image);
    }
}

/// The overlay starts the same servers and roles, but what it leaves out, each with a reason.
#[test]
fn the_offline_overlay_takes_nothing_from_a_registry() {
    let (online, offline) = (load(false), load(true));
    let started: BTreeSet<&String> = offline.services.keys().collect();
    let left_out: BTreeSet<&String> = offline.left_out.iter().map(|left| &left.service).collect();
    let both: BTreeSet<&String> = started.union(&left_out).copied().collect();
    assert_eq!(both, online.services.keys().collect::<BTreeSet<_>>());
    let expected = ["grafana", "mongo-express", "pgadmin", "redisinsight"].map(str::to_owned);
    assert_eq!(left_out, expected.iter().collect::<BTreeSet<_>>());
    let is_role = |service: &Service| service.command.as_deref().is_some_and(|args| args[0] == "serve");
    for service in offline.services.values().filter(|service| !is_role(service)) {
        assert!(service.image.starts_with("odd-offline/"), "{}", service.image);
        assert!(service.build.is_some(), "{}", service.name);
    }
}

/// `${NAME}`, `${NAME:-default}` and `${NAME:?message}` of a file, with their defaults.
fn uses(text: &str) -> Vec<(String, Option<String>)> {
    let code = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let parts = code.flat_map(|line| {
        line.split("${")
            .skip(1)
            .map(|rest| rest.split('}').next().unwrap())
    });
    parts
        .map(|part| match part.split_once(":-") {
            Some((name, default)) => (name.to_owned(), Some(default.to_owned())),
            None => (part.split(":?").next().unwrap().to_owned(), None),
        })
        .collect()
}

#[test]
fn every_variable_is_in_dot_env_with_the_default_that_it_has() {
    let documented = compose::variables(&Source::Directory(folder())).unwrap();
    let mut used: BTreeMap<String, Option<String>> = BTreeMap::new();
    for (name, default) in uses(&read("compose.yaml"))
        .into_iter()
        .chain(uses(&read("offline.yaml")))
    {
        let is_secret = name.ends_with("_PASSWORD") || name.ends_with("_TOKEN");
        // One that may be missing is empty by default.
        let may_be_missing = default.as_deref() == Some("");
        assert_eq!(
            default.is_none(),
            is_secret && !may_be_missing,
            "{name}: a secret that is needed has no default but in .env, everything else has one"
        );
        if let Some(default) = &default {
            assert_eq!(documented.get(&name), Some(default), "{name}");
        }
        used.insert(name, default);
    }
    assert_eq!(
        used.keys().collect::<Vec<_>>(),
        documented.keys().collect::<Vec<_>>()
    );
}

#[test]
fn every_variable_has_a_comment_of_its_own() {
    let text = read(".env");
    let lines: Vec<&str> = text.lines().collect();
    for (number, line) in lines.iter().enumerate() {
        if line.contains('=') && !line.starts_with('#') {
            assert!(number > 0 && lines[number - 1].starts_with('#'), "{line}");
        }
    }
}

#[test]
fn the_overlay_for_older_engines_covers_every_service() {
    let text = read("old-engine.yaml");
    let listed: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("  ")?.split_once(':'))
        .map(|(name, _)| name)
        .collect();
    let project = load(false);
    assert_eq!(
        listed,
        project
            .services
            .keys()
            .map(String::as_str)
            .collect::<BTreeSet<_>>()
    );
}
