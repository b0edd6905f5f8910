//! What a bench found.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use odd_contracts::JobStatus;
use odd_contracts::api::LatencySummary;
use serde::Serialize;

use super::load::{Load, Pace, Submission};
use super::watch::Watch;
use crate::error::Error;
use crate::format;
use crate::output::Printer;

/// Version 1 of the answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    version: u32,
    engine: String,
    /// Whether the measuring program was compiled with optimisation.
    optimised: bool,
    /// Jobs that were submitted.
    jobs: u64,
    accepted: u64,
    completed: u64,
    failed: u64,
    cancelled: u64,
    unfinished: u64,
    /// Jobs a second that were asked for; absent with --max.
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<f64>,
    concurrency: usize,
    batch: usize,
    repeated_requests: u64,
    /// Jobs that ended, by the seconds from the first submission to the last end.
    throughput_per_second: f64,
    /// Jobs accepted, by the seconds from the first submission to the last answer.
    accepted_per_second: f64,
    seconds: f64,
    /// From the instant at which a job was due to be submitted to the instant at which its end was seen.
    latency_ms: LatencySummary,
    /// From the instant at which a request was due to its answer.
    accept_ms: LatencySummary,
    cores: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    load_average: Option<f64>,
}

impl Report {
    pub(super) fn new(
        engine: &str,
        load: &Load,
        begun: Instant,
        submission: &Submission,
        watch: &Watch,
    ) -> Self {
        let samples = watch.samples();
        let ended = |wanted: JobStatus| {
            samples
                .iter()
                .filter(|sample| sample.end.is_some_and(|(_, status)| status == wanted))
                .count() as u64
        };
        let ends = samples
            .iter()
            .filter_map(|sample| sample.end.map(|(at, _)| (sample.due, at)));
        let last = ends.clone().map(|(_, at)| at).max().unwrap_or(begun);
        let took = last.saturating_duration_since(begun);
        let finished = ends.clone().count() as u64;
        Self {
            version: 1,
            engine: engine.to_owned(),
            optimised: !cfg!(debug_assertions),
            jobs: submission.submitted,
            accepted: submission.accepted,
            completed: ended(JobStatus::Completed),
            failed: ended(JobStatus::Failed),
            cancelled: ended(JobStatus::Cancelled),
            unfinished: submission.accepted.saturating_sub(finished),
            rate: match load.pace {
                Pace::Rate(rate) => Some(rate),
                Pace::Max => None,
            },
            concurrency: load.concurrency,
            batch: load.batch,
            repeated_requests: submission.repeated,
            throughput_per_second: per_second(finished, took),
            accepted_per_second: per_second(submission.accepted, submission.took),
            seconds: rounded(took.as_secs_f64()),
            latency_ms: summary(ends.map(|(due, at)| micros(at.saturating_duration_since(due)))),
            accept_ms: summary(submission.answers.iter().copied()),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            load_average: load_average(),
        }
    }

    /// Jobs whose end was not seen.
    pub(super) fn unfinished(&self) -> u64 {
        self.unfinished
    }

    pub(super) fn print(&self, printer: &Printer) -> Result<(), Error> {
        if printer.is_json() {
            return printer.json(self);
        }
        let row = |name: &str, text: String| vec![name.to_owned(), text];
        let percentiles = |latency: &LatencySummary| {
            format!(
                "p50 {}   p90 {}   p99 {}   max {}",
                format::millis(latency.p50),
                format::millis(latency.p90),
                format::millis(latency.p99),
                format::millis(latency.max)
            )
        };
        let outcome = format!(
            "{} submitted   {} completed   {} failed   {} cancelled",
            format::count(self.jobs),
            format::count(self.completed),
            format::count(self.failed),
            format::count(self.cancelled)
        );
        let pace = match self.rate {
            Some(rate) => format!(
                "{rate} jobs/s asked for, open loop, {} requests at most",
                self.concurrency
            ),
            None => format!("{} requests of {} always under way", self.concurrency, self.batch),
        };
        let speed = format!(
            "{} jobs/s from submission to end   ({} accepted/s)",
            format::count(self.throughput_per_second.round() as u64),
            format::count(self.accepted_per_second.round() as u64)
        );
        let mut rows = vec![
            row("engine", self.engine.clone()),
            row("jobs", outcome),
            row("pace", pace),
            row("throughput", speed),
            row("latency", percentiles(&self.latency_ms)),
            row("acceptance", percentiles(&self.accept_ms)),
        ];
        if let Some(load) = self.load_average {
            rows.push(row(
                "machine",
                format!("{} cores, load average {load:.1}", self.cores),
            ));
        }
        printer.table(&[], rows);
        if !self.optimised {
            printer.warn("this is a development build; measure with `make release`");
        }
        Ok(())
    }
}

fn per_second(count: u64, time: Duration) -> f64 {
    if time.is_zero() {
        0.0
    } else {
        rounded(count as f64 / time.as_secs_f64())
    }
}

/// Three decimals: more would be noise.
fn rounded(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Percentiles of microseconds, in milliseconds.
fn summary(values: impl Iterator<Item = u64>) -> LatencySummary {
    // Three significant digits; grows with the largest value.
    let Ok(mut histogram) = Histogram::<u64>::new(3) else {
        return LatencySummary::default();
    };
    for value in values {
        // It grows as needed: no value is out of its range.
        let _ = histogram.record(value);
    }
    let at = |quantile| rounded(histogram.value_at_quantile(quantile) as f64 / 1e3);
    LatencySummary {
        p50: at(0.5),
        p90: at(0.9),
        p99: at(0.99),
        max: rounded(histogram.max() as f64 / 1e3),
    }
}

fn load_average() -> Option<f64> {
    std::fs::read_to_string("/proc/loadavg")
        .ok()?
        .split(' ')
        .next()?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_values() {
        let latency = summary((1..=1_000).map(|n| n * 1_000));
        assert!((latency.p50 - 500.0).abs() < 1.0, "{latency:?}");
        assert!((latency.p99 - 990.0).abs() < 1.0, "{latency:?}");
        assert!((latency.max - 1_000.0).abs() < 1.0, "{latency:?}");
        assert_eq!(summary(std::iter::empty()).max, 0.0);
    }
}
