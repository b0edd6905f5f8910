//! What is counted, and how fast it goes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::job::JobStatus;
use crate::timestamp::Timestamp;

/// Counts of one job type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TypeCounters {
    /// Jobs of the type.
    pub total: u64,
    /// Of them, COMPLETED.
    pub completed: u64,
    /// Of them, FAILED.
    pub failed: u64,
    /// Of them, CANCELLED.
    pub cancelled: u64,
}

/// The counters: a projection of the event log, exact once it has settled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Counters {
    /// Jobs known to the event log.
    pub total: u64,
    /// Jobs by the status that their latest event gives them.
    pub by_status: BTreeMap<JobStatus, u64>,
    /// Attempts that were followed by another.
    pub retries: u64,
    /// Messages put aside.
    pub dead_lettered: u64,
    /// Counts by job type; beyond a set number of types, `other`.
    pub by_type: BTreeMap<String, TypeCounters>,
    /// When the latest event happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_event_at: Option<Timestamp>,
}

impl Counters {
    /// Jobs in this status.
    pub fn in_status(&self, status: JobStatus) -> u64 {
        self.by_status.get(&status).copied().unwrap_or_default()
    }
}

/// Answer of `/stats`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    /// The counters.
    #[serde(flatten)]
    pub counters: Counters,
    /// Jobs COMPLETED.
    pub completed: u64,
    /// Jobs FAILED.
    pub failed: u64,
    /// Jobs RETRYING now.
    pub retrying: u64,
    /// Jobs CANCELLED.
    pub cancelled: u64,
    /// Jobs that ended in each of the last 60 seconds, oldest first.
    pub throughput: Vec<u64>,
    /// Jobs that ended in the last ten whole seconds, divided by ten.
    pub jobs_per_second: f64,
    /// Publication to end of the jobs that ended in the last minute, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<LatencySummary>,
}

/// Percentiles in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LatencySummary {
    /// Median.
    pub p50: f64,
    /// 90th percentile.
    pub p90: f64,
    /// 99th percentile.
    pub p99: f64,
    /// Largest.
    pub max: f64,
}
