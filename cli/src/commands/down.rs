//! `odd down`

use std::path::PathBuf;
use std::time::Duration;

use odd_engine::docker::{self, ContainerState, DockerError, Event};
use odd_engine::embedded::{self, DownEvent};
use odd_engine::error::EngineError;
use odd_engine::kubernetes::{self, cluster};
use serde::Serialize;

use crate::context::Context;
use crate::engine::Engine;
use crate::error::{Error, of_instance};
use crate::exit::ExitCode;
use crate::format;
use crate::prompt::CursorGuard;

/// Stop the observatory and keep its data. What is stopped already stays so.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Also remove its data: jobs, events, metrics, logs, credentials, ledger; and the cluster that kind made, where nobody else is in it
    #[arg(long)]
    volumes: bool,
    /// Do not ask
    #[arg(long, short = 'y')]
    yes: bool,
    /// Ask no cluster, because it is gone: forget that the instance was put into it
    #[arg(long, conflicts_with = "volumes")]
    forget: bool,
    /// Seconds for work in hand to be finished or given back, before a process is killed
    #[arg(long, value_name = "SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u64).range(0..=3_600))]
    timeout: u64,
}

/// Version 1 of the answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    version: u32,
    instance: &'a str,
    engine: &'static str,
    state: &'static str,
    was_running: bool,
    killed: bool,
    removed: Option<PathBuf>,
    took_ms: f64,
    /// Containers that were removed.
    containers: Vec<String>,
    /// Docker volumes that were removed.
    volumes: Vec<String>,
    /// The cluster that was removed, where kind had made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<&'static str>,
    /// Whether kind knows of no such cluster.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    gone: bool,
}

/// Stops it.
pub async fn run(context: &Context, args: Args) -> Result<ExitCode, Error> {
    if args.volumes && !args.yes && !confirmed(context).await? {
        context.printer.note("nothing was changed");
        return Ok(ExitCode::Failed);
    }
    let engine = context.engine();
    // A process and a stack at once are what two engines left of each other; both are this instance's.
    let answer = match (engine, context.process(), context.stack()) {
        (Engine::Kubernetes, ..) => of_cluster(context, &args).await?,
        (Engine::Docker, ..) => of_docker(context, &args).await?,
        (Engine::Embedded, _, None) => of_embedded(context, &args).await?,
        (Engine::Embedded, ..) => {
            of_embedded(context, &args).await?;
            of_docker(context, &args).await?
        }
    };
    if context.printer.is_json() {
        context.printer.json(&answer)?;
    } else {
        tell(context, &answer, args.volumes);
    }
    Ok(ExitCode::Ok)
}

async fn of_embedded<'a>(context: &'a Context, args: &Args) -> Result<Answer<'a>, Error> {
    let (printer, name) = (&context.printer, context.instance_name());
    let options = embedded::DownOptions {
        deadline: Duration::from_secs(args.timeout),
        volumes: args.volumes,
    };
    let stopped = embedded::down(&context.instance, &options, |event| match event {
        DownEvent::WaitingForOther => printer.note(WAITING),
        DownEvent::Stopping { .. } => {}
        DownEvent::Killing { pid } => {
            printer.warn(&format!(
                "process {pid} did not end in {} s: killing it",
                args.timeout
            ));
        }
    })
    .await
    .map_err(|e| failed(e, name))?;
    Ok(Answer {
        version: 1,
        instance: name,
        engine: embedded::NAME,
        state: "stopped",
        was_running: stopped.pid.is_some(),
        killed: stopped.killed,
        removed: stopped.removed,
        took_ms: stopped.took.as_secs_f64() * 1e3,
        containers: Vec::new(),
        volumes: Vec::new(),
        cluster: None,
        gone: false,
    })
}

/// Takes it out of its cluster. That stays, unless kind made it and nobody else is in it.
async fn of_cluster<'a>(context: &'a Context, args: &Args) -> Result<Answer<'a>, Error> {
    let (printer, name) = (&context.printer, context.instance_name());
    let mut answer = Answer {
        version: 1,
        instance: name,
        engine: kubernetes::NAME,
        state: "stopped",
        was_running: false,
        killed: false,
        removed: None,
        took_ms: 0.0,
        containers: Vec::new(),
        volumes: Vec::new(),
        cluster: None,
        gone: false,
    };
    let options = kubernetes::DownOptions {
        deadline: Duration::from_secs(args.timeout).max(CLUSTER_PATIENCE),
        volumes: args.volumes,
        forget: args.forget,
        kind: super::up::kind_program(),
    };
    let directory = context.instance.directory();
    let had_directory = directory.exists();
    let bar = printer.progress(0, "removing");
    bar.enable_steady_tick(Duration::from_millis(120));
    let removed = kubernetes::down(&context.instance, &options, &|event| match event {
        cluster::Event::Notice { text } => bar.suspend(|| printer.note(&format!("  {text}"))),
        cluster::Event::Removed { object } => bar.set_message(format!("{object} is gone")),
        _ => {}
    })
    .await;
    bar.finish_and_clear();
    let removed = removed.map_err(|e| failed(e, name))?;
    answer.removed = (args.volumes && had_directory && !directory.exists()).then_some(directory);
    answer.was_running = removed.forwarded || !removed.objects.is_empty();
    answer.took_ms = removed.took.as_secs_f64() * 1e3;
    // The namespace goes with everything in it.
    let volumes = removed.objects.iter().filter(|object| object.kind == "Namespace");
    answer.volumes = volumes.map(ToString::to_string).collect();
    answer.gone = removed.gone;
    answer.cluster = removed.cluster.then_some(kubernetes::kind::CLUSTER);
    Ok(answer)
}

