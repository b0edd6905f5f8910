//! What the web terminal counts.

use std::time::Instant;

use odd_contracts::names::metric;
use odd_contracts::terminal::{EndReason, ErrorCode};
use odd_runtime::Metrics;
use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge};

/// The web terminal's metrics.
#[derive(Clone, Debug)]
pub(super) struct TerminalMetrics {
    open: IntGauge,
    started: IntCounter,
    ended: IntCounterVec,
    refused: IntCounterVec,
    pub(super) bytes_in: IntCounter,
    pub(super) bytes_out: IntCounter,
    pub(super) dropped_in: IntCounter,
    pub(super) dropped_out: IntCounter,
    echo: Histogram,
}

impl TerminalMetrics {
    pub(super) fn register(metrics: &Metrics) -> prometheus::Result<Self> {
        let bytes = metrics.counter_vec(
            metric::WEB_TERMINAL_BYTES,
            "Bytes of the web terminal: in to programs, out to clients.",
            &["direction"],
        )?;
        let dropped = metrics.counter_vec(
            metric::WEB_TERMINAL_DROPPED,
            "Bytes of the web terminal that were dropped: in was filtered or not taken, out was replaced by the whole screen.",
            &["direction"],
        )?;
        let ended = metrics.counter_vec(
            metric::WEB_TERMINAL_ENDED,
            "Sessions of the web terminal that ended, by reason.",
            &["reason"],
        )?;
        let refused = metrics.counter_vec(
            metric::WEB_TERMINAL_REFUSED,
            "Connections and tickets of the web terminal that were refused or broken off, by reason.",
            &["reason"],
        )?;
        // From the first scrape on, so that the first of a kind is an increase.
        for reason in EndReason::ALL {
            ended.with_label_values(&[reason.name()]);
        }
        for code in ErrorCode::ALL {
            refused.with_label_values(&[code.name()]);
        }
        Ok(Self {
            open: metrics.gauge(
                metric::WEB_TERMINAL_SESSIONS,
                "Sessions of the web terminal that are open, with or without a connection.",
            )?,
            started: metrics.counter(
                metric::WEB_TERMINAL_STARTED,
                "Sessions of the web terminal that were started.",
            )?,
            ended,
            refused,
            bytes_in: bytes.with_label_values(&["in"]),
            bytes_out: bytes.with_label_values(&["out"]),
            dropped_in: dropped.with_label_values(&["in"]),
            dropped_out: dropped.with_label_values(&["out"]),
            echo: metrics.histogram(
                metric::WEB_TERMINAL_ECHO_SECONDS,
                "Seconds from a key of the web terminal to the first output after it.",
            )?,
        })
    }

    pub(super) fn started(&self) {
        self.started.inc();
        self.open.inc();
    }

    pub(super) fn ended(&self, reason: EndReason) {
        self.ended.with_label_values(&[reason.name()]).inc();
        self.open.dec();
    }

    pub(super) fn refused(&self, reason: &str) {
        self.refused.with_label_values(&[reason]).inc();
    }

    pub(super) fn echoed(&self, pressed: Instant) {
        self.echo.observe(pressed.elapsed().as_secs_f64());
    }
}

/// A count of bytes, as counters take it.
pub(super) fn count(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
