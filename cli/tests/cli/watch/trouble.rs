//! Where something runs that should not, or nothing runs that should.

use odd_testkit::{Pty, pty::keys};

use super::{LONG, SIZE, command, footer, header, quit, short, submit};
#[cfg(target_os = "linux")]
use super::{back, running, watch};
use crate::instance;

/// Page faults of all children that the process has waited for: not nought once a command was ever run.
#[cfg(target_os = "linux")]
fn faults_of_children(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process lives");
    let (_, fields) = stat.rsplit_once(") ").expect("fields behind the name");
    // Field 11 of proc_pid_stat(5), `cminflt`; the state behind the name is field 3.
    fields
        .split(' ')
        .nth(8)
        .and_then(|field| field.parse().ok())
        .expect("a number")
}

#[cfg(target_os = "linux")]
fn children(pid: u32) -> String {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("the process lives");
    tasks
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("children")).ok())
        .collect()
}

#[cfg(target_os = "linux")]
#[test]
fn on_a_server_no_command_is_ever_run() {
    let odd = running();
    let mut pty = watch(&odd, &["--server"]);
    let pid = pty.pid();
    // Neither of these does anything, which is seen by what is asked for next.
    pty.send("L");
    pty.send(keys::CTRL_Q);
    for (key, text) in [
        ("?", "these keys"),
        ("U", "nterfaces"),
        ("D", "ead letters"),
        ("G", "odd logs"),
    ] {
        pty.send(key);
        pty.wait_until(LONG, text, |screen| {
            (screen.contains(text) && !footer(screen).contains("filter")).then_some(())
        });
        back(&mut pty);
    }
    assert_eq!((faults_of_children(pid), children(pid).as_str()), (0, ""));
    quit(pty);

    // The same keys do run one where a machine can be reached, so that the figures above mean something.
    let mut pty = watch(&odd, &[]);
    let pid = pty.pid();
    pty.send("G");
    pty.wait_until(LONG, "lines of the log", |screen| {
        screen.contains("listening").then_some(())
    });
    assert!(faults_of_children(pid) > 0 || !children(pid).is_empty());
    quit(pty);
}

#[test]
fn where_nothing_runs_it_launches_what_then_is_watched() {
    let odd = instance();
    let mut pty = Pty::start(&command(&odd, &["watch"]), SIZE);
    pty.wait_until(LONG, "what the doctor says of this machine", |screen| {
        (screen.contains("oddessentials.com") && screen.contains("memory")).then_some(())
    });
    for _ in 0..2 {
        pty.send(keys::RIGHT);
    }
    pty.wait_until(LONG, "the engine that needs nothing", |screen| {
        footer(screen).contains("odd up --engine embedded").then_some(())
    });
    pty.send(keys::ENTER);
    pty.wait_for_text(LONG, "ready in");
    pty.send(keys::ENTER);
    pty.wait_until(LONG, "the dashboard of what was launched", |screen| {
        (header(screen).contains("healthy") && screen.contains("No jobs yet")).then_some(())
    });
    assert!(odd.process().is_some());
    let id = submit(&odd, &["hello"]);
    pty.wait_for_text(LONG, short(&id));
    pty.send(keys::ENTER);
    pty.wait_for_text(LONG, "queue wait");
    quit(pty);
    let _ = odd.run(["status", "--check"]).expect_code(0);
}
