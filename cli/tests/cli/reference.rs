//! `docs/commands.md` is the help of every command, generated from the command line itself.

use std::fmt::Write as _;

use clap::Command;

use crate::workspace::{read, root};

const PATH: &str = "docs/commands.md";
/// Set, it writes the file anew instead of comparing.
const WRITE: &str = "ODD_UPDATE_COMMANDS";

const INTRODUCTION: &str = "\
# Commands

What every command says of itself with `--help`. This page is generated: a test compares it with the command line.
Every command also takes the global options of `odd` itself, and `-h` for a short help.
";

/// The page of a command and of those below it.
fn page(command: &Command, path: &str, into: &mut String) {
    let name = match path {
        "" => command.get_name().to_owned(),
        path => format!("{path} {}", command.get_name()),
    };
    // Global options and `--help` are on the first page only: those below are not told of them until the whole is built.
    let plain = command.clone().bin_name(&name).disable_help_flag(true);
    let help = plain.term_width(100).render_long_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    let text = lines.join("\n");
    write!(into, "\n## `{name}`\n\n```text\n{}\n```\n", text.trim_end()).expect("a string takes everything");
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        page(below, &name, into);
    }
}

fn generated() -> String {
    let mut text = INTRODUCTION.to_owned();
    page(&odd_cli::args::command(), "", &mut text);
    text
}

#[test]
fn the_reference_of_commands_is_their_help() {
    let generated = generated();
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(root().join(PATH), &generated).expect("the document can be written");
    }
    let commands = generated.matches("\n## `odd ").count();
    assert!(commands > 25, "only {commands} commands were found");
    assert!(
        read(PATH) == generated,
        "{PATH} is not what the commands say. To write it anew:\n    {WRITE}=1 cargo test -p odd --features odd/failpoints --test cli -- reference"
    );
}
