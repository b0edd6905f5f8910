//! `odd test`: passes where all is well, and fails where something is not.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use odd_contracts::Role;
use odd_engine::ledger;
use odd_testkit::gate::{all_pass, failed, has};
use odd_testkit::{Instance, wait_for, wait_until};
use serde_json::Value;

use crate::instance;

const LONG: Duration = Duration::from_secs(30);

/// Fields of an object, sorted.
fn fields(document: &Value) -> Vec<&str> {
    document.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn a_running_observatory_passes() {
    let odd = instance();
    odd.up();
    let report = odd.home().join("gate.xml");
    let output = odd.run(["test", "--output", "json", "--junit", report.to_str().unwrap()]);
    let answer = output.json();
    all_pass(&answer, &output.stderr);
    assert_eq!(output.code, Some(0));

    assert_eq!(fields(&answer), ["checks", "failed", "passed", "version"]);
    assert_eq!((&answer["version"], &answer["failed"]), (&1.into(), &0.into()));
    let checks = answer["checks"].as_array().unwrap();
    assert_eq!(answer["passed"], checks.len());
    for check in checks {
        assert_eq!(fields(check), ["detail", "durationMs", "name", "ok"]);
        assert!(check["durationMs"].as_f64().unwrap() > 0.0 && check["detail"].is_string());
    }
    let names: BTreeSet<&str> = checks
        .iter()
        .map(|check| check["name"].as_str().unwrap())
        .collect();
    assert_eq!(names.len(), checks.len(), "every check has a name of its own");
    for role in Role::ALL {
        assert!(names.contains(format!("{role}: ready").as_str()), "{names:?}");
    }

    let xml = std::fs::read_to_string(report).unwrap();
    let suite = format!(
        "<testsuite name=\"odd test\" tests=\"{}\" skipped=\"0\" errors=\"0\" failures=\"0\"",
        checks.len()
    );
    assert!(xml.contains(&suite), "{xml}");
    for name in names {
        assert!(
            xml.contains(&format!("<testcase name=\"{name}\"")),
            "{name} is not in {xml}"
        );
    }
}

#[test]
fn what_it_submits_is_in_the_ledger_and_rings_no_alert() {
    let odd = instance();
    odd.up();
    for _ in 0..2 {
        let _ = odd.run(["test"]).expect_code(0);
    }
    let noted: BTreeSet<_> = ledger::read(&odd.engine().ledger())
        .unwrap()
        .into_iter()
        .map(|entry| entry.id)
        .collect();
    let verdict = odd.run(["verify", "-o", "json"]).expect_code(0).json();
    // A ledger that is not there would miss nothing.
    let nowhere = odd
        .run(["verify", "--ledger", "no-such-ledger.txt"])
        .expect_code(2);
    assert!(
        nowhere.stderr.contains("no-such-ledger.txt"),
        "{}",
        nowhere.stderr
    );
    assert_eq!(verdict["accepted"], noted.len(), "{verdict}");
    let overview = odd
        .run(["test", "--only", "alerts keep", "-o", "json"])
        .expect_code(0)
        .json();
    let detail = overview["checks"][0]["detail"].as_str().unwrap();
    assert!(
        detail.ends_with(" 0 alerts"),
        "a gate that passes must not ring: {detail}"
    );
}

#[test]
fn text_has_a_line_a_check_and_some_can_be_chosen() {
    let odd = instance();
    odd.up();
    let output = odd.run(["test", "--only", "READ-MODEL:"]).expect_code(0);
    let lines: Vec<&str> = output.stdout.lines().collect();
    assert_eq!(lines.len(), 6, "{output:?}");
    assert!(
        lines[..5].iter().all(|line| line.starts_with("✓ read-model: ")),
        "{output:?}"
    );
    assert!(lines[5].starts_with("✓ all 5 checks passed in "), "{output:?}");
    let none = odd.run(["test", "--only", "no such check"]).expect_code(2);
    assert!(
        none.stderr.contains("no check has a name that contains"),
        "{none:?}"
    );
}

#[test]
fn nothing_is_tested_where_nothing_runs() {
    let odd = instance();
    let output = odd.run(["test"]).expect_code(3);
    assert!(output.stderr.contains("no role of it answers"), "{output:?}");
    assert!(output.stderr.contains("try: odd up"), "{output:?}");
    odd.up();
    odd.kill();
    let _ = odd.run(["test"]).expect_code(3);
}

#[test]
fn a_report_that_cannot_be_written_is_told_before_anything_is_checked() {
    let odd = instance();
    odd.up();
    let path = odd.home().join("missing/gate.xml");
    let output = odd
        .run(["test", "--junit", path.to_str().unwrap()])
        .expect_code(1);
    assert!(output.stderr.contains("failed to create"), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
}

/// Two of five roles: what depends on the others fails, what does not passes, and the exit code says so.
#[tokio::test]
async fn missing_roles_fail_the_gate() {
    let odd = instance();
    std::fs::create_dir_all(odd.engine().directory()).unwrap();
    let log = std::fs::File::create(odd.engine().log_file()).unwrap();
    let mut child = odd
        .command(["serve", "gateway", "read-model"])
        .stderr(log)
        .spawn()
        .unwrap();
    let ready = || async {
        let response = reqwest::get(format!("{}/readyz", odd.url(Role::ReadModel)))
            .await
            .ok()?;
        response.status().is_success().then_some(())
    };
    wait_for(LONG, "the read-model to be ready", ready).await;
    let report = odd.home().join("gate.xml");
    let kept = odd.home().join("kept/here");
    let args = [
        "test",
        "--timeout",
        "2s",
        "-o",
        "json",
        "--junit",
        report.to_str().unwrap(),
        "--keep",
        kept.to_str().unwrap(),
    ];
    let answer = odd.run(args).expect_code(6).json();
    let failed = failed(&answer);
    assert_eq!(answer["failed"], failed.len());
    for name in [
        "processor: alive",
        "metrics-engine: ready",
        "every role runs the same version",
        "the overview knows roles, stores and queues",
        "a job completes",
        "a running job is cancelled",
        "the live stream delivers the events of a job",
        "counters and metrics move by what was done",
    ] {
        assert!(
            failed.contains(&name),
            "«{name}» passed without processor and metrics-engine"
        );
    }
    for name in ["gateway: ready", "read-model: ready", "malformed JSON is refused"] {
        assert!(!failed.contains(&name), "«{name}» failed: {answer:#}");
    }
    let xml = std::fs::read_to_string(report).unwrap();
    assert!(xml.contains(&format!("failures=\"{}\"", failed.len())), "{xml}");
    assert_eq!(answer["folder"], kept.to_str().unwrap());
    keeps_what_tells_why(&kept, &answer);
    odd_engine::platform::request_stop(child.id(), &odd.engine().stop_file()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// The folder has the report, what answers and the log, and tells what it could not have.
fn keeps_what_tells_why(folder: &Path, answer: &Value) {
    let read = |name: &str| {
        let path = folder.join(name);
        std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    };
    let report: Value = serde_json::from_str(&read("report.json")).unwrap();
    assert_eq!(report["checks"], answer["checks"]);
    assert!(read("report.xml").contains("<testsuite"));
    let overview: Value = serde_json::from_str(&read("overview.json")).unwrap();
    let roles = overview["roles"].as_array().unwrap().iter();
    let roles: Vec<&str> = roles.filter_map(|role| role["role"].as_str()).collect();
    assert_eq!(roles, ["gateway", "read-model"], "{overview:#}");
    assert!(read("metrics/gateway.txt").contains("gateway_jobs_accepted_total"));
    assert!(read("logs/odd.log").contains("\"level\""));
    let missing = read("missing.txt");
    assert!(missing.contains("metrics/processor.txt: "), "{missing}");
    assert!(!missing.contains("overview.json"), "{missing}");
}

/// Names of what an instance left below its home.
fn left(odd: &Instance) -> Vec<String> {
    let names = |folder: &str| {
        let entries = std::fs::read_dir(odd.home().join(folder));
        let entries = entries
            .into_iter()
            .flatten()
            .map(|entry| entry.unwrap().file_name());
        entries
            .map(|name| name.into_string().unwrap())
            .collect::<Vec<_>>()
    };
    [names("instances"), names("failures")].concat()
}

#[test]
fn an_instance_of_its_own_is_tested_and_removed() {
    let odd = instance();
    let output = odd.run(["test", "--isolated", "--engine", "embedded", "-o", "json"]);
    let answer = output.json();
    all_pass(&answer, &output.stderr);
    assert_eq!(output.code, Some(0), "{output:?}");
    for part in [
        "a job completes",
        "JobFailureRateHigh fires",
        "restarted under load",
        "odd verify",
    ] {
        assert!(has(&answer, part), "no check of {part}: {answer:#}");
    }
    assert!(output.stderr.contains("is removed"), "{}", output.stderr);
    assert_eq!(left(&odd), [""; 0]);
}

#[test]
fn an_instance_of_its_own_is_removed_when_it_is_interrupted() {
    let odd = instance();
    let child = odd
        .command(["test", "--isolated", "--engine", "embedded"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let instances = odd.home().join("instances");
    wait_until(LONG, "an instance to come up", || {
        let entries = std::fs::read_dir(&instances).into_iter().flatten();
        let mut runs = entries
            .filter_map(Result::ok)
            .map(|entry| entry.path().join("process.json").is_file());
        runs.any(|runs| runs).then_some(())
    });
    odd_engine::platform::request_stop(child.id(), &odd.home().join("no-such-file")).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(130),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(left(&odd), [""; 0]);
}

#[test]
fn flags_of_an_instance_of_its_own_are_for_one_only() {
    let odd = instance();
    let wrong: [&[&str]; 4] = [
        &["test", "--offline"],
        &["test", "--engine", "embedded"],
        &["test", "--isolated", "--instance", "mine"],
        &["test", "--isolated", "--engine", "embedded", "--offline"],
    ];
    for args in wrong {
        let output = odd.run(args).expect_code(2);
        assert!(output.stderr.starts_with("error: "), "{args:?}: {output:?}");
    }
    assert_eq!(left(&odd), [""; 0]);
}
