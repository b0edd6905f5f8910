//! `odd test`: the gate.

mod checks;
mod exposition;
mod gate;
mod history;
mod report;
mod run;

use std::fs::File;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::context::Context;
use crate::error::{Error, of_instance};
use crate::exit::ExitCode;
use gate::Shared;

/// Check a running observatory from outside, as its users see it.
///
/// Asks every role for its health, its documents and its metrics, holds every answer against its contract, and sends a job
/// of each outcome through the system: its events, its timeline and what it changes in the counters must be exactly what it
/// implies. Everything goes over HTTP. Jobs of the types `odd-test` and `odd-test-counters` stay behind, and are noted in the
/// ledger. Exits with 6 where a check fails.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  odd test\n  odd test --only gateway\n  odd test --output json --junit gate.xml"
)]
pub struct Args {
    /// Write the result as JUnit XML too
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Longest time that one check may take
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = crate::duration::parse)]
    timeout: Duration,
    /// Only checks whose name contains this text
    #[arg(long, value_name = "PATTERN")]
    only: Option<String>,
}

/// Checks and prints.
pub async fn run(context: &Context, args: Args) -> Result<ExitCode, Error> {
    let checks = chosen(args.only.as_deref())?;
    let junit = args.junit.as_deref().map(create).transpose()?;
    let shared = Shared::new(context)?;
    if !shared.anybody_answers().await {
        let (name, of) = (context.instance_name(), of_instance(context.instance_name()));
        return Err(
            Error::because(format!("test the instance {name}"), "no role of it answers")
                .code(ExitCode::Prerequisite)
                .hint(format!("odd up{of}   (or `odd status{of}` to see what runs)")),
        );
    }
    let begun = Instant::now();
    let results = run::run(context, shared, checks, args.timeout).await;
    if let Some((mut file, path)) = junit {
        report::junit(&results, begun.elapsed())
            .serialize(&mut file)
            .map_err(|e| Error::new(format!("write {}", path.display()), e))?;
    }
    report::print(context, &results, begun.elapsed())?;
    Ok(if results.iter().all(|result| result.ok) {
        ExitCode::Ok
    } else {
        ExitCode::GateFailed
    })
}

/// The checks whose name contains the pattern, in either case.
fn chosen(only: Option<&str>) -> Result<Vec<run::Check>, Error> {
    let mut checks = checks::all();
    if let Some(pattern) = only {
        let wanted = pattern.to_lowercase();
        checks.retain(|check| check.name.to_lowercase().contains(&wanted));
    }
    if checks.is_empty() {
        let reason = format!("no check has a name that contains {:?}", only.unwrap_or_default());
        return Err(Error::because("choose the checks", reason)
            .code(ExitCode::Usage)
            .hint("odd test   (shows the name of each)"));
    }
    Ok(checks)
}

/// Made before anything is checked, so that a result is not lost in the end.
fn create(path: &std::path::Path) -> Result<(File, &std::path::Path), Error> {
    let file = File::create(path).map_err(|e| Error::new(format!("create {}", path.display()), e))?;
    Ok((file, path))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_check_has_a_name_of_its_own() {
        let names: Vec<String> = checks::all().into_iter().map(|check| check.name).collect();
        let different: BTreeSet<&String> = names.iter().collect();
        assert_eq!(different.len(), names.len());
    }

    #[test]
    fn checks_are_chosen_by_a_part_of_their_name() {
        let all = checks::all().len();
        let some = chosen(Some("Gateway")).unwrap();
        assert!(!some.is_empty() && some.len() < all);
        assert!(some.iter().all(|check| check.name.contains("gateway")));
        assert_eq!(chosen(None).unwrap().len(), all);
        let error = chosen(Some("nothing of the kind")).err().unwrap();
        assert_eq!(error.code, ExitCode::Usage);
    }
}
