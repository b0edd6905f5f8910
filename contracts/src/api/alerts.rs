//! Alerts, where they come from, and what Prometheus scrapes.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{HealthState, is_zero};
use crate::alert::Alert;
use crate::timestamp::Timestamp;

/// Where alerts come from, and whether that answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AlertSource {
    /// `native`: the read-model evaluates the conditions itself. `alertmanager`: Prometheus evaluates them, and
    /// Alertmanager tells of them.
    pub name: String,
    /// Whether it can be relied on. While it cannot, the read-model's own evaluation stands in for it.
    pub state: HealthState,
    /// When it last answered; absent where it never has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checked_at: Option<Timestamp>,
    /// What is wrong with it, or what else to know of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// Answer of `/alerts`, and of the gateway's `/proxy/alerts`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AlertList {
    /// Where those that fire come from: `native` or `alertmanager`.
    pub source: String,
    /// Alerts that fire or were resolved lately, worst first, at most 500.
    pub alerts: Vec<Alert>,
    /// Alerts beyond those; absent where there are none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub omitted: u64,
    /// Where the read-model was told to take them from, and whether that answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert_source: Option<AlertSource>,
}

/// Answer of `/alerts/history`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AlertHistory {
    /// Alerts as they were last told of, those that changed last first. One that fires again later is there again.
    pub alerts: Vec<Alert>,
}

/// Answer of `POST /alerts/webhook`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NotificationTaken {
    /// Alerts in the notification.
    pub alerts: u64,
    /// Those of them that told something new.
    pub news: u64,
}

/// Whether Prometheus reaches what it scrapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TargetHealth {
    /// The last scrape failed.
    Down,
    /// It was not scraped yet.
    Unknown,
    /// The last scrape succeeded.
    Up,
}

/// Something that Prometheus scrapes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScrapeTarget {
    /// Name of the scrape job.
    pub job: String,
    /// Address within it, such as `processor:3010`.
    pub instance: String,
    /// How the last scrape went.
    pub health: TargetHealth,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// When it was; absent where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_scrape: Option<Timestamp>,
}

/// Answer of the gateway's `/proxy/targets`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TargetList {
    /// The targets: those that are down first, then by job and instance; at most 1,000.
    pub targets: Vec<ScrapeTarget>,
    /// Targets beyond those; absent where there are none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub omitted: u64,
}
