//! `odd jobs`, `odd dead-letters` and `odd events` against an observatory that runs.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use odd_testkit::{Instance, wait_for};
use serde_json::{Value, json};

use crate::instance;

const LONG: Duration = Duration::from_secs(30);

fn running() -> Instance {
    let odd = instance();
    odd.up();
    odd
}

/// Submits one job and tells its id.
fn submit(odd: &Instance, args: &[&str]) -> String {
    let args = ["submit", "-o", "json"].iter().chain(args);
    let answer = odd.run(args).json();
    answer["jobs"][0]["id"]
        .as_str()
        .expect("an accepted job")
        .to_owned()
}

fn json_of(odd: &Instance, args: &[&str]) -> Value {
    odd.run(args.iter().chain(&["-o", "json"])).expect_code(0).json()
}

fn ids(page: &Value) -> Vec<&str> {
    let jobs = page["jobs"].as_array().expect("a list of jobs");
    jobs.iter().filter_map(|job| job["id"].as_str()).collect()
}

#[test]
fn lists_are_filtered_cut_and_continued() {
    let odd = running();
    let fails = r#"{"simulate":{"error":"upstream 502"}}"#;
    let bad = submit(
        &odd,
        &["resize", "--payload", fails, "--max-attempts", "1", "--wait"],
    );
    let _ = odd
        .run(["submit", "hello", "--count", "4", "--wait"])
        .expect_code(0);

    let failed = json_of(&odd, &["jobs", "list", "--status", "failed,cancelled"]);
    assert_eq!(
        (ids(&failed), &failed["more"]),
        (vec![bad.as_str()], &json!(false))
    );
    assert_eq!(
        ids(&json_of(&odd, &["jobs", "list", "--type", "resize"])),
        [bad.as_str()]
    );
    assert_eq!(
        ids(&json_of(&odd, &["jobs", "list", "--id", &bad[5..20]])),
        [bad.as_str()]
    );
    assert_eq!(ids(&json_of(&odd, &["jobs", "list", "--since", "1h"])).len(), 5);
    assert!(ids(&json_of(&odd, &["jobs", "list", "--until", "1h"])).is_empty());
    let cut = json_of(&odd, &["jobs", "list", "--limit", "3"]);
    assert_eq!((ids(&cut).len(), &cut["more"]), (3, &json!(true)));
    let all = odd.run(["jobs", "list", "--all", "-o", "ndjson"]).expect_code(0);
    assert_eq!(all.stdout.lines().count(), 5);

    let text = odd.run(["jobs", "list"]).expect_code(0).stdout;
    let row = text
        .lines()
        .find(|line| line.starts_with(&bad[..8]))
        .expect("its row");
    assert!(
        row.contains("resize") && row.contains("✗ FAILED") && row.contains("1/1"),
        "{text}"
    );
    let _ = odd.run(["jobs", "list", "--status", "done"]).expect_code(2);
    let _ = odd.run(["jobs", "list", "--since", "yesterday"]).expect_code(2);
}

