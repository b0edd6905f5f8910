//! `odd jobs list`

use odd_client::JobQuery;
use odd_contracts::api::JobSummary;
use odd_contracts::{JobStatus, Timestamp};
use serde::Serialize;

use crate::args::OutputForm;
use crate::context::Context;
use crate::error::{Error, of_instance};
use crate::exit::ExitCode;
use crate::output::{Printer, Tone, left, right};
use crate::{format, parse};

/// Most jobs of one page.
const PAGE: usize = 500;

/// List jobs, newest first.
///
/// A job that was accepted but not yet taken by a processor is not listed; `odd jobs get` knows it.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  odd jobs list --status failed\n  odd jobs list --type resize --since 10m --all\n  \
                        odd jobs list --since 2026-01-31T12:00:00Z --until 1h --output ndjson"
)]
pub(super) struct Args {
    /// Only jobs in these statuses: pending, validated, scheduled, executing, retrying, completed, failed, cancelled
    #[arg(long, short = 's', value_name = "STATUS", value_delimiter = ',')]
    status: Vec<JobStatus>,
    /// Only jobs of this type
    #[arg(long = "type", short = 't', value_name = "TYPE")]
    job_type: Option<String>,
    /// Only jobs created since: 10m ago, or 2026-01-31T12:00:00Z
    #[arg(long, value_name = "AGO|TIME", value_parser = instant)]
    since: Option<Timestamp>,
    /// Only jobs created before: 10m ago, or 2026-01-31T12:00:00Z
    #[arg(long, value_name = "AGO|TIME", value_parser = instant)]
    until: Option<Timestamp>,
    /// Only jobs whose id contains this text
    #[arg(long, value_name = "TEXT")]
    id: Option<String>,
    /// Most jobs to list
    #[arg(long, short = 'n', value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
    /// List every job, however many there are
    #[arg(long, conflicts_with = "limit")]
    all: bool,
}

fn instant(text: &str) -> Result<Timestamp, String> {
    parse::instant(text, Timestamp::now())
}

/// Version 1 of the answer.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    version: u32,
    jobs: &'a [JobSummary],
    /// Whether there are more than were asked for.
    more: bool,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<ExitCode, Error> {
    let printer = &context.printer;
    let streams = printer.form() == OutputForm::Ndjson;
    let mut left = if args.all {
        usize::MAX
    } else {
        usize::try_from(args.limit).unwrap_or(usize::MAX)
    };
    let filtered = args.is_filtered();
    let mut query = args.query();
    let mut jobs = Vec::new();
    loop {
        query.limit = Some(left.min(PAGE));
        let page = context
            .read_model()?
            .jobs(&query)
            .await
            .map_err(|e| context.client_error("list jobs", e))?;
        left = left.saturating_sub(page.jobs.len());
        query.cursor = page.next_cursor;
        if streams {
            page.jobs.iter().try_for_each(|job| printer.json_line(job))?;
        } else {
            jobs.extend(page.jobs);
        }
        if left == 0 || query.cursor.is_none() || printer.is_closed() {
            break;
        }
    }
    let more = query.cursor.is_some();
    match printer.form() {
        OutputForm::Ndjson => {}
        OutputForm::Json => printer.json(&Answer {
            version: 1,
            jobs: &jobs,
            more,
        })?,
        OutputForm::Text => table(context, &jobs, more, filtered),
    }
    Ok(ExitCode::Ok)
}

impl Args {
    fn is_filtered(&self) -> bool {
        !self.status.is_empty()
            || self.job_type.is_some()
            || self.since.is_some()
            || self.until.is_some()
            || self.id.is_some()
    }

    fn query(self) -> JobQuery {
        JobQuery {
            statuses: self.status,
            job_type: self.job_type,
            since: self.since,
            until: self.until,
            id_contains: self.id,
            ..JobQuery::default()
        }
    }
}

fn table(context: &Context, jobs: &[JobSummary], more: bool, filtered: bool) {
    let (printer, of) = (&context.printer, of_instance(context.instance_name()));
    if jobs.is_empty() {
        let next = if filtered {
            format!("no such job. Every job: odd jobs list{of}")
        } else {
            format!("no jobs yet. next: odd submit hello --wait{of}")
        };
        return printer.note(&next);
    }
    let columns = [
        left("id"),
        left("type"),
        left("status"),
        right("attempt"),
        right("queued"),
        right("ran"),
        right("created"),
    ];
    let now = Timestamp::now();
    printer.table(&columns, jobs.iter().map(|job| row(printer, job, now)));
    if more {
        printer.note(&format!(
            "there are more: --all, or --limit above {}",
            format::count(jobs.len() as u64)
        ));
    }
}

fn row(printer: &Printer, job: &JobSummary, now: Timestamp) -> Vec<String> {
    let time = |milliseconds: Option<f64>| milliseconds.map(format::millis).unwrap_or_default();
    vec![
        printer.paint(Tone::Accent, &format::short_id(job.id)),
        job.job_type.clone(),
        printer.status(job.status),
        format!("{}/{}", job.attempt, job.max_attempts),
        time(job.queued_ms),
        time(job.ran_ms),
        format::age(job.created_at, now),
    ]
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use uuid::Uuid;

    use super::*;
    use crate::args::Global;

    #[test]
    fn a_row_tells_what_the_columns_promise() {
        let printer = Printer::new(&Global {
            no_color: true,
            ..Global::default()
        });
        let now = Timestamp::from_micros(1_764_000_000_000_000);
        let job = JobSummary {
            id: Uuid::from_u128(0x9f31_c2ab << 96),
            job_type: "resize".to_owned(),
            status: JobStatus::Failed,
            created_at: now.minus(Duration::from_secs(2)),
            updated_at: now,
            attempt: 3,
            max_attempts: 3,
            queued_ms: Some(1.2),
            ran_ms: Some(4_100.0),
            error: None,
        };
        let mut cells = row(&printer, &job, now);
        assert!(cells[2].ends_with(" FAILED"), "{cells:?}");
        cells.remove(2);
        assert_eq!(cells, ["9f31c2ab", "resize", "3/3", "1.2 ms", "4.1 s", "2 s ago"]);
        let waiting = JobSummary {
            queued_ms: None,
            ran_ms: None,
            ..job
        };
        assert_eq!(row(&printer, &waiting, now)[4..6], ["", ""]);
    }
}
