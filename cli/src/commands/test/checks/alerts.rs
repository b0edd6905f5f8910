//! Alerts: what is broken on purpose rings, and ceases to ring when it is mended.

use std::collections::BTreeMap;

use odd_contracts::alert::condition::{JOB_FAILURE_RATE_HIGH, SERVICE_DOWN};
use odd_contracts::alert::source;
use odd_contracts::api::HealthState;
use odd_contracts::{Alert, AlertState, JobStatus, Role, Timestamp};
use serde_json::{Value, json};

use super::super::gate::{Gate, ensure, text};
use super::super::run::Outcome;
use super::{many, plain, submission};
use crate::format;

/// Notifications of Alertmanager that the read-model took.
const DELIVERED: &str = "sum(alertmanager_notifications_total{integration=\"webhook\"}) \
    - sum(alertmanager_notifications_failed_total{integration=\"webhook\"})";
/// Notifications of an alert: that it fires, and that it is resolved.
const NOTIFICATIONS: f64 = 2.0;
/// Jobs that others may complete before the alert has fired. The load of other checks waits for that.
const BESIDE: u64 = 360;
/// Most jobs that are made to fail: an instance that ended more jobs lately than this is a twentieth of rings for no test.
const MOST: u64 = 5_000;
/// Jobs among which one that fails is no high rate: the bound is one in twenty.
const HARMLESS: u64 = 25;
/// Jobs that are submitted while nobody executes any.
const MEANWHILE: usize = 20;

/// Share of a check's time in which the alert has to fire.
const TO_FIRE: f64 = 0.5;

/// Many jobs fail, and `JobFailureRateHigh` fires; more complete, and it is resolved.
pub(super) async fn failure_rate(gate: Gate) -> Outcome {
    let (name, subject) = (JOB_FAILURE_RATE_HIGH, Role::Processor.name());
    // What completes meanwhile makes the rate lower.
    let calm = gate.has_calm().await;
    // One that is started anew has forgotten what was resolved.
    let _remembers = gate.needs(Role::ReadModel).await;
    ensure(firing(&gate, name, subject).await?.is_none(), || {
        format!("{name} fires before anything was made to fail")
    })?;
    let failing = {
        let _runs = gate.needs(Role::Processor).await;
        let failing = fail_many(&gate).await?;
        // A processor that is stopped takes with it what was not scraped yet.
        seen_by_prometheus(&gate, name).await?;
        failing
    };
    let fired = fires(&gate, name, subject).await?;
    drop(calm);
    let _runs = gate.needs(Role::Processor).await;
    complete_many(&gate, failing * HARMLESS).await?;
    let rang = resolved(&gate, name, subject, fired.since).await?;
    Ok(format!("{failing} jobs failed; {rang}"))
}

/// Makes so many jobs fail that it is more than one in twenty, even if all that ever ended did so lately.
async fn fail_many(gate: &Gate) -> Result<u64, String> {
    let counters = gate.steadily(|| gate.read_model().stats()).await?.counters;
    let failing = ((counters.total + BESIDE) / 12).min(MOST);
    let job = submission(
        json!({ "simulate": { "error": "on purpose" } }),
        json!({ "maxAttempts": 1 }),
    );
    end_all(gate, &job, failing, JobStatus::Failed).await?;
    Ok(failing)
}

async fn complete_many(gate: &Gate, jobs: u64) -> Result<(), String> {
    end_all(gate, &plain(), jobs, JobStatus::Completed).await
}

async fn end_all(gate: &Gate, job: &Value, jobs: u64, status: JobStatus) -> Result<(), String> {
    let mut ids = Vec::new();
    let mut left = usize::try_from(jobs).unwrap_or(usize::MAX);
    while left > 0 {
        let now = left.min(many::MOST);
        ids.extend(gate.submit_all(vec![job.clone(); now]).await?);
        left -= now;
    }
    gate.all_are(&ids, status).await
}

/// The processor is stopped, and `ServiceDown` fires while jobs are accepted all the same; it is started again, and the alert
/// is resolved and the jobs complete.
pub(super) async fn service_down(gate: Gate) -> Outcome {
    let (name, subject) = (SERVICE_DOWN, Role::Processor.name());
    let _remembers = gate.needs(Role::ReadModel).await;
    ensure(firing(&gate, name, subject).await?.is_none(), || {
        format!("{name} fires before anything was stopped")
    })?;
    let delivered = delivered(&gate).await?;
    let nobody_needs_it = gate.has(Role::Processor).await;
    gate.stack().stop(Role::Processor).await?;
    let fired = while_stopped(&gate).await;
    // Whatever came of it, the processor runs again.
    gate.stack().start(Role::Processor).await?;
    drop(nobody_needs_it);
    let (fired, ids) = fired?;
    gate.all_are(&ids, JobStatus::Completed).await?;
    let rang = resolved(&gate, name, subject, fired.since).await?;
    healthy(&gate).await?;
    notified(&gate, delivered).await?;
    Ok(format!("{rang}; {} jobs waited and completed", ids.len()))
}