#[test]
fn one_job_is_shown_whole() {
    let odd = running();
    let payload = r#"{"simulate":{"durationMs":30,"failTimes":1,"error":"upstream 502"}}"#;
    let id = submit(
        &odd,
        &["resize", "--payload", payload, "--backoff", "50ms", "--wait"],
    );
    let got = json_of(&odd, &["jobs", "get", &id[..10], "--timeline"]);
    assert_eq!((&got["version"], &got["job"]["id"]), (&json!(1), &json!(id)));
    assert_eq!(got["job"]["attempts"].as_array().unwrap().len(), 2);
    assert_eq!(got["timeline"]["id"], json!(id));
    assert!(json_of(&odd, &["jobs", "get", &id])["timeline"].is_null());

    let text = odd.run(["jobs", "get", &id]).expect_code(0).stdout;
    for part in [
        &id,
        "✓ COMPLETED after 2 attempts",
        "failTimes",
        "simulatedMs",
        "queue wait",
        "backoff",
        "attempt 2",
        "✗ upstream 502",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let unknown = odd
        .run(["jobs", "get", "00000000-0000-4000-8000-000000000000"])
        .expect_code(1);
    assert!(unknown.stderr.contains("odd jobs list"), "{unknown:?}");
    let _ = odd.run(["jobs", "get", "abc"]).expect_code(2);
}

#[test]
fn a_prefix_must_mean_one_job() {
    let odd = running();
    let (one, other) = (
        "abcd1234-0000-4000-8000-000000000001",
        "abcd1299-0000-4000-8000-00000000abcd",
    );
    for id in [one, other] {
        let _ = odd.run(["submit", "hello", "--wait", "--id", id]).expect_code(0);
    }
    let ambiguous = odd.run(["jobs", "get", "abcd12"]).expect_code(2);
    assert!(
        ambiguous.stderr.contains(one) && ambiguous.stderr.contains(other),
        "{ambiguous:?}"
    );
    assert_eq!(json_of(&odd, &["jobs", "get", "abcd123"])["job"]["id"], one);
    assert_eq!(json_of(&odd, &["jobs", "get", "ABCD1299"])["job"]["id"], other);
    let _ = odd.run(["jobs", "get", "00ab"]).expect_code(1);
}

#[test]
fn what_waits_or_runs_can_be_cancelled_and_what_ended_cannot() {
    let odd = running();
    let waiting = submit(&odd, &["hello", "--delay", "1h"]);
    let running = submit(
        &odd,
        &[
            "slow",
            "--payload",
            r#"{"simulate":{"durationMs":60000}}"#,
            "--job-timeout",
            "2m",
        ],
    );
    let ended = submit(&odd, &["hello", "--wait"]);

    let answer = json_of(&odd, &["jobs", "cancel", &waiting, &running, "--wait"]);
    assert_eq!(
        answer,
        json!({ "version": 1, "jobs": [
            { "id": waiting, "requested": true, "status": "CANCELLED" },
            { "id": running, "requested": true, "status": "CANCELLED" },
        ]})
    );
    let late = odd.run(["jobs", "cancel", &ended]).expect_code(1);
    assert!(
        late.stdout.contains("COMPLETED") && late.stdout.contains("had ended before"),
        "{late:?}"
    );
    assert_eq!(
        odd.run(["submit", "hello", "--id", &waiting, "--delay", "1h", "--wait"])
            .code,
        Some(4)
    );
}

#[test]
fn an_ended_job_runs_again_as_a_new_one() {
    let odd = running();
    let fails = r#"{"simulate":{"error":"upstream 502"}}"#;
    let bad = submit(
        &odd,
        &["hello", "--payload", fails, "--max-attempts", "1", "--wait"],
    );
    let good = submit(&odd, &["hello", "--wait"]);

    let answer = odd
        .run(["jobs", "retry", &good, &bad[..8], "--wait", "-o", "json"])
        .expect_code(4)
        .json();
    assert_eq!(answer["jobs"][0]["retryOf"], json!(good));
    assert_eq!(answer["jobs"][0]["status"], "COMPLETED");
    assert_eq!(
        (&answer["jobs"][1]["status"], &answer["jobs"][1]["error"]),
        (&json!("FAILED"), &json!("upstream 502"))
    );
    let new = answer["jobs"][0]["id"].as_str().unwrap();
    assert_ne!(new, good);
    assert_eq!(
        json_of(&odd, &["jobs", "get", new])["job"]["retryOf"],
        json!(good)
    );
    let ledger = std::fs::read_to_string(odd.engine().ledger()).unwrap();
    assert!(ledger.contains(new), "an accepted repetition is in the ledger");

    let text = odd.run(["jobs", "retry", &good]).expect_code(0).stdout;
    assert!(
        text.contains("accepted") && text.contains(&format!("repeats {}", &good[..8])),
        "{text}"
    );
    let waiting = submit(&odd, &["hello", "--delay", "1h"]);
    let refused = wait_until_known(&odd, &waiting);
    assert!(
        refused.contains("has not ended") && refused.contains("odd jobs cancel"),
        "{refused}"
    );
}

/// What `retry` says of a job that has not ended, once the read-model knows it.
fn wait_until_known(odd: &Instance, id: &str) -> String {
    let end = std::time::Instant::now() + LONG;
    loop {
        let output = odd.run(["jobs", "retry", id]).expect_code(1);
        if !output.stderr.contains("404") {
            return output.stderr;
        }
        assert!(std::time::Instant::now() < end, "never known: {output:?}");
    }
}

/// The gateway's memory of ids ends with its process: a second submission under one id is then accepted, and its
/// message becomes a dead letter.
#[tokio::test]
async fn dead_letters_are_listed_shown_and_put_back() {
    let odd = running();
    let id = "5e5e5e5e-0000-4000-8000-000000000001";
    let _ = odd.run(["submit", "hello", "--id", id, "--wait"]).expect_code(0);
    let empty = json_of(&odd, &["dead-letters", "list"]);
    assert_eq!(empty, json!({ "version": 1, "deadLetters": [], "more": false }));
    let _ = odd.run(["down"]).expect_code(0);
    odd.up();
    let _ = odd
        .run([
            "submit",
            "hello",
            "--id",
            id,
            "--payload",
            r#"{"other":"payload"}"#,
        ])
        .expect_code(0);

    let letter = wait_for(LONG, "the dead letter to be listed", || {
        let listed = json_of(&odd, &["dead-letters", "list"]);
        std::future::ready(listed["deadLetters"].get(0).cloned())
    })
    .await;
    assert_eq!(
        (&letter["reason"], &letter["jobId"]),
        (&json!("id_conflict"), &json!(id))
    );
    let letter_id = letter["id"].as_str().unwrap();
    let text = odd.run(["dead-letters", "list"]).expect_code(0).stdout;
    assert!(
        text.contains(&letter_id[..8]) && text.contains("id_conflict"),
        "{text}"
    );

    let got = json_of(&odd, &["dead-letters", "get", &letter_id[..8]]);
    assert_eq!(got["deadLetter"]["id"], letter["id"]);
    let shown = odd.run(["dead-letters", "get", letter_id]).expect_code(0).stdout;
    assert!(
        shown.contains("jobs.created") && shown.contains(r#""other":"payload""#),
        "{shown}"
    );

    let requeued = json_of(&odd, &["dead-letters", "requeue", &letter_id[..8]]);
    assert_eq!(
        requeued,
        json!({ "version": 1, "requeued": [letter_id], "gone": [] })
    );
    // The conflict was not mended: the message comes back, and can be put back again.
    wait_for(LONG, "the message to come back", || {
        let answer = json_of(&odd, &["dead-letters", "requeue", "--all"]);
        std::future::ready((answer["requeued"] == json!([letter_id])).then_some(()))
    })
    .await;
    let unknown = odd.run(["dead-letters", "get", "00000000-0000-4000-8000-000000000000"]);
    assert!(unknown.expect_code(1).stderr.contains("odd dead-letters list"));
    let _ = odd.run(["dead-letters", "requeue"]).expect_code(2);
}

#[tokio::test]
async fn events_are_listed_oldest_first_and_filtered() {
    let odd = running();
    let id = submit(&odd, &["hello", "--wait"]);
    let _ = odd
        .run(["submit", "hello", "--count", "3", "--wait"])
        .expect_code(0);
    let types = |page: &Value| -> Vec<String> {
        let events = page["events"].as_array().unwrap();
        events
            .iter()
            .map(|event| event["eventType"].as_str().unwrap().to_owned())
            .collect()
    };
    let of_job = wait_for(LONG, "the whole history", || {
        let page = json_of(&odd, &["events", "--job", &id[..8]]);
        std::future::ready((page["events"].as_array().unwrap().len() == 4).then_some(page))
    })
    .await;
    assert_eq!(of_job["version"], 1);
    let mut sorted = types(&of_job);
    sorted.sort_unstable();
    assert_eq!(
        sorted,
        ["job.completed", "job.created", "job.executed", "job.validated"]
    );
    wait_for(LONG, "four completions", || {
        let page = json_of(&odd, &["events", "--type", "job.completed"]);
        std::future::ready((types(&page) == ["job.completed"; 4]).then_some(()))
    })
    .await;
    let two = odd.run(["events", "--limit", "2", "-o", "ndjson"]).expect_code(0);
    assert_eq!(two.stdout.lines().count(), 2);
    let text = odd.run(["events", "--job", &id]).expect_code(0).stdout;
    assert!(text.contains("job.executed") && text.contains(&id[..8]), "{text}");
    let _ = odd.run(["events", "--type", "job.done"]).expect_code(2);
}

/// Follows events; ended with the test.
struct Follower {
    child: Child,
    lines: Receiver<Value>,
}

impl Follower {
    fn new(odd: &Instance, args: &[&str]) -> Self {
        let mut command = odd.command(["events", "--follow", "-o", "ndjson"].iter().chain(args));
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary can be run");
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _ = sender.send(serde_json::from_str(&line).expect("an envelope a line"));
            }
        });
        Self { child, lines }
    }

    /// Waits for the event of a job.
    #[track_caller]
    fn wait_for_job(&self, id: &str) -> Value {
        let end = std::time::Instant::now() + LONG;
        loop {
            let left = end.saturating_duration_since(std::time::Instant::now());
            let event = self.lines.recv_timeout(left).expect("the event in time");
            if event["payload"]["id"] == id {
                return event;
            }
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn following_receives_what_happens_across_a_restart_and_ends_with_ctrl_c() {
    let odd = running();
    let before = submit(&odd, &["hello", "--wait"]);
    let mut follower = Follower::new(&odd, &["--type", "job.completed"]);
    let event = follower.wait_for_job(&before);
    assert_eq!(event["eventType"], "job.completed");
    let live = submit(&odd, &["hello", "--wait"]);
    follower.wait_for_job(&live);

    assert!(odd.kill().is_some());
    odd.up();
    // It may happen before the stream is open again: then the event log tells.
    let after = submit(&odd, &["hello", "--wait"]);
    follower.wait_for_job(&after);

    if cfg!(unix) {
        let pid = follower.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-INT", &pid])
                .status()
                .unwrap()
                .success()
        );
        assert_eq!(follower.child.wait().unwrap().code(), Some(130));
    }
    let repeated: Vec<_> = follower.lines.try_iter().collect();
    assert!(repeated.is_empty(), "nothing is shown twice: {repeated:?}");
}

#[test]
fn nothing_runs_is_told_by_every_command() {
    let odd = instance();
    for args in [
        &["jobs", "list"][..],
        &["jobs", "get", "abcd"],
        &["jobs", "cancel", "00000000-0000-4000-8000-000000000001"],
        &["jobs", "retry", "00000000-0000-4000-8000-000000000001"],
        &["dead-letters", "list"],
        &["dead-letters", "requeue", "--all"],
        &["events"],
        &["events", "--follow"],
    ] {
        let output = odd.run(args);
        assert_eq!(output.code, Some(3), "{args:?}: {output:?}");
        assert!(output.stderr.contains("odd up"), "{args:?}: {output:?}");
    }
}
