//! `odd verify`

mod reconcile;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures::TryStreamExt;
use odd_client::{ClientError, ReadModel};
use odd_contracts::api::{HealthState, Overview, QueueDepth};
use odd_contracts::names::spine::{JOBS_CREATED, JOBS_EVENTS, MAX_ENVELOPES};
use odd_contracts::{JobId, Role, Timestamp};
use odd_engine::ledger;
use serde::Serialize;

use crate::context::Context;
use crate::error::{Error, of_instance};
use crate::exit::ExitCode;
use crate::format;
use crate::output::{Glyph, Printer, Tone};
use crate::patience::Patience;
use reconcile::{Findings, Jobs, OnTheirWay, Reconciliation, Verdict};

/// Time between two looks at a system that has not settled, at first; doubled up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Findings of a kind that a larger proof tells of.
const TOLD: usize = 5;

/// Prove that nothing was lost.
///
/// Compares, job by job, what was accepted (by the event log, and by the ledger of ids that submit and bench keep of every
/// 202) with the state of each job, its history and the counters. Work in hand is given time to settle. Exits with 6 where a
/// job is lost, stuck, ended twice, or differs from its history.
///
/// While a role that records is not ready, what it has not recorded yet is not told from what is lost: the exit code is 3 then.
///
/// Where events are kept for a limited time, no history is missed that may have been deleted since, and the answer says how
/// far back histories were checked.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  odd verify\n  odd verify --settle 2m --output json\n  odd verify --ledger accepted.txt"
)]
pub struct Args {
    /// Longest time to wait for work in hand
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = crate::duration::parse)]
    settle: Duration,
    /// Further ledger of accepted ids, one «id microseconds» a line
    #[arg(long, value_name = "FILE")]
    ledger: Vec<PathBuf>,
}

/// Version 1 of the answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    version: u32,
    ok: bool,
    accepted: u64,
    terminal: u64,
    lost: u64,
    stuck: u64,
    duplicated: u64,
    drifted: u64,
    in_flight: u64,
    counters_compared: bool,
    /// Roles that were not ready, where that leaves open what the findings mean.
    #[serde(skip_serializing_if = "Option::is_none")]
    unready: Option<&'a [Role]>,
    /// Where events are kept for a limited time: since when the jobs were submitted whose histories were checked to be complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    checked_since: Option<Timestamp>,
    /// Jobs that were submitted before.
    #[serde(skip_serializing_if = "Option::is_none")]
    expired: Option<u64>,
    findings: FindingLists<'a>,
}

#[derive(Debug, Serialize)]
struct FindingLists<'a> {
    lost: &'a [reconcile::Finding],
    stuck: &'a [reconcile::Finding],
    duplicated: &'a [reconcile::Finding],
    drifted: &'a [reconcile::Finding],
}

/// Reconciles and prints.
pub async fn run(context: &Context, args: Args) -> Result<ExitCode, Error> {
    let cut_off = Timestamp::now();
    let ledger = read_ledgers(&context.ledger_path(), &args.ledger, cut_off)?;
    let progress = context.printer.progress(0, "waiting for work in hand");
    let verdict = settle(context.read_model()?, &ledger, cut_off, args.settle, &progress).await;
    progress.finish_and_clear();
    let verdict = verdict.map_err(|e| context.client_error("verify the instance", e))?;
    report(context, &verdict)?;
    Ok(if verdict.is_ok() {
        ExitCode::Ok
    } else if verdict.doubt().is_some() {
        ExitCode::Prerequisite
    } else {
        ExitCode::GateFailed
    })
}

