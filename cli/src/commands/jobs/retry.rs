//! `odd jobs retry`

use std::time::Duration;

use odd_contracts::api::RetryRequest;
use odd_contracts::{JobId, JobStatus, ProblemCode, Timestamp};
use serde::Serialize;
use tokio::time::Instant;
use uuid::Uuid;

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

/// Run ended jobs again, each as a new job.
///
/// The new job has type, payload and options of the old one, runs at once, and names the old one. With --wait the exit code is 0
/// where every new job COMPLETED, 4 where one FAILED or was CANCELLED, 5 where one did not end in time.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  odd jobs retry 9f31c2ab\n  odd jobs retry 9f31c2ab 51d0e77c --wait")]
pub(super) struct Args {
    /// The jobs: their ids, or the first characters of them
    #[arg(value_name = "ID", required = true)]
    ids: Vec<Ident>,
    /// Wait until the new jobs have ended
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
    jobs: &'a [Repeated],
}

/// A new job.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Repeated {
    id: JobId,
    retry_of: JobId,
    /// Where it stands, as far as is known.
    status: JobStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<ExitCode, Error> {
    let ids = ident::jobs(context, &args.ids).await?;
    let mut waiter = match args.wait {
        true => Some(Waiter::subscribe(context.read_model()?).await),
        false => None,
    };
    let mut jobs = Vec::with_capacity(ids.len());
    let mut refusal = None;
    for old in ids {
        let new = Uuid::new_v4();
        if let Some(waiter) = &mut waiter {
            waiter.expect(new);
        }
        if let Err(error) = request(context, old, new).await {
            // What was accepted before is reported all the same.
            if let Some(waiter) = &mut waiter {
                waiter.forget(new);
            }
            refusal = Some(error);
            break;
        }
        jobs.push(Repeated {
            id: new,
            retry_of: old,
            status: JobStatus::Pending,
            error: None,
        });
    }
    if let Some(waiter) = waiter {
        wait(waiter, &mut jobs, args.timeout).await;
    }
    if refusal.is_none() || !jobs.is_empty() {
        report(context, &jobs, args.wait)?;
    }
    match refusal {
        Some(error) => Err(error),
        None => Ok(exit_code(&jobs, args.wait)),
    }
}

async fn request(context: &Context, old: JobId, new: JobId) -> Result<(), Error> {
    let request = RetryRequest { id: Some(new) };
    let mut patience = Patience::new(PATIENCE);
    loop {
        match context.gateway()?.retry(old, &request).await {
            Ok(_) => return note(context, new),
            Err(error) if patience.wait(&error).await => {}
            Err(error) => {
                let of = of_instance(context.instance_name());
                let code = error.problem().map(|problem| problem.code);
                let mut error = context.client_error(format!("repeat the job {old}"), error);
                match code {
                    Some(ProblemCode::StateConflict) => {
                        error.hint = Some(format!("odd jobs cancel {}{of}", format::short_id(old)));
                    }
                    Some(ProblemCode::NotFound) => error.hint = Some(format!("odd jobs list{of}")),
                    _ => {}
                }
                return Err(error);
            }
        }
    }
}

/// On record before it is reported.
fn note(context: &Context, id: JobId) -> Result<(), Error> {
    let path = context.ledger_path();
    let mut ledger = context.ledger()?;
    ledger
        .accepted(id, Timestamp::now())
        .and_then(|()| ledger.flush())
        .map_err(|e| Error::new(format!("note the accepted job in {}", path.display()), e))
}

async fn wait(mut waiter: Waiter, jobs: &mut [Repeated], timeout: Duration) {
    let deadline = Instant::now() + timeout;
    while waiter.outstanding() > 0 {
        let Some(ended) = waiter.next_before(deadline).await else {
            break;
        };
        if let Some(job) = jobs.iter_mut().find(|job| job.id == ended.id) {
            job.status = ended.status;
            job.error = ended.error;
        }
    }
    for job in jobs {
        job.status = waiter.last_seen(job.id).unwrap_or(job.status);
    }
}

fn exit_code(jobs: &[Repeated], waited: bool) -> ExitCode {
    if !waited {
        ExitCode::Ok
    } else if jobs.iter().any(|job| !job.status.is_terminal()) {
        ExitCode::TimedOut
    } else if jobs.iter().any(|job| job.status != JobStatus::Completed) {
        ExitCode::JobFailed
    } else {
        ExitCode::Ok
    }
}

fn report(context: &Context, jobs: &[Repeated], waited: bool) -> Result<(), Error> {
    let printer = &context.printer;
    if printer.is_json() {
        return printer.json(&Answer { version: 1, jobs });
    }
    for job in jobs {
        let state = if waited {
            printer.status(job.status)
        } else {
            format!("{} accepted", printer.mark(Glyph::Ok, Tone::Ok))
        };
        let late = if waited && !job.status.is_terminal() {
            "  not ended in time"
        } else {
            ""
        };
        let error = job
            .error
            .as_deref()
            .map(|error| format!("  {}", odd_look::text::line(error)))
            .unwrap_or_default();
        let old = format::short_id(job.retry_of);
        printer.line(&format!("{state}  {}  repeats {old}{late}{error}", job.id));
    }
    if let [job] = jobs {
        let of = of_instance(context.instance_name());
        printer.note(&format!("next: odd jobs get {}{of}", format::short_id(job.id)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_waits_learns_how_it_ended() {
        use JobStatus::{Cancelled, Completed, Executing, Failed};
        let code = |waited, statuses: &[JobStatus]| {
            let job = |status: &JobStatus| Repeated {
                id: JobId::from_u128(2),
                retry_of: JobId::from_u128(1),
                status: *status,
                error: None,
            };
            exit_code(&statuses.iter().map(job).collect::<Vec<_>>(), waited)
        };
        assert_eq!(code(false, &[JobStatus::Pending]), ExitCode::Ok);
        assert_eq!(code(true, &[Completed, Completed]), ExitCode::Ok);
        assert_eq!(code(true, &[Completed, Failed]), ExitCode::JobFailed);
        assert_eq!(code(true, &[Cancelled]), ExitCode::JobFailed);
        assert_eq!(code(true, &[Failed, Executing]), ExitCode::TimedOut);
    }
}
