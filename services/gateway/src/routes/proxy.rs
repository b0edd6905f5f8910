//! `GET /proxy/alerts` and `GET /proxy/targets`: what Alertmanager and Prometheus say, for those that reach only the gateway.
//!
//! Both are asked at fixed addresses, with nothing of the client's request passed on, and one question at a time each may
//! cost two seconds. Whether they answer says nothing of the gateway: its readiness does not ask, and jobs are accepted
//! without them.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use odd_contracts::alert::source;
use odd_contracts::alertmanager::{ALERTS_PATH, ToldAlert};
use odd_contracts::api::{AlertList, ScrapeTarget, TargetHealth, TargetList};
use odd_contracts::names::env;
use odd_contracts::{Problem, ProblemCode, Timestamp};
use odd_runtime::{ApiError, Upstream, UpstreamLimits, UpstreamUrl};
use serde::Deserialize;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::Gateway;
use crate::Config;

/// What one question may cost.
const LIMITS: UpstreamLimits = UpstreamLimits {
    time: Duration::from_secs(2),
    bytes: 16 << 20,
};
/// Questions to one upstream that may be open at a time; more are refused, so that a slow one keeps no place from jobs.
const MAX_OPEN: usize = 8;
/// Most alerts in an answer.
const MAX_ALERTS: usize = 500;
/// Most targets in an answer.
const MAX_TARGETS: usize = 1_000;
/// Path of all targets that are scraped, below Prometheus's address.
const TARGETS_PATH: &str = "api/v1/targets?state=active";

/// The upstreams that are set up.
#[derive(Debug)]
pub(crate) struct Upstreams {
    alertmanager: Option<Guarded>,
    prometheus: Option<Guarded>,
}

#[derive(Debug)]
struct Guarded {
    upstream: Upstream,
    places: Semaphore,
}

impl Upstreams {
    /// Asks nothing yet.
    ///
    /// # Errors
    /// Where an HTTP client cannot be made.
    pub(crate) fn new(config: &Config) -> Result<Self, reqwest::Error> {
        let guarded = |name, url: &Option<UpstreamUrl>| {
            url.clone()
                .map(|url| {
                    Ok(Guarded {
                        upstream: Upstream::new(name, url, LIMITS)?,
                        places: Semaphore::new(MAX_OPEN),
                    })
                })
                .transpose()
        };
        Ok(Self {
            alertmanager: guarded("Alertmanager", &config.alertmanager)?,
            prometheus: guarded("Prometheus", &config.prometheus)?,
        })
    }
}

/// The upstream, where it is set up and not asked too much already.
fn admit<'a>(
    guarded: &'a Option<Guarded>,
    name: &str,
    variable: &str,
) -> Result<(&'a Upstream, SemaphorePermit<'a>), ApiError> {
    let Some(guarded) = guarded else {
        let detail =
            format!("the gateway knows no {name}: set {variable} to its address and start the gateway anew");
        return Err(ApiError::new(ProblemCode::NotConfigured, detail));
    };
    let place = guarded.places.try_acquire().map_err(|_| {
        let detail = format!("{MAX_OPEN} questions to {name} are open already");
        ApiError::new(ProblemCode::Overloaded, detail)
    })?;
    Ok((&guarded.upstream, place))
}

