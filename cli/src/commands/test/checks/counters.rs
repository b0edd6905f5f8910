//! Counters and metrics: they move by what was done, and name no job.

use odd_contracts::api::{Counters, TypeCounters};
use odd_contracts::names::metric;
use odd_contracts::{JobStatus, Role};
use serde_json::{Value, json};

use super::super::exposition::Exposition;
use super::super::gate::{Gate, ensure, text};
use super::super::history::recorded;
use super::super::run::Outcome;
use super::{plain, roles};

/// Type of the jobs that this check counts: no other check submits any.
const COUNTED: &str = "odd-test-counters";

/// What is looked at before and after.
struct Figures {
    counters: Counters,
    gateway: Exposition,
    processor: Exposition,
    engine: Exposition,
}

impl Figures {
    async fn read(gate: &Gate) -> Result<Self, String> {
        Ok(Self {
            counters: gate.read_model().stats().await.map_err(text)?.counters,
            gateway: roles::scrape(gate, Role::Gateway).await?,
            processor: roles::scrape(gate, Role::Processor).await?,
            engine: roles::scrape(gate, Role::MetricsEngine).await?,
        })
    }

    /// The counts of this check's type; of `other`, where there are too many types.
    fn of_type(&self, after: &Self) -> TypeCounters {
        let name = if after.counters.by_type.contains_key(COUNTED) {
            COUNTED
        } else {
            metric::OTHER_TYPE
        };
        self.counters.by_type.get(name).cloned().unwrap_or_default()
    }

    fn submitted(&self, after: &Self) -> f64 {
        let name = metric::GATEWAY_SUBMITTED;
        let known = after.gateway.sum(name, &[("type", COUNTED)]) > 0.0;
        let label = if known { COUNTED } else { metric::OTHER_TYPE };
        self.gateway.sum(name, &[("type", label)])
    }

    /// Each figure: its name, what it was, what it is, and by how much it must have risen at least.
    fn rises(&self, after: &Self) -> Vec<(&'static str, f64, f64, f64)> {
        let (was, is) = (&self.counters, &after.counters);
        let (was_type, is_type) = (self.of_type(after), after.of_type(after));
        let of = |name, least, read: fn(&Self) -> &Exposition| {
            (name, read(self).sum(name, &[]), read(after).sum(name, &[]), least)
        };
        let count = |name, was: u64, is: u64, least| (name, was as f64, is as f64, least);
        let in_status = |name, status| count(name, was.in_status(status), is.in_status(status), 1.0);
        vec![
            count("total", was.total, is.total, 3.0),
            in_status("completed", JobStatus::Completed),
            in_status("failed", JobStatus::Failed),
            in_status("cancelled", JobStatus::Cancelled),
            count("retries", was.retries, is.retries, 1.0),
            count("total of the type", was_type.total, is_type.total, 3.0),
            count(
                "completed of the type",
                was_type.completed,
                is_type.completed,
                1.0,
            ),
            count("failed of the type", was_type.failed, is_type.failed, 1.0),
            count(
                "cancelled of the type",
                was_type.cancelled,
                is_type.cancelled,
                1.0,
            ),
            (
                metric::GATEWAY_SUBMITTED,
                self.submitted(after),
                after.submitted(after),
                3.0,
            ),
            of(metric::GATEWAY_ACCEPTED, 3.0, |figures| &figures.gateway),
            of(metric::GATEWAY_REJECTED, 1.0, |figures| &figures.gateway),
            of(metric::PROCESSOR_PROCESSED, 3.0, |figures| &figures.processor),
            of(metric::PROCESSOR_COMPLETED, 1.0, |figures| &figures.processor),
            of(metric::PROCESSOR_FAILED, 1.0, |figures| &figures.processor),
            of(metric::PROCESSOR_CANCELLED, 1.0, |figures| &figures.processor),
            of(metric::PROCESSOR_RETRIED, 1.0, |figures| &figures.processor),
            of("processor_job_processing_seconds_count", 3.0, |figures| {
                &figures.processor
            }),
            of(metric::ENGINE_RECORDED, 13.0, |figures| &figures.engine),
        ]
    }
}

/// One job that completes, one that is retried and fails, one that is cancelled, and one that is refused.
async fn act(gate: &Gate) -> Result<(), String> {
    let job =
        |payload: Value, options: Value| json!({ "type": COUNTED, "payload": payload, "options": options });
    let completes = gate.submit(&job(json!({}), json!({}))).await?.job_id;
    let failing = job(
        json!({ "simulate": { "error": "on purpose" } }),
        json!({ "maxAttempts": 2, "backoffMs": 1 }),
    );
    let fails = gate.submit(&failing).await?.job_id;
    let cancelled = gate
        .submit(&job(json!({}), json!({ "delayMs": 60_000 })))
        .await?
        .job_id;
    gate.reaches(cancelled, JobStatus::Scheduled).await?;
    gate.patiently(|| gate.gateway().cancel(cancelled)).await?;
    let refused = gate
        .gateway()
        .submit_value(&json!({ "type": COUNTED, "payload": [] }))
        .await;
    ensure(refused.is_err(), || {
        "a payload that is an array was accepted".to_owned()
    })?;
    for (id, status) in [
        (completes, JobStatus::Completed),
        (fails, JobStatus::Failed),
        (cancelled, JobStatus::Cancelled),
    ] {
        gate.reaches(id, status).await?;
        recorded(gate, id).await?;
    }
    Ok(())
}

/// Others may use the system at the same time, so figures rise by what was done at least. Counters follow the event log;
/// they are given time.
pub(super) async fn move_by_what_is_done(gate: Gate) -> Outcome {
    let before = Figures::read(&gate).await?;
    act(&gate).await?;
    gate.wait("every figure to have risen", || async {
        let after = Figures::read(&gate).await?;
        let rises = before.rises(&after);
        let short: Vec<String> = rises
            .iter()
            .filter(|(_, was, is, least)| is - was < *least)
            .map(|(name, was, is, least)| format!("{name} rose from {was} to {is}, not by {least}"))
            .collect();
        if short.is_empty() {
            Ok(format!("{} figures", rises.len()))
        } else {
            Err(short.join(", "))
        }
    })
    .await
}

pub(super) async fn no_job_id(gate: Gate) -> Outcome {
    let id = gate.submit(&plain()).await?.job_id;
    gate.reaches(id, JobStatus::Completed).await?;
    recorded(&gate, id).await?;
    // Paths of requests are a label: this one has the id in it.
    let _ = gate.read_model().job(id).await.map_err(text)?;
    let mut samples = 0;
    for role in Role::ALL {
        let exposition = roles::scrape(&gate, role).await?;
        samples += exposition.samples.len();
        let id = id.to_string();
        for sample in &exposition.samples {
            let found = sample.labels.values().find(|value| value.contains(&id));
            ensure(found.is_none(), || {
                format!("{} of the {role} carries {id}", sample.name)
            })?;
        }
    }
    Ok(format!("{samples} samples of {} roles", Role::ALL.len()))
}
