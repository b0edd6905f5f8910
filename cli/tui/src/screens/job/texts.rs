//! What is known of a job, as texts that can be scrolled.

use odd_contracts::api::JobDetail;
use odd_contracts::{JobAttempt, JobRecord};
use odd_look::format;
use odd_look::sign::{Glyph, of_outcome};

use crate::pager::{Ink, Pager};
use crate::theme::Theme;

/// The record without what can be large.
pub(super) fn bare(record: &JobRecord) -> JobRecord {
    let mut bare = record.clone();
    bare.job.payload.clear();
    bare.result = None;
    bare
}

/// Every execution: when, by whom, how it ended and why.
pub(super) fn attempts(detail: &JobDetail, theme: Theme) -> Pager {
    let mut pager = Pager::default();
    if detail.attempts.is_empty() {
        pager.add(Ink::Muted, "No attempt has begun.");
    }
    for attempt in &detail.attempts {
        add_attempt(&mut pager, attempt, theme);
    }
    pager
}

fn add_attempt(pager: &mut Pager, attempt: &JobAttempt, theme: Theme) {
    let (glyph, outcome) = match attempt.outcome {
        Some(outcome) => (of_outcome(outcome).0, outcome.name().replace('_', " ")),
        None => (Glyph::Working, "running".to_owned()),
    };
    let took = attempt.finished_at.map(|end| {
        let took = format::duration(end.since(attempt.started_at));
        format!("{took}, ended {}", format::clock(end))
    });
    pager.add(
        Ink::Heading,
        &format!("attempt {}   {} {outcome}", attempt.number, theme.glyph(glyph)),
    );
    let took = took.unwrap_or_else(|| "not ended".to_owned());
    let executor = &attempt.executor;
    pager.add(
        Ink::Muted,
        &format!(
            "  began {}   {took}   {} {} ({})   take {}",
            format::clock(attempt.started_at),
            executor.service,
            executor.instance_id,
            executor.version,
            attempt.take
        ),
    );
    if let Some(error) = &attempt.error {
        pager.add(Ink::Bad, &indented(error));
    }
    if let Some(at) = attempt.retry_at {
        pager.add(Ink::Muted, &format!("  next attempt due {}", format::clock(at)));
    }
    pager.gap();
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

/// What its handler was given.
pub(super) fn payload(record: &JobRecord) -> Pager {
    let mut pager = Pager::json(&record.job.payload);
    if !record.job.metadata.is_empty() {
        pager.gap();
        pager.add(Ink::Heading, "metadata");
        pager.add_json(&record.job.metadata);
    }
    pager
}

/// What came of it.
pub(super) fn result(record: &JobRecord) -> Pager {
    let mut pager = Pager::default();
    if let Some(error) = &record.error {
        let what = if record.job.status.is_terminal() {
            "error"
        } else {
            "error of the last attempt"
        };
        pager.add(Ink::Heading, what);
        pager.add(Ink::Bad, error);
        pager.gap();
    }
    match &record.result {
        Some(result) => pager.add_json(result),
        None if record.job.status.is_terminal() => pager.add(Ink::Muted, "It left no result."),
        None => pager.add(Ink::Muted, "It has not ended: there is no result yet."),
    }
    pager
}
