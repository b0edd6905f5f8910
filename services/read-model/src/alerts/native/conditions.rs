//! The four conditions, and what to do about each.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use odd_contracts::alert::condition;
use odd_contracts::api::QueueDepth;
use odd_contracts::names::spine;
use odd_contracts::{Severity, Timestamp};

use super::{Key, Sample};

/// Fewest jobs of which a failure rate says anything.
const FEWEST_ENDED: u64 = 20;
/// Failures in a hundred jobs above which the rate is high.
const FAILURE_PERCENT: u64 = 5;
/// Time over which a backlog grows.
const GROWTH: Duration = Duration::from_secs(60);
/// Age of a queue's oldest message above which its backlog matters.
const OLDEST: Duration = Duration::from_secs(30);
/// Messages by which a queue grows within that time before its backlog matters, where the age of its oldest message is not
/// known (RabbitMQ does not tell). Fewer come and go with the work in hand.
const GROWTH_WITHOUT_AGE: u64 = 100;
/// Queues whose backlog matters.
const WATCHED: [&str; 2] = [spine::JOBS_CREATED, spine::JOBS_EVENTS];

/// A condition that holds in a sample.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    pub(super) key: Key,
    pub(super) severity: Severity,
    pub(super) summary: String,
}

/// Roles that are not ready.
pub(super) fn services(sample: &Sample) -> Vec<Finding> {
    let down = sample
        .roles
        .iter()
        .filter_map(|(role, why)| Some((role, why.as_ref()?)));
    down.map(|(role, why)| Finding {
        key: (condition::SERVICE_DOWN, role.name().to_owned()),
        severity: Severity::Critical,
        summary: format!("{role} is not ready: {why}"),
    })
    .collect()
}

/// Stores that do not answer.
pub(super) fn stores(sample: &Sample) -> Vec<Finding> {
    let away = sample
        .stores
        .iter()
        .filter_map(|(store, why)| Some((store, why.as_ref()?)));
    away.map(|(store, why)| Finding {
        key: (condition::DATABASE_UNAVAILABLE, store.clone()),
        severity: Severity::Critical,
        summary: format!("the {store} does not answer: {why}"),
    })
    .collect()
}

/// More than 5 % of at least 20 jobs that ended in the last five minutes FAILED.
pub(super) fn failures(sample: &Sample) -> Option<Finding> {
    let (ended, failed) = (sample.outcomes.ended, sample.outcomes.failed);
    let high = ended >= FEWEST_ENDED && failed * 100 > ended * FAILURE_PERCENT;
    high.then(|| Finding {
        key: (condition::JOB_FAILURE_RATE_HIGH, "processor".to_owned()),
        severity: Severity::Warning,
        summary: format!(
            "{failed} of the {ended} jobs that ended in the last 5 minutes FAILED ({:.1} %)",
            failed as f64 * 100.0 / ended as f64
        ),
    })
}

/// How deep the queues were over the last minute.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    depths: BTreeMap<&'static str, VecDeque<(Timestamp, u64)>>,
}

impl Backlog {
    /// Queues that are longer than a minute ago and whose oldest message has waited for long. Where its age is not known,
    /// those that grew by many and were never shorter in that minute.
    pub(super) fn observe(&mut self, sample: &Sample) -> Vec<Finding> {
        WATCHED
            .into_iter()
            .filter_map(|name| {
                let depth = sample.queues.iter().find(|queue| queue.name == name)?;
                let (before, least) = self.last_minute(name, depth.ready, sample.at)?;
                match depth.oldest_ms {
                    Some(oldest) => overdue(name, depth, before, Duration::from_millis(oldest)),
                    None => ever_longer(name, depth, before, least),
                }
            })
            .collect()
    }

    /// Depth of the queue a minute ago, where that is known, and the least since then; notes the present one.
    fn last_minute(&mut self, name: &'static str, ready: u64, now: Timestamp) -> Option<(u64, u64)> {
        let depths = self.depths.entry(name).or_default();
        depths.push_back((now, ready));
        // The first that is left is the youngest of those that are old enough.
        while depths.get(1).is_some_and(|(at, _)| now.since(*at) >= GROWTH) {
            depths.pop_front();
        }
        let (at, before) = *depths.front()?;
        let least = depths.iter().map(|(_, depth)| *depth).min()?;
        (now.since(at) >= GROWTH).then_some((before, least))
    }
}

fn ever_longer(name: &'static str, depth: &QueueDepth, before: u64, least: u64) -> Option<Finding> {
    let more = depth.ready.saturating_sub(before);
    (more >= GROWTH_WITHOUT_AGE && least >= before).then(|| Finding {
        key: (condition::QUEUE_BACKLOG_GROWING, name.to_owned()),
        severity: Severity::Warning,
        summary: format!(
            "{} messages wait in {name}, {more} more than a minute ago and never fewer meanwhile",
            depth.ready
        ),
    })
}

fn overdue(name: &'static str, depth: &QueueDepth, before: u64, oldest: Duration) -> Option<Finding> {
    (depth.ready > before && oldest > OLDEST).then(|| Finding {
        key: (condition::QUEUE_BACKLOG_GROWING, name.to_owned()),
        severity: Severity::Warning,
        summary: format!(
            "{} messages wait in {name}, {} more than a minute ago; the oldest has waited for {} s",
            depth.ready,
            depth.ready - before,
            oldest.as_secs()
        ),
    })
}
