//! Starting an instance in a Kubernetes cluster.

use std::sync::Mutex;
use std::time::Duration;

use odd_contracts::Role;
use odd_engine::compose::Source;
use odd_engine::kubernetes::cluster::{Event, ObjectRef, Step};
use odd_engine::kubernetes::{self, ClusterFile, Prepared, Up, UpOptions, forwarding};
use odd_engine::platform;
use serde::Serialize;

use super::choose::Choice;
use super::pods::Board;
use super::{Args, RoleUrl};
use crate::args::OutputForm;
use crate::context::Context;
use crate::error::{Error, of_instance};
use crate::exit::ExitCode;
use crate::format;
use crate::pages::{self, Page};
use crate::prompt::CursorGuard;

/// The profile of administrative pages, the only one there is.
const TOOLS: &str = "tools";

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
    context: &'a str,
    namespace: &'a str,
    state: &'static str,
    changed: bool,
    took_ms: u64,
    roles: Vec<RoleUrl>,
    urls: &'a [Page],
    /// What was to be done with each object.
    steps: &'a [Step],
    /// Objects that were wanted no more.
    leftovers: &'a [ObjectRef],
}

/// Starts it, shows how it comes about, forwards its ports, and prints where everything is.
pub(super) async fn run(
    context: &Context,
    choice: &Choice,
    args: &Args,
    limit: Duration,
) -> Result<ExitCode, Error> {
    let printer = &context.printer;
    let options = wanted(context, args, limit)?;
    let board = Mutex::new(Board::new(printer, choice.why.clone()));
    let stream = printer.form() == OutputForm::Ndjson;
    let tell = |event: Event| {
        if stream {
            // A reader that has gone is seen at the end.
            let _ = printer.json_line(&event);
        } else if let Ok(mut board) = board.lock() {
            board.event(&event);
        }
    };
    let work = async {
        let prepared = kubernetes::prepare(&context.instance, &options, &tell)
            .await
            .map_err(|error| failed(context, error))?;
        if args.docker.dry_run {
            answer(context, &prepared, None)?;
            return Ok(ExitCode::Ok);
        }
        if !may_change(context, args, &prepared).await? {
            printer.note("nothing was changed");
            return Ok(ExitCode::Failed);
        }
        let carried = prepared.carry_out(&tell).await;
        if let Ok(mut board) = board.lock() {
            board.finish();
        }
        let up = carried.map_err(|error| failed(context, error))?;
        let program = super::program()?;
        let forwarded = forwarding::start(&context.instance, &program).await;
        forwarded.map_err(|error| failed(context, error))?;
        answer(context, &prepared, Some(&up))?;
        Ok(ExitCode::Ok)
    };
    tokio::select! {
        done = work => done,
        () = platform::interrupted() => {
            let mut touched = stream;
            if let Ok(mut board) = board.lock() {
                board.finish();
                touched |= board.touched;
            }
            super::docker::interrupted(context, touched);
            Ok(ExitCode::Interrupted)
        }
    }
}

/// What is asked for, on top of what the running instance was asked for: `up` again without flags changes nothing.
fn wanted(context: &Context, args: &Args, limit: Duration) -> Result<UpOptions, Error> {
    let profiles = &args.docker.profile;
    if let Some(other) = profiles.iter().find(|profile| *profile != TOOLS) {
        let action = format!("start the instance {}", context.instance_name());
        return Err(
            Error::because(action, format!("there is no profile {other}; there is {TOOLS}"))
                .code(ExitCode::Usage)
                .hint(format!(
                    "odd up{} --profile {TOOLS}",
                    of_instance(context.instance_name())
                )),
        );
    }
    let file = context.cluster();
    let mut scale = file.map(|file| file.scale.clone()).unwrap_or_default();
    scale.extend(args.docker.scale.iter().cloned());
    let image = args.cluster.image.clone();
    Ok(UpOptions {
        context: args
            .cluster
            .context
            .clone()
            .or_else(|| file.map(|file| file.context.clone())),
        kubeconfig: file.and_then(|file| file.kubeconfig.clone()),
        source: args
            .docker
            .project_dir
            .clone()
            .map_or(Source::Embedded, Source::Directory),
        renderer: None,
        tools: !profiles.is_empty() || file.is_some_and(|file| file.tools),
        image: image.or_else(|| file.and_then(|file| file.image.clone())),
        scale,
        force: args.cluster.force_conflicts,
        wait_timeout: limit,
    })
}

/// Whether the cluster may be changed: asked before the first change of it by this instance.
async fn may_change(context: &Context, args: &Args, prepared: &Prepared) -> Result<bool, Error> {
    let cluster = prepared.cluster();
    let known = |file: &ClusterFile| file.context == cluster.context;
    if args.cluster.yes || !prepared.changes_anything() || context.cluster().is_some_and(known) {
        return Ok(true);
    }
    let action = format!("change the cluster of context {}", cluster.context);
    if !context.printer.is_interactive() {
        let of = of_instance(context.instance_name());
        return Err(Error::because(action, "there is no terminal to confirm it on")
            .code(ExitCode::Usage)
            .hint(format!(
                "odd up{of} --context {} --yes   (--dry-run shows what would be done)",
                cluster.context
            )));
    }
    let question = format!(
        "Put the instance {} into the cluster of context {} ({}), namespace {}?",
        context.instance_name(),
        cluster.context,
        cluster.server,
        prepared.namespace()
    );
    let ask = move || {
        dialoguer::Confirm::new()
            .with_prompt(question)
            .default(false)
            .interact()
    };
    let _cursor = CursorGuard;
    let answer = tokio::task::spawn_blocking(ask)
        .await
        .map_err(|error| Error::new(action.clone(), error))?;
    answer.map_err(|error| Error::new(action, error))
}

fn failed(context: &Context, error: odd_engine::EngineError) -> Error {
    let name = context.instance_name();
    Error::from_engine(format!("start the instance {name}"), error, name)
}

/// Prints what was done, or what would be done.
fn answer(context: &Context, prepared: &Prepared, up: Option<&Up>) -> Result<(), Error> {
    let printer = &context.printer;
    let pages = pages::of_cluster(&context.instance, up.is_some_and(|up| up.file.tools));
    let took = up.map(|up| up.took).unwrap_or_default();
    if printer.is_json() {
        let roles = Role::ALL.into_iter().filter(|role| role.is_public());
        let url = |role| format!("http://127.0.0.1:{}", context.instance.port(role));
        return printer.json(&Answer {
            event: (printer.form() == OutputForm::Ndjson).then_some("answer"),
            version: 1,
            instance: context.instance_name(),
            engine: kubernetes::NAME,
            context: &prepared.cluster().context,
            namespace: prepared.namespace(),
            state: if up.is_some() { "running" } else { "planned" },
            changed: up.is_some_and(|up| up.changed),
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            roles: roles.map(|role| RoleUrl { role, url: url(role) }).collect(),
            urls: &pages,
            steps: &prepared.steps,
            leftovers: &prepared.leftovers,
        });
    }
    let Some(up) = up else {
        super::pods::show_plan(printer, prepared);
        return Ok(());
    };
    let name = context.instance_name();
    match up.changed {
        true => printer.ok(&format!("{name} ready in {}", format::duration(took))),
        false => printer.ok(&format!("{name} runs already, as it shall")),
    }
    super::places(context, &pages);
    Ok(())
}
