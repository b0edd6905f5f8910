//! `odd completions`

use clap_complete::Shell;

use crate::context::Context;
use crate::error::Error;
use crate::exit::ExitCode;

/// Write a completion script for a shell.
#[derive(Debug, clap::Args)]
#[command(after_help = "For bash: odd completions bash > ~/.local/share/bash-completion/completions/odd")]
pub struct Args {
    /// The shell
    shell: Shell,
}

/// Writes the script to standard output.
pub fn run(context: &Context, args: &Args) -> Result<ExitCode, Error> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut crate::args::command(), "odd", &mut script);
    context.printer.raw(&script);
    Ok(ExitCode::Ok)
}
