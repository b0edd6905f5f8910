//! What people do with it.

use odd_testkit::{Pty, pty::keys};

use super::{LONG, SIZE, back, command, footer, header, opened, quit, running, short, submit, watch};
use crate::instance;

#[test]
fn a_job_submitted_meanwhile_is_seen_and_opened() {
    let odd = running();
    let mut pty = watch(&odd, &[]);
    pty.wait_for_text(LONG, "No jobs yet");
    let id = submit(&odd, &["hello"]);
    let row = pty.wait_until(LONG, "the job in the table", |screen| {
        let row = screen
            .lines()
            .find(|line| line.contains(short(&id)) && line.contains("COMPLETED"));
        row.map(str::to_owned)
    });
    assert!(row.contains("hello") && row.contains("1/3"), "{row}");
    pty.send(keys::ENTER);
    let detail = pty.wait_until(LONG, "the way of the job", |screen| {
        let whole = screen.contains("attempt 1") && footer(screen).contains("$ odd jobs get");
        (screen.contains("queue wait") && whole).then(|| screen.to_owned())
    });
    assert!(
        detail.contains(short(&id)) && detail.contains("COMPLETED"),
        "{detail}"
    );
    back(&mut pty);
    quit(pty);
}

#[test]
fn odd_alone_on_a_terminal_opens_it() {
    let odd = running();
    quit(opened(Pty::start(&command(&odd, &[]), SIZE)));
}

#[test]
fn without_a_terminal_it_names_what_works_without() {
    let odd = instance();
    let refused = odd.run(["watch"]).expect_code(2);
    assert!(refused.stderr.contains("a terminal is needed"), "{refused:?}");
    for other in ["odd status", "odd events --follow", "odd jobs list"] {
        assert!(refused.stderr.contains(other), "{other}: {refused:?}");
    }
    let alone = odd.run::<&str>([]).expect_code(0);
    assert!(alone.stdout.contains("Usage: odd"), "{alone:?}");
}

#[test]
fn it_is_left_and_the_stack_runs_on() {
    let odd = running();
    let mut pty = watch(&odd, &[]);
    pty.send(keys::CTRL_C);
    assert_eq!(pty.wait_exit(LONG), 0);
    let _ = odd.run(["status", "--check"]).expect_code(0);
}

#[test]
fn read_only_offers_nothing_that_changes_anything() {
    let odd = running();
    let id = submit(&odd, &["hello"]);
    let mut pty = watch(&odd, &["--read-only"]);
    pty.wait_for_text(LONG, short(&id));
    // Neither key does anything: what opens is what is asked for after them.
    pty.send("Nr");
    pty.send("?");
    pty.wait_for_text(LONG, "these keys");
    back(&mut pty);
    // Of the frame that is drawn after the job was: it is chosen by now.
    let screen = pty.screen();
    assert!(screen.contains(short(&id)), "{screen}");
    for offered in ["new task", "retry", "cancel"] {
        assert!(!footer(&screen).contains(offered), "{screen}");
    }
    quit(pty);
    let jobs = odd.run(["jobs", "list", "-o", "json"]).expect_code(0).json();
    assert_eq!(jobs["jobs"].as_array().map(Vec::len), Some(1), "{jobs}");
}

#[test]
fn an_instance_that_goes_and_comes_again_is_followed_without_a_key() {
    let odd = running();
    let first = submit(&odd, &["hello"]);
    let mut pty = watch(&odd, &[]);
    pty.wait_for_text(LONG, short(&first));
    odd.kill();
    let away = pty.wait_until(LONG, "that the read-model is away, and for how long", |screen| {
        let told = header(screen);
        (told.contains("read-model away") && told.contains("s old")).then(|| screen.to_owned())
    });
    assert!(away.contains(short(&first)), "what was known stays: {away}");
    odd.up();
    pty.wait_until(LONG, "the instance again", |screen| {
        header(screen).contains("healthy").then_some(())
    });
    let second = submit(&odd, &["hello"]);
    pty.wait_for_text(LONG, short(&second));
    quit(pty);
}
