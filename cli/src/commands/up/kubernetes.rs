//! Starting an instance in a Kubernetes cluster.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use odd_contracts::Role;
use odd_engine::Instance;
use odd_engine::compose::Source;
use odd_engine::docker;
use odd_engine::kubernetes::cluster::{Event, ObjectRef, Step};
use odd_engine::kubernetes::kind::{self, KindOptions};
use odd_engine::kubernetes::{self, ClusterFile, Prepared, Renderer, Up, UpOptions, Variant};
use odd_engine::platform::{self, THEN};
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
use crate::settings::Origin;

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
    /// The cluster that would have to be made first, so that what is to be done with its objects is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    makes_cluster: Option<&'static str>,
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
    let local = super::choose::of_kind(context, args);
    refuse_another(context, args, local)?;
    let mut options = wanted(context, args, limit)?;
    let instance = placed(context);
    let program = super::program()?;
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
        if local {
            // What is missing here is told before a cluster is made for nothing.
            let renderer = Renderer::find(None).await;
            options.renderer = Some(renderer.map_err(|error| failed(context, error.into()))?);
            let wanted = of_kind(args, &program, &options);
            let ready = kind::ready(&instance, &wanted, &tell).await;
            let Some(ready) = ready.map_err(|error| failed(context, error))? else {
                finish(&board);
                would_make(context)?;
                return Ok(ExitCode::Ok);
            };
            options.context = Some(kind::CONTEXT.to_owned());
            options.kubeconfig = Some(ready.kubeconfig);
            options.keep_image = options.image.is_some();
            options.image = ready.image;
            options.kind = Some(kind::CLUSTER.to_owned());
        }
        let prepared = kubernetes::prepare(&instance, &options, &tell)
            .await
            .map_err(|error| failed(context, error))?;
        // Nothing may turn where somebody is asked, or reads.
        finish(&board);
        if args.docker.dry_run {
            answer(context, &prepared, None)?;
            return Ok(ExitCode::Ok);
        }
        if !local && !may_change(context, args, &prepared).await? {
            printer.note("nothing was changed");
            return Ok(ExitCode::Failed);
        }
        if let Ok(mut board) = board.lock() {
            board.resume();
        }
        let carried = prepared.carry_out(Some(&program), &tell).await;
        finish(&board);
        let up = carried.map_err(|error| failed(context, error))?;
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
            if local {
                give_up(context, &instance).await;
                // What was made so far is the instance's.
                touched |= matches!(ClusterFile::of(&instance), Ok(Some(_)));
            }
            super::docker::interrupted(context, touched);
            Ok(ExitCode::Interrupted)
        }
    }
}

fn finish(board: &Mutex<Board>) {
    if let Ok(mut board) = board.lock() {
        board.finish();
    }
}

/// An instance is in one cluster: in another one, nobody would find what it left.
fn refuse_another(context: &Context, args: &Args, local: bool) -> Result<(), Error> {
    let asked = match local {
        true => Some(kind::CONTEXT),
        false => args.cluster.context.as_deref(),
    };
    let (Some(file), Some(asked)) = (context.cluster().filter(|file| file.up), asked) else {
        return Ok(());
    };
    if file.context == asked {
        return Ok(());
    }
    let flags = match local {
        true => format!("--engine {}", kind::NAME),
        false => format!("--context {asked}"),
    };
    let of = of_instance(context.instance_name());
    let action = format!("start the instance {}", context.instance_name());
    let reason = format!(
        "it is in the cluster of context {}, and {asked} is asked for",
        file.context
    );
    Err(Error::because(action, reason)
        .code(ExitCode::Prerequisite)
        .hint(format!(
            "odd down{of}{THEN}odd up{of} {flags}   (or another instance: --instance NAME)"
        )))
}

/// The instance at the ports that it has, where nothing else is asked for.
fn placed(context: &Context) -> Instance {
    let mut instance = context.instance.clone();
    if context.settings.port_offset.origin == Origin::Default
        && let Some(file) = context.cluster().filter(|file| file.up)
    {
        instance.port_offset = file.port_offset;
    }
    instance
}

