//! `odd down`

use std::path::PathBuf;
use std::time::Duration;

use odd_engine::embedded::{self, DownEvent, DownOptions};
use serde::Serialize;

use crate::context::Context;
use crate::error::{Error, of_instance};
use crate::exit::ExitCode;
use crate::format;

/// Stop the observatory and keep its data. What is stopped already stays so.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Also remove its data: jobs, events, log, ledger
    #[arg(long)]
    volumes: bool,
    /// Do not ask
    #[arg(long, short = 'y')]
    yes: bool,
    /// Seconds for work in hand to be finished or given back, before the process is killed
    #[arg(long, value_name = "SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u64).range(0..=3_600))]
    timeout: u64,
}

/// Version 1 of the answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    version: u32,
    instance: &'a str,
    state: &'static str,
    was_running: bool,
    killed: bool,
    removed: Option<PathBuf>,
    took_ms: f64,
}

/// Stops it.
pub async fn run(context: &Context, args: Args) -> Result<ExitCode, Error> {
    let (printer, name) = (&context.printer, context.instance_name());
    if args.volumes && !args.yes && !confirmed(context)? {
        printer.note("nothing was changed");
        return Ok(ExitCode::Failed);
    }
    let options = DownOptions {
        deadline: Duration::from_secs(args.timeout),
        volumes: args.volumes,
    };
    let stopped = embedded::down(&context.instance, &options, |event| match event {
        DownEvent::WaitingForOther => printer.note("  another command is starting or stopping it: waiting"),
        DownEvent::Stopping { .. } => {}
        DownEvent::Killing { pid } => {
            printer.warn(&format!(
                "process {pid} did not end in {} s: killing it",
                args.timeout
            ));
        }
    })
    .await
    .map_err(|e| Error::from_engine(format!("stop the instance {name}"), e, name))?;
    if printer.is_json() {
        printer.json(&Answer {
            version: 1,
            instance: name,
            state: "stopped",
            was_running: stopped.pid.is_some(),
            killed: stopped.killed,
            removed: stopped.removed,
            took_ms: stopped.took.as_secs_f64() * 1e3,
        })?;
        return Ok(ExitCode::Ok);
    }
    match stopped.pid {
        Some(_) => printer.ok(&format!("{name} stopped in {}", format::duration(stopped.took))),
        None => printer.note(&format!("{name} was not running")),
    }
    match stopped.removed {
        Some(directory) => printer.ok(&format!("removed {}", directory.display())),
        None if args.volumes => printer.note("there was no data to remove"),
        None => printer.note(&format!(
            "its data is kept; `odd up{}` goes on with it",
            of_instance(name)
        )),
    }
    Ok(ExitCode::Ok)
}

/// Asks a person; without one, `--yes` is needed.
fn confirmed(context: &Context) -> Result<bool, Error> {
    let name = context.instance_name();
    let action = format!("remove the data of the instance {name}");
    if !context.printer.is_interactive() {
        return Err(Error::because(action, "there is no terminal to confirm it on")
            .code(ExitCode::Usage)
            .hint(format!("odd down{} --volumes --yes", of_instance(name))));
    }
    dialoguer::Confirm::new()
        .with_prompt(format!("Remove every job, event and log of the instance {name}?"))
        .default(false)
        .interact()
        .map_err(|e| Error::new(action, e))
}
