//! What goes wrong is explained at once, and nothing of it stays in the way.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Stdio};

use odd_testkit::{Instance, Output};
use serde_json::Value;

use crate::bed::small::{BASE, Small, WAITS, services};
use crate::bed::{ODD, Proxy};

/// A service whose health check never passes.
fn never_healthy() -> String {
    format!(
        "services:\n  slow:\n    image: {BASE}\n    init: true\n    command: [sleep, infinity]\n    healthcheck: {{test: [CMD, \"false\"], interval: 1s, retries: 100, start_period: 300s}}\n"
    )
}

/// Starts an `up` that streams its events.
fn streaming(odd: &Small, host: Option<&str>) -> (Child, BufReader<ChildStdout>) {
    let mut command = odd.up_command(&["--output", "ndjson"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    if let Some(host) = host {
        command.env("DOCKER_HOST", host);
    }
    let mut child = command.spawn().unwrap();
    let events = BufReader::new(child.stdout.take().unwrap());
    (child, events)
}

/// Reads events until a container runs and is waited for.
fn until_starting(events: &mut impl BufRead) {
    let mut line = String::new();
    loop {
        line.clear();
        assert_ne!(
            events.read_line(&mut line).unwrap(),
            0,
            "no container was started"
        );
        let event: Value = serde_json::from_str(&line).unwrap();
        if event["event"] == "container" && event["state"] == "starting" {
            return;
        }
    }
}

fn ended(child: Child) -> Output {
    let output = child.wait_with_output().unwrap();
    Output {
        code: output.status.code(),
        stdout: String::new(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Nothing of the project is in the engine after a `down`.
fn can_be_removed(odd: &Small) {
    let _ = odd.stack.run(["down", "--timeout", "2"]).expect_code(0);
    assert!(odd.stack.project().containers().is_empty());
    assert!(odd.stack.project().networks().is_empty());
}

#[test]
fn a_container_that_keeps_crashing_is_shown_with_its_log() {
    let broken = "echo 'cannot open the treasure: no key' >&2; exit 3";
    let odd = Small::new(
        &services(&[("good", WAITS), ("broken", broken)])
            .replace("  broken:\n", "  broken:\n    restart: unless-stopped\n"),
    );
    let up = odd.up(&["--timeout", "90"]).expect_code(1);
    assert!(
        up.stderr.contains("broken") && up.stderr.contains("cannot open the treasure"),
        "{up:?}"
    );
    let (at_once, report) = up.stderr.split_once("error: ").unwrap();
    assert!(at_once.contains("| cannot open the treasure"), "{up:?}");
    assert!(
        !report.contains("| cannot open the treasure"),
        "what was told at once is not told again: {report}"
    );
    assert!(up.stderr.contains("try: "), "{up:?}");
    // Mended, it goes on where it stopped.
    odd.write(&services(&[("good", WAITS), ("broken", WAITS)]));
    odd.started();
    assert_eq!(odd.ids().len(), 2);
}

#[test]
fn a_container_that_is_not_healthy_in_time_is_named() {
    let odd = Small::new(&never_healthy());
    let up = odd.up(&["--wait-timeout", "3"]).expect_code(5);
    assert!(up.stderr.contains("slow"), "{up:?}");
    can_be_removed(&odd);
}

#[test]
fn an_unsupported_key_is_an_error_with_its_place() {
    let odd =
        Small::new(&services(&[("one", WAITS)]).replace("    init: true\n", "    privileged_mode: true\n"));
    let up = odd.up(&[]).expect_code(2);
    assert!(
        up.stderr.contains("compose.yaml:4") && up.stderr.contains("privileged_mode"),
        "{up:?}"
    );
    assert!(odd.stack.project().containers().is_empty());
}

#[test]
fn an_image_that_cannot_be_had_offers_the_ways_around() {
    // Nobody listens there, so this registry never answers.
    let odd = Small::new("services:\n  one:\n    image: 127.0.0.1:9/odd/none:1\n");
    let up = odd.up(&[]).expect_code(3);
    assert!(up.stderr.contains("127.0.0.1:9/odd/none:1"), "{up:?}");
    assert!(
        up.stderr.contains("--offline") && up.stderr.contains("--engine embedded"),
        "{up:?}"
    );
    can_be_removed(&odd);
}

#[test]
fn an_engine_that_goes_away_meanwhile_is_no_mystery_and_leaves_what_can_be_removed() {
    let odd = Small::new(&never_healthy());
    let proxy = Proxy::start(odd.stack.home());
    let (child, mut events) = streaming(&odd, Some(&proxy.host()));
    until_starting(&mut events);
    proxy.cut();
    let said = ended(child).expect_code(1).stderr;
    let error: Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    let text = error.to_string();
    assert!(text.contains("went away"), "{text}");
    assert!(
        error["error"]["try"].as_str().unwrap().contains("odd down"),
        "{text}"
    );
    can_be_removed(&odd);
}

#[test]
fn an_interrupted_start_says_what_is_left_and_can_be_removed() {
    let odd = Small::new(&never_healthy());
    let (child, mut events) = streaming(&odd, None);
    until_starting(&mut events);
    let interrupted = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(interrupted.unwrap().success());
    let said = ended(child).expect_code(130).stderr;
    assert!(
        said.contains("goes on from there") && said.contains("odd down"),
        "{said}"
    );
    // It is known and can be looked at.
    let status = odd.stack.run(["status", "-o", "json"]).expect_code(0).json();
    assert_eq!(status["state"], "degraded", "{status}");
    can_be_removed(&odd);
}

#[test]
fn nobody_at_the_socket_is_told_with_what_starts_it() {
    let odd = Small::new(&services(&[("one", WAITS)]));
    let socket = format!("unix://{}", odd.stack.home().join("nobody.sock").display());
    let mut command = odd.up_command(&[]);
    let up = Instance::output(command.env("DOCKER_HOST", &socket)).expect_code(3);
    assert!(up.stderr.contains("no Docker engine"), "{up:?}");
    assert!(up.stderr.contains("--engine embedded"), "{up:?}");
    let mut doctor = odd.stack.command(["doctor", "--engine", "docker"]);
    let doctor = Instance::output(doctor.env("DOCKER_HOST", &socket)).expect_code(3);
    assert!(doctor.stdout.contains("✗ docker"), "{doctor:?}");
    // Without a preference it is no more than a warning, since another engine will do.
    let mut doctor = odd.stack.command(["doctor"]);
    let doctor = Instance::output(doctor.env("DOCKER_HOST", &socket)).expect_code(0);
    assert!(doctor.stdout.contains("⚠ docker"), "{doctor:?}");
    assert!(doctor.stdout.contains("embedded"), "{doctor:?}");
}

/// The automatic choice says what it chose and why, and is kept.
#[test]
fn without_an_engine_the_embedded_one_is_taken_and_said() {
    let odd = Small::new("");
    let socket = format!("unix://{}", odd.stack.home().join("nobody.sock").display());
    let mut command = odd.stack.command(["up"]);
    let up = Instance::output(command.env("DOCKER_HOST", &socket)).expect_code(0);
    assert!(
        up.stderr
            .contains("embedded: one process, SQLite (no Docker engine answers"),
        "{up:?}"
    );
    let status = odd.stack.run(["status", "-o", "json"]).expect_code(0).json();
    assert_eq!(status["engine"], "embedded");
    let _ = odd.stack.run(["down", "--volumes", "--yes"]).expect_code(0);
}

/// Another user than root, for whom the permissions of files count.
const NOBODY: u32 = 65_534;

#[test]
fn a_socket_without_permission_is_told_apart_from_none() {
    let odd = Small::new(&services(&[("one", WAITS)]));
    let home = odd.stack.home().to_owned();
    let socket = home.join("closed.sock");
    let _listener = UnixListener::bind(&socket).unwrap();
    std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o000)).unwrap();
    let mut command = odd.up_command(&[]);
    if is_root() {
        // Where another user may run it and write beside it.
        let binary = home.join("odd");
        if std::fs::hard_link(ODD, &binary).is_err() {
            std::fs::copy(ODD, &binary).unwrap();
        }
        std::os::unix::fs::chown(&home, Some(NOBODY), Some(NOBODY)).unwrap();
        let args: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
        let environment: Vec<_> = command
            .get_envs()
            .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
            .collect();
        command = std::process::Command::new(&binary);
        command
            .args(args)
            .envs(environment)
            .current_dir(&home)
            .uid(NOBODY)
            .gid(NOBODY);
    }
    command.env("DOCKER_HOST", format!("unix://{}", socket.display()));
    let up = Instance::output(&mut command).expect_code(3);
    assert!(up.stderr.contains("may not use"), "{up:?}");
    assert!(
        up.stderr.contains("usermod -aG docker") && up.stderr.contains("--engine embedded"),
        "{up:?}"
    );
}

fn is_root() -> bool {
    let id = std::process::Command::new("id").arg("-u").output().unwrap();
    String::from_utf8_lossy(&id.stdout).trim() == "0"
}
