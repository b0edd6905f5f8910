//! What `up` does with small projects: events, changes, containers that somebody else removed.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::Stdio;

use serde_json::Value;

use crate::bed::small::{BASE, Small, WAITS, services};

fn two() -> Small {
    Small::new(&services(&[("one", WAITS), ("two", WAITS)]))
}

#[test]
fn every_step_is_a_line_for_programs_and_the_answer_is_the_last() {
    let odd = two();
    let said = odd.up(&["--output", "ndjson"]).expect_code(0).stdout;
    let lines: Vec<Value> = said
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
        .collect();
    let events: Vec<&str> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
    let place = |event: &str| events.iter().position(|e| *e == event).unwrap();
    assert!(place("connected") < place("planned") && place("planned") < place("network"));
    assert!(place("network") < place("container"), "{events:?}");
    let healthy = lines
        .iter()
        .filter(|line| line["event"] == "container" && line["state"] == "healthy");
    assert_eq!(healthy.count(), 2, "{said}");
    let answer = lines.last().unwrap();
    assert_eq!(
        (&answer["event"], &answer["version"], &answer["state"]),
        (&"answer".into(), &1.into(), &"running".into())
    );
}

#[test]
fn only_what_differs_is_made_anew() {
    let odd = two();
    odd.started();
    let before = odd.ids();
    odd.write(&services(&[("one", WAITS), ("two", "exec sleep 86400")]));
    let answer = odd.started();
    let actions: Vec<(&str, &str)> = answer["plan"]["containers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| {
            (
                step["service"].as_str().unwrap(),
                step["action"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(actions, [("one", "keep"), ("two", "recreate")]);
    let after = odd.ids();
    assert_eq!(before[0], after[0]);
    assert_ne!(before[1], after[1]);
}

#[test]
fn a_container_that_was_removed_by_hand_is_missed_and_made_again() {
    let odd = two();
    odd.started();
    let before = odd.ids();
    odd.stack.project().remove_container(&before[1].1);
    let status = odd.stack.run(["status", "--check"]).expect_code(1);
    assert!(status.stdout.contains("degraded"), "{status:?}");
    odd.started();
    let after = odd.ids();
    assert_eq!(before[0], after[0], "the other one is left alone");
    assert_eq!(after.len(), 2);
    let _ = odd.stack.run(["status", "--check"]).expect_code(0);
}

#[test]
fn a_service_that_is_gone_from_the_files_is_reported_and_left_alone() {
    let odd = two();
    odd.started();
    odd.write(&services(&[("one", WAITS)]));
    let up = odd.up(&[]).expect_code(0);
    let orphan = format!("odd-{}-two-1", odd.stack.name());
    assert!(up.stderr.contains(&orphan), "{up:?}");
    assert_eq!(odd.ids().len(), 2);
}

/// A line is followed across a restart of the container that writes it.
#[test]
fn logs_are_followed_until_the_stack_is_gone() {
    let tells = "echo \"begins $$RANDOM\"; trap 'exit 0' TERM; while true; do echo tick; sleep 0.2; done";
    let odd = Small::new(&services(&[("clock", tells), ("quiet", WAITS)]));
    odd.started();
    let mut command = odd.stack.command(["logs", "--follow", "clock", "-o", "ndjson"]);
    let mut follower = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    let mut next = |wanted: &str| {
        let found = lines.find(|line| {
            let line: Value = serde_json::from_str(line.as_ref().unwrap()).unwrap();
            assert_eq!(line["service"], "clock");
            line["message"].as_str().unwrap().starts_with(wanted)
        });
        found.expect("it is followed").unwrap()
    };
    let first = next("begins");
    next("tick");
    let _ = odd.stack.run(["restart", "clock"]).expect_code(0);
    assert_ne!(
        first,
        next("begins"),
        "it goes on with the same container, started anew"
    );
    let _ = odd.stack.run(["down", "--timeout", "2"]).expect_code(0);
    assert!(follower.wait().unwrap().success(), "it ends with the stack");
}

#[test]
fn two_at_once_make_one_stack() {
    let odd = two();
    let start = || {
        let mut command = odd.up_command(&["--output", "json"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    let children: Vec<_> = (0..2).map(|_| start()).collect();
    let answers: Vec<Value> = children
        .into_iter()
        .map(|child| {
            let output = child.wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{said}");
            serde_json::from_slice(&output.stdout).unwrap()
        })
        .collect();
    let changed = answers.iter().filter(|answer| answer["changed"] == true).count();
    assert_eq!(changed, 1, "the other one found it done");
    assert_eq!(odd.ids().len(), 2);
}

#[test]
fn a_dry_run_of_what_is_not_there_makes_nothing() {
    let odd = two();
    let plan = odd.up(&["--dry-run"]).expect_code(0);
    assert!(plan.stdout.contains("create"), "{plan:?}");
    assert!(odd.stack.project().containers().is_empty());
    assert!(odd.stack.project().networks().is_empty());
    let status = odd.stack.run(["status", "-o", "json"]).expect_code(0).json();
    assert_eq!(status["state"], "stopped");
}

#[test]
fn down_without_up_is_no_error() {
    let odd = two();
    let down = odd.stack.run(["down", "-o", "json"]).expect_code(0).json();
    assert_eq!(down["wasRunning"], false);
    let mut asked = odd.stack.command(["down"]);
    let down = odd_testkit::Instance::output(asked.env("ODD_ENGINE", "docker")).expect_code(0);
    assert!(down.stderr.contains("was not running"), "{down:?}");
}

#[test]
fn a_published_port_that_is_taken_names_who_has_it() {
    let port = odd_testkit::free_port();
    let odd = Small::new("");
    // The offset of the instance is added.
    let inner = port.checked_sub(odd.stack.offset()).unwrap();
    odd.write(&format!(
        "services:\n  one:\n    image: {BASE}\n    command: [sleep, infinity]\n    ports: [\"127.0.0.1:{inner}:80\"]\n"
    ));
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let up = odd.up(&[]).expect_code(3);
    assert!(
        up.stderr.contains(&format!("port {port} of one is taken")),
        "{up:?}"
    );
    assert!(
        up.stderr.contains(&format!("process {}", std::process::id())),
        "{up:?}"
    );
    assert!(up.stderr.contains("--port-offset"), "{up:?}");
    drop(listener);
    odd.started();
}
