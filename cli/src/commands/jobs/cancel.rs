//! `odd jobs cancel`

use std::collections::HashMap;
use std::time::Duration;

use odd_contracts::{JobId, JobStatus};
use serde::Serialize;
use tokio::time::Instant;

use crate::context::Context;
use crate::error::{Error, of_instance};
use crate::exit::ExitCode;
use crate::format;
use crate::ident::{self, Ident};
use crate::output::{Glyph, Tone};
use crate::parse;
use crate::patience::Patience;
use crate::waiter::Waiter;

/// Time for which a request that the system could not take just now is repeated.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most ids of one lookup.
const LOOKUP: usize = 1_000;

/// Ask for the end of jobs.
///
/// The processor decides: a job that waits ends CANCELLED at once, one that runs is signalled, one that has ended stays as it
/// is. Exits with 1 where a job had ended otherwise.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  odd jobs cancel 9f31c2ab\n  odd jobs cancel 9f31c2ab 51d0e77c --wait --timeout 5s"
)]
pub(super) struct Args {
    /// The jobs: their ids, or the first characters of them
    #[arg(value_name = "ID", required = true)]
    ids: Vec<Ident>,
    /// Wait until they have ended
    #[arg(long, short = 'w')]
    wait: bool,
    /// Give up waiting after so long
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = parse::positive_duration)]
    timeout: Duration,
}

/// Version 1 of the answer.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    version: u32,
    jobs: &'a [Outcome],
}

/// What became of one job.
#[derive(Debug, Serialize)]
struct Outcome {
    id: JobId,
    /// Whether its end was asked for: not where it had ended.
    requested: bool,
    /// Where it stands, as far as is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<JobStatus>,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<ExitCode, Error> {
    let ids = ident::jobs(context, &args.ids).await?;
    let mut waiter = match args.wait {
        true => Some(Waiter::subscribe(context.read_model()?).await),
        false => None,
    };
    let known = statuses(context, &ids).await?;
    let mut outcomes = Vec::with_capacity(ids.len());
    for id in ids {
        let status = known.get(&id).copied();
        let requested = !status.is_some_and(JobStatus::is_terminal);
        if requested {
            if let Some(waiter) = &mut waiter {
                waiter.expect(id);
            }
            request(context, id).await?;
        }
        outcomes.push(Outcome {
            id,
            requested,
            status,
        });
    }
    if let Some(waiter) = waiter {
        wait(waiter, &mut outcomes, args.timeout).await;
    }
    report(context, &outcomes, args.wait)?;
    Ok(exit_code(&outcomes, args.wait))
}

/// Status of those jobs that are known. A read-model that does not answer keeps nobody from asking: what must be known
/// is known to the processor. Only one that nobody runs is told at once.
async fn statuses(context: &Context, ids: &[JobId]) -> Result<HashMap<JobId, JobStatus>, Error> {
    let read_model = context.read_model()?;
    let mut known = HashMap::new();
    for some in ids.chunks(LOOKUP) {
        if let Ok(answer) = read_model.lookup(some).await {
            known.extend(answer.jobs.into_iter().map(|job| (job.id, job.status)));
        }
    }
    Ok(known)
}

async fn request(context: &Context, id: JobId) -> Result<(), Error> {
    let mut patience = Patience::new(PATIENCE);
    loop {
        match context.gateway()?.cancel(id).await {
            Ok(_) => return Ok(()),
            Err(error) if patience.wait(&error).await => {}
            Err(error) => return Err(context.client_error(format!("cancel the job {id}"), error)),
        }
    }
}

async fn wait(mut waiter: Waiter, outcomes: &mut [Outcome], timeout: Duration) {
    let deadline = Instant::now() + timeout;
    while waiter.outstanding() > 0 {
        let Some(ended) = waiter.next_before(deadline).await else {
            break;
        };
        if let Some(outcome) = outcomes.iter_mut().find(|outcome| outcome.id == ended.id) {
            outcome.status = Some(ended.status);
        }
    }
    for outcome in outcomes {
        outcome.status = waiter.last_seen(outcome.id).or(outcome.status);
    }
}

fn exit_code(outcomes: &[Outcome], waited: bool) -> ExitCode {
    let ended_otherwise = |outcome: &Outcome| {
        outcome
            .status
            .is_some_and(|status| status.is_terminal() && status != JobStatus::Cancelled)
    };
    let lasts = |outcome: &Outcome| !outcome.status.is_some_and(JobStatus::is_terminal);
    if outcomes.iter().any(ended_otherwise) {
        ExitCode::Failed
    } else if waited && outcomes.iter().any(lasts) {
        ExitCode::TimedOut
    } else {
        ExitCode::Ok
    }
}

fn report(context: &Context, outcomes: &[Outcome], waited: bool) -> Result<(), Error> {
    let printer = &context.printer;
    if printer.is_json() {
        return printer.json(&Answer {
            version: 1,
            jobs: outcomes,
        });
    }
    for outcome in outcomes {
        let state = match outcome.status {
            Some(status) if status.is_terminal() => {
                let too_late = if outcome.requested {
                    ""
                } else {
                    "  had ended before"
                };
                format!("{}{too_late}", printer.status(status))
            }
            Some(status) if waited => format!("{}  not ended in time", printer.status(status)),
            _ if waited => format!("{} not ended in time", printer.mark(Glyph::Warn, Tone::Attention)),
            _ => format!("{} cancellation asked for", printer.mark(Glyph::Ok, Tone::Ok)),
        };
        printer.line(&format!("{}  {state}", format::short_id(outcome.id)));
    }
    if let ([outcome], false) = (outcomes, waited) {
        let of = of_instance(context.instance_name());
        printer.note(&format!(
            "next: odd jobs get {}{of}",
            format::short_id(outcome.id)
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(waited: bool, statuses: &[Option<JobStatus>]) -> ExitCode {
        let outcome = |status: &Option<JobStatus>| Outcome {
            id: JobId::from_u128(1),
            requested: true,
            status: *status,
        };
        exit_code(&statuses.iter().map(outcome).collect::<Vec<_>>(), waited)
    }

    #[test]
    fn cancelled_is_well_and_anything_else_is_told_apart() {
        use JobStatus::{Cancelled, Completed, Executing};
        assert_eq!(code(true, &[Some(Cancelled)]), ExitCode::Ok);
        assert_eq!(
            code(true, &[Some(Cancelled), Some(Executing)]),
            ExitCode::TimedOut
        );
        assert_eq!(code(true, &[None]), ExitCode::TimedOut);
        assert_eq!(code(true, &[None, Some(Completed)]), ExitCode::Failed);
        assert_eq!(code(false, &[Some(Executing), None]), ExitCode::Ok);
        assert_eq!(code(false, &[Some(Completed)]), ExitCode::Failed);
    }
}
