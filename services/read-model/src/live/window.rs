//! What happened lately: throughput, latency and failures over sliding windows, in bounded memory.

use hdrhistogram::Histogram;
use odd_contracts::api::LatencySummary;
use odd_contracts::{EventType, JobId, Timestamp};

use super::recent::Published;

/// Seconds over which failures are counted.
pub(crate) const FAILURE_SECONDS: usize = 300;
/// Seconds over which throughput and latency are shown.
const SHOWN_SECONDS: usize = 60;
/// Whole seconds that the present throughput is the mean of.
const RATE_SECONDS: usize = 10;
/// Seconds of one slot of the latency window.
const SLOT_SECONDS: i64 = 5;
/// Slots of the latency window.
const SLOTS: usize = SHOWN_SECONDS / SLOT_SECONDS as usize;
/// Longest latency that is told apart, in microseconds: one day.
const LONGEST_MICROS: u64 = 86_400_000_000;
/// Significant digits of a percentile.
const DIGITS: u8 = 2;

/// Jobs that ended in one second.
#[derive(Clone, Copy, Debug, Default)]
struct Second {
    number: i64,
    ended: u64,
    failed: u64,
}

/// Latencies of the jobs that ended in one slot.
#[derive(Debug)]
struct Slot {
    number: i64,
    latencies: Histogram<u32>,
}

/// Figures over the last seconds.
#[derive(Debug)]
pub(crate) struct Window {
    seconds: Vec<Second>,
    slots: Vec<Option<Slot>>,
    published: Published,
}

/// Jobs that ended in the last five minutes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcomes {
    /// However they ended.
    pub(crate) ended: u64,
    /// Of them, FAILED.
    pub(crate) failed: u64,
}

/// What a window shows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Figures {
    /// Jobs that ended in each of the last 60 seconds, oldest first; the last is the running one.
    pub(crate) throughput: Vec<u64>,
    /// Mean of the last ten whole seconds.
    pub(crate) jobs_per_second: f64,
    /// Publication to end, in milliseconds; none where no job ended whose publication is known.
    pub(crate) latency: Option<LatencySummary>,
}

impl Window {
    /// An empty window.
    pub(crate) fn new() -> Self {
        Self {
            seconds: vec![Second::default(); FAILURE_SECONDS],
            slots: (0..SLOTS).map(|_| None).collect(),
            published: Published::new(),
        }
    }

    /// Notes when a job was published.
    pub(crate) fn note_published(&mut self, job: JobId, at: Timestamp) {
        self.published.insert(job, at);
    }

    /// Notes the end of a job. `event_type` is terminal; `at` is when it ended, which a clock that
    /// runs ahead of `now` cannot move into the future.
    pub(crate) fn note_ended(&mut self, event_type: EventType, job: JobId, at: Timestamp, now: Timestamp) {
        let published = self.published.remove(job);
        let at = at.min(now);
        let number = second_of(at);
        let second = &mut self.seconds[number as usize % FAILURE_SECONDS];
        if second.number > number {
            // An old event, published again: its second has left the window.
            return;
        }
        if second.number < number {
            *second = Second {
                number,
                ..Second::default()
            };
        }
        second.ended += 1;
        second.failed += u64::from(event_type == EventType::Failed);
        if let Some(published) = published {
            self.record_latency(number / SLOT_SECONDS, at.since(published).as_micros());
        }
    }

    fn record_latency(&mut self, number: i64, micros: u128) {
        let slot = &mut self.slots[number as usize % SLOTS];
        match slot {
            Some(slot) if slot.number > number => return,
            Some(slot) if slot.number == number => {}
            Some(slot) => {
                slot.number = number;
                slot.latencies.reset();
            }
            None => {
                *slot = Some(Slot {
                    number,
                    latencies: histogram(),
                });
            }
        }
        if let Some(slot) = slot {
            let micros = u64::try_from(micros).unwrap_or(LONGEST_MICROS);
            slot.latencies.saturating_record(micros.max(1));
        }
    }

    /// Throughput and latency as of `now`.
    pub(crate) fn figures(&self, now: Timestamp) -> Figures {
        let present = second_of(now);
        let throughput: Vec<u64> = (present - SHOWN_SECONDS as i64 + 1..=present)
            .map(|number| self.second(number).ended)
            .collect();
        let whole: u64 = throughput.iter().rev().skip(1).take(RATE_SECONDS).sum();
        Figures {
            throughput,
            jobs_per_second: whole as f64 / RATE_SECONDS as f64,
            latency: self.latency(present / SLOT_SECONDS),
        }
    }

    /// Jobs that ended in the last five minutes.
    pub(crate) fn outcomes(&self, now: Timestamp) -> Outcomes {
        let oldest = second_of(now) - FAILURE_SECONDS as i64;
        let mut outcomes = Outcomes::default();
        for second in self.seconds.iter().filter(|second| second.number > oldest) {
            outcomes.ended += second.ended;
            outcomes.failed += second.failed;
        }
        outcomes
    }

