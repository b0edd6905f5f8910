//! Answers held against the JSON Schemas, as they came over the wire.

use odd_client::{RawAnswer, RawRequest};
use odd_contracts::{JobId, JobStatus, Role, Schema, schema};
use serde_json::{Value, json};

use super::super::gate::{Gate, ensure, same, text};
use super::super::history::recorded;
use super::super::run::Outcome;
use super::plain;
use super::submission;

async fn get(gate: &Gate, path: String) -> Result<Value, String> {
    let answer = gate.raw(Role::ReadModel, RawRequest::get(&path)).await?;
    document(&path, &answer, 200)
}

fn document(what: &str, answer: &RawAnswer, status: u16) -> Result<Value, String> {
    same(&format!("status of {what}"), answer.status, status)?;
    let content_type = answer.header("content-type");
    ensure(content_type.starts_with("application/json"), || {
        format!("{what} is of content type {content_type:?}")
    })?;
    answer.json().map_err(text)
}

fn keeps(what: &str, contract: Schema, document: &Value) -> Result<(), String> {
    schema::validate(contract, document)
        .map_err(|errors| format!("{what} breaks the schema {contract}: {errors:?}"))
}

/// Each document of a list; there must be at least `least`.
fn each(what: &str, contract: Schema, list: &Value, least: usize) -> Result<usize, String> {
    let list = list.as_array().ok_or_else(|| format!("{what} has no list"))?;
    ensure(list.len() >= least, || {
        format!("{what} has {} of {least}", list.len())
    })?;
    list.iter()
        .try_for_each(|document| keeps(what, contract, document))?;
    Ok(list.len())
}

async fn submitted(gate: &Gate, job: &Value) -> Result<JobId, String> {
    let request = RawRequest::post("/jobs").json(job.to_string());
    let answer = gate.raw(Role::Gateway, request).await?;
    let accepted = document("the acceptance", &answer, 202)?;
    keeps("the acceptance", Schema::JobAccepted, &accepted)?;
    let id = accepted["jobId"].as_str().and_then(|id| id.parse().ok());
    let id = id.ok_or("the acceptance names no job")?;
    gate.note([id])?;
    Ok(id)
}

pub(super) async fn jobs(gate: Gate) -> Outcome {
    let job = submission(
        json!({ "simulate": { "failTimes": 1, "durationMs": 1 } }),
        json!({ "backoffMs": 1, "delayMs": 1 }),
    );
    let id = submitted(&gate, &job).await?;
    gate.reaches(id, JobStatus::Completed).await?;
    let detail = get(&gate, format!("/jobs/{id}")).await?;
    keeps("the job", Schema::Job, &detail)?;
    each("the job's attempts", Schema::JobAttempt, &detail["attempts"], 2)?;
    let mut listed = 0;
    for path in [
        format!("/jobs?id={id}"),
        "/jobs?limit=100".to_owned(),
        "/jobs/recent".to_owned(),
    ] {
        let page = get(&gate, path.clone()).await?;
        listed += each(&path, Schema::Job, &page["jobs"], 1)?;
    }
    Ok(format!("a job, its attempts, {listed} listed jobs"))
}

pub(super) async fn events(gate: Gate) -> Outcome {
    let id = submitted(&gate, &plain()).await?;
    recorded_end(&gate, id).await?;
    let timeline = get(&gate, format!("/jobs/{id}/timeline")).await?;
    let mut seen = each("the timeline", Schema::EventEnvelope, &timeline["events"], 4)?;
    for path in [format!("/events?jobId={id}"), "/events?limit=200".to_owned()] {
        let page = get(&gate, path.clone()).await?;
        seen += each(&path, Schema::EventEnvelope, &page["events"], 4)?;
    }
    let created = &timeline["events"][0];
    keeps("the payload of job.created", Schema::Job, &created["payload"])?;
    let mut alerts = 0;
    for path in ["/alerts", "/overview"] {
        let document = get(&gate, path.to_owned()).await?;
        alerts += each(path, Schema::Alert, &document["alerts"], 0)?;
    }
    Ok(format!("{seen} events, {alerts} alerts"))
}

async fn recorded_end(gate: &Gate, id: JobId) -> Result<(), String> {
    gate.reaches(id, JobStatus::Completed).await?;
    recorded(gate, id).await.map(|_| ())
}