async fn delivered(gate: &Gate) -> Result<f64, String> {
    let points = gate.stack().prometheus()?.query(DELIVERED).await?;
    let delivered = points.first().map(|point| point.value);
    delivered.ok_or_else(|| "Prometheus has no figures of Alertmanager's notifications".to_owned())
}

/// Alertmanager told the read-model both, and was believed.
async fn notified(gate: &Gate, before: f64) -> Result<(), String> {
    gate.wait("Alertmanager to deliver its notifications", || async {
        let told = delivered(gate).await? - before;
        ensure(told >= NOTIFICATIONS, || {
            format!("{told} of {NOTIFICATIONS} delivered")
        })
    })
    .await
}

/// Waits for the alert, with jobs that wait for their processor.
async fn while_stopped(gate: &Gate) -> Result<(Alert, Vec<odd_contracts::JobId>), String> {
    let ids = gate.submit_all(vec![plain(); MEANWHILE]).await?;
    let fired = fires(gate, SERVICE_DOWN, Role::Processor.name()).await?;
    Ok((fired, ids))
}

async fn healthy(gate: &Gate) -> Result<(), String> {
    gate.wait("the overview to be healthy", || async {
        let overview = gate.read_model().overview().await.map_err(text)?;
        let ill = overview
            .roles
            .iter()
            .find(|role| role.state != HealthState::Healthy);
        ensure(ill.is_none(), || {
            format!("{:?}", ill.map(|role| (role.role, &role.detail)))
        })
    })
    .await
}

/// The alert of this name about this subject, where it fires.
async fn firing(gate: &Gate, name: &str, subject: &str) -> Result<Option<Alert>, String> {
    let list = gate.steadily(|| gate.read_model().alerts()).await?;
    let its =
        |alert: &Alert| alert.name == name && alert.subject == subject && alert.state == AlertState::Firing;
    Ok(list.alerts.into_iter().find(its))
}

/// Whether the alert came the way that it shall: where there is a Prometheus, the read-model's own evaluation does not count.
fn came_its_way(gate: &Gate, alert: &Alert) -> bool {
    let expected = if gate.stack().has_prometheus() {
        source::ALERTMANAGER
    } else {
        source::NATIVE
    };
    alert.source.as_deref().is_none_or(|from| from == expected)
}

async fn fires(gate: &Gate, name: &str, subject: &str) -> Result<Alert, String> {
    let soon = gate.within(TO_FIRE);
    let what = format!("{name} to fire and to be at the read-model");
    soon.wait(&what, || async {
        match firing(&soon, name, subject).await? {
            Some(alert) if came_its_way(&soon, &alert) => Ok(alert),
            Some(alert) => Err(format!("it comes from {:?}", alert.source)),
            None => Err(elsewhere(&soon, name).await),
        }
    })
    .await
}

/// How far an alert is that the read-model does not know of.
async fn elsewhere(gate: &Gate, name: &str) -> String {
    if !gate.stack().has_prometheus() {
        return "no such alert".to_owned();
    }
    match in_prometheus(gate, name).await {
        Ok(state) => format!("no such alert, though it is {state} in Prometheus"),
        Err(error) => format!("no such alert, and {error}"),
    }
}

/// Waits until Prometheus, where there is one, has the alert in any state: what it saw, it keeps.
async fn seen_by_prometheus(gate: &Gate, name: &str) -> Result<(), String> {
    if !gate.stack().has_prometheus() {
        return Ok(());
    }
    let soon = gate.within(TO_FIRE);
    let what = format!("Prometheus to notice {name}");
    soon.wait(&what, || async { in_prometheus(&soon, name).await.map(drop) })
        .await
}

/// State of the alert in Prometheus.
async fn in_prometheus(gate: &Gate, name: &str) -> Result<String, String> {
    let alerts = gate.stack().prometheus()?.alerts().await?;
    let named = |labels: &BTreeMap<String, String>| labels.get("alertname").is_some_and(|its| its == name);
    let found = alerts.into_iter().find(|alert| named(&alert.labels));
    found
        .map(|alert| alert.state)
        .ok_or_else(|| "Prometheus knows of none".to_owned())
}

/// Waits for the end of the alert; tells how long it rang.
async fn resolved(gate: &Gate, name: &str, subject: &str, since: Timestamp) -> Result<String, String> {
    gate.wait(&format!("{name} to be resolved"), || async {
        match firing(gate, name, subject).await? {
            Some(alert) => Err(format!("it fires: {}", alert.summary)),
            None => Ok(()),
        }
    })
    .await?;
    let list = gate.steadily(|| gate.read_model().alerts()).await?;
    let ended = list
        .alerts
        .iter()
        .find(|alert| alert.name == name && alert.subject == subject && alert.state == AlertState::Resolved);
    ensure(ended.is_some(), || {
        format!("{name} does not fire any more, but is not shown as resolved")
    })?;
    let rang = format::duration(Timestamp::now().since(since));
    Ok(format!("rang for {rang}"))
}
