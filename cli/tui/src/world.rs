//! What is known of the system, and how certain it is: the one state that every screen reads.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use odd_client::ClientError;
use odd_contracts::api::{AlertList, AlertSource, Overview, Stats};
use odd_contracts::{EventEnvelope, EventType, JobId, Timestamp};
use uuid::Uuid;

use crate::effect::{Ask, Feed, Reply};
use crate::options::{Addresses, Mode, Options};
use crate::theme::Theme;

/// Events that are kept for the live list.
const LIVE: usize = 500;
/// Event ids that are remembered, so that one that is told twice is shown once.
const REMEMBERED: usize = 4_096;
/// Dead letters that are remembered as requeued.
const REQUEUED: usize = 1_000;
/// Seconds of throughput and latency that charts show.
pub(crate) const CHART: usize = 300;
/// What has not been told for this long is no longer certain.
const STALE: Duration = Duration::from_secs(5);

/// Why something could not be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// In words, with causes.
    pub(crate) text: String,
    /// Whether there is no such thing (yet).
    pub(crate) not_found: bool,
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let not_found = error.is_not_found();
        let mut text = error.to_string();
        let mut cause = std::error::Error::source(&error);
        // The innermost says why; what lies between repeats the outermost.
        while let Some(inner) = cause {
            cause = inner.source();
            if cause.is_none() {
                text = format!("{text}: {inner}");
            }
        }
        Self { text, not_found }
    }
}

/// Something that is told again and again.
#[derive(Clone, Debug)]
pub(crate) struct Source<T> {
    /// What was told last.
    pub(crate) value: Option<T>,
    /// When that was.
    pub(crate) at: Option<Timestamp>,
    /// Why nothing was told since.
    pub(crate) failure: Option<Failure>,
}

impl<T> Default for Source<T> {
    fn default() -> Self {
        Self {
            value: None,
            at: None,
            failure: None,
        }
    }
}

impl<T> Source<T> {
    pub(crate) fn take(&mut self, told: Result<T, Failure>, now: Timestamp) {
        match told {
            Ok(value) => {
                *self = Self {
                    value: Some(value),
                    at: Some(now),
                    failure: None,
                };
            }
            Err(failure) => self.failure = Some(failure),
        }
    }

    /// How old what is shown is, where that has to be said.
    pub(crate) fn stale(&self, now: Timestamp) -> Option<Duration> {
        let age = now.since(self.at?);
        (self.failure.is_some() && age >= Duration::from_secs(1) || age >= STALE).then_some(age)
    }
}

/// The state of the live stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Not connected yet.
    #[default]
    Connecting,
    /// Events arrive as they happen.
    Live,
    /// Away; tried again after a pause.
    Away(Failure),
}

/// What the live list shows of an event. The event itself may carry a megabyte.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LiveEvent {
    /// When it happened.
    pub(crate) at: Timestamp,
    /// What happened.
    pub(crate) event_type: EventType,
    /// To which job; none where that cannot be told.
    pub(crate) job: Option<JobId>,
}

/// Events as they happen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Live {
    /// The newest, newest first.
    pub(crate) events: VecDeque<LiveEvent>,
    /// Whether more are to be expected.
    pub(crate) stream: Stream,
    /// Since when none are.
    pub(crate) away_since: Option<Timestamp>,
    /// Events since the start.
    pub(crate) received: u64,
    seen: HashSet<Uuid>,
    order: VecDeque<Uuid>,
}

impl Live {
    /// Takes events in the order in which they happened; those that are new are returned.
    fn take(&mut self, events: Vec<EventEnvelope>) -> Vec<EventEnvelope> {
        let new: Vec<EventEnvelope> = events
            .into_iter()
            .filter(|event| self.remember(event.event_id))
            .collect();
        self.received += new.len() as u64;
        for event in new.iter().skip(new.len().saturating_sub(LIVE)) {
            self.events.push_front(LiveEvent {
                at: event.occurred_at,
                event_type: event.event_type,
                job: event.job_id(),
            });
        }
        self.events.truncate(LIVE);
        new
    }

