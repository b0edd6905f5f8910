//! How a submission is told: lines as things happen, and the summary.

use odd_contracts::{JobId, JobStatus, Problem};
use odd_look::text as shown;
use serde::Serialize;

use super::board::{Board, Entry, Rejected};
use super::plan::Group;
use super::run::Times;
use crate::args::OutputForm;
use crate::context::Context;
use crate::error::{Error, of_instance};
use crate::format;
use crate::output::{Glyph, Printer, Tone};

/// Most findings of one kind that are written out.
const SHOWN: usize = 10;

/// Writes one line a job as things happen, where NDJSON was asked for.
pub(super) struct Reporter<'a> {
    printer: &'a Printer,
    wait: bool,
    streams: bool,
}

/// A job in an NDJSON answer, version 1.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct JobLine<'a> {
    version: u32,
    id: JobId,
    #[serde(rename = "type")]
    job_type: &'a str,
    status: JobStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    timed_out: bool,
}

/// A refused job in an NDJSON answer, version 1.
#[derive(Debug, Serialize)]
struct RejectedLine<'a> {
    version: u32,
    index: usize,
    problem: &'a Problem,
}

impl<'a> Reporter<'a> {
    pub(super) fn new(printer: &'a Printer, wait: bool) -> Self {
        Self {
            printer,
            wait,
            streams: printer.form() == OutputForm::Ndjson,
        }
    }

    /// A job was accepted. Where its end is waited for, that is told instead.
    pub(super) fn accepted(&self, entry: &Entry, group: &Group) -> Result<(), Error> {
        let awaited = self.wait || group.expect.is_some();
        if awaited && !entry.status.is_terminal() {
            return Ok(());
        }
        self.line(entry, group, false)
    }

    pub(super) fn ended(&self, entry: &Entry, group: &Group) -> Result<(), Error> {
        self.line(entry, group, false)
    }

    pub(super) fn rejected(&self, rejected: &Rejected) -> Result<(), Error> {
        if !self.streams {
            return Ok(());
        }
        self.printer.json_line(&RejectedLine {
            version: 1,
            index: rejected.index,
            problem: &rejected.problem,
        })
    }

    /// Nobody waits any more.
    pub(super) fn closed(&self, board: &Board<'_>) -> Result<(), Error> {
        board
            .timed_out()
            .try_for_each(|entry| self.line(entry, board.group(entry), true))
    }

    fn line(&self, entry: &Entry, group: &Group, timed_out: bool) -> Result<(), Error> {
        if !self.streams {
            return Ok(());
        }
        self.printer.json_line(&JobLine {
            version: 1,
            id: entry.id,
            job_type: &group.job_type,
            status: entry.status,
            error: entry.error.as_deref(),
            timed_out,
        })
    }
}

/// The summary, after everything else was said.
pub(super) fn summarise(context: &Context, board: &Board<'_>, times: Times) -> Result<(), Error> {
    match context.printer.form() {
        OutputForm::Json => context.printer.json(&board.answer()),
        OutputForm::Ndjson => Ok(()),
        OutputForm::Text => {
            text(context, board, times);
            Ok(())
        }
    }
}

fn text(context: &Context, board: &Board<'_>, times: Times) {
    let printer = &context.printer;
    rejections(printer, board);
    mismatches(printer, board);
    if times.interrupted {
        printer.note("interrupted: nothing more is submitted, and what was accepted goes on");
    }
    match (board.entries.as_slice(), board.submitted) {
        ([entry], 1) => single(context, board, entry, times),
        ([], _) => {}
        _ => many(context, board, times),
    }
}

fn single(context: &Context, board: &Board<'_>, entry: &Entry, times: Times) {
    let (printer, group) = (&context.printer, board.group(entry));
    let awaited = board.awaits(entry.group);
    let mut line = if awaited {
        printer.status(entry.status)
    } else {
        format!("{} accepted", printer.mark(Glyph::Ok, Tone::Ok))
    };
    line.push_str(&format!("  {}  {}", entry.id, group.job_type));
    if entry.duplicate {
        line.push_str("  accepted before under this id: no second job");
    }
    if awaited && entry.status.is_terminal() {
        line.push_str(&format!("  in {}", format::duration(times.all)));
    } else if awaited {
        line.push_str(&format!("  not ended after {}", format::duration(times.all)));
    }
    printer.line(&line);
    if let Some(error) = &entry.error {
        let error = shown::line(error);
        printer.line(&format!("  {} {error}", printer.paint(Tone::Bad, "because:")));
    }
    retries(printer, board);
    printer.note(&format!(
        "next: odd jobs get {}{}",
        format::short_id(entry.id),
        of_instance(context.instance_name())
    ));
}

