//! `odd restart`

use std::time::Duration;

use odd_engine::docker::{self, ContainerState, Event, StartupReport};
use odd_engine::embedded;
use odd_engine::kubernetes::{self, cluster};
use serde::Serialize;

use crate::context::Context;
use crate::engine::Engine;
use crate::error::{Error, of_instance};
use crate::exit::ExitCode;
use crate::format;

/// Stop parts of the observatory, start them again, and wait until they are ready.
///
/// On Docker and Kubernetes any service can be named, such as a role or a server; on the embedded engine every role is in one process,
/// which is started anew as a whole. No job is lost by either.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Roles or other services; all of them where none is named
    #[arg(value_name = "ROLE")]
    services: Vec<String>,
    /// Seconds that it may take
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    timeout: u64,
}

/// Version 1 of the answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    version: u32,
    instance: &'a str,
    engine: &'static str,
    /// What was started anew.
    services: Vec<String>,
    took_ms: u64,
}

/// Restarts it.
pub async fn run(context: &Context, args: Args) -> Result<ExitCode, Error> {
    let limit = Duration::from_secs(args.timeout);
    let answer = match context.engine() {
        Engine::Docker => of_docker(context, &args.services, limit).await?,
        Engine::Embedded => of_embedded(context, &args.services, limit).await?,
        Engine::Kubernetes => of_cluster(context, &args.services, limit).await?,
    };
    let printer = &context.printer;
    if printer.is_json() {
        printer.json(&answer)?;
        return Ok(ExitCode::Ok);
    }
    printer.ok(&format!(
        "{} ready again in {}",
        answer.services.join(", "),
        format::duration(Duration::from_millis(answer.took_ms))
    ));
    Ok(ExitCode::Ok)
}

async fn of_docker<'a>(
    context: &'a Context,
    services: &[String],
    limit: Duration,
) -> Result<Answer<'a>, Error> {
    let (printer, name) = (&context.printer, context.instance_name());
    let bar = printer.progress(0, "restarting");
    bar.enable_steady_tick(Duration::from_millis(120));
    let restarted = docker::restart(&context.instance, services, limit, |event| match event {
        Event::WaitingForOther => bar.suspend(|| printer.note("  another command has the instance: waiting")),
        Event::Notice { text } => bar.suspend(|| printer.warn(&text)),
        Event::Container { service, state, .. } => {
            let word = match state {
                ContainerState::Stopping => "ends",
                ContainerState::Healthy => "is ready",
                _ => "starts",
            };
            bar.set_message(format!("{service} {word}"));
        }
        _ => {}
    })
    .await;
    bar.finish_and_clear();
    let report: StartupReport =
        restarted.map_err(|e| Error::from_engine(format!("restart the instance {name}"), e, name))?;
    let restarted = report.services.iter().filter(|service| !service.kept);
    Ok(Answer {
        version: 1,
        instance: name,
        engine: docker::NAME,
        services: restarted.map(|service| service.service.clone()).collect(),
        took_ms: report.took_ms,
    })
}

async fn of_cluster<'a>(
    context: &'a Context,
    services: &[String],
    limit: Duration,
) -> Result<Answer<'a>, Error> {
    let (printer, name) = (&context.printer, context.instance_name());
    let action = format!("restart the instance {name}");
    let Some(file) = context.cluster() else {
        return Err(Error::because(action, "it was put into no cluster from here")
            .code(ExitCode::Prerequisite)
            .hint(format!("odd up{}", of_instance(name))));
    };
    let bar = printer.progress(0, "restarting");
    bar.enable_steady_tick(Duration::from_millis(120));
    let tell = |event| match event {
        cluster::Event::Notice { text } => bar.suspend(|| printer.note(&format!("  {text}"))),
        cluster::Event::Rollout {
            waiting: Some(waiting),
            ..
        } => bar.set_message(waiting.to_string()),
        cluster::Event::Trouble(trouble) => {
            let text = format!(
                "{}: {}: {}",
                trouble.pod, trouble.symptom.reason, trouble.symptom.message
            );
            bar.suspend(|| printer.warn(&text));
        }
        _ => {}
    };
    let restarted = kubernetes::restart(&context.instance, file, services, limit, &tell).await;
    bar.finish_and_clear();
    let (services, took) = restarted.map_err(|error| Error::from_engine(action, error, name))?;
    Ok(Answer {
        version: 1,
        instance: name,
        engine: kubernetes::NAME,
        services,
        took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
    })
}

async fn of_embedded<'a>(
    context: &'a Context,
    services: &[String],
    limit: Duration,
) -> Result<Answer<'a>, Error> {
    let (name, of) = (context.instance_name(), of_instance(context.instance_name()));
    let action = format!("restart the instance {name}");
    let Some(process) = context.process() else {
        return Err(Error::because(action, "it does not run")
            .code(ExitCode::Prerequisite)
            .hint(format!("odd up{of}")));
    };
    if let Some(service) = services.first() {
        let reason = format!(
            "on the embedded engine every role is in one process, so {service} does not restart alone"
        );
        return Err(Error::because(action, reason)
            .code(ExitCode::Usage)
            .hint(format!("odd restart{of}")));
    }
    let failed = |e| Error::from_engine(action.clone(), e, name);
    let begin = std::time::Instant::now();
    // It shall listen where it did, wherever that was.
    let mut instance = context.instance.clone();
    let moved = process
        .ports
        .iter()
        .find_map(|(role, port)| port.checked_sub(role.default_port()));
    instance.port_offset = moved.unwrap_or(instance.port_offset);
    let stop = embedded::DownOptions {
        deadline: limit,
        volumes: false,
    };
    embedded::down(&instance, &stop, |_| {}).await.map_err(failed)?;
    let start = embedded::UpOptions {
        program: std::env::current_exe().map_err(|e| Error::new("find the odd binary", e))?,
        deadline: limit,
    };
    let running = embedded::up(&instance, &start, |_| {}).await.map_err(failed)?;
    Ok(Answer {
        version: 1,
        instance: name,
        engine: embedded::NAME,
        services: running.process.ports.keys().map(ToString::to_string).collect(),
        took_ms: u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX),
    })
}
