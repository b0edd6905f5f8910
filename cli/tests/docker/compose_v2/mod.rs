//! Docker's own Compose reads the files as the built-in engine does, starts them, and sees what the engine started.
//!
//! Compose runs in a container of its own (`compose/images/compose`), so that it is there on every machine and in one version.

mod model;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use odd_engine::compose::{self, LoadOptions, Project, Source};
use odd_testkit::{Instance, Output};
use serde_json::Value;

use crate::bed::{self, Stack};

/// Longest time that Compose may take to start a stack.
const PATIENCE: Duration = Duration::from_secs(180);
/// First major version of the Docker engine that knows `start_interval`, without which Compose refuses.
const KNOWS_START_INTERVAL: u32 = 25;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .unwrap()
}

/// Compose on our files.
#[derive(Debug)]
struct Compose {
    image: String,
    files: Vec<&'static str>,
    variables: BTreeMap<String, String>,
}

impl Compose {
    fn new(files: &[&'static str]) -> Self {
        Self {
            image: image(),
            files: files.to_vec(),
            variables: BTreeMap::new(),
        }
    }

    fn run(&self, args: &[&str]) -> Output {
        let folder = root().join("compose");
        let socket = std::env::var("DOCKER_HOST").ok();
        let socket = socket
            .as_deref()
            .and_then(|host| host.strip_prefix("unix://"))
            .unwrap_or("/var/run/docker.sock");
        let mut command = Command::new("docker");
        command.args([
            "run",
            "--rm",
            "--volume",
            &format!("{socket}:/var/run/docker.sock"),
        ]);
        // Files that containers mount are named by their path on this machine, so it has to be the same inside.
        command
            .args(["--volume", &format!("{0}:{0}:ro", folder.display())])
            .arg("--workdir")
            .arg(&folder);
        for (name, value) in &self.variables {
            command.args(["--env", &format!("{name}={value}")]);
        }
        command.arg(&self.image);
        command.args(self.files.iter().flat_map(|file| ["--file", file]));
        Instance::output(command.args(args).stdin(Stdio::null()))
    }

    /// The model that Compose makes of the files.
    #[track_caller]
    fn config(&self, profiles: &[&str]) -> Value {
        let mut args: Vec<&str> = profiles
            .iter()
            .flat_map(|profile| ["--profile", profile])
            .collect();
        args.extend(["config", "--format", "json"]);
        self.run(&args).expect_code(0).json()
    }
}

/// The tool's image of this checkout.
fn image() -> String {
    let script = root().join("scripts/images.sh");
    let listed =
        Instance::output(Command::new("bash").arg(script).args(["--list", "compose"])).expect_code(0);
    let words: Vec<&str> = listed.stdout.split_whitespace().collect();
    assert_eq!(
        words.get(2),
        Some(&"present"),
        "{}: scripts/images.sh makes it",
        listed.stdout
    );
    words[1].to_owned()
}

fn engine_knows_start_interval() -> bool {
    let version =
        Instance::output(Command::new("docker").args(["version", "--format", "{{.Server.Version}}"]));
    let version = version.expect_code(0).stdout;
    let major = version
        .split('.')
        .next()
        .and_then(|major| major.parse::<u32>().ok());
    major.is_some_and(|major| major >= KNOWS_START_INTERVAL)
}

fn load(profiles: &[&str], offline: bool) -> Project {
    let options = LoadOptions {
        offline,
        profiles: profiles.iter().map(|&profile| profile.to_owned()).collect(),
        ..LoadOptions::default()
    };
    compose::load(&Source::Directory(root().join("compose")), &options).unwrap()
}

#[test]
fn compose_makes_of_the_files_what_the_engine_makes_of_them() {
    for (files, profiles, offline) in [
        (&["compose.yaml"] as &[&'static str], &[] as &[&str], false),
        (&["compose.yaml"], &["tools"], false),
        (&["compose.yaml", "offline.yaml"], &[], true),
    ] {
        let theirs = Compose::new(files).config(profiles);
        let ours = load(profiles, offline);
        assert_eq!(theirs["name"], ours.name.as_str());
        let services = theirs["services"].as_object().unwrap();
        let named: BTreeSet<&String> = services.keys().collect();
        assert_eq!(
            named,
            ours.services.keys().collect::<BTreeSet<_>>(),
            "{files:?} {profiles:?}"
        );
        for (name, service) in &ours.services {
            assert_eq!(
                model::theirs_of(&services[name]),
                model::ours_of(service),
                "{name} of {files:?}"
            );
        }
        let volumes: BTreeSet<&String> = theirs["volumes"].as_object().unwrap().keys().collect();
        let used: BTreeSet<&String> = ours.volumes.keys().collect();
        assert!(used.is_subset(&volumes), "{used:?} {volumes:?}");
        for (name, volume) in &ours.volumes {
            assert_eq!(theirs["volumes"][name]["name"], volume.name.as_str());
        }
    }
}

/// A stack that Compose starts, removed with the test.
#[derive(Debug)]
struct Started<'a> {
    compose: &'a Compose,
}

impl Drop for Started<'_> {
    fn drop(&mut self) {
        let down = self.compose.run(&["down", "--volumes", "--timeout", "3"]);
        if down.code != Some(0) && !std::thread::panicking() {
            panic!("compose down: {}{}", down.stdout, down.stderr);
        }
    }
}

/// Compose with the variables of a stack that nobody else has: its name, and ports that are free.
fn compose_for(stack: &Stack, role_image: &str) -> Compose {
    let mut files = vec!["compose.yaml", "offline.yaml"];
    if !engine_knows_start_interval() {
        files.push("old-engine.yaml");
    }
    let mut compose = Compose::new(&files);
    let documented = compose::variables(&Source::Directory(root().join("compose"))).unwrap();
    for (name, value) in documented.iter().filter(|(name, _)| name.ends_with("_PORT")) {
        let port = value.parse::<u16>().unwrap() + stack.offset();
        compose.variables.insert(name.clone(), port.to_string());
    }
    compose
        .variables
        .insert("ODD_INSTANCE".to_owned(), stack.name().to_owned());
    compose
        .variables
        .insert("ODD_IMAGE".to_owned(), role_image.to_owned());
    compose
}

/// The image that the engine made for its roles.
fn role_image(stack: &Stack) -> String {
    let gateway = stack
        .project()
        .containers()
        .into_iter()
        .find(|container| container.service == "gateway")
        .unwrap();
    let inspected = Command::new("docker")
        .args(["inspect", "--format", "{{.Image}}", &gateway.id])
        .output()
        .unwrap();
    String::from_utf8(inspected.stdout).unwrap().trim().to_owned()
}

#[test]
fn compose_starts_the_offline_stack_and_a_job_passes_it() {
    let image = role_image(bed::shared());
    let stack = Stack::new();
    let compose = compose_for(&stack, &image);
    let begun = Instant::now();
    let started = Started { compose: &compose };
    let up = compose.run(&[
        "up",
        "--detach",
        "--wait",
        "--no-build",
        "--quiet-pull",
        "--wait-timeout",
        "170",
    ]);
    if up.code != Some(0) {
        let logs = compose.run(&["logs", "--tail", "20"]);
        panic!("{}{}\n{}", up.stdout, up.stderr, logs.stdout);
    }
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    let listed: BTreeSet<String> = stack
        .project()
        .containers()
        .into_iter()
        .map(|container| container.service)
        .collect();
    assert_eq!(
        listed,
        load(&[], true).services.into_keys().collect::<BTreeSet<_>>()
    );

    let urls = [("--gateway-url", 3000), ("--read-model-url", 8080)]
        .map(|(flag, port)| [flag.to_owned(), stack.address(port)]);
    let mut args: Vec<&str> = ["submit", "hello", "--count", "20", "--wait"].to_vec();
    args.extend(urls.iter().flatten().map(String::as_str));
    let _ = stack.run(args).expect_code(0);
    drop(started);
    let left = stack.project();
    assert!(
        left.containers().is_empty() && left.volumes().is_empty() && left.networks().is_empty(),
        "everything is gone"
    );
}

/// Health of each service, as Compose sees it.
fn health(compose: &Compose) -> BTreeMap<String, String> {
    let listed = compose.run(&["ps", "--format", "json"]).expect_code(0).stdout;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    listed
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|container| (text(&container["Service"]), text(&container["Health"])))
        .collect()
}

#[test]
fn compose_sees_the_stack_that_the_engine_started() {
    let stack = bed::shared();
    let mut compose = Compose::new(&["compose.yaml", "offline.yaml"]);
    compose
        .variables
        .insert("ODD_INSTANCE".to_owned(), stack.name().to_owned());
    let expected: BTreeMap<String, String> = load(&[], true)
        .services
        .into_keys()
        .map(|service| (service, "healthy".to_owned()))
        .collect();
    // An old Docker engine asks each container for its health ten seconds after the start for the first time.
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut seen = health(&compose);
    while seen != expected && Instant::now() < deadline {
        seen = health(&compose);
    }
    assert_eq!(seen, expected);
    let projects = compose.run(&["ls", "--format", "json"]).expect_code(0).json();
    let names: Vec<&str> = projects
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|project| project["Name"].as_str())
        .collect();
    assert!(
        names.contains(&format!("odd-{}", stack.name()).as_str()),
        "{names:?}"
    );
}