/// Alerts that fire as Alertmanager tells them, worst first, without those that are silenced or inhibited.
///
/// At most 500; `omitted` counts the others. The read-model's `/alerts` knows also which ended lately, and what fires while
/// Alertmanager is away.
#[utoipa::path(get, path = "/proxy/alerts", tag = "monitoring", responses(
    (status = 200, body = AlertList),
    (status = 404, body = Problem, description = "No Alertmanager is set up (not_configured)", content_type = "application/problem+json"),
    (status = 429, body = Problem, description = "Too many questions to it are open", content_type = "application/problem+json"),
    (status = 502, body = Problem, description = "It cannot be reached, or its answer is of no use (upstream_unavailable)", content_type = "application/problem+json"),
    (status = 504, body = Problem, description = "It did not answer within 2 s (upstream_timeout)", content_type = "application/problem+json"),
))]
pub(super) async fn alerts(State(gateway): State<Arc<Gateway>>) -> Result<Json<AlertList>, ApiError> {
    let (upstream, _place) = admit(
        &gateway.upstreams.alertmanager,
        "Alertmanager",
        env::ALERTMANAGER_URL,
    )?;
    let told: Vec<ToldAlert> = upstream.get_json(ALERTS_PATH).await?;
    let mut alerts: Vec<_> = told
        .into_iter()
        .filter(|told| !told.suppressed)
        .map(|told| told.alert)
        .collect();
    alerts.sort_by(|one, other| {
        let urgency = other.severity.cmp(&one.severity);
        urgency
            .then(one.since.cmp(&other.since))
            .then_with(|| (&one.name, &one.subject).cmp(&(&other.name, &other.subject)))
    });
    let omitted = alerts.len().saturating_sub(MAX_ALERTS);
    alerts.truncate(MAX_ALERTS);
    Ok(Json(AlertList {
        source: source::ALERTMANAGER.to_owned(),
        alerts,
        omitted: omitted as u64,
        alert_source: None,
    }))
}

/// What Prometheus scrapes, and how the last scrape of each went.
#[utoipa::path(get, path = "/proxy/targets", tag = "monitoring", responses(
    (status = 200, body = TargetList),
    (status = 404, body = Problem, description = "No Prometheus is set up (not_configured)", content_type = "application/problem+json"),
    (status = 429, body = Problem, description = "Too many questions to it are open", content_type = "application/problem+json"),
    (status = 502, body = Problem, description = "It cannot be reached, or its answer is of no use (upstream_unavailable)", content_type = "application/problem+json"),
    (status = 504, body = Problem, description = "It did not answer within 2 s (upstream_timeout)", content_type = "application/problem+json"),
))]
pub(super) async fn targets(State(gateway): State<Arc<Gateway>>) -> Result<Json<TargetList>, ApiError> {
    let (upstream, _place) = admit(&gateway.upstreams.prometheus, "Prometheus", env::PROMETHEUS_URL)?;
    let answer: Targets = upstream.get_json(TARGETS_PATH).await?;
    let mut targets: Vec<_> = answer
        .data
        .active_targets
        .into_iter()
        .map(ScrapeTarget::from)
        .collect();
    targets.sort_by(|one, other| {
        (one.health, &one.job, &one.instance).cmp(&(other.health, &other.job, &other.instance))
    });
    let omitted = targets.len().saturating_sub(MAX_TARGETS);
    targets.truncate(MAX_TARGETS);
    Ok(Json(TargetList {
        targets,
        omitted: omitted as u64,
    }))
}

/// Prometheus's answer, as far as it is read.
#[derive(Deserialize)]
struct Targets {
    data: TargetsData,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TargetsData {
    active_targets: Vec<Target>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Target {
    #[serde(default)]
    labels: TargetLabels,
    #[serde(default)]
    health: String,
    #[serde(default)]
    last_error: String,
    #[serde(default)]
    last_scrape: String,
}

#[derive(Default, Deserialize)]
struct TargetLabels {
    #[serde(default)]
    job: String,
    #[serde(default)]
    instance: String,
}

impl From<Target> for ScrapeTarget {
    fn from(target: Target) -> Self {
        Self {
            job: target.labels.job,
            instance: target.labels.instance,
            health: match target.health.as_str() {
                "up" => TargetHealth::Up,
                "down" => TargetHealth::Down,
                _ => TargetHealth::Unknown,
            },
            last_error: (!target.last_error.is_empty()).then_some(target.last_error),
            // One that was not scraped yet was so in the year 1, which is no instant of ours.
            last_scrape: target.last_scrape.parse::<Timestamp>().ok(),
        }
    }
}
