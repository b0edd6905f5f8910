//! `odd status`

mod docker;
mod embedded;
mod kubernetes;

use crate::context::Context;
use crate::engine::Engine;
use crate::error::Error;
use crate::exit::ExitCode;

/// Show whether the observatory runs, and each part of it.
///
/// That it is stopped is an answer like any other, so the exit code is 0 in every state; with --check it is 0 only where
/// every part takes work, and 1 otherwise.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Exit with 1 unless every part takes work
    #[arg(long)]
    check: bool,
}

/// Asks and prints.
pub async fn run(context: &Context, args: Args) -> Result<ExitCode, Error> {
    let works = match context.engine() {
        Engine::Embedded => embedded::run(context).await?,
        Engine::Docker => docker::run(context).await?,
        Engine::Kubernetes => kubernetes::run(context).await?,
    };
    Ok(if works || !args.check {
        ExitCode::Ok
    } else {
        ExitCode::Failed
    })
}