/// Reconciles without printing, as a part of a larger proof: the figures where the promise holds and nothing is in flight.
///
/// # Errors
/// What was found, or what reading failed with, in words.
pub(crate) async fn examine(
    read_model: &ReadModel,
    ledger: &Path,
    limit: Duration,
) -> Result<String, String> {
    let told = |error: anyhow::Error| {
        error
            .chain()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(": ")
    };
    let cut_off = Timestamp::now();
    let ledger = read_ledgers(ledger, &[], cut_off).map_err(|error| told(error.cause))?;
    let progress = indicatif::ProgressBar::hidden();
    let verdict = settle(read_model, &ledger, cut_off, limit, &progress).await;
    let verdict = verdict.map_err(|error| told(error.into()))?;
    let (accepted, terminal) = (verdict.accepted, verdict.terminal);
    if verdict.is_ok() && verdict.in_flight == 0 {
        return Ok(format!("{accepted} accepted, {terminal} ended, none lost"));
    }
    let kinds = [
        ("lost", &verdict.lost),
        ("stuck", &verdict.stuck),
        ("ended or recorded twice", &verdict.duplicated),
        ("differing from history or counters", &verdict.drifted),
    ];
    let mut found = format!(
        "{accepted} accepted, {terminal} ended, {} in flight",
        verdict.in_flight
    );
    for (what, findings) in kinds.iter().filter(|(_, findings)| findings.count > 0) {
        found.push_str(&format!(", {} {what}", findings.count));
        for finding in findings.listed.iter().take(TOLD) {
            let id = finding.id.map(|id| format!("{id} ")).unwrap_or_default();
            found.push_str(&format!("\n{id}{}", finding.detail));
        }
    }
    Err(found)
}

/// Ids that were accepted before the cut-off.
fn read_ledgers(own: &Path, further: &[PathBuf], cut_off: Timestamp) -> Result<BTreeSet<JobId>, Error> {
    let mut ids = BTreeSet::new();
    for path in std::iter::once(own).chain(further.iter().map(PathBuf::as_path)) {
        let failed = |e: anyhow::Error| {
            Error::new(format!("read the ledger {}", path.display()), e).code(ExitCode::Usage)
        };
        // Without one of its own, nothing was submitted from here. One that is named has to be there: none of its ids would be missed.
        if path != own {
            std::fs::metadata(path).map_err(|e| failed(e.into()))?;
        }
        let entries = ledger::read(path).map_err(|e| failed(e.into()))?;
        ids.extend(
            entries
                .into_iter()
                .filter(|entry| entry.accepted_at <= cut_off)
                .map(|entry| entry.id),
        );
    }
    Ok(ids)
}

