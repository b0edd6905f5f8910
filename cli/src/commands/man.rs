//! `odd man`

use std::path::PathBuf;

use crate::context::Context;
use crate::error::Error;
use crate::exit::ExitCode;

/// Write manual pages.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Write odd.1 and one page a command into this directory, instead of odd.1 to standard output
    #[arg(long, value_name = "DIRECTORY")]
    dir: Option<PathBuf>,
}

/// A manual page leaves out what short help hides, unless there is a long one.
fn with_long_help(command: clap::Command) -> clap::Command {
    let longer = |arg: clap::Arg| match (arg.get_help().cloned(), arg.get_long_help()) {
        (Some(help), None) => arg.long_help(help),
        _ => arg,
    };
    command.mut_args(longer).mut_subcommands(with_long_help)
}

/// Writes one page to standard output, or all of them to a directory.
pub fn run(context: &Context, args: &Args) -> Result<ExitCode, Error> {
    let command = with_long_help(crate::args::command());
    let Some(directory) = &args.dir else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command)
            .render(&mut page)
            .map_err(|e| Error::new("write the manual page", e))?;
        context.printer.raw(&page);
        return Ok(ExitCode::Ok);
    };
    let failed = |e: std::io::Error| Error::new(format!("write manual pages to {}", directory.display()), e);
    std::fs::create_dir_all(directory).map_err(failed)?;
    clap_mangen::generate_to(command, directory).map_err(failed)?;
    context
        .printer
        .note(&format!("manual pages are in {}", directory.display()));
    Ok(ExitCode::Ok)
}
