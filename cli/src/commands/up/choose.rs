//! Which engine a start is for, and why.

use std::time::Duration;

use odd_engine::docker::UpOptions;
use odd_engine::docker::image::Availability;
use odd_engine::doctor;
use odd_engine::error::chain;
use odd_engine::platform::THEN;

use super::Args;
use crate::context::Context;
use crate::engine::Engine;
use crate::error::{Error, of_instance};
use crate::exit::ExitCode;
use crate::prompt::CursorGuard;
use crate::settings::{EngineChoice, Origin};

/// An engine, and why it is the one.
pub(super) struct Choice {
    pub(super) engine: Engine,
    /// In words; none where it was asked for.
    pub(super) why: Option<String>,
}

impl Choice {
    fn asked(engine: Engine) -> Self {
        Self { engine, why: None }
    }

    fn because(engine: Engine, why: impl Into<String>) -> Self {
        Self {
            engine,
            why: Some(why.into()),
        }
    }
}

/// Why an engine is the one, where nothing was asked for.
const DATA: &str = "the instance has its data there";
/// Time that looking for an engine and its images may take.
const LIMIT: Duration = Duration::from_secs(5);

/// Chooses. None where a person was asked and gave up.
pub(super) async fn choose(context: &Context, args: &Args) -> Result<Option<Choice>, Error> {
    let (asked, origin) = match args.engine {
        Some(engine) => (engine, Origin::Flag("engine")),
        None => (
            context.settings.engine.value,
            context.settings.engine.origin.clone(),
        ),
    };
    let choice = asked;
    let asked = match asked {
        EngineChoice::Auto => None,
        EngineChoice::Docker => Some(Engine::Docker),
        EngineChoice::Embedded => Some(Engine::Embedded),
        EngineChoice::Kubernetes | EngineChoice::Kind => Some(Engine::Kubernetes),
    };
    let present = context.present();
    let choice = match (asked, present.running()) {
        (Some(asked), Some(running)) if asked != running => {
            return Err(runs_on_another(context, choice, running, &origin));
        }
        (Some(asked), _) => Choice::asked(asked),
        (None, Some(running)) => Choice::because(running, "the instance runs on it"),
        (None, None) => match (for_engine(args), present.engine()) {
            // Most flags of Docker are of a cluster too.
            (Some(_), Some(Engine::Kubernetes)) if args.docker.only_here().is_none() => {
                Choice::because(Engine::Kubernetes, DATA)
            }
            (Some((engine, flag)), _) => Choice::because(engine, format!("{flag} is for it")),
            (None, Some(last)) => Choice::because(last, DATA),
            (None, None) => return first(context, origin == Origin::Default).await,
        },
    };
    if let Some(error) = no_kind(context, args) {
        return Err(error);
    }
    match useless(choice.engine, args) {
        Some((of, flag)) => Err(only_on(context, choice.engine, of, flag)),
        None => Ok(Some(choice)),
    }
}

/// The engine that a flag is for, and the flag.
fn for_engine(args: &Args) -> Option<(Engine, &'static str)> {
    let cluster = args.cluster.given().map(|flag| (Engine::Kubernetes, flag));
    cluster.or_else(|| args.docker.given().map(|flag| (Engine::Docker, flag)))
}

/// The first flag that the engine has no use for, and an engine that has.
fn useless(engine: Engine, args: &Args) -> Option<(Engine, &'static str)> {
    match engine {
        Engine::Embedded => for_engine(args),
        Engine::Docker => args.cluster.given().map(|flag| (Engine::Kubernetes, flag)),
        Engine::Kubernetes => args.docker.only_here().map(|flag| (Engine::Docker, flag)),
    }
}

/// Whether kind is to make the cluster: it is asked for, or made the one that the instance is in.
pub(super) fn of_kind(context: &Context, args: &Args) -> bool {
    match args.engine.unwrap_or(context.settings.engine.value) {
        EngineChoice::Kind => true,
        EngineChoice::Auto | EngineChoice::Kubernetes if args.cluster.context.is_none() => {
            context.cluster().is_some_and(|file| file.kind.is_some())
        }
        _ => false,
    }
}

/// The cluster of kind has its own context.
fn no_kind(context: &Context, args: &Args) -> Option<Error> {
    args.cluster.context.as_ref().filter(|_| of_kind(context, args))?;
    let action = format!("start the instance {}", context.instance_name());
    let reason = "--engine kind makes a cluster of its own, and --context names one that is there";
    Some(Error::because(action, reason).code(ExitCode::Usage).hint(format!(
        "odd up{} --engine kubernetes --context NAME",
        of_instance(context.instance_name())
    )))
}

