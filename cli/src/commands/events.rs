//! `odd events`

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use futures::StreamExt;
use odd_client::{ClientError, EventQuery, ReadModel};
use odd_contracts::{EventEnvelope, EventType, JobId, Timestamp};
use odd_look::sign::of_event;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::args::OutputForm;
use crate::context::Context;
use crate::error::{Error, of_instance};
use crate::exit::ExitCode;
use crate::format;
use crate::ident::{self, Ident};
use crate::output::{Printer, Tone};

/// Most events of one page.
const PAGE: usize = 500;
/// Events that are listed where nothing is asked for.
const LISTED: usize = 50;
/// Events that following begins with where nothing is asked for.
const BEFORE: usize = 10;
/// Events that are remembered, so that none is shown twice when the stream is opened again.
const REMEMBERED: usize = 8_192;
/// What an event may be late by in the log, compared with one that was shown.
const LATE: Duration = Duration::from_secs(5);
/// First pause before the stream is opened again, doubled up to [`LONGEST_PAUSE`].
const PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Show what happened, and what happens.
///
/// Each step of a job is an event: created, validated, executed, completed and so on. Oldest first; times are UTC.
/// --follow goes on until Ctrl-C, also while the observatory is restarted.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Go on with what happens from now on
    #[arg(long, short = 'f')]
    follow: bool,
    /// Only events of these types, such as job.failed
    #[arg(long = "type", short = 't', value_name = "TYPE", value_delimiter = ',')]
    types: Vec<EventType>,
    /// Only events of this job: its id, or the first characters of it
    #[arg(long, short = 'j', value_name = "ID")]
    job: Option<Ident>,
    /// Most events to show; with --follow: how many to begin with [default: 50, with --follow 10]
    #[arg(long, short = 'n', value_name = "N")]
    limit: Option<usize>,
}

const EXAMPLES: &str = "\
Examples:
  odd events --follow
  odd events --type job.failed,job.retrying --limit 20
  odd events --job 9f31c2ab
  odd events --follow --output ndjson | jq .payload

Types:
  job.created job.validated job.scheduled job.executed job.retrying job.completed job.failed
  job.cancelled job.dead_lettered";

/// Version 1 of the answer.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    version: u32,
    events: &'a [EventEnvelope],
}

/// Lists, or follows.
pub async fn run(context: &Context, args: Args) -> Result<ExitCode, Error> {
    let job_id = match &args.job {
        Some(ident) => Some(ident::jobs(context, std::slice::from_ref(ident)).await?[0]),
        None => None,
    };
    let query = EventQuery {
        event_types: args.types,
        job_id,
        ..EventQuery::default()
    };
    if args.follow {
        return follow(context, query, args.limit.unwrap_or(BEFORE)).await;
    }
    let events = newest(context.read_model()?, query, args.limit.unwrap_or(LISTED))
        .await
        .map_err(|e| context.client_error("list events", e))?;
    let printer = &context.printer;
    match printer.form() {
        OutputForm::Json => printer.json(&Answer {
            version: 1,
            events: &events,
        })?,
        OutputForm::Ndjson => events.iter().try_for_each(|event| printer.json_line(event))?,
        OutputForm::Text if events.is_empty() => {
            let of = of_instance(context.instance_name());
            printer.note(&format!("no such event yet. next: odd submit hello --wait{of}"));
        }
        OutputForm::Text => printer.table(&[], events.iter().map(|event| row(printer, event))),
    }
    Ok(ExitCode::Ok)
}

/// The newest events, oldest first.
async fn newest(
    read_model: &ReadModel,
    mut query: EventQuery,
    limit: usize,
) -> Result<Vec<EventEnvelope>, ClientError> {
    let mut events = Vec::new();
    while events.len() < limit {
        query.limit = Some((limit - events.len()).min(PAGE));
        let page = read_model.events(&query).await?;
        events.extend(page.events);
        query.cursor = page.next_cursor;
        if query.cursor.is_none() {
            break;
        }
    }
    events.reverse();
    Ok(events)
}

