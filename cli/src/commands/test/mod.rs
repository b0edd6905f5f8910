//! `odd test`: the gate.

mod checks;
mod evidence;
mod exposition;
mod gate;
mod history;
mod isolated;
mod prometheus;
mod report;
mod run;
mod stack;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use odd_contracts::Role;
use odd_engine::platform;

use crate::context::Context;
use crate::engine::Engine;
use crate::error::{Error, of_instance};
use crate::exit::ExitCode;
use crate::settings::EngineChoice;
use checks::Scope;
use gate::Shared;
use run::{CheckResult, Phase};
use stack::Stack;

/// Check a running observatory from outside, as its users see it.
///
/// Asks every role for its health, its documents and its metrics, holds every answer against its contract, and sends a job
/// of each outcome through the system: its events, its timeline and what it changes in the counters must be exactly what it
/// implies. On Docker also Prometheus is asked: it has to scrape every replica, and to agree with the counters. Everything
/// goes over HTTP. Jobs of the types `odd-test` and `odd-test-counters` stay behind, and are noted in the ledger.
///
/// With --isolated, all that is done to an instance of its own, which is removed afterwards.
///
/// With --disturb, parts are broken on purpose and mended again: alerts have to fire and to be resolved, every role is
/// restarted under load, and `odd verify` must find nothing lost.
///
/// Exits with 6 where a check fails, and keeps a folder with the report, logs, events, metrics and the state of every part.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Bring up an instance of its own on free ports, run every check on it, those of --disturb as well, and remove it
    #[arg(long)]
    isolated: bool,
    /// Also run the checks that stop and restart parts and let jobs fail, so that alerts fire
    #[arg(long)]
    disturb: bool,
    /// Only checks whose name contains this text
    #[arg(long, value_name = "PATTERN")]
    only: Option<String>,
    /// Longest time that one check may take; a check of several steps may take it for each
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = crate::parse::positive_duration)]
    timeout: Duration,
    /// Write the result as JUnit XML too
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Folder to keep on failure [default: failures/INSTANCE-TIME in ODD_HOME]
    #[arg(long, value_name = "DIRECTORY")]
    keep: Option<PathBuf>,
    #[command(flatten)]
    own: OwnArgs,
}

const EXAMPLES: &str = "\
Examples:
  odd test
  odd test --only gateway
  odd test --isolated
  odd test --isolated --engine docker --offline --output json --junit gate.xml --keep failure";

/// Flags that choose what an instance of its own is made of.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Options of --isolated")]
struct OwnArgs {
    /// What it shall be made of [env: ODD_ENGINE] [default: docker where its images are there, else embedded]
    #[arg(long, value_name = "ENGINE", requires = "isolated")]
    engine: Option<EngineChoice>,
    /// Take images built from Debian packages, even where those of the registries are there
    #[arg(long, requires = "isolated")]
    offline: bool,
    /// Directory with the compose files, instead of those that this program carries
    #[arg(long, value_name = "DIRECTORY", requires = "isolated")]
    project_dir: Option<PathBuf>,
}

/// What came of the checks.
struct Gated {
    results: Vec<CheckResult>,
    took: Duration,
    /// The folder that was kept.
    folder: Option<PathBuf>,
}

/// Checks and prints.
pub async fn run(context: &Context, args: Args) -> Result<ExitCode, Error> {
    chosen(checks::all(&Scope::of_everything()), args.only.as_deref())?;
    let junit = args.junit.as_deref().map(create).transpose()?;
    let gated = if args.isolated {
        isolated::run(context, &args).await?
    } else {
        beside(context, &args).await?
    };
    let Some(gated) = gated else {
        return Ok(ExitCode::Interrupted);
    };
    if let Some((mut file, path)) = junit {
        report::junit(&gated.results, gated.took)
            .serialize(&mut file)
            .map_err(|e| Error::new(format!("write {}", path.display()), e))?;
    }
    report::print(context, &gated, args.isolated)?;
    Ok(if gated.passed() {
        ExitCode::Ok
    } else {
        ExitCode::GateFailed
    })
}

impl Gated {
    fn passed(&self) -> bool {
        self.results.iter().all(|result| result.ok)
    }
}

/// The gate on the instance that runs. None where it was interrupted.
async fn beside(context: &Context, args: &Args) -> Result<Option<Gated>, Error> {
    let shared = shared(context)?;
    if !shared.anybody_answers().await {
        let (name, of) = (context.instance_name(), of_instance(context.instance_name()));
        return Err(
            Error::because(format!("test the instance {name}"), "no role of it answers")
                .code(ExitCode::Prerequisite)
                .hint(format!("odd up{of}   (or `odd status{of}` to see what runs)")),
        );
    }
    let gated = tokio::select! {
        gated = examine(context, args, &shared) => Some(gated?),
        () = platform::interrupted() => None,
    };
    if let Err(why) = shared.stack().mend().await {
        let of = of_instance(context.instance_name());
        context
            .printer
            .warn(&format!("what was stopped could not be started again: {why}"));
        context.printer.note(&format!("next: odd up{of}"));
    }
    Ok(gated)
}

