//! The rules of the workspace itself: where libraries live, and which way dependencies point.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

/// A heavy library has one home. Libraries that nothing uses yet are named too, so that the rule stands before they come.
const HOMES: &[(&[&str], &[&str])] = &[
    (
        &[
            "sqlx",
            "sqlx-core",
            "sqlx-sqlite",
            "sqlx-postgres",
            "libsqlite3-sys",
            "rusqlite",
            "mongodb",
            "redis",
        ],
        &["odd-store"],
    ),
    (&["lapin", "amqprs"], &["odd-spine"]),
    (
        &["bollard", "docker-compose-types", "kube", "k8s-openapi"],
        &["odd-engine"],
    ),
    (&["ratatui", "crossterm"], &["odd-tui"]),
    (&["portable-pty"], &["odd-web", "odd-testkit"]),
    // The binary only names it, for the features that it enables in other libraries.
    (&["testcontainers"], &["odd-testkit", "odd"]),
    (
        &[
            "clap",
            "clap_complete",
            "clap_mangen",
            "dialoguer",
            "indicatif",
            "anyhow",
        ],
        &["odd"],
    ),
];

const ROLES: &[&str] = &[
    "odd-gateway",
    "odd-processor",
    "odd-metrics-engine",
    "odd-read-model",
    "odd-web",
];

/// What each crate may depend on within the workspace. The spine sees the store because SQL lives in the store only.
const ARROWS: &[(&str, &[&str])] = &[
    ("odd-contracts", &[]),
    ("odd-runtime", &["odd-contracts"]),
    ("odd-store", &["odd-contracts"]),
    ("odd-spine", &["odd-contracts", "odd-store"]),
    ("odd-client", &["odd-contracts"]),
    ("odd-engine", &["odd-contracts", "odd-client"]),
    ("odd-look", &["odd-contracts"]),
    ("odd-tui", &["odd-contracts", "odd-client", "odd-look"]),
    (
        "odd-testkit",
        &[
            "odd-contracts",
            "odd-client",
            "odd-engine",
            "odd-store",
            "odd-spine",
        ],
    ),
];

/// What a role may depend on within the workspace: never another role.
const ARROWS_OF_ROLES: &[&str] = &["odd-contracts", "odd-runtime", "odd-store", "odd-spine"];

static METADATA: LazyLock<Metadata> = LazyLock::new(|| {
    MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .no_deps()
        .other_options(["--locked".to_owned(), "--offline".to_owned()])
        .exec()
        .expect("cargo describes the workspace")
});

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

pub(crate) fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn packages() -> impl Iterator<Item = &'static Package> {
    METADATA.packages.iter()
}

/// Names of the crates that a crate depends on in its own code (not in its tests).
fn dependencies(package: &Package) -> BTreeSet<&str> {
    let own = package.dependencies.iter();
    own.filter(|dependency| dependency.kind != DependencyKind::Development)
        .map(|dependency| dependency.name.as_str())
        .collect()
}

#[test]
fn heavy_libraries_have_one_home() {
    for (libraries, homes) in HOMES {
        for package in packages().filter(|package| !homes.contains(&package.name.as_str())) {
            // In tests too: what a test needs of them, the testkit or the home itself offers.
            let foreign: Vec<_> = package
                .dependencies
                .iter()
                .map(|dependency| dependency.name.as_str())
                .filter(|name| libraries.contains(name))
                .collect();
            assert!(
                foreign.is_empty(),
                "{} depends on {foreign:?}, whose home is {homes:?}",
                package.name
            );
        }
    }
}

