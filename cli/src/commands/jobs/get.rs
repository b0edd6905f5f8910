//! `odd jobs get`

use odd_contracts::api::{JobDetail, Timeline};
use odd_contracts::{Job, JobOptions, JobRecord, JobStatus, Timestamp};
use odd_look::text;
use odd_look::waterfall::{self, Bar};
use serde::Serialize;
use serde_json::Value;

use crate::context::Context;
use crate::error::{Error, of_instance};
use crate::exit::ExitCode;
use crate::format;
use crate::ident::{self, Ident};
use crate::output::{Printer, Tone};

/// Show one job: its input, its result, its attempts, and what its time went into.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  odd jobs get 9f31c2ab\n  odd jobs get 9f31c2ab --timeline\n  \
                        odd jobs get 9f31c2ab --output json\n\nTimes are UTC."
)]
pub(super) struct Args {
    /// The job: its id, or the first characters of it
    #[arg(value_name = "ID")]
    id: Ident,
    /// Show each of its events as well (in JSON: the whole timeline)
    #[arg(long)]
    timeline: bool,
}

/// Version 1 of the answer.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    version: u32,
    job: &'a JobDetail,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeline: Option<&'a Timeline>,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<ExitCode, Error> {
    let printer = &context.printer;
    let id = ident::jobs(context, std::slice::from_ref(&args.id)).await?[0];
    let failed = |e: odd_client::ClientError| {
        let unknown = e.is_not_found();
        let error = context.client_error(format!("get the job {id}"), e);
        if unknown {
            error.hint(format!("odd jobs list{}", of_instance(context.instance_name())))
        } else {
            error
        }
    };
    let read_model = context.read_model()?;
    let job = read_model.job(id).await.map_err(failed)?;
    let timeline = if args.timeline || !printer.is_json() {
        Some(read_model.timeline(id).await.map_err(failed)?)
    } else {
        None
    };
    if printer.is_json() {
        printer.json(&Answer {
            version: 1,
            job: &job,
            timeline: timeline.as_ref(),
        })?;
    } else if let Some(timeline) = &timeline {
        text(context, &job, timeline, args.timeline);
    }
    Ok(ExitCode::Ok)
}

fn text(context: &Context, detail: &JobDetail, timeline: &Timeline, with_events: bool) {
    let (printer, record) = (&context.printer, &detail.record);
    printer.line(&headline(printer, record));
    printer.line("");
    facts(printer, record);
    printer.line("");
    for bar in waterfall::draw(&timeline.spans, scale(), printer.is_unicode()) {
        printer.line(&bar_line(printer, &bar));
    }
    if with_events {
        printer.line("");
        printer.table(
            &[],
            timeline
                .events
                .iter()
                .map(|event| crate::commands::events::row(printer, event)),
        );
        if !timeline.complete {
            printer.warn("the event log has not (yet) recorded everything that happened to this job");
        }
    }
    let of = of_instance(context.instance_name());
    let short = format::short_id(record.job.id);
    let next = match record.job.status {
        JobStatus::Failed | JobStatus::Cancelled => format!("odd jobs retry {short} --wait{of}"),
        JobStatus::Completed => format!("odd events --job {short}{of}"),
        _ => format!("odd events --job {short} --follow{of}"),
    };
    printer.note(&format!("next: {next}"));
}

/// `9f31c2ab  resize   ✗ FAILED after 3 attempts   submitted 2026-01-31 12:04:22.118 UTC, 2 s ago`
fn headline(printer: &Printer, record: &JobRecord) -> String {
    let after = match record.attempt {
        0 => String::new(),
        1 => " after 1 attempt".to_owned(),
        number => format!(" after {number} attempts"),
    };
    let after = if record.job.status.is_terminal() {
        after
    } else {
        format!(
            ", attempt {} of {}",
            record.attempt,
            record.job.options.max_attempts()
        )
    };
    format!(
        "{}  {}   {}{after}   submitted {}, {}",
        printer.paint(Tone::Accent, &format::short_id(record.job.id)),
        record.job.job_type,
        printer.status(record.job.status),
        format::date_and_clock(record.submitted_at),
        format::age(record.submitted_at, Timestamp::now()),
    )
}

fn facts(printer: &Printer, record: &JobRecord) {
    let job = &record.job;
    let mut facts = vec![
        ("id", job.id.to_string()),
        ("correlation", record.correlation_id.clone()),
        ("payload", Value::Object(job.payload.clone()).to_string()),
    ];
    facts.extend(further(job));
    if let Some(at) = record.scheduled_for {
        facts.push(("runs at", format::date_and_clock(at)));
    }
    if let Some(result) = &record.result {
        facts.push(("result", result.to_string()));
    }
    if let Some(error) = &record.error {
        facts.push(("error", printer.paint(Tone::Bad, &text::line(error))));
    }
    if record.takes > record.attempt {
        facts.push((
            "takes",
            format!("{}: a processor was lost meanwhile", record.takes),
        ));
    }
    if record.cancel_requested && !job.status.is_terminal() {
        facts.push(("cancelling", "asked for; the processor decides".to_owned()));
    }
    let rows = facts
        .into_iter()
        .map(|(name, value)| vec![printer.paint(Tone::Muted, &format!("  {name}")), value]);
    printer.table(&[], rows);
}

/// What not every job has.
fn further(job: &Job) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    if !job.metadata.is_empty() {
        facts.push(("metadata", Value::Object(job.metadata.clone()).to_string()));
    }
    if job.options != JobOptions::default() {
        let options = serde_json::to_string(&job.options).unwrap_or_default();
        facts.push(("options", options));
    }
    if let Some(old) = job.retry_of {
        facts.push(("repeats", old.to_string()));
    }
    facts
}

/// Columns for bars: what the terminal has beside labels and texts.
fn scale() -> usize {
    const BESIDE: usize = 52;
    let columns = dialoguer::console::Term::stdout()
        .size_checked()
        .map_or(100, |(_, columns)| columns);
    usize::from(columns).saturating_sub(BESIDE).clamp(16, 80)
}

fn bar_line(printer: &Printer, bar: &Bar) -> String {
    let mut line = format!(
        "  {} {}{} {}",
        printer.paint(Tone::Muted, &format!("{:<12}", bar.label)),
        " ".repeat(bar.offset),
        printer.paint(bar.tone, &bar.bar),
        bar.time,
    );
    if let Some((glyph, tone, text)) = &bar.verdict {
        line.push_str(&format!("  {} {text}", printer.mark(*glyph, *tone)));
    }
    line.trim_end().to_owned()
}
