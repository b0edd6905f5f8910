//! Metrics of the role.

use odd_contracts::EventType;
use odd_contracts::names::metric;
use odd_contracts::names::spine::reason;
use odd_runtime::Metrics;
use odd_runtime::prometheus::{self, IntCounter, IntCounterVec};
use odd_spine::dead_letter::DeadLetterRequest;
use odd_store::NewEvents;

/// Why the role puts messages aside.
const REASONS: [&str; 3] = [reason::NOT_JSON, reason::INVALID_ENVELOPE, reason::STORE_REFUSED];

/// Metrics of the role. Clones are the same metrics.
#[derive(Clone)]
pub(crate) struct Instruments {
    recorded: IntCounterVec,
    duplicates: IntCounter,
    dead_lettered: IntCounterVec,
}

impl Instruments {
    pub(crate) fn register(metrics: &Metrics) -> prometheus::Result<Self> {
        let recorded = metrics.counter_vec(
            metric::ENGINE_RECORDED,
            "Events written to the event log, by event type.",
            &["event_type"],
        )?;
        let dead_lettered = metrics.counter_vec(
            metric::DEAD_LETTERED,
            "Messages put aside, by reason.",
            &["reason"],
        )?;
        // A counter that appears with its first increment hides it from rates.
        for event_type in EventType::ALL {
            recorded.with_label_values(&[event_type.name()]);
        }
        for reason in REASONS {
            dead_lettered.with_label_values(&[reason]);
        }
        Ok(Self {
            recorded,
            duplicates: metrics.counter(
                metric::ENGINE_DUPLICATES,
                "Events that were in the event log already.",
            )?,
            dead_lettered,
        })
    }

    /// So many events were appended; `new` tells which of them were not in the log before.
    pub(crate) fn appended(&self, events: usize, new: &NewEvents) {
        let mut duplicates = events as u64;
        for (event_type, count) in new {
            self.recorded
                .with_label_values(&[event_type.name()])
                .inc_by(*count);
            duplicates = duplicates.saturating_sub(*count);
        }
        self.duplicates.inc_by(duplicates);
    }

    /// These were put aside.
    pub(crate) fn put_aside(&self, requests: &[DeadLetterRequest]) {
        for request in requests {
            self.dead_lettered.with_label_values(&[request.reason]).inc();
        }
    }
}
