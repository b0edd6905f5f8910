//! Starting the embedded engine.

use std::time::Duration;

use odd_engine::embedded::{self, Running, UpEvent, UpOptions};
use serde::Serialize;

use super::RoleUrl;
use super::choose::Choice;
use crate::context::Context;
use crate::error::{Error, of_instance};
use crate::exit::ExitCode;
use crate::format;
use crate::output::Printer;
use crate::pages::{self, Page};

/// Version 1 of the answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    version: u32,
    instance: &'a str,
    engine: &'a str,
    state: &'static str,
    already_running: bool,
    pid: u32,
    took_ms: f64,
    roles: Vec<RoleUrl>,
    urls: &'a [Page],
}

/// Starts it and prints where everything is. Ctrl-C ends what was started.
pub(super) async fn run(context: &Context, choice: &Choice, deadline: Duration) -> Result<ExitCode, Error> {
    tokio::select! {
        result = start(context, choice, deadline) => result,
        () = odd_engine::platform::interrupted() => Ok(ExitCode::Interrupted),
    }
}

async fn start(context: &Context, choice: &Choice, deadline: Duration) -> Result<ExitCode, Error> {
    let printer = &context.printer;
    let options = UpOptions {
        program: super::program()?,
        deadline,
    };
    let why = choice.why.as_ref().map(|why| format!(" ({why})"));
    printer.note(&format!(
        "  engine     embedded: one process, SQLite{}",
        why.unwrap_or_default()
    ));
    let spinner = printer.progress(0, "starting");
    let started = embedded::up(&context.instance, &options, |event| {
        spinner.suspend(|| report(printer, &event));
    })
    .await;
    spinner.finish_and_clear();
    let name = context.instance_name();
    let running = started.map_err(|e| Error::from_engine(format!("start the instance {name}"), e, name))?;
    answer(context, &running)?;
    Ok(ExitCode::Ok)
}

fn report(printer: &Printer, event: &UpEvent) {
    match event {
        UpEvent::WaitingForOther => printer.note("  another command is starting or stopping it: waiting"),
        UpEvent::Recovered { pid } => {
            printer.warn(&format!(
                "process {pid} ended without clearing up: taking over its data"
            ));
        }
        UpEvent::Started { .. } => {}
        UpEvent::RoleReady { role, after } => {
            printer.ok(&format!("{role:<15} {}", format::duration(*after)));
        }
    }
}

fn answer(context: &Context, running: &Running) -> Result<(), Error> {
    let printer = &context.printer;
    let process = &running.process;
    let roles = process.ports.keys();
    let roles: Vec<RoleUrl> = roles
        .filter_map(|role| {
            Some(RoleUrl {
                role: *role,
                url: process.url(*role)?,
            })
        })
        .collect();
    let pages = pages::of_process(process);
    if printer.is_json() {
        return printer.json(&Answer {
            version: 1,
            instance: context.instance_name(),
            engine: &process.engine,
            state: "running",
            already_running: running.already,
            pid: process.pid,
            took_ms: running.took.as_secs_f64() * 1e3,
            roles,
            urls: &pages,
        });
    }
    if running.already {
        printer.note(&format!(
            "  already running as process {}; nothing was changed",
            process.pid
        ));
        differs(context, running);
    } else {
        printer.note(&format!("  ready in {}", format::duration(running.took)));
    }
    super::places(context, &pages);
    Ok(())
}

/// What was asked for and is not so, because the instance ran before.
fn differs(context: &Context, running: &Running) {
    let process = &running.process;
    let of = of_instance(context.instance_name());
    let remedy = format!("`odd down{of}`, then `odd up{of}` again");
    if process.release != odd_contracts::VERSION {
        let (theirs, ours) = (&process.release, odd_contracts::VERSION);
        context
            .printer
            .warn(&format!("it runs version {theirs}, this is {ours}: {remedy}"));
    }
    let set = context.settings.port_offset.origin != crate::settings::Origin::Default;
    let moved = process
        .ports
        .iter()
        .any(|(role, port)| context.instance.port(*role) != *port);
    if set && moved {
        context
            .printer
            .warn(&format!("it runs on other ports than asked for: {remedy}"));
    }
}