/// The first start of an instance for which nothing was chosen.
async fn first(context: &Context, ask: bool) -> Result<Option<Choice>, Error> {
    let choice = best(context).await?;
    let printer = &context.printer;
    if ask && choice.engine == Engine::Docker && printer.is_interactive() && !printer.is_json() {
        return prompt().await;
    }
    Ok(Some(choice))
}

/// Docker where an engine answers and the images are there or to be had, else embedded.
async fn best(context: &Context) -> Result<Choice, Error> {
    let options = UpOptions {
        program: super::program()?,
        project_dir: None,
        offline: false,
        build: false,
        profiles: Vec::new(),
        scale: std::collections::BTreeMap::new(),
        wait_timeout: LIMIT,
        dry_run: true,
    };
    let looking = tokio::time::timeout(LIMIT, doctor::images(&context.instance, &options, LIMIT / 2));
    Ok(match looking.await {
        Ok(Ok(found)) if found.is_complete() => Choice::because(Engine::Docker, had(&found)),
        Ok(Ok(found)) => Choice::because(Engine::Embedded, missing(&found)),
        Ok(Err(error)) => Choice::because(Engine::Embedded, chain(&error)),
        Err(_) => Choice::because(
            Engine::Embedded,
            format!("the Docker engine does not answer within {} s", LIMIT.as_secs()),
        ),
    })
}

fn had(found: &Availability) -> String {
    let how = match (found.pull.is_empty(), found.build.is_empty()) {
        (true, true) => "its images are there",
        (true, false) => "its images are there or can be built",
        (false, _) => "its images are there or can be pulled",
    };
    format!("an engine answers and {how}")
}

fn missing(found: &Availability) -> String {
    let why = match &found.registry {
        Some(Err(why)) => why.as_str(),
        _ => "they are not to be had",
    };
    format!(
        "a Docker engine answers, but {} of its images are not there: {why}; `odd up --offline` builds them from Debian packages",
        found.pull.len()
    )
}

async fn prompt() -> Result<Option<Choice>, Error> {
    let ask = || {
        dialoguer::Select::new()
            .with_prompt("What shall it run on")
            .items([
                "docker     RabbitMQ, PostgreSQL, MongoDB, Redis, Prometheus and Grafana, every role in a container",
                "embedded   one process with every role, and SQLite",
            ])
            .default(0)
            .interact_opt()
    };
    let _cursor = CursorGuard;
    let answer = tokio::task::spawn_blocking(ask)
        .await
        .map_err(|e| Error::new("ask for the engine", e))?;
    match answer {
        Ok(Some(0)) => Ok(Some(Choice::asked(Engine::Docker))),
        Ok(Some(_)) => Ok(Some(Choice::asked(Engine::Embedded))),
        Ok(None) => Ok(None),
        Err(dialoguer::Error::IO(error)) if error.kind() == std::io::ErrorKind::Interrupted => Ok(None),
        Err(error) => Err(Error::new("ask for the engine", error)
            .code(ExitCode::Usage)
            .hint("odd up --engine docker")),
    }
}

fn runs_on_another(context: &Context, asked: EngineChoice, running: Engine, origin: &Origin) -> Error {
    let name = context.instance_name();
    let of = of_instance(name);
    let reason = format!(
        "it runs on the {} engine, and {origin} asks for {}; each engine keeps its own data",
        running.name(),
        asked.name()
    );
    Error::because(format!("start the instance {name}"), reason)
        .code(ExitCode::Prerequisite)
        .hint(format!(
            "odd down{of}{THEN}odd up{of} --engine {asked}   (or another instance: odd up --engine {asked} --demo)",
            asked = asked.name()
        ))
}

fn only_on(context: &Context, engine: Engine, of: Engine, flag: &str) -> Error {
    let name = context.instance_name();
    let reason = match engine {
        Engine::Embedded => "this instance is an embedded one".to_owned(),
        other => format!("this instance is on {}", other.title()),
    };
    Error::because(
        format!("start the instance {name}"),
        format!("{flag} is for the {} engine, and {reason}", of.title()),
    )
    .code(ExitCode::Usage)
    .hint(format!(
        "odd up{} --engine {} {flag}",
        of_instance(name),
        of.name()
    ))
}