/// Shows events as they happen until nobody reads them. Whenever the stream breaks it is opened again, and what
/// happened meanwhile is read from the event log.
async fn follow(context: &Context, query: EventQuery, before: usize) -> Result<ExitCode, Error> {
    let (printer, read_model) = (&context.printer, context.read_model()?);
    let failed = |e: ClientError| context.client_error("follow events", e);
    let mut shown = Shown::default();
    let mut pause = PAUSE;
    let mut first = true;
    loop {
        match read_model.stream(&query.event_types).await {
            Ok(mut live) => {
                if !first {
                    printer.note("connected again");
                }
                let limit = if first { before } else { PAGE };
                let missed = newest(read_model, query.clone(), limit).await;
                if first || missed.is_ok() {
                    let missed = missed.map_err(failed)?;
                    missed
                        .iter()
                        .try_for_each(|event| show(printer, &mut shown, event, !first))?;
                }
                (first, pause) = (false, PAUSE);
                while let Some(Ok(event)) = live.next().await {
                    if query.job_id.is_none_or(|id| event.job_id() == Some(id)) {
                        show(printer, &mut shown, &event, false)?;
                    }
                    if printer.is_closed() {
                        return Ok(ExitCode::Ok);
                    }
                }
                printer.note("the stream ended; connecting again");
            }
            Err(error) if first || !error.is_retryable() => return Err(failed(error)),
            Err(_) => {}
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn show(printer: &Printer, shown: &mut Shown, event: &EventEnvelope, missed: bool) -> Result<(), Error> {
    if !shown.is_new(event, missed) {
        return Ok(());
    }
    if printer.is_json() {
        return printer.json_line(event);
    }
    printer.line(&line(printer, event));
    Ok(())
}

/// Events that were shown lately.
#[derive(Debug, Default)]
struct Shown {
    ids: HashSet<Uuid>,
    order: VecDeque<Uuid>,
    latest: Option<Timestamp>,
}

impl Shown {
    /// Whether the event is to be shown; from then on it was. One that was `missed` must not be older than those that
    /// were shown: what happened before them was shown or not asked for.
    fn is_new(&mut self, event: &EventEnvelope, missed: bool) -> bool {
        let old = |latest: Timestamp| event.occurred_at < latest.minus(LATE);
        if missed && self.latest.is_some_and(old) {
            return false;
        }
        if !self.ids.insert(event.event_id) {
            return false;
        }
        self.order.push_back(event.event_id);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        self.latest = self.latest.max(Some(event.occurred_at));
        true
    }
}

/// Cells of an event: time, type, job, type of the job, and what there is to say.
pub(crate) fn row(printer: &Printer, event: &EventEnvelope) -> Vec<String> {
    vec![
        printer.paint(Tone::Muted, &format::clock(event.occurred_at)),
        printer.paint(of_event(event.event_type), event.event_type.name()),
        printer.paint(
            Tone::Accent,
            &event.job_id().map(format::short_id).unwrap_or_default(),
        ),
        event.job_type().unwrap_or_default().to_owned(),
        said(event),
    ]
}

/// The same on one line of its own, aligned with those before and after.
fn line(printer: &Printer, event: &EventEnvelope) -> String {
    let name = format!("{:<17}", event.event_type.name());
    let job: JobId = event.job_id().unwrap_or_default();
    let id = if job.is_nil() {
        " ".repeat(8)
    } else {
        format::short_id(job)
    };
    format!(
        "{}  {}  {}  {:<10}  {}",
        printer.paint(Tone::Muted, &format::clock(event.occurred_at)),
        printer.paint(of_event(event.event_type), &name),
        printer.paint(Tone::Accent, &id),
        event.job_type().unwrap_or_default(),
        said(event),
    )
    .trim_end()
    .to_owned()
}

/// What an event says beyond its type: attempt, duration, error.
fn said(event: &EventEnvelope) -> String {
    let payload = &event.payload;
    let text = |name: &str| payload.get(name).and_then(Value::as_str);
    let number = |name: &str| payload.get(name).and_then(Value::as_f64);
    let mut parts = Vec::new();
    if let Some(attempt) = payload.get("attempt").and_then(Value::as_u64).filter(|n| *n > 0) {
        parts.push(format!("attempt {attempt}"));
    }
    if let Some(outcome) = text("outcome") {
        parts.push(outcome.replace('_', " "));
    }
    if let Some(duration) = number("durationMs") {
        parts.push(format!("in {}", format::millis(duration)));
    }
    if let Some(backoff) = number("backoffMs") {
        parts.push(format!("again in {}", format::millis(backoff)));
    }
    if let Some(reason) = text("reason") {
        parts.push(reason.to_owned());
    }
    let why = text("error").or_else(|| text("detail"));
    if let Some(line) = why.and_then(|text| text.lines().next()) {
        parts.push(line.to_owned());
    }
    parts.join("  ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::args::Global;

    fn event(id: u128, event_type: &str, at: &str, payload: Value) -> EventEnvelope {
        serde_json::from_value(json!({
            "contractVersion": "1.1.0", "eventType": event_type, "eventId": Uuid::from_u128(id),
            "occurredAt": at, "producer": { "service": "processor", "instanceId": "i", "version": "0.1.0" },
            "correlationId": "c", "idempotencyKey": "k", "payload": payload,
        }))
        .unwrap()
    }

    fn plain() -> Printer {
        Printer::new(&Global {
            no_color: true,
            ..Global::default()
        })
    }

    #[test]
    fn an_event_is_one_aligned_line() {
        let id = "51d0e77c-0000-4000-8000-000000000000";
        let at = "2026-01-31T12:04:31.204Z";
        let executed = event(
            1,
            "job.executed",
            at,
            json!({ "id": id, "type": "hello", "attempt": 2, "outcome": "timed_out", "durationMs": 1400.0, "error": "too slow\nvery" }),
        );
        let retrying = event(
            2,
            "job.retrying",
            at,
            json!({ "id": id, "type": "hello", "attempt": 2, "backoffMs": 800.0, "error": "too slow" }),
        );
        let dead = event(
            3,
            "job.dead_lettered",
            at,
            json!({ "reason": "not_json", "detail": "expected value" }),
        );
        let lines = [&executed, &retrying, &dead].map(|event| line(&plain(), event));
        assert_eq!(
            lines,
            [
                "12:04:31.204  job.executed       51d0e77c  hello       attempt 2  timed out  in 1.4 s  too slow",
                "12:04:31.204  job.retrying       51d0e77c  hello       attempt 2  again in 800 ms  too slow",
                "12:04:31.204  job.dead_lettered                        not_json  expected value",
            ]
        );
        assert_eq!(row(&plain(), &dead)[2], "");
    }

    #[test]
    fn nothing_is_shown_twice_and_nothing_from_before_the_outage() {
        let mut shown = Shown::default();
        let at = |id, text: &str| event(id, "job.created", text, json!({}));
        assert!(shown.is_new(&at(1, "2026-01-31T12:00:10Z"), false));
        assert!(!shown.is_new(&at(1, "2026-01-31T12:00:10Z"), false));
        assert!(
            !shown.is_new(&at(2, "2026-01-31T12:00:04Z"), true),
            "older than what was shown"
        );
        assert!(
            shown.is_new(&at(3, "2026-01-31T12:00:09Z"), true),
            "late, but not shown"
        );
        assert!(
            shown.is_new(&at(4, "2026-01-31T12:00:04Z"), false),
            "live events always are"
        );
        for id in 0..u128::try_from(REMEMBERED).unwrap() {
            assert!(shown.is_new(&at(100 + id, "2026-01-31T12:00:11Z"), false));
        }
        assert_eq!(shown.ids.len(), REMEMBERED);
    }
}