/// The kubeconfig that was named, which later commands take whatever is named then; none where several are, or the usual one.
fn kubeconfig() -> Option<PathBuf> {
    let named = std::env::var_os("KUBECONFIG").filter(|named| !named.is_empty())?;
    let mut paths = std::env::split_paths(&named);
    let first = paths.next()?;
    paths
        .next()
        .is_none()
        .then(|| std::path::absolute(&first).unwrap_or(first))
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
        kubeconfig: file
            .filter(|file| file.up)
            .and_then(|file| file.kubeconfig.clone())
            .or_else(kubeconfig),
        source: args
            .docker
            .project_dir
            .clone()
            .map_or(Source::Embedded, Source::Directory),
        kind: file.filter(|file| file.up).and_then(|file| file.kind.clone()),
        keep_image: true,
        renderer: None,
        tools: !profiles.is_empty() || file.is_some_and(|file| file.tools),
        image: image.or_else(|| file.and_then(|file| file.image.clone())),
        scale,
        force: args.cluster.force_conflicts,
        wait_timeout: limit,
    })
}

/// The program that makes clusters on this machine.
pub(in crate::commands) fn kind_program() -> PathBuf {
    PathBuf::from(kind::NAME)
}

fn of_kind(args: &Args, program: &Path, options: &UpOptions) -> KindOptions {
    KindOptions {
        kind: kind_program(),
        roles: docker::UpOptions {
            program: program.to_owned(),
            project_dir: args.docker.project_dir.clone(),
            offline: false,
            build: false,
            profiles: Vec::new(),
            scale: std::collections::BTreeMap::new(),
            wait_timeout: options.wait_timeout,
            dry_run: args.docker.dry_run,
        },
        image: options.image.clone(),
        dry_run: args.docker.dry_run,
    }
}

/// Removes what is left of a cluster that was about to be made.
async fn give_up(context: &Context, instance: &Instance) {
    let printer = &context.printer;
    match kind::give_up(&instance.home, &kind_program()).await {
        Ok(true) => printer.note(&format!("the cluster {} was not made", kind::CLUSTER)),
        Ok(false) => {}
        Err(error) => printer.warn(&format!(
            "a part of the cluster {} may be left: {}; the next start removes it",
            kind::CLUSTER,
            odd_engine::error::chain(&error)
        )),
    }
}

/// Tells what a start would do where there is no cluster to compare with.
fn would_make(context: &Context) -> Result<(), Error> {
    let printer = &context.printer;
    if printer.is_json() {
        let pages = pages::of_cluster(context.instance.port_offset, false);
        return printer.json(&Answer {
            event: (printer.form() == OutputForm::Ndjson).then_some("answer"),
            version: 1,
            instance: context.instance_name(),
            engine: kubernetes::NAME,
            context: kind::CONTEXT,
            namespace: &Variant::namespace(&context.instance.name),
            makes_cluster: Some(kind::CLUSTER),
            state: "planned",
            changed: false,
            took_ms: 0,
            roles: roles(context.instance.port_offset),
            urls: &pages,
            steps: &[],
            leftovers: &[],
        });
    }
    printer.line(&format!(
        "kind would make the cluster {}, and everything in it; `odd export k8s` shows what that is",
        kind::CLUSTER
    ));
    Ok(())
}

/// Whether the cluster may be changed: asked before the first change of it by this instance.
async fn may_change(context: &Context, args: &Args, prepared: &Prepared) -> Result<bool, Error> {
    let cluster = prepared.cluster();
    let known = |file: &ClusterFile| file.up && file.is_of(cluster);
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
    let there = match prepared.joins {
        true => " (which is there, started from elsewhere or before)",
        false => "",
    };
    let question = format!(
        "Put the instance {} into the cluster of context {} ({}), namespace {}{there}?",
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

/// Where roles are that are called from outside.
fn roles(offset: u16) -> Vec<RoleUrl> {
    let roles = Role::ALL.into_iter().filter(|role| role.is_public());
    let url = |role: Role| format!("http://127.0.0.1:{}", role.default_port().saturating_add(offset));
    roles.map(|role| RoleUrl { role, url: url(role) }).collect()
}

/// Prints what was done, or what would be done.
fn answer(context: &Context, prepared: &Prepared, up: Option<&Up>) -> Result<(), Error> {
    let printer = &context.printer;
    let offset = up.map_or(context.instance.port_offset, |up| up.file.port_offset);
    let pages = pages::of_cluster(offset, up.is_some_and(|up| up.file.tools));
    let took = up.map(|up| up.took).unwrap_or_default();
    if printer.is_json() {
        return printer.json(&Answer {
            event: (printer.form() == OutputForm::Ndjson).then_some("answer"),
            version: 1,
            instance: context.instance_name(),
            engine: kubernetes::NAME,
            context: &prepared.cluster().context,
            namespace: prepared.namespace(),
            makes_cluster: None,
            state: if up.is_some() { "running" } else { "planned" },
            changed: up.is_some_and(|up| up.changed),
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            roles: roles(offset),
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
