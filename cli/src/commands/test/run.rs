//! Runs checks, side by side within a phase and one phase after the other, and prints each as it ends.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::{BoxFuture, FutureExt};
use tokio::task::JoinSet;

use super::gate::{Gate, Shared};
use super::report;
use crate::context::Context;
use crate::format;

/// What a check found: something worth telling (or nothing), or what is wrong.
pub(super) type Outcome = Result<String, String>;

/// Time beyond the limit after which a check is given up that does not end by itself.
const MARGIN: Duration = Duration::from_secs(1);
/// Checks that run at the same time. Each waits for the system most of its time.
const PARALLEL: usize = 24;

/// Checks that run side by side. A phase begins when the one before has ended.
pub(super) type Phase = Vec<Check>;

/// One check: what it is called and how it is done.
pub(super) struct Check {
    /// What it is about: that of its place in the JUnit report.
    pub(super) subject: &'static str,
    /// What it proves.
    pub(super) name: String,
    /// Time limits of an ordinary check that it may take.
    allowance: u32,
    run: Box<dyn FnOnce(Gate) -> BoxFuture<'static, Outcome> + Send>,
}

/// A check that ended.
pub(super) struct CheckResult {
    pub(super) subject: &'static str,
    pub(super) name: String,
    pub(super) ok: bool,
    pub(super) detail: String,
    pub(super) took: Duration,
}

impl Check {
    pub(super) fn new<F, Fut>(subject: &'static str, name: impl Into<String>, run: F) -> Self
    where
        F: FnOnce(Gate) -> Fut + Send + 'static,
        Fut: Future<Output = Outcome> + Send + 'static,
    {
        Self {
            subject,
            name: name.into(),
            allowance: 1,
            run: Box::new(move |gate| run(gate).boxed()),
        }
    }

    /// A check of several steps, each of which may take the time limit.
    pub(super) const fn steps(mut self, steps: u32) -> Self {
        self.allowance = steps;
        self
    }

    async fn execute(self, shared: Arc<Shared>, limit: Duration) -> CheckResult {
        let begun = Instant::now();
        let limit = limit * self.allowance;
        let run = (self.run)(Gate::new(shared, limit));
        // A task of its own, so that a panic fails this check and no other.
        let mut task = JoinSet::new();
        task.spawn(run);
        let outcome = match tokio::time::timeout(limit + MARGIN, task.join_next()).await {
            Ok(Some(Ok(outcome))) => outcome,
            Ok(Some(Err(error))) => Err(format!("the check itself broke: {error}")),
            Ok(None) | Err(_) => Err(format!("not done within {}", format::duration(limit))),
        };
        let ok = outcome.is_ok();
        CheckResult {
            subject: self.subject,
            name: self.name,
            ok,
            detail: outcome.unwrap_or_else(|wrong| wrong),
            took: begun.elapsed(),
        }
    }
}

/// Runs the checks, prints a line for each as it ends, and returns all in the order in which they were given.
pub(super) async fn run(
    context: &Context,
    shared: &Arc<Shared>,
    phases: Vec<Phase>,
    limit: Duration,
) -> Vec<CheckResult> {
    let names = || phases.iter().flatten().map(|check| check.name.chars().count());
    let width = names().max();
    let progress = context.printer.progress(names().count() as u64, "checking");
    let mut results = Vec::new();
    for phase in phases {
        let shown = |result: &CheckResult| {
            if !context.printer.is_json() {
                let line = report::line(&context.printer, result, width);
                progress.suspend(|| context.printer.line(&line));
            }
            progress.inc(1);
        };
        results.extend(side_by_side(shared, phase, limit, shown).await);
    }
    progress.finish_and_clear();
    results
}

async fn side_by_side(
    shared: &Arc<Shared>,
    checks: Phase,
    limit: Duration,
    ended: impl Fn(&CheckResult),
) -> Vec<CheckResult> {
    let mut waiting = checks.into_iter().enumerate();
    let mut running = JoinSet::new();
    let mut results = Vec::new();
    loop {
        while running.len() < PARALLEL
            && let Some((index, check)) = waiting.next()
        {
            let shared = Arc::clone(shared);
            running.spawn(async move { (index, check.execute(shared, limit).await) });
        }
        // Nothing in `execute` can panic: the check runs in a task of its own.
        let Some(Ok((index, result))) = running.join_next().await else {
            break;
        };
        ended(&result);
        results.push((index, result));
    }
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}
