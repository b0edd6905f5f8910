//! `odd config`

use serde::Serialize;

use crate::context::Context;
use crate::error::Error;
use crate::exit::ExitCode;
use crate::output::Tone;

/// Show settings and where each comes from.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Show every setting
    Show {
        /// Also tell where each came from
        #[arg(long)]
        origin: bool,
    },
}

/// Version 1 of the answer.
#[derive(Debug, Serialize)]
struct Answer {
    version: u32,
    settings: Vec<Entry>,
}

#[derive(Debug, Serialize)]
struct Entry {
    name: &'static str,
    value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<String>,
}

/// Prints the settings.
pub fn run(context: &Context, args: &Args) -> Result<ExitCode, Error> {
    let Command::Show { origin } = args.command;
    let settings: Vec<Entry> = context
        .settings
        .list()
        .into_iter()
        .map(|(name, value, from)| Entry {
            name,
            value,
            origin: origin.then(|| from.to_string()),
        })
        .collect();
    let printer = &context.printer;
    if printer.is_json() {
        printer.json(&Answer { version: 1, settings })?;
        return Ok(ExitCode::Ok);
    }
    let rows = settings.iter().map(|entry| {
        let value = entry
            .value
            .clone()
            .unwrap_or_else(|| "(the instance's own)".to_owned());
        let mut row = vec![entry.name.to_owned(), value];
        row.extend(entry.origin.as_ref().map(|text| printer.paint(Tone::Muted, text)));
        row
    });
    printer.table(&[], rows);
    Ok(ExitCode::Ok)
}