async fn of_docker<'a>(context: &'a Context, args: &Args) -> Result<Answer<'a>, Error> {
    let (printer, name) = (&context.printer, context.instance_name());
    let options = docker::DownOptions {
        deadline: Duration::from_secs(args.timeout),
        volumes: args.volumes,
    };
    let directory = context.instance.directory();
    let had_directory = directory.exists();
    let bar = printer.progress(0, "stopping");
    bar.enable_steady_tick(Duration::from_millis(120));
    let mut stopping = 0_usize;
    let stopped = docker::down(&context.instance, &options, |event| {
        bar.suspend(|| match &event {
            Event::WaitingForOther => printer.note(WAITING),
            Event::Notice { text } => printer.warn(text),
            _ => {}
        });
        if let Event::Container { state, .. } = event {
            match state {
                ContainerState::Stopping => stopping += 1,
                ContainerState::Removed => stopping = stopping.saturating_sub(1),
                _ => {}
            }
            bar.set_message(format!("{stopping} containers end"));
        }
    })
    .await;
    bar.finish_and_clear();
    let stopped = match stopped {
        Ok(stopped) => stopped,
        // Without an engine nothing runs that this instance could have left in it.
        Err(error) if context.stack().is_none() && !args.volumes && is_absent(&error) => {
            docker::Down::default()
        }
        Err(error) => return Err(failed(error, name)),
    };
    for container in &stopped.killed {
        printer.warn(&format!(
            "{container} did not end in {} s and was killed",
            args.timeout
        ));
    }
    Ok(Answer {
        version: 1,
        instance: name,
        engine: docker::NAME,
        state: "stopped",
        was_running: stopped.was_running,
        killed: !stopped.killed.is_empty(),
        removed: (args.volumes && had_directory && !directory.exists()).then_some(directory),
        took_ms: stopped.took.as_secs_f64() * 1e3,
        containers: stopped.containers,
        volumes: stopped.volumes,
        cluster: None,
        gone: false,
    })
}

/// Time for pods of a cluster to end, which have their own graceful end.
const CLUSTER_PATIENCE: Duration = Duration::from_secs(120);

const WAITING: &str = "  another command is starting or stopping it: waiting";

fn failed(error: EngineError, name: &str) -> Error {
    Error::from_engine(format!("stop the instance {name}"), error, name)
}

/// Whether there is no engine at all, as opposed to one that refuses.
fn is_absent(error: &EngineError) -> bool {
    matches!(error, EngineError::Docker(error) if matches!(
        **error,
        DockerError::NoEngine { .. } | DockerError::NotRunning { .. }
    ))
}

fn tell(context: &Context, answer: &Answer<'_>, volumes: bool) {
    let (printer, name) = (&context.printer, context.instance_name());
    if answer.was_running {
        let took = format::millis(answer.took_ms);
        let what = match answer.containers.len() {
            0 => String::new(),
            many => format!(" ({many} containers)"),
        };
        printer.ok(&format!("{name} stopped in {took}{what}"));
    } else {
        printer.note(&format!("{name} was not running"));
    }
    if !answer.volumes.is_empty() {
        printer.ok(&format!("removed {} volumes", answer.volumes.len()));
    }
    if let Some(cluster) = answer.cluster {
        printer.ok(&format!("removed the cluster {cluster}"));
    }
    if answer.gone {
        printer.note(&format!(
            "kind has no cluster {}: it is gone with everything in it, or another container engine is asked than before",
            kubernetes::kind::CLUSTER
        ));
    }
    match &answer.removed {
        Some(directory) => printer.ok(&format!("removed {}", directory.display())),
        None if volumes && answer.volumes.is_empty() => printer.note("there was no data to remove"),
        None if volumes => {}
        None if answer.gone => {}
        None if !answer.was_running && !context.instance.directory().exists() => {
            let directory = context.instance.directory();
            printer.note(&format!(
                "there is nothing of it: {} is not there",
                directory.display()
            ));
        }
        None => {
            let offline = context.stack().is_some_and(|stack| stack.offline);
            printer.note(&format!(
                "its data is kept; `odd up{}{}` goes on with it",
                of_instance(name),
                if offline { " --offline" } else { "" }
            ));
        }
    }
}

/// Asks a person; without one, `--yes` is needed.
async fn confirmed(context: &Context) -> Result<bool, Error> {
    let name = context.instance_name().to_owned();
    let action = format!("remove the data of the instance {name}");
    let of_cluster = context
        .cluster()
        .filter(|_| context.engine() == Engine::Kubernetes);
    let place = of_cluster.map_or_else(String::new, |file| {
        let cluster = match file.kind {
            Some(_) => ", and that cluster where nobody else is in it",
            None => "",
        };
        format!(
            ", with the namespace {} in the cluster of context {}{cluster}",
            file.namespace, file.context
        )
    });
    if !context.printer.is_interactive() {
        return Err(Error::because(action, "there is no terminal to confirm it on")
            .code(ExitCode::Usage)
            .hint(format!("odd down{} --volumes --yes", of_instance(&name))));
    }
    let ask = move || {
        dialoguer::Confirm::new()
            .with_prompt(format!(
                "Remove every job, event, metric and log of the instance {name}{place}?"
            ))
            .default(false)
            .interact()
    };
    let _cursor = CursorGuard;
    let answer = tokio::task::spawn_blocking(ask)
        .await
        .map_err(|e| Error::new(action.clone(), e))?;
    answer.map_err(|e| Error::new(action, e))
}
