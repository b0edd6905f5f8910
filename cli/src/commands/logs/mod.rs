//! `odd logs`

mod containers;
mod file;
mod line;
mod pods;

use crate::context::Context;
use crate::engine::Engine;
use crate::error::Error;
use crate::exit::ExitCode;

/// Show what the observatory logs
///
/// That is every role and, on Docker and Kubernetes, every server, in the order in which they wrote it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only lines of these roles or, where they are apart, servers
    #[arg(value_name = "ROLE")]
    services: Vec<String>,
    /// Go on with what is logged from now on
    #[arg(long, short = 'f')]
    follow: bool,
    /// Lines to begin with [default: 100, else 20 of each container]
    #[arg(long, short = 'n', value_name = "LINES")]
    tail: Option<usize>,
}

/// Prints the end of the log, and follows it.
pub async fn run(context: &Context, args: Args) -> Result<ExitCode, Error> {
    match context.engine() {
        Engine::Embedded => file::run(context, args).await,
        Engine::Docker => containers::run(context, args).await,
        Engine::Kubernetes => pods::run(context, args).await,
    }
}
