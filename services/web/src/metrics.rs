//! What the web role counts.

use axum::http::StatusCode;
use odd_contracts::names::metric;
use odd_runtime::Metrics;
use prometheus::{Histogram, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec};

use crate::proxy::Upstream;

/// Label of the role that a request was passed on to.
const UPSTREAM: &str = "upstream";
/// Value of the label `status` of a request that had no answer.
const NO_ANSWER: &str = "none";

/// The web role's metrics.
#[derive(Clone, Debug)]
pub(crate) struct WebMetrics {
    passed: IntCounterVec,
    seconds: HistogramVec,
    open: IntGaugeVec,
}

/// Those of one role behind.
pub(crate) struct Meters {
    passed: IntCounterVec,
    role: &'static str,
    seconds: Histogram,
    open: IntGauge,
}

impl WebMetrics {
    /// Registers them.
    ///
    /// # Errors
    /// Where a name is taken.
    pub(crate) fn register(metrics: &Metrics) -> prometheus::Result<Self> {
        Ok(Self {
            passed: metrics.counter_vec(
                metric::WEB_PASSED,
                "Requests passed on, by role behind and class of the answer's status; `none` where there was no answer.",
                &[UPSTREAM, "status"],
            )?,
            seconds: metrics.histogram_vec(
                metric::WEB_SECONDS,
                "Seconds until the head of the answer to a request that was passed on, or until it was given up.",
                &[UPSTREAM],
            )?,
            open: metrics.gauge_vec(
                metric::WEB_OPEN,
                "Answers that are being passed on now, live streams among them.",
                &[UPSTREAM],
            )?,
        })
    }

    /// Those of one role behind.
    pub(crate) fn of(&self, upstream: Upstream) -> Meters {
        let role = upstream.role().name();
        Meters {
            passed: self.passed.clone(),
            role,
            seconds: self.seconds.with_label_values(&[role]),
            open: self.open.with_label_values(&[role]),
        }
    }
}

impl Meters {
    /// It answered.
    pub(crate) fn answered(&self, status: StatusCode, seconds: f64) {
        self.count(class(status), seconds);
    }

    /// It did not.
    pub(crate) fn failed(&self, seconds: f64) {
        self.count(NO_ANSWER, seconds);
    }

    fn count(&self, status: &str, seconds: f64) {
        self.passed.with_label_values(&[self.role, status]).inc();
        self.seconds.observe(seconds);
    }

    /// Answers under way.
    pub(crate) fn open(&self) -> IntGauge {
        self.open.clone()
    }
}

fn class(status: StatusCode) -> &'static str {
    match status.as_u16() / 100 {
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        5 => "5xx",
        _ => "other",
    }
}