fn shared(context: &Context) -> Result<Arc<Shared>, Error> {
    Ok(Arc::new(Shared::new(context, Stack::of(context)?)?))
}

/// Runs the checks and keeps the folder where one fails.
async fn examine(context: &Context, args: &Args, shared: &Arc<Shared>) -> Result<Gated, Error> {
    let scope = Scope::of(shared.stack(), args.disturb || args.isolated);
    let phases = chosen(checks::all(&scope), args.only.as_deref())?;
    let begun = Instant::now();
    let results = run::run(context, shared, phases, args.timeout).await;
    let mut gated = Gated {
        results,
        took: begun.elapsed(),
        folder: None,
    };
    if !gated.passed() {
        gated.folder = evidence::keep(context, shared, &gated, args).await;
    }
    Ok(gated)
}

/// The checks whose name contains the pattern, in either case.
fn chosen(mut phases: Vec<Phase>, only: Option<&str>) -> Result<Vec<Phase>, Error> {
    if let Some(pattern) = only {
        let wanted = pattern.to_lowercase();
        for phase in &mut phases {
            phase.retain(|check| check.name.to_lowercase().contains(&wanted));
        }
    }
    phases.retain(|phase| !phase.is_empty());
    if phases.is_empty() {
        let reason = format!("no check has a name that contains {:?}", only.unwrap_or_default());
        return Err(Error::because("choose the checks", reason)
            .code(ExitCode::Usage)
            .hint("odd test   (shows the name of each)"));
    }
    Ok(phases)
}

impl Scope {
    /// What an instance allows.
    fn of(stack: &Stack, disturb: bool) -> Self {
        let callable = |role: &Role| stack.publishes(*role);
        Self {
            called: Role::ALL.into_iter().filter(callable).collect(),
            engine: stack.engine(),
            prometheus: stack.has_prometheus(),
            disturb,
        }
    }

    /// Every check that there is.
    fn of_everything() -> Self {
        Self {
            called: Role::ALL.to_vec(),
            engine: Engine::Docker,
            prometheus: true,
            disturb: true,
        }
    }
}

/// Made before anything is checked, so that a result is not lost in the end.
fn create(path: &Path) -> Result<(File, &Path), Error> {
    let file = File::create(path).map_err(|e| Error::new(format!("create {}", path.display()), e))?;
    Ok((file, path))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn names(phases: &[Phase]) -> Vec<&str> {
        phases.iter().flatten().map(|check| check.name.as_str()).collect()
    }

    #[test]
    fn every_check_has_a_name_of_its_own() {
        let all = checks::all(&Scope::of_everything());
        let names = names(&all);
        let different: BTreeSet<&&str> = names.iter().collect();
        assert_eq!(different.len(), names.len());
    }

    #[test]
    fn checks_are_chosen_by_a_part_of_their_name() {
        let all = || checks::all(&Scope::of_everything());
        let some = chosen(all(), Some("Gateway")).unwrap();
        assert!(names(&some).len() < names(&all()).len());
        assert!(names(&some).iter().all(|name| name.contains("gateway")));
        assert_eq!(names(&chosen(all(), None).unwrap()), names(&all()));
        let error = chosen(all(), Some("nothing of the kind")).err().unwrap();
        assert_eq!(error.code, ExitCode::Usage);
    }

    #[test]
    fn what_is_broken_is_what_the_engine_can_mend() {
        let has = |engine: Engine, word: &str| {
            let all = checks::all(&Scope {
                engine,
                ..Scope::of_everything()
            });
            names(&all).iter().any(|name| name.contains(word))
        };
        let (process, role, stop) = (
            "when the process is restarted",
            "gateway: nothing is lost",
            "is stopped",
        );
        let offered = |engine: Engine| [process, role, stop].map(|word| has(engine, word));
        assert_eq!(offered(Engine::Embedded), [true, false, false]);
        assert_eq!(offered(Engine::Docker), [false, true, true]);
        assert_eq!(offered(Engine::Kubernetes), [false, true, false]);
    }

    #[test]
    fn nothing_is_broken_unless_it_is_asked_for() {
        let quiet = Scope {
            disturb: false,
            ..Scope::of_everything()
        };
        let quiet = checks::all(&quiet);
        let all = checks::all(&Scope::of_everything());
        let (quiet, all) = (names(&quiet), names(&all));
        assert!(quiet.len() < all.len());
        for word in ["restarted", "stopped", "fires"] {
            assert!(all.iter().any(|name| name.contains(word)));
            assert!(!quiet.iter().any(|name| name.contains(word)), "{quiet:?}");
        }
    }
}
