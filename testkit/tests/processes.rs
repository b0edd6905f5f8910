//! Test processes share servers, and nothing stays when they are gone, however they went.

#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    reason = "this is all test code; the lint spares only test functions"
)]

use std::io::{BufRead, BufReader, Lines, Read};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use odd_testkit::{servers, wait_for};
use testcontainers::bollard::Docker;
use testcontainers::bollard::errors::Error;

/// Long enough for an engine that has much to do.
const DEADLINE: Duration = Duration::from_secs(60);
/// What another process is to do.
const PART: &str = "ODD_TESTKIT_PART";

/// Another process's part. By itself, it is a test that uses a server.
#[tokio::test]
async fn another_process() {
    let redis = servers::redis().await;
    println!("container {}", redis.container().name());
    match std::env::var(PART).as_deref() {
        // Until its input ends.
        Ok("stay") => {
            let _ = std::io::stdin().read(&mut [0]);
        }
        Ok("fail") => panic!("as it was told"),
        _ => assert!(redis.url.starts_with("redis://:"), "{}", redis.url),
    }
}

/// A run of its own: processes that meet elsewhere than those of the run that this test belongs to.
struct Run {
    folder: PathBuf,
    _parent: tempfile::TempDir,
}

impl Run {
    fn new() -> Self {
        let parent = tempfile::tempdir().unwrap();
        Self {
            folder: parent.path().join("run"),
            _parent: parent,
        }
    }

    fn command(&self, part: &str) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["another_process", "--exact", "--nocapture"])
            .env(PART, part)
            .env("ODD_TEST_RUN_FOLDER", &self.folder)
            .env("ODD_TEST_KEEPER_GRACE_MS", "1000")
            .stdin(Stdio::piped());
        command
    }

    fn output(&self, part: &str) -> Output {
        self.command(part).output().unwrap()
    }

    /// A process that uses Redis until it is ended.
    fn user(&self) -> User {
        let mut child = self.command("stay").stdout(Stdio::piped()).spawn().unwrap();
        let stdin = child.stdin.take().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut lines = stdout.by_ref().map_while(Result::ok);
        let container = lines.find_map(|line| line.split_once("container ").map(|(_, name)| name.to_owned()));
        User {
            container: container.expect("the other process has a server"),
            child,
            stdin: Some(stdin),
            _stdout: stdout,
        }
    }

    fn keeper(&self) -> Pid {
        let pid = std::fs::read_to_string(self.folder.join("keeper")).unwrap();
        Pid::from_raw(pid.parse().unwrap())
    }
}

/// A process of the run.
struct User {
    container: String,
    child: Child,
    stdin: Option<ChildStdin>,
    /// What it says is read, lest it fail.
    _stdout: Lines<BufReader<ChildStdout>>,
}

impl User {
    fn end(mut self) {
        drop(self.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Whether the engine has a container under this name, running or not.
async fn engine_has(container: &str) -> bool {
    let engine = Docker::connect_with_defaults().unwrap();
    match engine.inspect_container(container, None).await {
        Ok(_) => true,
        Err(Error::DockerResponseServerError { status_code: 404, .. }) => false,
        Err(error) => panic!("{error}"),
    }
}

async fn gone(container: &str) {
    let what = format!("{container} to be removed");
    wait_for(DEADLINE, &what, || async {
        (!engine_has(container).await).then_some(())
    })
    .await;
}

async fn folder_gone(folder: &Path) {
    wait_for(DEADLINE, "the folder to be removed", || async {
        (!folder.exists()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn processes_share_a_server_and_the_last_one_takes_it_away() {
    let run = Run::new();
    let (one, other) = (run.user(), run.user());
    assert_eq!(one.container, other.container);
    let container = one.container.clone();
    one.kill();
    // Twice the grace: the other one still uses it.
    let end = tokio::time::Instant::now() + Duration::from_secs(2);
    while tokio::time::Instant::now() < end {
        assert!(engine_has(&container).await);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    other.kill();
    gone(&container).await;
    folder_gone(&run.folder).await;
}

#[tokio::test]
async fn the_next_process_finds_the_server_of_the_one_before() {
    let run = Run::new();
    let before = run.user();
    let container = before.container.clone();
    before.end();
    let after = run.user();
    assert_eq!(after.container, container);
    after.end();
    gone(&container).await;
}

#[tokio::test]
async fn leftovers_of_dead_runs_are_swept_by_the_next() {
    let (same, elsewhere) = (Run::new(), Run::new());
    let mut left = Vec::new();
    for run in [&same, &elsewhere] {
        let user = run.user();
        kill(run.keeper(), Signal::SIGKILL).unwrap();
        left.push(user.container.clone());
        user.kill();
    }
    // By this one, or by one of the other tests here that begins a run meanwhile.
    let next = same.user();
    assert!(!left.contains(&next.container));
    for container in &left {
        assert!(!engine_has(container).await);
    }
    let container = next.container.clone();
    next.end();
    gone(&container).await;
}

#[tokio::test]
async fn a_keeper_that_died_is_replaced_and_a_server_that_died_too() {
    let run = Run::new();
    let one = run.user();
    let container = one.container.clone();
    kill(run.keeper(), Signal::SIGKILL).unwrap();
    let killed = Command::new("docker")
        .args(["kill", &container])
        .output()
        .unwrap();
    assert!(killed.status.success(), "{killed:?}");
    // It has a server that answers, or it would not have said so.
    let other = run.user();
    one.kill();
    let container = other.container.clone();
    other.end();
    gone(&container).await;
    folder_gone(&run.folder).await;
}

#[tokio::test]
async fn a_failing_test_shows_the_end_of_the_server_s_log() {
    let run = Run::new();
    let output = run.output("fail");
    assert!(!output.status.success());
    let shown = String::from_utf8_lossy(&output.stderr);
    assert!(
        shown.contains("--- last lines of the log of odd-test-"),
        "{shown}"
    );
    assert!(shown.contains("Ready to accept connections"), "{shown}");
}

#[tokio::test]
async fn without_an_engine_a_test_fails_with_the_command_that_mends_it() {
    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .unwrap()
        .local_addr()
        .unwrap();
    let run = Run::new();
    let output = run
        .command("use")
        .env("DOCKER_HOST", format!("tcp://{closed}"))
        .output()
        .unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("no Docker engine answers"), "{said}");
    assert!(said.contains("`make test`"), "{said}");
    assert!(!run.folder.exists());
}

#[tokio::test]
async fn without_an_image_a_test_fails_with_the_command_that_mends_it() {
    let run = Run::new();
    let mut command = run.command("use");
    let output = command
        .env("ODD_TEST_REDIS_IMAGE", "127.0.0.1:1/none:1")
        .output()
        .unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("127.0.0.1:1/none:1 is not in the engine"), "{said}");
    assert!(said.contains("`make images`"), "{said}");
    folder_gone(&run.folder).await;
}