/// Reconciles until nothing can change the verdict for the better, or time is up.
async fn settle(
    read_model: &ReadModel,
    ledger: &BTreeSet<JobId>,
    cut_off: Timestamp,
    limit: Duration,
    progress: &indicatif::ProgressBar,
) -> Result<Verdict, ClientError> {
    let begun = Instant::now();
    let mut pause = FIRST_PAUSE;
    let mut patience = Patience::new(limit).with_unreachable(true);
    progress.enable_steady_tick(FIRST_PAUSE);
    // Where nobody answers at all, that is told at once.
    read_model.overview().await?;
    loop {
        // What does not answer for a moment says nothing about the promise.
        let verdict = match reconcile(read_model, ledger.clone(), cut_off).await {
            Ok(verdict) => verdict,
            Err(error) if patience.wait(&error).await => continue,
            Err(error) => return Err(error),
        };
        if verdict.is_settled() || begun.elapsed() + pause > limit {
            return Ok(verdict);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// One look. The queue is read before the job store, and that before the log: what leaves one is in the next by then.
async fn reconcile(
    read_model: &ReadModel,
    ledger: BTreeSet<JobId>,
    cut_off: Timestamp,
) -> Result<Verdict, ClientError> {
    let overview = read_model.overview().await?;
    let on_their_way = OnTheirWay {
        jobs: messages(&overview.queues, JOBS_CREATED),
        events: messages(&overview.queues, JOBS_EVENTS) * MAX_ENVELOPES as u64,
    };
    let retention = overview.event_retention_seconds.map(Duration::from_secs);
    let jobs: Jobs = read_model
        .export_jobs()
        .await?
        .map_ok(|job| (job.id, job))
        .try_collect()
        .await?;
    let now = Timestamp::now();
    let mut reconciliation = Reconciliation::new(&jobs, ledger, on_their_way, cut_off, now, retention);
    let mut log = read_model.export_events().await?;
    while let Some(history) = log.try_next().await? {
        reconciliation.history(&history);
    }
    let counters = read_model.stats().await?.counters;
    Ok(Verdict {
        unready: unready(&overview),
        ..reconciliation.finish(&counters)
    })
}

/// Roles that take part in recording what was accepted and are not ready.
fn unready(overview: &Overview) -> Vec<Role> {
    let record = [Role::Gateway, Role::Processor, Role::MetricsEngine];
    let ill = overview
        .roles
        .iter()
        .filter(|role| role.state != HealthState::Healthy);
    ill.map(|role| role.role)
        .filter(|role| record.contains(role))
        .collect()
}

/// Messages of a queue, also those in somebody's hand.
fn messages(queues: &[QueueDepth], name: &str) -> u64 {
    let named = queues.iter().filter(|queue| queue.name == name);
    named.map(|queue| queue.ready + queue.unacknowledged).sum()
}

fn report(context: &Context, verdict: &Verdict) -> Result<(), Error> {
    let printer = &context.printer;
    if printer.is_json() {
        return printer.json(&Answer {
            version: 1,
            ok: verdict.is_ok(),
            accepted: verdict.accepted,
            terminal: verdict.terminal,
            lost: verdict.lost.count,
            stuck: verdict.stuck.count,
            duplicated: verdict.duplicated.count,
            drifted: verdict.drifted.count,
            in_flight: verdict.in_flight,
            counters_compared: verdict.counters_compared,
            unready: verdict.doubt(),
            checked_since: verdict.checked_since,
            expired: verdict.checked_since.map(|_| verdict.expired),
            findings: FindingLists {
                lost: &verdict.lost.listed,
                stuck: &verdict.stuck.listed,
                duplicated: &verdict.duplicated.listed,
                drifted: &verdict.drifted.listed,
            },
        });
    }
    let figures = format!(
        "{} accepted   {} ended   {} in flight",
        format::count(verdict.accepted),
        format::count(verdict.terminal),
        format::count(verdict.in_flight),
    );
    printer.line(&figures);
    findings(printer, "lost", &verdict.lost);
    findings(printer, "stuck", &verdict.stuck);
    findings(printer, "ended or recorded twice", &verdict.duplicated);
    findings(printer, "differing from history or counters", &verdict.drifted);
    limits(printer, verdict);
    let (glyph, tone, text) = if verdict.is_ok() {
        (
            Glyph::Ok,
            Tone::Ok,
            "the promise holds: every job that was accepted ended once, with a complete history",
        )
    } else if let Some(roles) = verdict.doubt() {
        let names: Vec<&str> = roles.iter().map(|role| role.name()).collect();
        printer.warn(&format!(
            "not ready: {}. What is missing may not be recorded yet; odd status tells more",
            names.join(", ")
        ));
        (
            Glyph::Warn,
            Tone::Attention,
            "whether the promise holds cannot be told now",
        )
    } else {
        (Glyph::Bad, Tone::Bad, "the promise is broken")
    };
    let text = if verdict.is_ok() && verdict.in_flight > 0 {
        "nothing is lost so far; jobs are still on their way"
    } else if verdict.is_ok() && verdict.expired > 0 {
        "the promise holds: every job that was accepted ended once, with a complete history as far back as events are kept"
    } else {
        text
    };
    printer.line(&format!("{} {text}", printer.mark(glyph, tone)));
    if !verdict.is_ok() {
        let of = of_instance(context.instance_name());
        printer.note(&format!("next: odd jobs get{of} ID --timeline, odd logs{of}"));
    }
    Ok(())
}

/// What was not checked, and why.
fn limits(printer: &Printer, verdict: &Verdict) {
    if let (Some(since), 1..) = (verdict.checked_since, verdict.expired) {
        printer.warn(&format!(
            "histories were checked since {}: of the {} jobs submitted before, the event log need not have every event any more",
            format::date_and_clock(since),
            format::count(verdict.expired)
        ));
    }
    if verdict.counters_compared {
        return;
    }
    printer.warn(if verdict.expired > 0 {
        "the counters were not compared: they may have counted what the event log no longer keeps"
    } else {
        "the counters were not compared: jobs are still on their way"
    });
}

fn findings(printer: &Printer, what: &str, findings: &Findings) {
    let (glyph, tone) = if findings.count == 0 {
        (Glyph::Ok, Tone::Ok)
    } else {
        (Glyph::Bad, Tone::Bad)
    };
    printer.line(&format!(
        "  {} {} {what}",
        printer.mark(glyph, tone),
        format::count(findings.count)
    ));
    for finding in &findings.listed {
        let id = finding.id.map(|id| format!("{id}  ")).unwrap_or_default();
        printer.line(&format!("      {id}{}", finding.detail));
    }
    let more = findings.count.saturating_sub(findings.listed.len() as u64);
    if more > 0 {
        printer.line(&format!("      … and {} more", format::count(more)));
    }
}
