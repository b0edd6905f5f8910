//! What must be refused is refused, each time by a problem document.

use odd_client::{RawAnswer, RawRequest};
use odd_contracts::names::header;
use odd_contracts::names::spine::JSON;
use odd_contracts::problem::PROBLEM_JSON;
use odd_contracts::{Problem, ProblemCode, Role, Schema, schema};
use serde_json::{Value, json};

use super::super::gate::{Gate, ensure, same, text};
use super::super::run::Outcome;
use super::JOB_TYPE;

/// Bytes of the largest body that the gateway takes.
const LIMIT: usize = 1 << 20;

/// The problem that an answer must be.
fn problem(answer: &RawAnswer, code: ProblemCode) -> Result<Problem, String> {
    same("status", answer.status, code.status())?;
    let content_type = answer.header("content-type");
    ensure(content_type.starts_with(PROBLEM_JSON), || {
        format!("a problem of content type {content_type:?}")
    })?;
    let document: Value = answer.json().map_err(text)?;
    schema::validate(Schema::Problem, &document)
        .map_err(|errors| format!("a problem that breaks its schema: {errors:?}"))?;
    let problem: Problem = answer.json().map_err(text)?;
    same("code", problem.code, code)?;
    same("status within", problem.status, answer.status)?;
    same(
        "correlation id within",
        problem.correlation_id.as_deref(),
        Some(answer.header(header::CORRELATION_ID)),
    )?;
    Ok(problem)
}

async fn submit(gate: &Gate, content_type: &str, body: impl Into<Vec<u8>>) -> Result<RawAnswer, String> {
    let request = RawRequest::post("/jobs").body(content_type, body.into());
    gate.raw(Role::Gateway, request).await
}

pub(super) async fn invalid(gate: Gate) -> Outcome {
    let document = json!({
        "id": "no-uuid", "type": "", "payload": [], "createdAt": "2026-01-31T12:00:00",
        "options": { "maxAttempts": 26, "timeoutMs": 0, "delayMs": -1 }, "priority": 5,
    });
    let answer = submit(&gate, JSON, document.to_string()).await?;
    let problem = problem(&answer, ProblemCode::ValidationFailed)?;
    let found: Vec<&str> = problem.errors.iter().map(|error| error.path.as_str()).collect();
    for path in [
        "/id",
        "/type",
        "/payload",
        "/createdAt",
        "/options/maxAttempts",
        "/options/timeoutMs",
        "/options/delayMs",
        "/priority",
    ] {
        ensure(found.contains(&path), || format!("{path} is not among {found:?}"))?;
    }
    Ok(format!("400, {} places named", found.len()))
}

pub(super) async fn malformed(gate: Gate) -> Outcome {
    for body in [
        &b"{\"type\":"[..],
        b"",
        b"{\"type\":\"a\"} x",
        b"\xff\xfe",
        b"{\"type\":\"a\0\"}",
    ] {
        let answer = submit(&gate, JSON, body).await?;
        problem(&answer, ProblemCode::MalformedJson)
            .map_err(|wrong| format!("{:?}: {wrong}", String::from_utf8_lossy(body)))?;
    }
    Ok("400".to_owned())
}

pub(super) async fn content_type(gate: Gate) -> Outcome {
    let body = json!({ "type": JOB_TYPE }).to_string();
    for content_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/xml",
    ] {
        let answer = submit(&gate, content_type, body.clone()).await?;
        problem(&answer, ProblemCode::UnsupportedMediaType)
            .map_err(|wrong| format!("{content_type}: {wrong}"))?;
    }
    Ok("415".to_owned())
}

pub(super) async fn too_large(gate: Gate) -> Outcome {
    let document = json!({ "type": JOB_TYPE, "payload": { "text": "x".repeat(LIMIT) } });
    let answer = submit(&gate, JSON, document.to_string()).await?;
    problem(&answer, ProblemCode::PayloadTooLarge)?;
    Ok("413".to_owned())
}

pub(super) async fn unknown(gate: Gate) -> Outcome {
    for role in gate.called() {
        let answer = gate.raw(role, RawRequest::get("/no/such/path")).await?;
        problem(&answer, ProblemCode::NotFound).map_err(|wrong| format!("{role}: {wrong}"))?;
        let answer = gate.raw(role, RawRequest::post("/healthz")).await?;
        problem(&answer, ProblemCode::MethodNotAllowed).map_err(|wrong| format!("{role}: {wrong}"))?;
    }
    let answer = gate
        .raw(Role::ReadModel, RawRequest::get("/jobs?limit=none"))
        .await?;
    problem(&answer, ProblemCode::InvalidParameter)?;
    let answer = gate
        .raw(Role::ReadModel, RawRequest::get("/jobs/no-uuid"))
        .await?;
    problem(&answer, ProblemCode::InvalidParameter)?;
    Ok("404, 405, 400".to_owned())
}