#[test]
fn deny_toml_bans_what_the_table_of_homes_bans() {
    let deny: toml::Table = read("deny.toml").parse().unwrap();
    let bans = deny["bans"]["deny"].as_array().unwrap();
    let mut compared = 0;
    for ban in bans.iter().filter(|ban| ban.get("wrappers").is_some()) {
        let library = ban["crate"].as_str().unwrap();
        let (_, homes) = HOMES
            .iter()
            .find(|(libraries, _)| libraries.contains(&library))
            .unwrap_or_else(|| panic!("{library} has no home in HOMES"));
        let wrappers = ban["wrappers"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(toml::Value::as_str);
        let is_ours = |wrapper: &&str| *wrapper == "odd" || wrapper.starts_with("odd-");
        let ours: Vec<_> = wrappers.filter(is_ours).collect();
        assert_eq!(&ours, homes, "wrappers of {library}");
        compared += 1;
    }
    assert!(compared > 0, "deny.toml has no wrappers");
}

#[test]
fn dependencies_point_one_way() {
    let workspace: BTreeSet<&str> = packages().map(|package| package.name.as_str()).collect();
    for package in packages() {
        let name = package.name.as_str();
        let permitted: BTreeSet<&str> = if name == "odd" {
            workspace
                .iter()
                .copied()
                .filter(|other| *other != "odd-testkit")
                .collect()
        } else if ROLES.contains(&name) {
            ARROWS_OF_ROLES.iter().copied().collect()
        } else {
            let arrows = ARROWS.iter().find(|(of, _)| *of == name);
            let (_, arrows) = arrows.unwrap_or_else(|| panic!("{name} has no line in ARROWS"));
            arrows.iter().copied().collect()
        };
        let within: BTreeSet<&str> = dependencies(package).intersection(&workspace).copied().collect();
        let wrong: Vec<_> = within.difference(&permitted).collect();
        assert!(wrong.is_empty(), "{name} must not depend on {wrong:?}");
    }
}

#[test]
fn roles_do_not_meet_even_in_tests() {
    for package in packages().filter(|package| ROLES.contains(&package.name.as_str())) {
        let all = package
            .dependencies
            .iter()
            .map(|dependency| dependency.name.as_str());
        let met: Vec<_> = all.filter(|name| ROLES.contains(name)).collect();
        assert!(met.is_empty(), "{} depends on {met:?}", package.name);
    }
}

#[test]
fn every_library_comes_from_the_public_registry() {
    let lock: toml::Table = read("Cargo.lock").parse().unwrap();
    let packages = lock["package"].as_array().unwrap();
    assert!(packages.len() > 100, "the lock file was read");
    for package in packages {
        let name = package["name"].as_str().unwrap();
        match package.get("source").and_then(toml::Value::as_str) {
            None => assert!(name == "odd" || name.starts_with("odd-"), "{name} has no source"),
            Some(source) => {
                assert_eq!(
                    source, "registry+https://github.com/rust-lang/crates.io-index",
                    "{name}"
                );
                assert!(package.get("checksum").is_some(), "{name} has no checksum");
            }
        }
    }
}

/// Otherwise `make test` compiles most libraries once more after `make up`.
#[test]
fn tests_use_libraries_with_the_features_of_the_development_build() {
    let development = features(&["-p", "odd", "-e", "normal,build"]);
    let tests = features(&["--workspace", "-e", "normal,build,dev"]);
    let differing: BTreeMap<_, _> = development
        .iter()
        .filter(|(library, builds)| {
            !tests
                .get(*library)
                .is_some_and(|others| others.is_superset(builds))
        })
        .collect();
    assert!(
        differing.is_empty(),
        "a feature that only tests enable belongs under `failpoints` in cli/Cargo.toml as well: {differing:#?}"
    );
}

/// Features that cargo enables in each library, per version and (host and target) build.
fn features(selection: &[&str]) -> BTreeMap<String, BTreeSet<String>> {
    let cargo = std::env::var_os("CARGO").expect("cargo runs the tests");
    let output = Command::new(cargo)
        .current_dir(root())
        .args(["tree", "--locked", "--offline", "--prefix", "none", "--no-dedupe"])
        .args(["--features", "odd/failpoints", "--format", "{p}\t{f}"])
        .args(selection)
        .output()
        .expect("cargo can be run");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        if let Some((library, features)) = line.split_once('\t') {
            let library = library.split(" (").next().unwrap_or(library);
            all.entry(library.to_owned())
                .or_default()
                .insert(features.to_owned());
        }
    }
    assert!(all.len() > 100, "cargo tree was read");
    all
}
