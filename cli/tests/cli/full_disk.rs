//! No room left: the process may not write any more. Nothing is accepted meanwhile, and nothing that was is lost.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use std::io::Write;
use std::process::Command;
use std::time::Duration;

use odd_client::{Gateway, RawRequest};
use odd_contracts::api::BatchResponse;
use odd_contracts::{Problem, ProblemCode, Role, Timestamp};
use odd_testkit::{Instance, Output, wait_for};
use serde_json::json;
use uuid::Uuid;

use crate::instance;

const LONG: Duration = Duration::from_secs(60);

/// A command whose process and children fail to write beyond a file size limit (EFBIG) instead of being ended (SIGXFSZ):
/// then such a limit stands for a full disk. Ignored signals and limits are inherited. `before` is run by the shell first.
fn without_sigxfsz(odd: &Instance, before: &str, args: &[&str]) -> Output {
    let command = odd.command(args);
    let mut shell = Command::new("sh");
    shell
        .args(["-c", &format!("trap '' XFSZ; {before} exec \"$0\" \"$@\"")])
        .arg(command.get_program())
        .args(command.get_args())
        .current_dir(odd.home());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    Instance::output(&mut shell)
}

fn up(odd: &Instance) -> u32 {
    let _ = without_sigxfsz(odd, "", &["up"]).expect_code(0);
    odd.process().expect("a process runs after `up`").pid
}

/// Sets the soft limit of the size of files of a running process.
fn limit(pid: u32, size: &str) {
    let status = Command::new("prlimit")
        .args(["--pid", &pid.to_string(), &format!("--fsize={size}:")])
        .status()
        .expect("prlimit of util-linux");
    assert!(status.success());
}

fn job(id: Uuid) -> String {
    json!({ "id": id, "type": "full", "payload": { "x": "y".repeat(2_000) } }).to_string()
}

async fn submit(gateway: &Gateway, id: Uuid) -> Result<(), Problem> {
    let answer = gateway
        .exchange(RawRequest::post("/jobs").json(job(id)))
        .await
        .unwrap();
    match answer.status {
        202 => Ok(()),
        _ => Err(answer.json().unwrap()),
    }
}

#[tokio::test]
async fn a_full_disk_refuses_submissions_and_loses_nothing() {
    let odd = instance();
    let pid = up(&odd);
    let gateway = Gateway::new(&odd.url(Role::Gateway)).unwrap();
    let accepted = odd.home().join("accepted.txt");
    let mut ledger = std::fs::File::create(&accepted).unwrap();
    let mut note = |id: Uuid| writeln!(ledger, "{id} {}", Timestamp::now().micros()).unwrap();
    for id in (0..50).map(|_| Uuid::new_v4()) {
        submit(&gateway, id).await.unwrap();
        note(id);
    }

    // Some jobs are on their way while room runs out.
    limit(pid, "1");
    let refused: Vec<Uuid> = (0..20).map(|_| Uuid::new_v4()).collect();
    for id in &refused {
        let problem = submit(&gateway, *id).await.expect_err("accepted without room");
        assert_eq!(problem.code, ProblemCode::SpineUnavailable, "{problem:?}");
        assert_eq!((problem.status, problem.job_id), (503, Some(*id)), "{problem:?}");
    }
    let nameless = gateway
        .exchange(RawRequest::post("/jobs").json(r#"{"type":"full"}"#))
        .await
        .unwrap();
    let problem: Problem = nameless.json().unwrap();
    assert!(
        problem.job_id.is_some(),
        "a repetition needs the id that was made: {problem:?}"
    );
    let lines: Vec<Uuid> = (0..20).map(|_| Uuid::new_v4()).collect();
    let body = lines.iter().map(|id| job(*id)).collect::<Vec<_>>().join("\n");
    let batch = RawRequest::post("/jobs/batch").body("application/x-ndjson", body);
    let batch = gateway.exchange(batch).await.unwrap();
    assert_eq!(batch.status, 503);
    let results = batch.json::<BatchResponse>().unwrap().results;
    let ids: Vec<_> = results.iter().filter_map(|result| result.job_id).collect();
    assert_eq!(ids, lines, "every line has the id to be repeated under");
    assert!(gateway.healthz().await.is_ok(), "the process lives");
    wait_for(LONG, "the gateway to say that it takes no work", || async {
        gateway.readyz().await.ok().filter(|readiness| !readiness.ready)
    })
    .await;

    limit(pid, "unlimited");
    wait_for(LONG, "the gateway to say that it takes work again", || async {
        gateway.readyz().await.ok().filter(|readiness| readiness.ready)
    })
    .await;
    for id in refused.iter().chain(&lines) {
        wait_for(LONG, "a repetition to be accepted", || async {
            submit(&gateway, *id).await.ok()
        })
        .await;
        note(*id);
    }
    assert_eq!(
        odd.process().map(|process| process.pid),
        Some(pid),
        "the process is the same"
    );
    let verdict = odd.run([
        "verify",
        "--ledger",
        accepted.to_str().unwrap(),
        "--settle",
        "60s",
        "-o",
        "json",
    ]);
    assert_eq!(verdict.code, Some(0), "{verdict:?}");
    let verdict = verdict.json();
    // 50 + 20 + 20: nothing of what was refused and not repeated is there.
    assert_eq!(
        (&verdict["accepted"], &verdict["terminal"]),
        (&json!(90), &json!(90)),
        "{verdict}"
    );
    wait_for(LONG, "every role to take work again", || async {
        (odd.run(["status", "--check"]).code == Some(0)).then_some(())
    })
    .await;
    let _ = odd.run(["test"]).expect_code(0);
}

#[test]
fn an_observatory_without_room_can_be_stopped_and_started_again() {
    let odd = instance();
    let pid = up(&odd);
    limit(pid, "1");
    let down = odd.run(["down", "-o", "json"]).expect_code(0).json();
    assert_eq!(
        (&down["wasRunning"], &down["killed"]),
        (&json!(true), &json!(false)),
        "{down}"
    );
    assert!(odd.process().is_none());
    odd.up();
    let _ = odd.run(["verify"]).expect_code(0);
}

/// No room from the beginning: `up` says so, and leaves nothing that runs.
#[test]
fn up_without_room_is_explained() {
    let odd = instance();
    let output = without_sigxfsz(&odd, "ulimit -f 8;", &["up"]).expect_code(1);
    assert!(
        output.stderr.contains("failed to start the instance observatory"),
        "{output:?}"
    );
    assert!(output.stderr.contains("disk I/O error"), "{output:?}");
    assert!(output.stderr.contains("try: odd doctor"), "{output:?}");
    assert!(odd.process().is_none());
    odd.up();
}
