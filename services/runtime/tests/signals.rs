//! Signals, in a process of their own.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]
#![cfg(unix)]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use odd_runtime::Shutdown;

const ROLE: &str = "ODD_TEST_SIGNALS_CHILD";

/// Not a test by itself: the process that the tests below send signals to. `ends` ends on the first, `stays` does not,
/// `told twice` is told at once by a second one and then ends.
#[test]
fn child() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let shutdown = Shutdown::on_signals(Duration::from_secs(5)).unwrap();
        println!("\nwaiting");
        shutdown.signalled().await;
        println!("\nsignalled");
        match role.as_str() {
            "stays" => {
                // What comes from here on is another request.
                tokio::time::sleep(Duration::from_millis(600)).await;
                println!("\npatient");
                std::future::pending::<()>().await;
            }
            "told twice" => {
                nix::sys::signal::raise(Signal::SIGTERM).unwrap();
                // Time enough for a second request to be acted upon.
                tokio::time::sleep(Duration::from_millis(300)).await;
                println!("\ngoes on");
            }
            _ => {}
        }
    });
}

fn start(role: &str) -> (Child, impl FnMut(&str)) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env(ROLE, role)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let wait_for = move |wanted: &str| {
        assert!(
            lines.any(|line| line.unwrap() == wanted),
            "the process ended before it was {wanted}"
        );
    };
    (child, wait_for)
}

fn send(child: &Child, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
}

#[test]
fn either_signal_asks_for_an_orderly_end() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let (mut child, mut wait_for) = start("ends");
        wait_for("waiting");
        send(&child, signal);
        wait_for("signalled");
        assert!(child.wait().unwrap().success(), "{signal}");
    }
}

#[test]
fn a_second_signal_ends_the_process_at_once() {
    let (mut child, mut wait_for) = start("stays");
    wait_for("waiting");
    send(&child, Signal::SIGTERM);
    wait_for("signalled");
    wait_for("patient");
    send(&child, Signal::SIGINT);
    let ended = child.wait().unwrap();
    assert_eq!(ended.code(), Some(odd_runtime::shutdown::INTERRUPTED));
}

#[test]
fn signals_that_come_together_are_one_request() {
    let (mut child, mut wait_for) = start("told twice");
    wait_for("waiting");
    send(&child, Signal::SIGTERM);
    wait_for("goes on");
    assert!(child.wait().unwrap().success());
}
