//! `odd watch` in a real terminal, over real instances.

mod hostile;
mod journeys;
mod look;
mod restored;
mod trouble;

use std::process::Command;
use std::time::Duration;

use odd_testkit::pty::keys;
use odd_testkit::{Instance, Pty};

use crate::instance;

/// Longer than anything may take.
const LONG: Duration = Duration::from_secs(60);
/// The size that the design shows.
const SIZE: (u16, u16) = (120, 40);

/// An instance that runs.
fn running() -> Instance {
    let odd = instance();
    odd.up();
    odd
}

/// `odd` with these arguments, as a person at a terminal with every colour calls it.
fn command(odd: &Instance, args: &[&str]) -> Command {
    let mut command = odd.command(args);
    command
        .env_remove("NO_COLOR")
        .env("TERM", "xterm-256color")
        .env("COLORTERM", "truecolor")
        // Addresses are shown instead of opened, wherever the tests run.
        .env("SSH_TTY", "there");
    command
}

/// `odd watch` in a terminal of its own, once the dashboard is there.
fn watch(odd: &Instance, args: &[&str]) -> Pty {
    let args: Vec<&str> = ["watch"].iter().chain(args).copied().collect();
    opened(Pty::start(&command(odd, &args), SIZE))
}

/// Waits for the dashboard.
fn opened(mut pty: Pty) -> Pty {
    pty.wait_until(LONG, "the dashboard of a healthy instance", |screen| {
        (header(screen).contains("healthy") && screen.contains("Jobs")).then_some(())
    });
    pty
}

/// The first row.
fn header(screen: &str) -> &str {
    screen.lines().next().unwrap_or_default()
}

/// The last row.
fn footer(screen: &str) -> &str {
    screen.lines().last().unwrap_or_default()
}

/// Submits a job and returns its id.
fn submit(odd: &Instance, args: &[&str]) -> String {
    let args = ["submit", "-o", "json"].iter().chain(args);
    let answer = odd.run(args).expect_code(0).json();
    answer["jobs"][0]["id"].as_str().expect("an id").to_owned()
}

/// What tables show of an id.
fn short(id: &str) -> &str {
    &id[..8]
}

/// Closes the screen on top and waits for the dashboard: what follows Escape at once would be a key with Alt. The foot is what
/// is drawn last, so that of the screen must be there before that of the dashboard is waited for.
fn back(pty: &mut Pty) {
    pty.wait_until(LONG, "the whole of a screen over the dashboard", |screen| {
        (!footer(screen).contains("filter")).then_some(())
    });
    pty.send(keys::ESCAPE);
    pty.wait_until(LONG, "the dashboard", |screen| {
        footer(screen).contains("filter").then_some(())
    });
}

/// Leaves it by the key and takes its exit code.
fn quit(mut pty: Pty) {
    pty.send("Q");
    assert_eq!(pty.wait_exit(LONG), 0);
}