/// One line: `✓ 1,000 accepted in 412 ms (2,427/s)   ✓ 998 completed   ✗ 2 failed   in 1.1 s`
fn many(context: &Context, board: &Board<'_>, times: Times) {
    let printer = &context.printer;
    let accepted = board.entries.len();
    let mut parts = vec![format!(
        "{} {} accepted in {}{}",
        printer.mark(Glyph::Ok, Tone::Ok),
        format::count(accepted as u64),
        format::duration(times.accepted),
        rate(accepted, times)
    )];
    let counts = [
        (board.completed(), Glyph::Ok, Tone::Ok, "completed"),
        (board.failed(), Glyph::Bad, Tone::Bad, "failed"),
        (board.cancelled(), Glyph::Cancelled, Tone::Cancelled, "cancelled"),
        (
            board.timed_out().count(),
            Glyph::Waiting,
            Tone::Attention,
            "not ended",
        ),
    ];
    for (count, glyph, tone, word) in counts.into_iter().filter(|(count, ..)| *count > 0) {
        let count = format::count(count as u64);
        parts.push(format!("{} {count} {word}", printer.mark(glyph, tone)));
    }
    if board.awaits_any() && !times.interrupted {
        parts.push(format!("in {}", format::duration(times.all)));
    }
    if board.is_as_expected() {
        parts.push("all as expected".to_owned());
    }
    printer.line(&parts.join("   "));
    retries(printer, board);
    advise(context, board);
}

fn rate(accepted: usize, times: Times) -> String {
    let rate = accepted as f64 / times.accepted.as_secs_f64();
    if rate.is_finite() {
        format!(" ({}/s)", format::count(rate.round() as u64))
    } else {
        String::new()
    }
}

fn retries(printer: &Printer, board: &Board<'_>) {
    if board.retries > 0 {
        let count = format::count(board.retries);
        printer.note(&format!("{count} submissions were repeated under the same id"));
    }
}

fn advise(context: &Context, board: &Board<'_>) {
    let of = of_instance(context.instance_name());
    let next = if board.timed_out().next().is_some() {
        format!("odd jobs list --status pending,scheduled,executing,retrying{of}")
    } else if board.failed() > 0 && !board.is_as_expected() {
        format!("odd jobs list --status failed{of}")
    } else {
        format!("odd jobs list{of}")
    };
    context.printer.note(&format!("next: {next}"));
}

fn rejections(printer: &Printer, board: &Board<'_>) {
    for rejected in board.rejected.iter().take(SHOWN) {
        let problem = &rejected.problem;
        let place = match board.line_of(rejected) {
            Some(line) => format!("line {line}"),
            None => format!("job {}", rejected.index + 1),
        };
        let detail = problem.detail.as_deref().unwrap_or(&problem.title);
        let mark = printer.mark(Glyph::Bad, Tone::Bad);
        let mut line = format!("{mark} {place} was refused: {} {}", problem.status, problem.title);
        // The detail of several errors at once is those errors again.
        if problem.errors.is_empty() && detail != problem.title {
            line.push_str(&format!(": {detail}"));
        }
        printer.line(&line);
        for error in &problem.errors {
            let path = if error.path.is_empty() { "/" } else { &error.path };
            printer.line(&format!("    {path}: {}", error.message));
        }
    }
    more(printer, board.rejected.len(), "refused");
}

fn mismatches(printer: &Printer, board: &Board<'_>) {
    let mismatched = board.mismatched();
    for mismatch in mismatched.iter().take(SHOWN) {
        let line = mismatch
            .line
            .map(|line| format!("line {line}: "))
            .unwrap_or_default();
        printer.line(&format!(
            "{} {line}{} ended {}, expected {}",
            printer.mark(Glyph::Bad, Tone::Bad),
            format::short_id(mismatch.id),
            printer.status(mismatch.status),
            mismatch.expected,
        ));
    }
    more(printer, mismatched.len(), "not as expected");
}

fn more(printer: &Printer, count: usize, what: &str) {
    if count > SHOWN {
        printer.line(&format!(
            "  and {} more {what}",
            format::count((count - SHOWN) as u64)
        ));
    }
}
