//! Alerts: the four conditions that every engine evaluates under the same names.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::timestamp::Timestamp;

/// How urgent an alert is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Somebody should look.
    Warning,
    /// The system does not do its work.
    Critical,
}

/// Whether an alert's condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum AlertState {
    /// The condition holds, but not yet for long enough.
    Pending,
    /// The condition holds.
    Firing,
    /// The condition held and holds no more.
    Resolved,
}

/// Names of the alert conditions.
pub mod condition {
    /// A role does not answer, or says that it is not ready.
    pub const SERVICE_DOWN: &str = "ServiceDown";
    /// More than 5 % of the jobs that ended in the last 5 minutes FAILED.
    pub const JOB_FAILURE_RATE_HIGH: &str = "JobFailureRateHigh";
    /// More jobs wait than a minute ago, and the oldest has waited for long.
    pub const QUEUE_BACKLOG_GROWING: &str = "QueueBacklogGrowing";
    /// A store does not answer.
    pub const DATABASE_UNAVAILABLE: &str = "DatabaseUnavailable";

    /// Every condition.
    pub const ALL: [&str; 4] = [
        SERVICE_DOWN,
        JOB_FAILURE_RATE_HIGH,
        QUEUE_BACKLOG_GROWING,
        DATABASE_UNAVAILABLE,
    ];

    /// What to look at and what to do about a condition; none for a name that is not in [`ALL`].
    pub fn runbook(name: &str) -> Option<&'static str> {
        Some(match name {
            SERVICE_DOWN => {
                "Look at the role's log for the reason (odd logs). If its process is gone, start it again with odd up; \
                 if it waits for a store or the spine, see to that first. Accepted jobs are safe: work goes on where it stopped."
            }
            JOB_FAILURE_RATE_HIGH => {
                "List the failed jobs (odd jobs list --status failed) and compare their types and errors. One type: look at its \
                 handler or what it depends on. All types: look at the processor's log. Repeat jobs with odd jobs retry once the cause is gone."
            }
            QUEUE_BACKLOG_GROWING => {
                "More arrives than is worked off. Check that the queue's consumer is ready (jobs.created: processor, jobs.events: \
                 metrics-engine) and that the stores answer quickly; then submit more slowly or give the processor more slots (ODD_PROCESSOR_SLOTS)."
            }
            DATABASE_UNAVAILABLE => {
                "Check that the store runs, that its disk has room and that its files can be written. Consumers pause and resume by \
                 themselves when it answers; nothing that was accepted is lost meanwhile."
            }
            _ => return None,
        })
    }
}

/// Which evaluation an alert comes from.
pub mod source {
    /// The read-model's own.
    pub const NATIVE: &str = "native";
    /// Prometheus's rules, told by Alertmanager.
    pub const ALERTMANAGER: &str = "alertmanager";
}

/// One alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Alert {
    /// Name of its condition.
    pub name: String,
    /// How urgent it is.
    pub severity: Severity,
    /// Whether its condition holds.
    pub state: AlertState,
    /// Role, queue or store that it is about.
    pub subject: String,
    /// What is wrong, with figures.
    pub summary: String,
    /// What to look at and what to do.
    pub runbook: String,
    /// Where more is written about it: an `http` or `https` address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runbook_url: Option<String>,
    /// Since when the condition holds.
    pub since: Timestamp,
    /// When it ceased to hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<Timestamp>,
    /// Which evaluation found it: one of [`source`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}
