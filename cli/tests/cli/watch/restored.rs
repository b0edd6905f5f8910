//! However it ends, the terminal is as it was.
#![cfg(unix)]

use std::process::Command;

use odd_testkit::Pty;
use odd_testkit::pty::{Signal, keys};

use super::{LONG, SIZE, command, opened, running};

/// Runs the command and says whether the settings of the terminal are as before. The shell itself outlives the signals.
const COMPARED: &str = "trap : TERM HUP INT QUIT; before=$(stty -g); \"$@\"; code=$?; \
    test \"$before\" = \"$(stty -g)\" && echo settings as before; exit $code";
/// What gives everything back: the window's title, paste, mouse, alternate screen, cursor.
const GIVEN_BACK: [&[u8]; 5] = [
    b"\x1b[23;2t",
    b"\x1b[?2004l",
    b"\x1b[?1000l",
    b"\x1b[?1049l",
    b"\x1b[?25h",
];

fn in_a_shell(inner: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell
        .args(["-c", COMPARED, "sh"])
        .arg(inner.get_program())
        .args(inner.get_args());
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    if let Some(directory) = inner.get_current_dir() {
        shell.current_dir(directory);
    }
    shell
}

#[track_caller]
fn assert_restored(pty: &Pty) {
    let screen = pty.screen();
    assert!(screen.contains("settings as before"), "{screen}");
    pty.inspect(|screen| {
        assert!(!screen.alternate_screen() && !screen.hide_cursor() && !screen.bracketed_paste());
        assert_eq!(screen.mouse_protocol_mode(), Default::default());
    });
    let raw = pty.raw();
    let last = |wanted: &[u8]| raw.windows(wanted.len()).rposition(|bytes| bytes == wanted);
    let entered = last(b"\x1b[?1049h").expect("the alternate screen was entered");
    for sequence in GIVEN_BACK {
        let at = last(sequence);
        assert!(at.is_some_and(|at| at > entered), "{}", sequence.escape_ascii());
    }
}

#[test]
fn by_a_key_or_a_signal() {
    let odd = running();
    let start = || opened(Pty::start(&in_a_shell(&command(&odd, &["watch"])), SIZE));
    for key in ["Q", keys::CTRL_C] {
        let mut pty = start();
        pty.send(key);
        assert_eq!(pty.wait_exit(LONG), 0, "{key:?}");
        assert_restored(&pty);
    }
    for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT] {
        let mut pty = start();
        pty.signal(signal);
        // Asked to end, it has ended in good order.
        assert_eq!(pty.wait_exit(LONG), 0, "{signal}");
        assert_restored(&pty);
    }
}

#[test]
fn by_a_panic_which_is_then_told_of() {
    let odd = running();
    // In the loop itself, not at its first frame, and in a task beside it.
    for failpoint in [
        "watch.draw=5*off->panic(the roof is off)",
        "watch.answer=panic(the roof is off)",
    ] {
        let mut inner = command(&odd, &["watch"]);
        inner.env("FAILPOINTS", failpoint).env("RUST_BACKTRACE", "0");
        let mut pty = Pty::start(&in_a_shell(&inner), SIZE);
        assert_eq!(pty.wait_exit(LONG), 101, "{failpoint}");
        assert_restored(&pty);
        let screen = pty.screen();
        assert!(screen.contains("the roof is off"), "{failpoint}: {screen}");
    }
}

/// Of a thread that nobody waits for.
#[test]
fn by_a_panic_beside_the_loop() {
    let odd = running();
    let mut inner = command(&odd, &["watch"]);
    inner
        .env("FAILPOINTS", "watch.key=panic(the roof is off)")
        .env("RUST_BACKTRACE", "0");
    let mut pty = opened(Pty::start(&in_a_shell(&inner), SIZE));
    pty.send("j");
    assert_eq!(pty.wait_exit(LONG), 101);
    assert_restored(&pty);
    let screen = pty.screen();
    assert!(screen.contains("the roof is off"), "{screen}");
}
