//! The health of roles and of what they stand on.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{AlertSource, is_zero};
use crate::alert::Alert;
use crate::role::Role;
use crate::timestamp::Timestamp;

/// Whether something works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum HealthState {
    /// It works.
    Healthy,
    /// It answers, but not all is well.
    Degraded,
    /// It does not work.
    Down,
}

/// Health of one role.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RoleHealth {
    /// The role.
    pub role: Role,
    /// Whether it works.
    pub state: HealthState,
    /// Its base address.
    pub url: String,
    /// Version it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Why it is not healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// How many processes stand behind its address; absent where there is only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<Replicas>,
}

/// The processes of one role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Replicas {
    /// All that the name of the role's address leads to.
    pub total: u32,
    /// Those of them that are ready.
    pub ready: u32,
}

/// Health of one dependency: a store or the spine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DependencyHealth {
    /// `spine`, `job-store`, `event-log` or `counters`.
    pub name: String,
    /// What it is made of, such as `sqlite` or `postgres`.
    pub adapter: String,
    /// Whether it works.
    pub state: HealthState,
    /// Milliseconds that its last answer took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<f64>,
    /// Why it is not healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// Depth of one queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct QueueDepth {
    /// Name of the queue.
    pub name: String,
    /// Messages that wait for a consumer.
    pub ready: u64,
    /// Messages that a consumer has and has not acknowledged.
    pub unacknowledged: u64,
    /// Age of the oldest message in milliseconds; absent where the queue is empty or the spine cannot tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_ms: Option<u64>,
}

/// Answer of `/overview`: the whole system at a glance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Overview {
    /// Version of this shape.
    pub version: u32,
    /// Name of the instance.
    pub instance: String,
    /// Engine that it runs on.
    pub engine: String,
    /// The worst of what follows.
    pub state: HealthState,
    /// When the read-model started.
    pub started_at: Timestamp,
    /// When this answer was made.
    pub generated_at: Timestamp,
    /// Roles and their health.
    pub roles: Vec<RoleHealth>,
    /// Stores and spine and their health.
    pub dependencies: Vec<DependencyHealth>,
    /// Depths of the queues; empty where they are not known.
    pub queues: Vec<QueueDepth>,
    /// Why the depths of the queues are not known; absent where they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queues_unknown: Option<String>,
    /// Alerts that fire, worst first, at most 100.
    pub alerts: Vec<Alert>,
    /// Alerts that fire beyond those; absent where there are none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub alerts_omitted: u64,
    /// Where the alerts come from, and whether that answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert_source: Option<AlertSource>,
    /// Seconds for which events are kept; absent where they are kept for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_retention_seconds: Option<u64>,
}

/// Answer of a role's `/healthz` and `/readyz`, and of the read-model's `/health`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// `ok`, or why not.
    pub status: String,
    /// The role.
    pub service: String,
    /// Version it runs.
    pub version: String,
    /// Commit that it was built from; absent where it does not know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// State of each required dependency.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub checks: BTreeMap<String, String>,
}