    fn second(&self, number: i64) -> Second {
        let index = number.rem_euclid(FAILURE_SECONDS as i64) as usize;
        let second = self.seconds[index];
        if second.number == number {
            second
        } else {
            Second::default()
        }
    }

    fn latency(&self, present: i64) -> Option<LatencySummary> {
        let mut all = histogram();
        for slot in self.slots.iter().flatten() {
            if slot.number > present - SLOTS as i64 {
                // Both have the same bounds, so that nothing can fall outside.
                let _ = all.add(&slot.latencies);
            }
        }
        let quantile = |q: f64| all.value_at_quantile(q) as f64 / 1_000.0;
        (!all.is_empty()).then(|| LatencySummary {
            p50: quantile(0.5),
            p90: quantile(0.9),
            p99: quantile(0.99),
            max: all.max() as f64 / 1_000.0,
        })
    }
}

fn second_of(at: Timestamp) -> i64 {
    at.micros() / 1_000_000
}

fn histogram() -> Histogram<u32> {
    Histogram::new_with_bounds(1, LONGEST_MICROS, DIGITS)
        .expect("the bounds are 1 to a day in microseconds, and 2 digits lie between 0 and 5")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use uuid::Uuid;

    use super::*;

    const START: i64 = 1_700_000_000;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros((START + seconds) * 1_000_000)
    }

    fn end(window: &mut Window, event_type: EventType, n: u128, when: Timestamp) {
        window.note_ended(event_type, Uuid::from_u128(n), when, when);
    }

    #[test]
    fn counts_the_jobs_of_each_second() {
        let mut window = Window::new();
        for (second, jobs) in [(0_i64, 3_u128), (58, 20), (59, 7)] {
            for n in 0..jobs {
                end(
                    &mut window,
                    EventType::Completed,
                    second as u128 * 100 + n,
                    at(second),
                );
            }
        }
        let figures = window.figures(at(59));
        assert_eq!(figures.throughput.len(), 60);
        assert_eq!(
            (
                figures.throughput[0],
                figures.throughput[58],
                figures.throughput[59]
            ),
            (3, 20, 7)
        );
        assert_eq!(figures.throughput.iter().sum::<u64>(), 30);
        // The running second is not whole and does not count.
        assert!((figures.jobs_per_second - 2.0).abs() < 1e-9);
        assert_eq!(
            window.figures(at(60)).throughput[0],
            0,
            "the first second has left"
        );
        assert_eq!(window.figures(at(10_000)).throughput, vec![0; 60]);
    }

    #[test]
    fn latency_is_publication_to_end_over_a_minute() {
        let mut window = Window::new();
        for n in 1..=100_u32 {
            let job = Uuid::from_u128(n.into());
            window.note_published(job, at(0));
            let ended = at(0).plus(Duration::from_millis(n.into()));
            window.note_ended(EventType::Completed, job, ended, ended);
        }
        let near =
            |value: f64, wanted: f64| assert!((value / wanted - 1.0).abs() < 0.011, "{value} near {wanted}");
        let latency = window.figures(at(1)).latency.unwrap();
        near(latency.p50, 50.0);
        near(latency.p90, 90.0);
        near(latency.p99, 99.0);
        near(latency.max, 100.0);
        assert!(window.figures(at(54)).latency.is_some());
        assert_eq!(window.figures(at(61)).latency, None);
    }

    #[test]
    fn jobs_of_unknown_publication_have_no_latency() {
        let mut window = Window::new();
        end(&mut window, EventType::Completed, 1, at(0));
        let figures = window.figures(at(0));
        assert_eq!((figures.throughput[59], figures.latency), (1, None));
    }

    #[test]
    fn failures_are_counted_over_five_minutes() {
        let mut window = Window::new();
        end(&mut window, EventType::Failed, 1, at(0));
        end(&mut window, EventType::Completed, 2, at(1));
        end(&mut window, EventType::Cancelled, 3, at(299));
        assert_eq!(window.outcomes(at(299)), Outcomes { ended: 3, failed: 1 });
        assert_eq!(window.outcomes(at(300)), Outcomes { ended: 2, failed: 0 });
        assert_eq!(window.outcomes(at(301)), Outcomes { ended: 1, failed: 0 });
    }

    #[test]
    fn an_old_event_published_again_changes_nothing() {
        let mut window = Window::new();
        end(&mut window, EventType::Completed, 1, at(1_000));
        window.note_ended(EventType::Failed, Uuid::from_u128(2), at(1_000 - 300), at(1_000));
        window.note_ended(EventType::Failed, Uuid::from_u128(3), at(500), at(1_000));
        assert_eq!(window.outcomes(at(1_000)), Outcomes { ended: 1, failed: 0 });
    }

    #[test]
    fn a_clock_that_runs_ahead_counts_as_now() {
        let mut window = Window::new();
        window.note_ended(EventType::Completed, Uuid::from_u128(1), at(90), at(0));
        assert_eq!(window.figures(at(0)).throughput[59], 1);
    }
}