    fn turn(&mut self, stream: Stream, now: Timestamp) {
        let since = self.away_since.unwrap_or(now);
        self.away_since = (stream != Stream::Live).then_some(since);
        self.stream = stream;
    }

    /// Event ids that are remembered.
    #[cfg(test)]
    pub(crate) fn remembered(&self) -> usize {
        debug_assert_eq!(self.seen.len(), self.order.len());
        self.order.len()
    }

    fn remember(&mut self, id: Uuid) -> bool {
        if !self.seen.insert(id) {
            return false;
        }
        self.order.push_back(id);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.seen.remove(&oldest);
        }
        true
    }
}

/// Figures of the last minutes, one a second, oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Series {
    /// Jobs that ended.
    pub(crate) throughput: VecDeque<u64>,
    /// Median from publication to end, in microseconds; 0 where nothing ended.
    pub(crate) latency: VecDeque<u64>,
    last: Option<i64>,
}

impl Series {
    /// Adds what is new since the last time. `stats.throughput` has the last 60 seconds, of which the newest is still running.
    fn take(&mut self, stats: &Stats, now: Timestamp) {
        let second = now.micros() / 1_000_000;
        // A clock that was set back counts on from where it is.
        self.last = self.last.map(|last| last.min(second));
        let known = stats.throughput.len();
        let new = match self.last {
            None => known,
            Some(last) => usize::try_from(second - last).unwrap_or(0).min(known),
        };
        if new == 0 {
            if let (Some(last), Some(now)) = (self.throughput.back_mut(), stats.throughput.last()) {
                *last = *now;
            }
            return;
        }
        // The one before was still running when it was taken.
        if let (Some(last), Some(end)) = (
            self.throughput.back_mut(),
            known.checked_sub(new + 1).and_then(|at| stats.throughput.get(at)),
        ) {
            *last = *end;
        }
        let latency = stats
            .latency_ms
            .as_ref()
            .map_or(0, |latency| (latency.p50 * 1e3) as u64);
        for jobs in &stats.throughput[known - new..] {
            self.throughput.push_back(*jobs);
            self.latency
                .push_back(if self.last.is_some() { latency } else { 0 });
        }
        if let (None, Some(first)) = (self.last, self.latency.back_mut()) {
            *first = latency;
        }
        for series in [&mut self.throughput, &mut self.latency] {
            let beyond = series.len().saturating_sub(CHART);
            series.drain(..beyond);
        }
        self.last = Some(second);
    }
}

/// What is known.
#[derive(Clone)]
pub(crate) struct World {
    /// Name of the instance.
    pub(crate) instance: String,
    /// What makes a command speak of it.
    pub(crate) of_instance: String,
    /// Where the roles answer.
    pub(crate) addresses: Addresses,
    /// What may be done.
    pub(crate) mode: Mode,
    /// How it is drawn.
    pub(crate) theme: Theme,
    /// The clock.
    pub(crate) now: Timestamp,
    /// The whole system at a glance.
    pub(crate) overview: Source<Overview>,
    /// Counters, throughput, latency.
    pub(crate) stats: Source<Stats>,
    /// Alerts that fire or did lately.
    pub(crate) alerts: Source<AlertList>,
    /// Events as they happen.
    pub(crate) live: Live,
    /// Figures over time.
    pub(crate) series: Series,
    /// Dead letters that were sent back to their queues from here. The read-model lists them for a moment longer.
    pub(crate) requeued: HashSet<Uuid>,
}

impl World {
    pub(crate) fn new(options: &Options, now: Timestamp) -> Self {
        Self {
            instance: options.instance.clone(),
            of_instance: options.of_instance.clone(),
            addresses: options.addresses.clone(),
            mode: options.mode,
            theme: Theme::new(options.look),
            now,
            overview: Source::default(),
            stats: Source::default(),
            alerts: Source::default(),
            live: Live::default(),
            series: Series::default(),
            requeued: HashSet::new(),
        }
    }

