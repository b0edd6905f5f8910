//! `odd version`

use serde::Serialize;

use crate::build;
use crate::context::Context;
use crate::error::Error;
use crate::exit::ExitCode;

/// Show the version of everything that has one.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Version 1 of the answer. What the build was not told is null.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    version: u32,
    release: &'static str,
    commit: Option<&'static str>,
    commit_date: Option<&'static str>,
    contract_version: &'static str,
    rustc: Option<&'static str>,
    target: Option<&'static str>,
    os: &'static str,
    arch: &'static str,
}

/// Prints it.
pub fn run(context: &Context, _args: &Args) -> Result<ExitCode, Error> {
    let answer = Answer {
        version: 1,
        release: odd_contracts::VERSION,
        commit: build::COMMIT,
        commit_date: build::COMMIT_DATE,
        contract_version: odd_contracts::CONTRACT_VERSION,
        rustc: build::RUSTC,
        target: build::TARGET,
        os: std::env::consts::OS,
        arch: std::env::consts::ARCH,
    };
    if context.printer.is_json() {
        context.printer.json(&answer)?;
    } else {
        for (name, value) in rows(&answer) {
            context.printer.line(&format!("{name:<9}  {value}"));
        }
    }
    Ok(ExitCode::Ok)
}

/// For people; what others cut out of the first line are name and version.
fn rows(answer: &Answer) -> [(&'static str, String); 6] {
    let known = |value: Option<&str>| value.unwrap_or("unknown").to_owned();
    let commit = match (answer.commit, answer.commit_date) {
        (Some(commit), Some(date)) => format!("{commit}, {date}"),
        (commit, _) => known(commit),
    };
    [
        ("odd", answer.release.to_owned()),
        ("commit", commit),
        ("contracts", answer.contract_version.to_owned()),
        ("rustc", known(answer.rustc)),
        ("target", known(answer.target)),
        ("platform", format!("{} {}", answer.os, answer.arch)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer() -> Answer {
        Answer {
            version: 1,
            release: "1.2.3",
            commit: Some("0123456789ab"),
            commit_date: Some("2026-11-22T04:05:06Z"),
            contract_version: "1.1.0",
            rustc: Some("1.95.0 (59807616e 2026-04-14)"),
            target: Some("x86_64-unknown-linux-gnu"),
            os: "linux",
            arch: "x86_64",
        }
    }

    #[test]
    fn a_release_tells_its_commit_and_when_that_was() {
        let [(first, release), (second, commit), ..] = rows(&answer());
        assert_eq!((first, release.as_str()), ("odd", "1.2.3"));
        assert_eq!(
            (second, commit.as_str()),
            ("commit", "0123456789ab, 2026-11-22T04:05:06Z")
        );
    }

    #[test]
    fn what_the_build_was_not_told_is_unknown_and_null() {
        let untold = Answer {
            commit: None,
            commit_date: None,
            ..answer()
        };
        assert_eq!(rows(&untold)[1], ("commit", "unknown".to_owned()));
        let json = serde_json::to_value(&untold).expect("it is JSON");
        assert_eq!((&json["commit"], &json["commitDate"]), (&().into(), &().into()));
    }
}
