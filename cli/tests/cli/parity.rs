//! One list of roles ([`Role::ALL`]), one list of pages (the registry), one set of versions: whatever names them again
//! agrees with them.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use odd_contracts::Role;
use odd_contracts::ui::{self, UiEngine};
use odd_engine::compose::{self, LoadOptions, Port, Project, Service, Source};
use odd_testkit::Service as Server;

/// Reads the names of roles in one place.
type Reader = fn() -> BTreeSet<String>;

/// Where roles are listed, and who reads the names there.
const LISTS: &[(&str, Reader)] = &[
    ("compose/compose.yaml", served_by_compose),
    ("compose/prometheus/prometheus.yml", scraped_by_prometheus),
    ("compose/grafana/dashboards", shown_by_grafana),
    ("README.md", explained_in_the_readme),
];

/// What Prometheus scrapes beside the roles.
const OTHER_TARGETS: &[&str] = &["rabbitmq", "rabbitmq-queues", "prometheus", "alertmanager"];
/// What dashboards are about beside the roles.
const OTHER_DASHBOARDS: &[&str] = &["overview", "queues", "stores"];
/// What is published but no page for people: in the offline image it has none.
const NO_PAGE: &[u16] = &[9093];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Everything of the compose files, with their documented defaults.
fn stack() -> Project {
    let options = LoadOptions {
        profiles: vec!["tools".to_owned()],
        ..LoadOptions::default()
    };
    compose::load(&Source::Directory(root().join("compose")), &options).unwrap()
}

/// The role that a service runs.
fn role_of(service: &Service) -> Option<&str> {
    match service.command.as_deref()? {
        [serve, role] if serve == "serve" => Some(role.as_str()),
        _ => None,
    }
}

fn names<'a>(names: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    names.into_iter().map(str::to_owned).collect()
}

fn served_by_compose() -> BTreeSet<String> {
    names(stack().services.values().filter_map(role_of))
}

fn scraped_by_prometheus() -> BTreeSet<String> {
    let text = read("compose/prometheus/prometheus.yml");
    let jobs = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- job_name: "));
    names(jobs.filter(|job| !OTHER_TARGETS.contains(job)))
}

fn shown_by_grafana() -> BTreeSet<String> {
    let folder = std::fs::read_dir(root().join("compose/grafana/dashboards")).unwrap();
    let files = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    files
        .map(|file| file.strip_suffix(".json").unwrap().to_owned())
        .filter(|name| !OTHER_DASHBOARDS.contains(&name.as_str()))
        .collect()
}

fn explained_in_the_readme() -> BTreeSet<String> {
    let text = read("README.md");
    let table = text.split("| role | port |").nth(1).unwrap().lines().skip(2);
    let rows = table.take_while(|line| line.starts_with('|'));
    names(rows.map(|row| row.split('`').nth(1).unwrap()))
}

#[test]
fn every_list_of_roles_has_the_same_roles() {
    let roles = names(Role::ALL.map(Role::name));
    for (place, listed) in LISTS {
        assert_eq!(listed(), roles, "{place}");
    }
}

#[test]
fn compose_starts_each_role_as_it_is_made() {
    let stack = stack();
    let images: BTreeSet<&String> = Role::ALL
        .iter()
        .map(|role| &stack.services[role.name()].image)
        .collect();
    let image = format!("ghcr.io/oddessentials/odd:{}", env!("CARGO_PKG_VERSION"));
    assert_eq!(
        images,
        BTreeSet::from([&image]),
        "one image of this version for all"
    );
    for role in Role::ALL {
        let service = &stack.services[role.name()];
        assert_eq!(role_of(service), Some(role.name()));
        let check = service
            .healthcheck
            .clone()
            .unwrap_or_default()
            .test
            .unwrap_or_default();
        assert_eq!(check, ["CMD", "/odd", "healthcheck", role.name()]);
        let ports: Vec<(Option<u16>, u16)> = service
            .ports
            .iter()
            .map(|port| (port.published, port.target))
            .collect();
        match role.is_public() {
            true => assert_eq!(
                ports,
                [(Some(role.default_port()), role.default_port())],
                "{role}"
            ),
            false => assert!(ports.is_empty(), "{role} could not be scaled: {ports:?}"),
        }
    }
}

#[test]
fn roles_find_each_other_by_their_services() {
    let stack = stack();
    for role in Role::ALL {
        let variable = format!("ODD_{}_URL", role.name().to_uppercase().replace('-', "_"));
        let address = format!("http://{role}:{}", role.default_port());
        for other in Role::ALL {
            let environment = &stack.services[other.name()].environment;
            assert_eq!(
                environment.get(&variable),
                Some(&address),
                "{variable} of {other}"
            );
        }
    }
}

#[test]
fn prometheus_asks_each_role_where_it_listens() {
    let text = read("compose/prometheus/prometheus.yml");
    for role in Role::ALL {
        let job = text
            .split("- job_name: ")
            .find(|job| job.starts_with(&format!("{role}\n")))
            .unwrap();
        let has = |wanted: String| job.lines().any(|line| line.trim() == wanted);
        assert!(has(format!("- names: [{role}]")), "{job}");
        assert!(has(format!("port: {}", role.default_port())), "{job}");
    }
}

#[test]
fn every_page_is_published_and_everything_published_is_a_page() {
    let stack = stack();
    let mut published: BTreeMap<u16, Vec<String>> = BTreeMap::new();
    for service in stack.services.values() {
        for port in service.ports.iter().filter_map(|port: &Port| port.published) {
            assert!(
                published.insert(port, service.profiles.clone()).is_none(),
                "{port} twice"
            );
        }
    }
    published.retain(|port, _| !NO_PAGE.contains(port));
    let pages: BTreeMap<u16, Vec<String>> = ui::registry()
        .offered_by(UiEngine::Docker)
        .map(|page| (page.port, page.profiles.clone()))
        .collect();
    assert_eq!(
        published, pages,
        "port and profiles, in compose.yaml and in ui-registry.json"
    );
}

#[test]
fn every_dashboard_reaches_grafana() {
    let stack = stack();
    let mounted = stack.services["grafana"]
        .configs
        .iter()
        .map(|config| config.target.as_str());
    let mounted: BTreeSet<&str> = mounted
        .filter_map(|path| path.strip_prefix("/etc/odd/dashboards/"))
        .collect();
    let folder = std::fs::read_dir(root().join("compose/grafana/dashboards")).unwrap();
    let files: BTreeSet<String> = folder
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(mounted, files.iter().map(String::as_str).collect::<BTreeSet<_>>());
}

#[test]
fn tests_run_on_the_versions_that_users_get() {
    let stack = stack();
    for server in Server::ALL {
        assert_eq!(stack.services[server.name()].image, server.official());
    }
}

#[test]
fn the_dockerfile_tells_the_version_and_compiler_of_the_workspace() {
    let dockerfile = read("compose/odd/Dockerfile");
    let manifest = read("Cargo.toml");
    let version = format!("ARG VERSION={}\n", env!("CARGO_PKG_VERSION"));
    assert!(dockerfile.contains(&version), "{version}");
    let compiler = manifest
        .lines()
        .find_map(|line| line.strip_prefix("rust-version = \"")?.strip_suffix('"'))
        .unwrap();
    assert!(
        dockerfile.contains(&format!("ARG RUST=rust:{compiler}.")),
        "rust {compiler}"
    );
}
