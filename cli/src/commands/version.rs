//! `odd version`

use serde::Serialize;

use crate::context::Context;
use crate::error::Error;
use crate::exit::ExitCode;

/// Show the version of everything that has one.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Version 1 of the answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    version: u32,
    release: &'static str,
    contract_version: &'static str,
    os: &'static str,
    arch: &'static str,
}

/// Prints it.
pub fn run(context: &Context, _args: &Args) -> Result<ExitCode, Error> {
    let answer = Answer {
        version: 1,
        release: odd_contracts::VERSION,
        contract_version: odd_contracts::CONTRACT_VERSION,
        os: std::env::consts::OS,
        arch: std::env::consts::ARCH,
    };
    if context.printer.is_json() {
        context.printer.json(&answer)?;
    } else {
        context.printer.line(&format!("odd        {}", answer.release));
        context
            .printer
            .line(&format!("contracts  {}", answer.contract_version));
        context
            .printer
            .line(&format!("platform   {} {}", answer.os, answer.arch));
    }
    Ok(ExitCode::Ok)
}
