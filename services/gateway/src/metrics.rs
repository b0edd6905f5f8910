//! What the gateway counts.

use odd_contracts::api::BatchResult;
use odd_contracts::names::metric::{self, OTHER_TYPE};
use odd_contracts::{JobAccepted, Problem, ProblemCode};
use odd_runtime::{Metrics, TypeLabel};
use prometheus::{Histogram, IntCounter, IntCounterVec};

/// Value of the label `type` of a submission without a valid type.
const UNKNOWN_TYPE: &str = "unknown";

/// Why submissions are refused, mostly.
const REFUSALS: [ProblemCode; 6] = [
    ProblemCode::MalformedJson,
    ProblemCode::ValidationFailed,
    ProblemCode::PayloadTooLarge,
    ProblemCode::IdConflict,
    ProblemCode::Overloaded,
    ProblemCode::SpineUnavailable,
];

/// The gateway's metrics.
pub(crate) struct GatewayMetrics {
    submitted: IntCounterVec,
    types: TypeLabel,
    accepted: IntCounter,
    rejected: IntCounterVec,
    /// `job.created` events that were left to the processor.
    pub(crate) events_dropped: IntCounter,
    /// Time that the spine took to confirm what was published together.
    pub(crate) confirm_seconds: Histogram,
}

impl GatewayMetrics {
    /// Registers them.
    ///
    /// # Errors
    /// Where a name is taken.
    pub(crate) fn register(metrics: &Metrics) -> prometheus::Result<Self> {
        let submitted = metrics.counter_vec(
            metric::GATEWAY_SUBMITTED,
            "Submissions received, by type; `unknown` where it is no valid one.",
            &["type"],
        )?;
        let rejected = metrics.counter_vec(
            metric::GATEWAY_REJECTED,
            "Submissions refused, by problem code.",
            &["code"],
        )?;
        // A counter that appears with its first increment hides it from rates.
        for job_type in [UNKNOWN_TYPE, OTHER_TYPE] {
            submitted.with_label_values(&[job_type]);
        }
        for refusal in REFUSALS {
            rejected.with_label_values(&[code(&Problem::new(refusal, ""))]);
        }
        Ok(Self {
            submitted,
            types: TypeLabel::default(),
            accepted: metrics.counter(metric::GATEWAY_ACCEPTED, "Submissions answered with 202.")?,
            rejected,
            events_dropped: metrics.counter(
                metric::GATEWAY_EVENTS_DROPPED,
                "job.created events left to the processor, which publishes each again.",
            )?,
            confirm_seconds: metrics.histogram(
                metric::GATEWAY_CONFIRM_SECONDS,
                "Seconds that the spine took to confirm what was published together.",
            )?,
        })
    }

    /// A submission came in; none stands for one without a valid type.
    pub(crate) fn submitted(&self, job_type: Option<&str>) {
        let label = job_type.map_or(UNKNOWN_TYPE, |name| self.types.of(name));
        self.submitted.with_label_values(&[label]).inc();
    }

    /// A submission was answered.
    pub(crate) fn answered(&self, answer: Result<&JobAccepted, &Problem>) {
        match answer {
            Ok(_) => self.accepted.inc(),
            Err(problem) => self.rejected.with_label_values(&[code(problem)]).inc(),
        }
    }

    /// The lines of a batch were answered.
    pub(crate) fn results(&self, results: &[BatchResult]) {
        for result in results {
            match &result.problem {
                None => self.accepted.inc(),
                Some(problem) => self.rejected.with_label_values(&[code(problem)]).inc(),
            }
        }
    }
}

/// The code as it is written everywhere: the end of the problem's URI.
fn code(problem: &Problem) -> &str {
    problem.problem_type.rsplit(':').next().unwrap_or_default()
}
