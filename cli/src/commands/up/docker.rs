//! Starting the stack on a Docker engine.

use std::time::Duration;

use odd_contracts::Role;
use odd_engine::Instance;
use odd_engine::docker::{self, DockerError, Event, Plan, StackFile, StartupReport, Up, UpOptions};
use odd_engine::error::EngineError;
use serde::Serialize;

use super::board::Board;
use super::choose::Choice;
use super::{DockerArgs, RoleUrl, report};
use crate::args::OutputForm;
use crate::context::Context;
use crate::error::{Error, of_instance};
use crate::exit::ExitCode;
use crate::pages::{self, Page};

/// Version 1 of the answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    /// Tells it from the events before it, where it is the last line of many.
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<&'static str>,
    version: u32,
    instance: &'a str,
    engine: &'static str,
    state: &'static str,
    already_running: bool,
    changed: bool,
    offline: bool,
    took_ms: u64,
    roles: Vec<RoleUrl>,
    urls: &'a [Page],
    plan: &'a Plan,
    report: &'a StartupReport,
}

/// Longest time that an engine may take to answer what it was asked for before Ctrl-C.
const SETTLE: Duration = Duration::from_secs(5);

/// Starts it, shows how it comes about, and prints where everything is.
pub(super) async fn run(
    context: &Context,
    choice: &Choice,
    args: &DockerArgs,
    limit: Duration,
) -> Result<ExitCode, Error> {
    let (printer, name) = (&context.printer, context.instance_name());
    let (instance, options) = wanted(context, args, limit)?;
    let stream = printer.form() == OutputForm::Ndjson;
    let mut board = Board::new(printer, choice.why.clone());
    let starting = docker::up(&instance, &options, |event: Event| {
        if stream {
            // A reader that has gone is seen at the end.
            let _ = printer.json_line(&event);
        } else {
            board.event(&event);
        }
    });
    let started = tokio::select! {
        started = starting => started,
        () = odd_engine::platform::interrupted() => {
            board.finish();
            // What was asked of the engine is done in any case, and no command may come in between. Who is in a hurry says so again.
            tokio::select! {
                () = docker::settled(SETTLE) => {}
                () = odd_engine::platform::interrupted() => {}
            }
            interrupted(context, board.touched || stream);
            return Ok(ExitCode::Interrupted);
        }
    };
    board.finish();
    let up = started.map_err(|error| failed(error, board.told, name))?;
    answer(context, &up, args)?;
    Ok(ExitCode::Ok)
}

/// What is asked for, on top of what the running stack was asked for: `up` again without flags changes nothing.
fn wanted(context: &Context, args: &DockerArgs, limit: Duration) -> Result<(Instance, UpOptions), Error> {
    let stack = context.stack();
    let mut instance = context.instance.clone();
    if context.settings.port_offset.origin == crate::settings::Origin::Default
        && let Some(offset) = stack.and_then(offset_of)
    {
        instance.port_offset = offset;
    }
    let mut profiles = args.profile.clone();
    profiles.extend(stack.iter().flat_map(|stack| stack.profiles.clone()));
    profiles.sort();
    profiles.dedup();
    let mut scale = stack.map(|stack| stack.scale.clone()).unwrap_or_default();
    scale.extend(args.scale.iter().cloned());
    let options = UpOptions {
        program: super::program()?,
        project_dir: args.project_dir.clone(),
        offline: args.offline || stack.is_some_and(|stack| stack.offline),
        build: args.build,
        profiles,
        scale,
        wait_timeout: limit,
        dry_run: args.dry_run,
    };
    Ok((instance, options))
}

/// The port offset that a stack was started with, where it has a role that tells.
fn offset_of(stack: &StackFile) -> Option<u16> {
    Role::ALL.into_iter().find_map(|role| {
        let port = stack.ports.get(role.name())?;
        port.checked_sub(role.default_port())
    })
}

fn failed(error: EngineError, told: bool, name: &str) -> Error {
    let in_trouble =
        matches!(&error, EngineError::Docker(error) if matches!(**error, DockerError::Failed { .. }));
    let mut error = Error::from_engine(format!("start the instance {name}"), error, name);
    if in_trouble && told {
        error.details.clear();
    }
    error
}

pub(super) fn interrupted(context: &Context, touched: bool) {
    let (printer, of) = (&context.printer, of_instance(context.instance_name()));
    if touched {
        printer.warn(&format!(
            "interrupted: what was started so far is left; `odd up{of}` goes on from there, `odd down{of}` removes it"
        ));
    } else {
        printer.warn("interrupted: nothing was started");
    }
}

fn answer(context: &Context, up: &Up, args: &DockerArgs) -> Result<(), Error> {
    let printer = &context.printer;
    let pages = pages::of_stack(&up.stack);
    if printer.is_json() {
        return printer.json(&Answer {
            event: (printer.form() == OutputForm::Ndjson).then_some("answer"),
            version: 1,
            instance: context.instance_name(),
            engine: docker::NAME,
            state: if args.dry_run { "planned" } else { "running" },
            already_running: !up.changed,
            changed: up.changed && !args.dry_run,
            offline: up.stack.offline,
            took_ms: up.report.took_ms,
            roles: roles(&up.stack),
            urls: &pages,
            plan: &up.plan,
            report: &up.report,
        });
    }
    if args.dry_run {
        report::plan(printer, &up.plan);
        printer.note("  nothing was changed: this is what `odd up` would do");
        return Ok(());
    }
    if up.changed {
        printer.note(&format!("  {}", report::line(printer, &up.report)));
    } else {
        printer.note("  already running; nothing was changed");
    }
    if args.report {
        report::table(printer, &up.report);
    }
    super::places(context, &pages);
    Ok(())
}

fn roles(stack: &StackFile) -> Vec<RoleUrl> {
    let of_role = |role: Role| {
        let port = stack.ports.get(role.name())?;
        let url = format!("http://127.0.0.1:{port}");
        Some(RoleUrl { role, url })
    };
    Role::ALL.into_iter().filter_map(of_role).collect()
}