    /// Keeps what more than one screen has to know of an answer.
    pub(crate) fn note(&mut self, reply: &Reply) {
        if let Reply::Answer(Ask::Requeue(id), answer) = reply
            && answer.as_ref().err().is_none_or(|failure| failure.not_found)
        {
            if self.requeued.len() >= REQUEUED {
                self.requeued.clear();
            }
            self.requeued.insert(*id);
        }
    }

    /// Takes what the system tells. Returns the events among it that are new.
    pub(crate) fn take(&mut self, feed: Feed) -> Vec<EventEnvelope> {
        let now = self.now;
        match feed {
            Feed::Overview(told) => self.overview.take(told.map(|told| *told), now),
            Feed::Stats(told) => {
                if let Ok(stats) = &told {
                    self.series.take(stats, now);
                }
                self.stats.take(told.map(|told| *told), now);
            }
            Feed::Alerts(told) => self.alerts.take(told, now),
            Feed::Stream(stream) => self.live.turn(stream, now),
            Feed::Events(events) => return self.live.take(events),
        }
        Vec::new()
    }

    /// Where alerts come from, and whether that can be relied on, as far as it was told.
    pub(crate) fn alert_source(&self) -> Option<&AlertSource> {
        let list = self.alerts.value.as_ref();
        let overview = self.overview.value.as_ref();
        list.and_then(|list| list.alert_source.as_ref())
            .or_else(|| overview?.alert_source.as_ref())
    }

    /// Why the read-model tells nothing, and since when; none while it does.
    pub(crate) fn away(&self) -> Option<(&Failure, Option<Duration>)> {
        let failure = self.overview.failure.as_ref()?;
        Some((failure, self.overview.at.map(|at| self.now.since(at))))
    }
}

/// Whether events of this type concern the job: used by screens that show one.
pub(crate) fn concerns(event: &EventEnvelope, id: JobId) -> bool {
    event.job_id() == Some(id) && event.event_type != EventType::DeadLettered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stats(throughput: &[u64], p50: f64) -> Stats {
        Stats {
            counters: odd_contracts::api::Counters::default(),
            completed: 0,
            failed: 0,
            retrying: 0,
            cancelled: 0,
            throughput: throughput.to_vec(),
            jobs_per_second: 0.0,
            latency_ms: Some(odd_contracts::api::LatencySummary {
                p50,
                ..Default::default()
            }),
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn series_continue_where_they_were() {
        let mut series = Series::default();
        series.take(&stats(&[1, 2, 3], 1.0), at(100));
        series.take(&stats(&[1, 2, 4], 1.0), at(100));
        assert_eq!(series.throughput, [1, 2, 4]);
        series.take(&stats(&[2, 5, 6], 2.0), at(101));
        assert_eq!(series.throughput, [1, 2, 5, 6]);
        assert_eq!(series.latency, [0, 0, 1_000, 2_000]);
        // Further apart than the answer reaches back.
        series.take(&stats(&[7, 8, 9], 2.0), at(1_000));
        assert_eq!(series.throughput, [1, 2, 5, 6, 7, 8, 9]);
        for second in 1_001..1_500 {
            series.take(&stats(&[0, 0, 1], 2.0), at(second));
        }
        assert_eq!((series.throughput.len(), series.latency.len()), (CHART, CHART));
        // A clock that was set back.
        series.take(&stats(&[0, 1, 5], 2.0), at(600));
        series.take(&stats(&[1, 5, 7], 2.0), at(601));
        assert_eq!(series.throughput.back(), Some(&7));
        assert_eq!(series.throughput[CHART - 2], 5);
    }

    #[test]
    fn a_source_keeps_what_it_had_and_says_how_old_it_is() {
        let mut source = Source::default();
        assert_eq!(source.stale(at(0)), None);
        source.take(Ok(1), at(10));
        let failure = Failure {
            text: "nobody answers".to_owned(),
            not_found: false,
        };
        source.take(Err(failure), at(12));
        assert_eq!(
            (source.value, source.stale(at(13))),
            (Some(1), Some(Duration::from_secs(3)))
        );
        source.take(Ok(2), at(14));
        assert_eq!((source.value, source.stale(at(15))), (Some(2), None));
        assert_eq!(source.stale(at(30)), Some(Duration::from_secs(16)));
    }
}
