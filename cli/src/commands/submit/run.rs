//! The course of a submission: what falls due is sent, what is accepted is noted, what ends is counted.

use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use indicatif::ProgressBar;
use odd_client::{ClientError, Gateway};
use odd_contracts::{JobId, Timestamp};
use odd_engine::ledger::LedgerWriter;
use odd_engine::platform;
use tokio::time::{Instant, MissedTickBehavior};

use super::board::Board;
use super::plan::{Group, Schedule};
use super::report::Reporter;
use super::send::{Chunk, Sent, Verdict, send};
use crate::context::Context;
use crate::error::Error;
use crate::patience::Patience;
use crate::waiter::{Ended, Waiter};

/// Requests in flight where everything is due at once: enough that the gateway always has the next one.
const IN_FLIGHT: usize = 4;
/// Requests in flight where jobs have their times: so many that a slow answer holds up nobody.
const IN_FLIGHT_TIMED: usize = 256;
/// Work that lasts longer than this shows its progress.
const QUIET: Duration = Duration::from_secs(1);
/// How often progress is looked at.
const TICK: Duration = Duration::from_millis(100);

/// How a submission is to be made.
pub(super) struct Manner {
    /// Whether to wait for the end of every job.
    pub(super) wait: bool,
    /// How long to wait once the last was accepted; how long to repeat a submission that nobody takes.
    pub(super) timeout: Duration,
}

/// Times that a submission took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// From the start to the last acceptance.
    pub(super) accepted: Duration,
    /// From the start to the end.
    pub(super) all: Duration,
    /// Whether Ctrl-C was the end.
    pub(super) interrupted: bool,
}

/// Submits every job of the groups, and waits for those that are to be waited for. Ctrl-C ends both: what was accepted until then goes on,
/// and is told like any other.
pub(super) async fn run<'a>(
    context: &'a Context,
    groups: &'a [Group],
    manner: &Manner,
) -> Result<(Board<'a>, Times), Error> {
    let mut course = Course::begin(context, groups, manner).await?;
    let outcome = tokio::select! {
        outcome = course.run() => Some(outcome),
        () = platform::interrupted() => None,
    };
    // What was accepted must be on record, however this ends.
    course.flush()?;
    course.progress.finish();
    let interrupted = outcome.is_none();
    outcome.transpose()?;
    let waiter = course.waiter;
    course
        .board
        .close(|id| waiter.as_ref().and_then(|waiter| waiter.last_seen(id)));
    course.reporter.closed(&course.board)?;
    let times = Times {
        accepted: course.accepted_at.duration_since(course.start),
        all: course.start.elapsed(),
        interrupted,
    };
    Ok((course.board, times))
}

struct Course<'a> {
    context: &'a Context,
    groups: &'a [Group],
    gateway: &'a Gateway,
    board: Board<'a>,
    waiter: Option<Waiter>,
    ledger: LedgerWriter,
    reporter: Reporter<'a>,
    progress: Progress<'a>,
    timeout: Duration,
    start: Instant,
    accepted_at: Instant,
    /// Whether the gateway answered at all: one that never did is not waited for.
    answered: bool,
    told: bool,
}

impl<'a> Course<'a> {
    async fn begin(context: &'a Context, groups: &'a [Group], manner: &Manner) -> Result<Self, Error> {
        let gateway = context.gateway()?;
        let ledger = context.ledger()?;
        let board = Board::new(groups, manner.wait);
        let waiter = if board.awaits_any() {
            Some(Waiter::subscribe(context.read_model()?).await)
        } else {
            None
        };
        let start = Instant::now();
        Ok(Self {
            context,
            groups,
            gateway,
            progress: Progress::new(context, groups, &board, start),
            reporter: Reporter::new(&context.printer, manner.wait),
            board,
            waiter,
            ledger,
            timeout: manner.timeout,
            start,
            accepted_at: start,
            answered: false,
            told: false,
        })
    }

