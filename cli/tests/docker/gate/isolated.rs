//! A stack of its own.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use odd_contracts::Role;
use odd_testkit::gate::{all_pass, failed, has};
use odd_testkit::{Project, wait_until};
use serde_json::Value;

use super::read;
use crate::bed::Stack;

/// Time for a stack to come up, be examined and go, on a machine that does other things too.
const LONG: Duration = Duration::from_secs(300);

/// Names of what is below a folder of the home.
fn names(odd: &Stack, folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(odd.home().join(folder)).into_iter().flatten();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.collect()
}

/// The project that messages tell of.
fn project(stderr: &str) -> Project {
    let name = stderr
        .split_whitespace()
        .find(|word| word.starts_with("test-"))
        .unwrap_or_else(|| panic!("no instance is named: {stderr}"));
    Project::named(format!("odd-{name}"))
}

#[track_caller]
fn nothing_is_left(odd: &Stack, project: &Project) {
    assert!(project.containers().is_empty(), "{:?}", project.containers());
    assert_eq!(project.networks(), [""; 0]);
    assert_eq!(project.volumes(), [""; 0]);
    assert_eq!(names(odd, "instances"), [""; 0]);
}

#[test]
fn a_stack_of_its_own_passes_and_leaves_nothing() {
    let odd = Stack::new();
    let junit = odd.home().join("gate.xml");
    let args = [
        "test",
        "--isolated",
        "--engine",
        "docker",
        "--offline",
        "-o",
        "json",
        "--junit",
    ];
    let begun = Instant::now();
    let output = odd.run(args.iter().copied().chain([junit.to_str().unwrap()]));
    let answer = output.json();
    all_pass(&answer, &output.stderr);
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(begun.elapsed() < LONG, "it took {:?}", begun.elapsed());
    for part in [
        "ServiceDown fires when the processor is stopped, and is resolved",
        "JobFailureRateHigh fires when jobs fail, and is resolved",
        "metrics in Prometheus agree with the counters",
        "odd verify",
    ] {
        assert!(has(&answer, part), "no check of {part}: {answer:#}");
    }
    for role in Role::ALL {
        assert!(has(
            &answer,
            &format!("{role}: nothing is lost when it is restarted under load")
        ));
    }
    let xml = std::fs::read_to_string(junit).unwrap();
    assert!(
        xml.contains("failures=\"0\"") && xml.contains("ServiceDown"),
        "{xml}"
    );
    nothing_is_left(&odd, &project(&output.stderr));
    assert_eq!(names(&odd, "failures"), [""; 0]);
}

/// The repository's compose files with a Prometheus that looks for the processor at the wrong port.
fn broken_scrape(folder: &Path) {
    let compose = Path::new(env!("CARGO_MANIFEST_DIR")).join("../compose");
    copy(&compose, folder);
    let path = folder.join("prometheus/prometheus.yml");
    let text = std::fs::read_to_string(&path).unwrap();
    let broken = text.replace("port: 3010", "port: 3011");
    assert_ne!(text, broken, "the processor is scraped at port 3010");
    std::fs::write(path, broken).unwrap();
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn a_scrape_that_fails_is_found_and_what_tells_why_is_kept() {
    let odd = Stack::new();
    broken_scrape(&odd.home().join("broken"));
    let args = [
        "test",
        "--isolated",
        "--engine",
        "docker",
        "--offline",
        "--project-dir",
        "broken",
        "--only",
        "target of Prometheus",
        "--timeout",
        "20s",
        "-o",
        "json",
    ];
    let output = odd.run(args).expect_code(6);
    let answer = output.json();
    assert_eq!(failed(&answer), ["every target of Prometheus is up"]);
    let detail = answer["checks"][0]["detail"].as_str().unwrap();
    assert!(
        detail.contains("processor at") && detail.contains("is Down"),
        "{detail}"
    );

    let folder = Path::new(answer["folder"].as_str().unwrap()).to_owned();
    assert!(
        folder.starts_with(odd.home().join("failures")),
        "{}",
        folder.display()
    );
    let targets: Value = serde_json::from_str(&read(&folder, "prometheus/targets.json")).unwrap();
    let targets = targets["data"]["activeTargets"].as_array().unwrap();
    let down = targets.iter().find(|target| target["health"] == "down").unwrap();
    assert_eq!(down["labels"]["job"], "processor");
    let status: Value = serde_json::from_str(&read(&folder, "status.json")).unwrap();
    assert!(status["containers"].as_array().unwrap().len() >= 11, "{status:#}");
    let plan: Value = serde_json::from_str(&read(&folder, "plan.json")).unwrap();
    assert!(plan["containers"].is_array(), "{plan:#}");
    for role in Role::ALL {
        assert!(
            read(&folder, &format!("logs/{role}-1.log")).contains('{'),
            "log of the {role}"
        );
    }
    for file in [
        "report.json",
        "report.xml",
        "overview.json",
        "alerts.json",
        "events.ndjson",
        "jobs.ndjson",
        "metrics/gateway.txt",
        "metrics/metrics-engine.json",
        "logs/rabbitmq-1.log",
        "logs/prometheus-1.log",
        "alertmanager/status.json",
    ] {
        let _ = read(&folder, file);
    }
    nothing_is_left(&odd, &project(&output.stderr));
}

#[test]
fn an_interrupted_gate_removes_its_stack() {
    let odd = Stack::new();
    let child = odd
        .command(["test", "--isolated", "--engine", "docker", "--offline"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // In the middle of its start: some containers are there.
    let project = wait_until(LONG, "a stack to come up", || {
        let name = names(&odd, "instances")
            .into_iter()
            .find(|name| !name.contains('.'))?;
        let project = Project::named(format!("odd-{name}"));
        (project.containers().len() > 2).then_some(project)
    });
    odd_engine::platform::request_stop(child.id(), &odd.home().join("no-such-file")).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(130),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    nothing_is_left(&odd, &project);
}
