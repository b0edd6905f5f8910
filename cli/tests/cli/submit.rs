//! `odd submit` against an observatory that runs.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use odd_engine::ledger;
use odd_testkit::{Instance, Output, wait_for};
use serde_json::{Value, json};

use crate::instance;

const LONG: Duration = Duration::from_secs(30);
const FAILS: &str = r#"{"simulate":{"error":"upstream 502"}}"#;

fn running() -> Instance {
    let odd = instance();
    odd.up();
    odd
}

fn write(odd: &Instance, name: &str, text: &str) -> PathBuf {
    let path = odd.home().join(name);
    std::fs::write(&path, text).expect("a file in the home directory");
    path
}

fn submit_file(odd: &Instance, path: &Path) -> Output {
    odd.run([
        "submit".as_ref(),
        "--file".as_ref(),
        path.as_os_str(),
        "-o".as_ref(),
        "json".as_ref(),
    ])
}

/// Runs a command with this on its standard input.
fn with_input(odd: &Instance, args: &[&str], input: &str) -> Output {
    let mut command = odd.command(args);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary can be run");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(input.as_bytes()).expect("the command reads");
    drop(stdin);
    let output = child.wait_with_output().expect("the command ends");
    Output {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn ledger_ids(odd: &Instance) -> BTreeSet<String> {
    let entries = ledger::read(&odd.engine().ledger()).expect("a ledger that can be read");
    entries.into_iter().map(|entry| entry.id.to_string()).collect()
}

#[test]
fn the_exit_code_tells_how_the_jobs_ended() {
    let odd = running();
    let code = |args: &[&str]| odd.run(["submit"].iter().chain(args)).code;
    assert_eq!(code(&["hello", "--wait"]), Some(0));
    assert_eq!(
        code(&["hello", "--wait", "--payload", FAILS, "--max-attempts", "1"]),
        Some(4)
    );
    assert_eq!(
        code(&["hello", "--wait", "--delay", "1h", "--timeout", "2s"]),
        Some(5)
    );
    let wrong = write(&odd, "wrong.ndjson", r#"{"type":"hello","expect":"FAILED"}"#);
    assert_eq!(submit_file(&odd, &wrong).code, Some(6));
    assert_eq!(code(&["no spaces"]), Some(1));
    assert_eq!(code(&["hello", "--max-attempts", "99"]), Some(1));
    assert_eq!(
        code(&["hello", "--payload", FAILS, "--max-attempts", "1"]),
        Some(0),
        "nobody waited"
    );
}

#[test]
fn a_wrong_command_line_is_told_from_a_system_that_does_not_run() {
    let odd = instance();
    for wrong in [
        &["submit"][..],
        &["submit", "hello", "--payload", "[]"],
        &["submit", "hello", "--payload", "{"],
        &["submit", "hello", "--payload", "@missing.json"],
        &["submit", "hello", "--timeout", "5"],
        &["submit", "hello", "--count", "0"],
        &["submit", "hello", "--rate", "fast"],
        &["submit", "hello", "--id", "7"],
        &[
            "submit",
            "hello",
            "--count",
            "2",
            "--id",
            "00000000-0000-4000-8000-000000000001",
        ],
        &["submit", "hello", "--at", "2026-01-31T12:00:00"],
        &["submit", "hello", "--file", "x.ndjson"],
        &["submit", "--file", "missing.ndjson"],
    ] {
        let output = odd.run(wrong);
        assert_eq!(output.code, Some(2), "{wrong:?}: {output:?}");
        assert!(output.stdout.is_empty(), "{output:?}");
    }
    let output = odd.run(["submit", "hello", "--wait"]).expect_code(3);
    assert!(output.stderr.contains("odd up"), "{output:?}");
    assert!(ledger_ids(&odd).is_empty());
}

#[test]
fn the_answer_has_exactly_the_promised_shape() {
    let odd = running();
    let answer = odd
        .run(["submit", "hello", "--count", "3", "--wait", "-o", "json"])
        .expect_code(0)
        .json();
    let jobs = answer["jobs"].clone();
    let ids: BTreeSet<String> = jobs
        .as_array()
        .unwrap()
        .iter()
        .map(|job| {
            let id = job["id"].as_str().unwrap();
            assert_eq!(*job, json!({ "id": id, "type": "hello", "status": "COMPLETED" }));
            id.to_owned()
        })
        .collect();
    assert_eq!(
        answer,
        json!({
            "version": 1, "submitted": 3, "accepted": 3, "completed": 3, "failed": 0, "cancelled": 0, "timedOut": 0,
            "jobs": jobs,
        })
    );
    assert_eq!(
        (ids.len(), &ids),
        (3, &ledger_ids(&odd)),
        "every accepted id is in the ledger"
    );

    let answer = odd.run(["submit", "hello", "-o", "json"]).expect_code(0).json();
    assert_eq!(
        answer["jobs"][0]["status"], "PENDING",
        "nobody waited for its end"
    );
    assert_eq!(
        (&answer["accepted"], &answer["completed"]),
        (&json!(1), &json!(0))
    );
}

#[test]
fn a_refusal_names_each_field_and_counts() {
    let odd = running();
    let args = ["submit", "no spaces", "--max-attempts", "99", "--wait"];
    let text = odd.run(args).expect_code(1).stdout;
    for place in ["400", "/type", "/options/maxAttempts"] {
        assert!(text.contains(place), "{text}");
    }
    let answer = odd.run(args.iter().chain(&["-o", "json"])).expect_code(1).json();
    assert_eq!(
        (&answer["submitted"], &answer["accepted"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(answer["jobs"], json!([]));
    let rejected = &answer["rejected"][0];
    assert_eq!(
        (&rejected["index"], &rejected["problem"]["code"]),
        (&json!(0), &json!("validation_failed"))
    );
    assert_eq!(rejected["problem"]["errors"].as_array().unwrap().len(), 2);
    assert!(ledger_ids(&odd).is_empty());
}

#[test]
fn ndjson_tells_each_end_as_it_happens() {
    let odd = running();
    let file = write(
        &odd,
        "mixed.ndjson",
        r#"
        {"type":"slow","payload":{"simulate":{"durationMs":400}},"expect":"COMPLETED"}
        {"type":"bad","payload":{"simulate":{"error":"upstream 502"}},"options":{"maxAttempts":1},"expect":"FAILED"}
        "#,
    );
    let output = odd
        .run(["submit", "-o", "ndjson", "--file", file.to_str().unwrap()])
        .expect_code(0);
    let lines: Vec<Value> = output
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let told: Vec<_> = lines
        .iter()
        .map(|line| {
            (
                line["version"].clone(),
                line["type"].clone(),
                line["status"].clone(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (json!(1), json!("bad"), json!("FAILED")),
            (json!(1), json!("slow"), json!("COMPLETED"))
        ]
    );
    assert_eq!(lines[0]["error"], "upstream 502");
}

#[test]
fn the_shipped_scenarios_end_as_they_say() {
    let odd = running();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/scenarios");
    let mut run = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let answer = submit_file(&odd, &path).expect_code(0).json();
        let count = |name: &str| answer[name].as_u64().unwrap();
        assert_eq!(
            count("submitted"),
            count("completed") + count("failed") + count("cancelled"),
            "{}: {answer}",
            path.display()
        );
        run += 1;
    }
    assert!(run >= 3);
}

#[test]
fn a_mismatch_names_its_line() {
    let odd = running();
    let file = write(
        &odd,
        "mismatch.ndjson",
        "# the second is wrong\n{\"type\":\"hello\",\"expect\":\"COMPLETED\"}\n{\"type\":\"hello\",\"repeat\":2,\"expect\":\"CANCELLED\"}\n",
    );
    let answer = submit_file(&odd, &file).expect_code(6).json();
    let mismatched = answer["mismatched"].as_array().unwrap();
    assert_eq!(mismatched.len(), 2);
    assert_eq!(
        (
            &mismatched[0]["line"],
            &mismatched[0]["expected"],
            &mismatched[0]["status"]
        ),
        (&json!(3), &json!("CANCELLED"), &json!("COMPLETED"))
    );
    let text = odd
        .run(["submit", "--file", file.to_str().unwrap()])
        .expect_code(6)
        .stdout;
    assert!(
        text.contains("line 3") && text.contains("expected CANCELLED"),
        "{text}"
    );
}

#[test]
fn ctrl_c_tells_what_was_accepted() {
    let odd = running();
    let payload = r#"{"simulate":{"durationMs":60000}}"#;
    let child = odd
        .command([
            "submit",
            "slow",
            "--count",
            "3",
            "--payload",
            payload,
            "--wait",
            "-o",
            "json",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a process");
    odd_testkit::wait_until(LONG, "three jobs to be accepted", || {
        (ledger_ids(&odd).len() == 3).then_some(())
    });
    odd_engine::platform::request_stop(child.id(), &odd.home().join("no-such-file")).expect("a signal");
    let output = child.wait_with_output().expect("its end");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{said}");
    let answer: Value = serde_json::from_slice(&output.stdout).expect("the answer");
    assert_eq!(
        (&answer["accepted"], &answer["timedOut"]),
        (&json!(3), &json!(3)),
        "{answer}"
    );
    let told = answer["jobs"].as_array().expect("jobs").iter();
    let told: BTreeSet<String> = told
        .map(|job| job["id"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(told, ledger_ids(&odd));
}

#[test]
fn what_a_job_says_cannot_steer_the_terminal() {
    let odd = running();
    let payload = r#"{"simulate":{"error":"\u001b]0;title\u0007\u001b[2Jgone\nok: forged"}}"#;
    let submit = [
        "submit",
        "bad",
        "--max-attempts",
        "1",
        "--wait",
        "--payload",
        payload,
    ];
    let submitted = odd.run(submit).expect_code(4);
    let id = odd.run(["jobs", "list", "-o", "json"]).json()["jobs"][0]["id"].clone();
    let id = id.as_str().expect("an id");
    let (job, events) = (odd.run(["jobs", "get", id]), odd.run(["events", "--job", id]));
    let repeated = odd.run(["jobs", "retry", id, "--wait"]);
    for output in [submitted, job, events, repeated] {
        assert!(output.stdout.contains("[2Jgone"), "{}", output.stdout);
        let steers = |c: char| c.is_control() && c != '\n';
        assert!(!output.stdout.contains(steers), "{:?}", output.stdout);
        assert!(!output.stdout.contains("\nok: forged"), "{}", output.stdout);
    }
}

#[test]
fn of_a_wrong_scenario_nothing_is_submitted() {
    let odd = running();
    let file = write(
        &odd,
        "bad.ndjson",
        "{\"type\":\"hello\"}\n{\"type\":\"\"}\n{\"type\":\"a\",\"repeat\":2,\"id\":\"00000000-0000-4000-8000-000000000001\"}\n",
    );
    let output = odd
        .run(["submit", "--file", file.to_str().unwrap()])
        .expect_code(2);
    let place = |line: usize| format!("{}:{line}: ", file.display());
    assert!(
        output.stderr.contains(&place(2)) && output.stderr.contains(&place(3)),
        "{output:?}"
    );
    assert!(!output.stderr.contains(&place(1)), "{output:?}");
    assert!(ledger_ids(&odd).is_empty());
}

#[test]
fn the_same_id_makes_no_second_job_and_another_payload_is_refused() {
    let odd = running();
    let id = "3f0d6c1b-0000-4000-8000-000000000007";
    let args = ["submit", "hello", "--id", id, "--wait"];
    let _ = odd.run(args).expect_code(0);
    let again = odd.run(args).expect_code(0).stdout;
    assert!(
        again.contains("no second job") && again.contains("COMPLETED"),
        "{again}"
    );
    let listed = odd.run(["jobs", "list", "-o", "json"]).expect_code(0).json();
    assert_eq!(listed["jobs"].as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(listed["jobs"][0]["id"], id);

    let other = odd
        .run(args.iter().chain(&["--payload", r#"{"other":1}"#, "-o", "json"]))
        .expect_code(1)
        .json();
    assert_eq!(other["rejected"][0]["problem"]["code"], "id_conflict");
}

#[test]
fn payloads_come_from_files_and_standard_input() {
    let odd = running();
    write(&odd, "payload.json", "{\"from\": \"a file\"}\n");
    let payload_of = |output: Output| {
        let id = output.expect_code(0).json()["jobs"][0]["id"]
            .as_str()
            .unwrap()
            .to_owned();
        let got = odd.run(["jobs", "get", &id, "-o", "json"]).expect_code(0).json();
        got["job"]["payload"].clone()
    };
    let args = ["submit", "hello", "--wait", "-o", "json", "--payload"];
    let file = odd.run(args.iter().chain(&["@payload.json"]));
    assert_eq!(payload_of(file), json!({ "from": "a file" }));
    let args: Vec<_> = args.into_iter().chain(["-"]).collect();
    let input = with_input(&odd, &args, "{\"from\": \"standard input\"}");
    assert_eq!(payload_of(input), json!({ "from": "standard input" }));

    let scenario = "{\"type\":\"hello\",\"expect\":\"COMPLETED\"}";
    let _ = with_input(&odd, &["submit", "--file", "-"], scenario).expect_code(0);
}

/// A gateway that lets few submissions wait answers 429 to most of them: they are repeated, and none is lost or doubled.
#[test]
fn an_overloaded_gateway_is_asked_again_under_the_same_ids() {
    let odd = instance();
    let up = Instance::output(odd.command(["up"]).env("ODD_GATEWAY_MAX_WAITING", "600"));
    assert_eq!(up.code, Some(0), "{up:?}");
    let answer = odd
        .run(["submit", "hello", "--count", "3000", "--wait", "-o", "json"])
        .expect_code(0)
        .json();
    assert_eq!(
        (&answer["accepted"], &answer["completed"]),
        (&json!(3_000), &json!(3_000))
    );
    assert!(
        answer["retries"].as_u64().unwrap() > 0,
        "some had to wait: {answer}"
    );
    let listed = odd.run(["jobs", "list", "--all", "-o", "ndjson"]).expect_code(0);
    assert_eq!(
        (listed.stdout.lines().count(), ledger_ids(&odd).len()),
        (3_000, 3_000)
    );
}

/// The process of every role is killed while jobs are being submitted and started again: submitting goes on under the
/// same ids, and every job that was accepted ends.
#[tokio::test]
async fn submitting_outlives_a_crash() {
    let odd = running();
    let mut command = odd.command([
        "submit", "hello", "--count", "1500", "--rate", "1000/s", "--wait", "-o", "json",
    ]);
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for(LONG, "some jobs to be accepted", || {
        std::future::ready((ledger_ids(&odd).len() > 200).then_some(()))
    })
    .await;
    assert!(odd.kill().is_some());
    odd.up();
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&answer["accepted"], &answer["completed"]),
        (&json!(1500), &json!(1500))
    );
    assert!(
        answer["retries"].as_u64().unwrap() > 0,
        "the crash was noticed: {stderr}"
    );
    assert_eq!(ledger_ids(&odd).len(), 1_500);
}