    async fn run(&mut self) -> Result<(), Error> {
        let (gateway, groups) = (self.gateway, self.groups);
        let mut schedule = Schedule::new(groups);
        let timed = groups
            .iter()
            .any(|group| group.every.is_some() || !group.at.is_zero());
        let most = if timed { IN_FLIGHT_TIMED } else { IN_FLIGHT };
        let mut in_flight = FuturesUnordered::new();
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            let due = schedule.next_due().map(|due| self.start + due);
            let idle = due.is_none() && in_flight.is_empty();
            if idle
                && self
                    .waiter
                    .as_ref()
                    .is_none_or(|waiter| waiter.outstanding() == 0)
            {
                return Ok(());
            }
            tokio::select! {
                () = until(due), if in_flight.len() < most => {
                    in_flight.push(send(gateway, groups, self.chunk(&mut schedule)));
                }
                Some(sent) = in_flight.next() => {
                    if let Some(again) = self.take(sent)? {
                        in_flight.push(send(gateway, groups, again));
                    }
                }
                ended = next_ended(&mut self.waiter) => self.end(ended)?,
                () = tokio::time::sleep_until(self.accepted_at + self.timeout), if idle => return Ok(()),
                _ = ticks.tick() => self.progress.show(&self.board),
            }
        }
    }

    /// What is due, registered before it is sent: a job may end before its acceptance is read.
    fn chunk(&mut self, schedule: &mut Schedule<'_>) -> Chunk {
        let jobs = schedule.take(self.start.elapsed());
        self.board.submitted += jobs.len();
        if let Some(waiter) = &mut self.waiter {
            let awaited = jobs.iter().filter(|job| self.board.awaits(job.group));
            awaited.for_each(|job| waiter.expect(job.id));
        }
        Chunk {
            jobs,
            patience: Patience::new(self.timeout).with_unreachable(self.answered),
            again_because: None,
        }
    }

    /// Notes what became of a request; returns what is to be sent again.
    fn take(&mut self, sent: Sent) -> Result<Option<Chunk>, Error> {
        if let Some(cause) = sent.given_up {
            return Err(self.given_up(cause));
        }
        if !sent.verdicts.is_empty() {
            self.answered = true;
            self.settle(sent.verdicts)?;
        }
        Ok(sent.left.map(|(mut chunk, cause)| {
            self.board.retries += chunk.jobs.len() as u64;
            self.tell(&cause);
            if self.answered {
                chunk.patience = chunk.patience.with_unreachable(true);
            }
            chunk.again_because = Some(cause);
            chunk
        }))
    }

    fn settle(&mut self, verdicts: Vec<(super::plan::Planned, Verdict)>) -> Result<(), Error> {
        let now = Timestamp::now();
        let accepted = verdicts
            .iter()
            .filter(|(_, v)| matches!(v, Verdict::Accepted { .. }));
        for (job, _) in accepted {
            self.ledger.accepted(job.id, now).map_err(|e| self.unwritten(e))?;
        }
        // On record before it is reported.
        self.flush()?;
        for (job, verdict) in verdicts {
            match verdict {
                Verdict::Accepted { duplicate } => {
                    self.accepted_at = Instant::now();
                    let entry = self.board.accept(&job, duplicate);
                    self.reporter.accepted(entry, &self.groups[job.group])?;
                }
                Verdict::Refused(problem) => {
                    self.forget(job.id);
                    let rejected = self.board.reject(&job, *problem);
                    self.reporter.rejected(rejected)?;
                }
            }
        }
        Ok(())
    }

    fn forget(&mut self, id: JobId) {
        if let Some(waiter) = &mut self.waiter {
            waiter.forget(id);
        }
    }

    fn end(&mut self, ended: Ended) -> Result<(), Error> {
        if let Some(entry) = self.board.end(ended) {
            self.reporter.ended(entry, &self.groups[entry.group])?;
        }
        Ok(())
    }

    /// Says once why it takes longer.
    fn tell(&mut self, cause: &ClientError) {
        let will_retry = self.answered || cause.problem().is_some();
        if will_retry && !std::mem::replace(&mut self.told, true) {
            let printer = &self.context.printer;
            self.progress.suspend(|| {
                printer.warn(&format!("{cause}; submitting again under the same ids"));
            });
        }
    }

    fn given_up(&self, cause: ClientError) -> Error {
        let accepted = self.board.entries.len();
        let mut error = self.context.client_error("submit", cause);
        if accepted > 0 {
            error.details.push(format!(
                "{accepted} jobs were accepted before; their ids are in {}",
                self.context.ledger_path().display()
            ));
        }
        error
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.ledger.flush().map_err(|e| self.unwritten(e))
    }

    fn unwritten(&self, error: std::io::Error) -> Error {
        let path = self.context.ledger_path();
        Error::new(format!("note accepted jobs in {}", path.display()), error)
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

async fn next_ended(waiter: &mut Option<Waiter>) -> Ended {
    match waiter {
        Some(waiter) => waiter.next().await,
        None => std::future::pending().await,
    }
}

/// A progress bar that appears only once the work lasts.
struct Progress<'a> {
    context: &'a Context,
    start: Instant,
    length: u64,
    waits: bool,
    bar: Option<ProgressBar>,
}

impl<'a> Progress<'a> {
    fn new(context: &'a Context, groups: &[Group], board: &Board<'_>, start: Instant) -> Self {
        let waits = board.awaits_any();
        let all = groups.iter().map(|group| group.count).sum();
        Self {
            context,
            start,
            length: if waits { board.to_end() } else { all },
            waits,
            bar: None,
        }
    }

    fn show(&mut self, board: &Board<'_>) {
        if self.bar.is_none() && self.start.elapsed() > QUIET {
            self.bar = Some(self.context.printer.progress(self.length, "submitting"));
        }
        let Some(bar) = &self.bar else { return };
        let position = if self.waits {
            bar.set_message(format!("{} accepted, ended", board.entries.len()));
            board.ended()
        } else {
            board.entries.len()
        };
        bar.set_position(position as u64);
    }

    fn suspend(&self, say: impl FnOnce()) {
        match &self.bar {
            Some(bar) => bar.suspend(say),
            None => say(),
        }
    }

    fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
