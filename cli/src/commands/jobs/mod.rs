//! `odd jobs`

mod cancel;
mod get;
mod list;
mod retry;

use crate::context::Context;
use crate::error::Error;
use crate::exit::ExitCode;

/// Look at jobs, cancel them, or run them again.
///
/// Wherever an ID is asked for, its first characters suffice: at least four, and enough that they mean one job only.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    List(list::Args),
    Get(get::Args),
    Cancel(cancel::Args),
    Retry(retry::Args),
}

const EXAMPLES: &str = "\
Examples:
  odd jobs list --status failed,retrying --since 10m
  odd jobs get 9f31c2ab
  odd jobs cancel 9f31c2ab --wait
  odd jobs retry 9f31c2ab --wait";

/// Runs what was asked for.
pub async fn run(context: &Context, args: Args) -> Result<ExitCode, Error> {
    match args.command {
        Command::List(args) => list::run(context, args).await,
        Command::Get(args) => get::run(context, args).await,
        Command::Cancel(args) => cancel::run(context, args).await,
        Command::Retry(args) => retry::run(context, args).await,
    }
}
