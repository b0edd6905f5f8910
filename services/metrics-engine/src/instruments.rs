//! Metrics of the role.

use odd_contracts::EventEnvelope;
use odd_contracts::names::metric;
use odd_runtime::Metrics;
use odd_runtime::prometheus::{self, IntCounter, IntCounterVec};
use odd_spine::dead_letter::DeadLetterRequest;

/// Metrics of the role. Clones are the same metrics.
#[derive(Clone)]
pub(crate) struct Instruments {
    recorded: IntCounterVec,
    duplicates: IntCounter,
    dead_lettered: IntCounterVec,
}

impl Instruments {
    pub(crate) fn register(metrics: &Metrics) -> prometheus::Result<Self> {
        Ok(Self {
            recorded: metrics.counter_vec(
                metric::ENGINE_RECORDED,
                "Events written to the event log, by event type.",
                &["event_type"],
            )?,
            duplicates: metrics.counter(
                metric::ENGINE_DUPLICATES,
                "Events that were in the event log already.",
            )?,
            dead_lettered: metrics.counter_vec(
                metric::DEAD_LETTERED,
                "Messages put aside, by reason.",
                &["reason"],
            )?,
        })
    }

    /// These events were appended; `new` tells which of them were not in the log before.
    pub(crate) fn appended(&self, events: &[EventEnvelope], new: &[bool]) {
        for (event, new) in events.iter().zip(new) {
            if *new {
                self.recorded.with_label_values(&[event.event_type.name()]).inc();
            } else {
                self.duplicates.inc();
            }
        }
    }

    /// These were put aside.
    pub(crate) fn put_aside(&self, requests: &[DeadLetterRequest]) {
        for request in requests {
            self.dead_lettered.with_label_values(&[request.reason]).inc();
        }
    }
}
