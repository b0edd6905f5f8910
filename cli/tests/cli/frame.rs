//! Help, version, usage errors, completions, manual pages, outputs.

use std::process::{Command, Stdio};

use odd_testkit::Instance;
use serde_json::json;

use crate::instance;

/// Names of the commands, as the help lists them, without `help` itself.
fn commands(odd: &Instance) -> Vec<String> {
    let help = odd.run(["--help"]).expect_code(0).stdout;
    let (_, list) = help.split_once("Commands:\n").expect("a list of commands");
    let list = list.lines().take_while(|line| !line.trim().is_empty());
    let names = list.filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

#[test]
fn every_command_explains_itself_within_the_width_of_a_terminal() {
    let odd = instance();
    let commands = commands(&odd);
    assert!(commands.len() >= 12, "{commands:?}");
    for command in commands {
        let help = odd.run([command.as_str(), "--help"]).expect_code(0).stdout;
        assert!(help.contains(&format!("Usage: odd {command}")), "{help}");
        assert!(
            help.starts_with(char::is_uppercase),
            "{command} says what it does first: {help}"
        );
        let widest = help
            .lines()
            .map(|line| line.chars().count())
            .max()
            .unwrap_or_default();
        assert!(widest <= 100, "help of {command} is {widest} characters wide");
    }
}

#[test]
fn without_arguments_it_prints_help() {
    let odd = instance();
    let output = odd.run([""; 0]).expect_code(0);
    assert!(output.stdout.contains("Usage: odd"), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
}

#[test]
fn the_exit_codes_are_documented() {
    let help = instance().run(["--help"]).expect_code(0).stdout;
    let (_, table) = help.split_once("Exit codes:\n").unwrap();
    let table: String = table
        .lines()
        .take_while(|line| !line.is_empty())
        .map(|line| format!("{line}\n"))
        .collect();
    insta::assert_snapshot!(table, @r"
      0    done
      1    failed
      2    wrong usage
      3    something needed is missing: not running, a port taken, no access
      4    the job ended FAILED or CANCELLED (submit --wait)
      5    timed out
      6    a verification or gate failed
      130  interrupted
    ");
}

#[test]
fn wrong_usage_exits_with_2_and_says_what_is_right() {
    let odd = instance();
    let wrong: [&[&str]; 7] = [
        &["--nope"],
        &["nope"],
        &["status", "--nope"],
        &["logs", "gatewy"],
        &["serve"],
        &["up", "--timeout", "0"],
        &["status", "--output", "yaml"],
    ];
    for args in wrong {
        let output = odd.run(args).expect_code(2);
        assert!(output.stdout.is_empty(), "{args:?}: {output:?}");
        assert!(output.stderr.starts_with("error: "), "{args:?}: {output:?}");
    }
    let unknown = odd.run(["logs", "gatewy"]).stderr;
    assert!(
        unknown.contains("gateway, processor, metrics-engine, read-model and web"),
        "{unknown}"
    );
}

#[test]
fn the_version_is_for_people_and_programs() {
    let odd = instance();
    let short = odd.run(["--version"]).expect_code(0).stdout;
    assert_eq!(short.trim(), format!("odd {}", env!("CARGO_PKG_VERSION")));
    let answer = odd.run(["version", "--output", "json"]).expect_code(0).json();
    assert_eq!(answer["version"], 1);
    assert_eq!(answer["release"], env!("CARGO_PKG_VERSION"));
    // What tests run on is built without being told its commit, by the compiler that built the test.
    assert_eq!(
        (&answer["commit"], &answer["commitDate"]),
        (&json!(null), &json!(null))
    );
    let target = answer["target"].as_str().unwrap();
    assert!(target.contains(std::env::consts::ARCH), "{target}");
    let rustc = answer["rustc"].as_str().unwrap();
    assert!(rustc.starts_with(|c: char| c.is_ascii_digit()), "{rustc}");
    let lines = odd.run(["version"]).expect_code(0).stdout;
    assert_eq!(
        lines.lines().take(2).collect::<Vec<_>>(),
        [
            concat!("odd        ", env!("CARGO_PKG_VERSION")),
            "commit     unknown"
        ]
    );
}

#[test]
fn completions_and_manual_pages_know_every_command() {
    let odd = instance();
    let commands = commands(&odd);
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = odd.run(["completions", shell]).expect_code(0).stdout;
        assert!(commands.iter().all(|command| script.contains(command)), "{shell}");
    }
    let page = odd.run(["man"]).expect_code(0).stdout;
    assert!(page.contains(".TH odd 1"), "{page}");
    assert!(
        page.contains("Added to every port"),
        "what short help hides is there: {page}"
    );
    let directory = odd.home().join("pages");
    let _ = odd.run(["man", "--dir", "pages"]).expect_code(0);
    for command in commands {
        assert!(directory.join(format!("odd-{command}.1")).is_file(), "{command}");
    }
}

#[test]
fn help_is_a_command_too() {
    let odd = instance();
    let help = |args: &[&str]| odd.run(args).expect_code(0).stdout;
    assert_eq!(help(&["help", "submit"]), help(&["submit", "--help"]));
    assert_eq!(help(&["help", "jobs", "list"]), help(&["jobs", "list", "--help"]));
}

#[test]
fn the_bash_completion_is_valid_bash() {
    let odd = instance();
    let script = odd.run(["completions", "bash"]).expect_code(0).stdout;
    let path = odd.home().join("odd.bash");
    std::fs::write(&path, script).unwrap();
    let Ok(status) = Command::new("bash").arg("-n").arg(&path).status() else {
        return; // no bash on this machine
    };
    assert!(status.success());
}

#[cfg(unix)]
#[test]
fn a_reader_that_goes_away_is_no_error_and_a_full_disk_is_one() {
    let odd = instance();
    let mut child = odd
        .command(["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), output.stderr.as_slice()),
        (Some(0), b"".as_slice())
    );

    let Ok(full) = std::fs::File::options().write(true).open("/dev/full") else {
        return; // not on this system
    };
    let output = Instance::output_to(&mut odd.command(["version"]), full);
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.stderr.contains("standard output"), "{output:?}");
}

#[test]
fn colours_and_glyphs_follow_the_terminal_and_the_locale() {
    let odd = instance();
    let utf8 = odd.run(["status"]).expect_code(0).stdout;
    assert!(utf8.contains('◌') && !utf8.contains('\u{1b}'), "{utf8}");
    let mut ascii = odd.command(["status"]);
    ascii.env("LC_ALL", "C").env_remove("NO_COLOR");
    let ascii = Instance::output(&mut ascii).stdout;
    assert!(
        ascii.is_ascii(),
        "no colours for a pipe, no glyphs outside UTF-8: {ascii}"
    );
}
