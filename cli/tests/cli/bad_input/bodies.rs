//! Bodies: no JSON, no job, too large, too deep, or only strange.

use odd_client::RawRequest;
use odd_contracts::names::spine::{JSON, NDJSON};
use odd_contracts::{JobStatus, ProblemCode};
use odd_testkit::wait_for;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{LONG, Target, accepted, refused};

/// A document whose payload nests so many levels deep, itself included.
fn nested(levels: usize) -> String {
    let (open, close) = ("[".repeat(levels - 1), "]".repeat(levels - 1));
    format!(r#"{{"type":"deep","payload":{{"a":{open}1{close}}}}}"#)
}

pub(super) async fn bodies_that_are_no_json(target: &Target) {
    for body in [
        &b""[..],
        b" ",
        b"{",
        b"{\"type\":\"a\"",
        b"{'type':'a'}",
        b"{\"type\":\"a\"} {}",
        b"{\"type\":\"a\",}",
        b"{\"type\":\"a\0b\"}",
        b"\0\0\0\0",
        b"{\"type\":\"a\"}\0",
        b"\xef\xbb\xbf{\"type\":\"a\"}",
        b"\xff\xfe{\x00",
        b"{\"type\":\"\xc3\x28\"}",
        br#"{"type":"a","payload":{"x":"\ud800"}}"#,
        br#"{"type":"a","payload":{"x":1e999}}"#,
        br#"{"type":"a","payload":{"x":NaN}}"#,
        br#"{"type":"a","payload":{"x":0123}}"#,
    ] {
        let what = String::from_utf8_lossy(body).into_owned();
        refused(&what, &target.submit(body).await, ProblemCode::MalformedJson, &[]);
    }
}

pub(super) async fn documents_that_break_the_contract(target: &Target) {
    let year_ahead = "2200-01-01T00:00:00Z";
    for (document, path) in [
        (json!(null), ""),
        (json!("text"), ""),
        (json!([{ "type": "a" }]), ""),
        (json!({}), "/type"),
        (json!({ "type": null }), "/type"),
        (json!({ "type": 7 }), "/type"),
        (json!({ "type": "" }), "/type"),
        (json!({ "type": "x".repeat(51) }), "/type"),
        (json!({ "type": "with space" }), "/type"),
        (json!({ "type": "nul\0" }), "/type"),
        (json!({ "type": "ä" }), "/type"),
        (json!({ "type": "a", "payload": [] }), "/payload"),
        (json!({ "type": "a", "payload": null }), "/payload"),
        (json!({ "type": "a", "payload": "{}" }), "/payload"),
        (json!({ "type": "a", "metadata": [1] }), "/metadata"),
        (json!({ "type": "a", "priority": 5 }), "/priority"),
        (json!({ "type": "a", "__proto__": {} }), "/__proto__"),
        (json!({ "type": "a", "retryOf": Uuid::new_v4() }), "/retryOf"),
        (json!({ "type": "a", "status": "COMPLETED" }), "/status"),
        (json!({ "type": "a", "status": "pending" }), "/status"),
        (json!({ "type": "a", "id": "no-uuid" }), "/id"),
        (json!({ "type": "a", "id": "" }), "/id"),
        (json!({ "type": "a", "id": 5 }), "/id"),
        (
            json!({ "type": "a", "id": "0198f3a2-5c1e-7d3a-9a54-3f0d6c1b2e7" }),
            "/id",
        ),
        (
            json!({ "type": "a", "id": "{0198f3a2-5c1e-7d3a-9a54-3f0d6c1b2e77}" }),
            "/id",
        ),
        (
            json!({ "type": "a", "createdAt": "2026-01-31T12:00:00" }),
            "/createdAt",
        ),
        (
            json!({ "type": "a", "createdAt": "2026-02-30T12:00:00Z" }),
            "/createdAt",
        ),
        (json!({ "type": "a", "createdAt": "yesterday" }), "/createdAt"),
        (json!({ "type": "a", "createdAt": 1_700_000_000 }), "/createdAt"),
        (
            json!({ "type": "a", "options": { "runAt": "2026-01-31T12:00:00" } }),
            "/options/runAt",
        ),
        (
            json!({ "type": "a", "options": { "runAt": year_ahead } }),
            "/options/runAt",
        ),
        (
            json!({ "type": "a", "options": { "maxAttempts": 0 } }),
            "/options/maxAttempts",
        ),
        (
            json!({ "type": "a", "options": { "maxAttempts": -1 } }),
            "/options/maxAttempts",
        ),
        (
            json!({ "type": "a", "options": { "maxAttempts": 26 } }),
            "/options/maxAttempts",
        ),
        (
            json!({ "type": "a", "options": { "maxAttempts": 1.5 } }),
            "/options/maxAttempts",
        ),
        (
            json!({ "type": "a", "options": { "maxAttempts": "3" } }),
            "/options/maxAttempts",
        ),
        (
            json!({ "type": "a", "options": { "backoffMs": -1 } }),
            "/options/backoffMs",
        ),
        (
            json!({ "type": "a", "options": { "timeoutMs": 0 } }),
            "/options/timeoutMs",
        ),
        (
            json!({ "type": "a", "options": { "timeoutMs": u64::MAX } }),
            "/options/timeoutMs",
        ),
        (
            json!({ "type": "a", "options": { "delayMs": i64::MIN } }),
            "/options/delayMs",
        ),
        (
            json!({ "type": "a", "options": { "delayMs": 1e300 } }),
            "/options/delayMs",
        ),
        (
            json!({ "type": "a", "options": { "retries": 3 } }),
            "/options/retries",
        ),
        (json!({ "type": "a", "options": [] }), "/options"),
    ] {
        let what = document.to_string();
        let answer = target.submit(what.clone()).await;
        refused(&what, &answer, ProblemCode::ValidationFailed, &[path]);
    }
    // Beyond what 64 bits hold; no such number can be written in Rust.
    let huge = r#"{"type":"a","options":{"delayMs":99999999999999999999999999}}"#;
    refused(
        huge,
        &target.submit(huge).await,
        ProblemCode::ValidationFailed,
        &["/options/delayMs"],
    );
}

pub(super) async fn too_large_and_wrongly_declared(target: &Target) {
    let two_mebibytes = json!({ "type": "a", "payload": { "x": "y".repeat(2 << 20) } }).to_string();
    let answer = target.submit(two_mebibytes.clone()).await;
    refused("2 MiB", &answer, ProblemCode::PayloadTooLarge, &[]);
    let answer = target.post("/jobs/batch", NDJSON, vec![b'x'; 9 << 20]).await;
    refused("a batch of 9 MiB", &answer, ProblemCode::PayloadTooLarge, &[]);
    let answer = target.post("/jobs/batch", NDJSON, "{}\n".repeat(1_001)).await;
    refused("1,001 lines", &answer, ProblemCode::PayloadTooLarge, &[]);
    for content_type in [
        "text/plain",
        "text/json",
        "application/x-ndjson",
        "multipart/form-data; boundary=x",
        "json",
    ] {
        let answer = target.post("/jobs", content_type, r#"{"type":"a"}"#).await;
        refused(content_type, &answer, ProblemCode::UnsupportedMediaType, &[]);
    }
    let undeclared = RawRequest::post("/jobs");
    let answer = target.gateway.exchange(undeclared).await.unwrap();
    refused("no content type", &answer, ProblemCode::UnsupportedMediaType, &[]);
}

pub(super) async fn nesting(target: &Target) {
    refused(
        "10,000 levels",
        &target.submit(nested(10_000)).await,
        ProblemCode::MalformedJson,
        &[],
    );
    refused(
        "101 levels",
        &target.submit(nested(101)).await,
        ProblemCode::ValidationFailed,
        &["/payload"],
    );
    let batch = format!("{}\n{}\n", nested(10_000), r#"{"type":"deep"}"#);
    let answer: Value = target.post("/jobs/batch", NDJSON, batch).await.json().unwrap();
    assert_eq!(
        (&answer["accepted"], &answer["rejected"]),
        (&json!(1), &json!(1)),
        "{answer}"
    );
    // What is accepted must be readable everywhere it travels.
    let id = accepted("100 levels", &target.submit(nested(100)).await);
    assert_eq!(target.ended(id).await, JobStatus::Completed);
    let whole = || async {
        target
            .read_model
            .timeline(id)
            .await
            .ok()
            .filter(|timeline| timeline.complete)
    };
    wait_for(LONG, "the history of a deep job", whole).await;
    assert!(target.read_model.job(id).await.is_ok());
}

/// Strange, and to be taken as it is.
pub(super) async fn odd_but_valid(target: &Target) {
    let payload = json!({
        "nul": "a\0b", "": "no name", "emoji": "🦀", "rtl": "\u{202e}abc", "quote": "'; DROP TABLE jobs; --",
        "big": u64::MAX, "small": i64::MIN, "float": 1e308, "tiny": 5e-324, "long": "z".repeat(100_000),
    });
    let document =
        json!({ "id": Uuid::now_v7(), "type": "a..-_", "payload": payload, "metadata": { "\0": "\0" } });
    let id = accepted("strange values", &target.submit(document.to_string()).await);
    assert_eq!(target.ended(id).await, JobStatus::Completed);
    let job = target.read_model.job(id).await.unwrap().record.job;
    assert_eq!(
        Value::Object(job.payload),
        payload,
        "a payload is kept to the bit"
    );
    assert_eq!(job.metadata["\0"], "\0");
    let again: Value = target.submit(document.to_string()).await.json().unwrap();
    assert_eq!(again["duplicate"], true, "{again}");
    for simulate in [
        json!({ "durationMs": -1 }),
        json!({ "durationMs": 1e300 }),
        json!("fast"),
        json!([]),
    ] {
        let document = json!({ "type": "a", "payload": { "simulate": simulate } });
        let id = accepted(
            "nonsense for the handler",
            &target.submit(document.to_string()).await,
        );
        assert_eq!(target.ended(id).await, JobStatus::Failed, "{document}");
        assert_eq!(
            target.read_model.job(id).await.unwrap().attempts.len(),
            1,
            "nonsense is not repeated"
        );
    }
}

pub(super) async fn batches(target: &Target) {
    let (id, other) = (Uuid::now_v7(), Uuid::now_v7());
    let lines = [
        json!({ "id": id, "type": "a", "payload": { "n": 1 } }).to_string(),
        json!({ "id": id, "type": "a", "payload": { "n": 1 } }).to_string(),
        json!({ "id": id, "type": "a", "payload": { "n": 2 } }).to_string(),
        "no json".to_owned(),
        json!({ "id": "no-uuid", "type": "a" }).to_string(),
        json!({ "id": other, "type": "a" }).to_string(),
    ];
    let answer: Value = target
        .post("/jobs/batch", NDJSON, lines.join("\n"))
        .await
        .json()
        .unwrap();
    let results = answer["results"].as_array().unwrap();
    let statuses: Vec<u64> = results
        .iter()
        .map(|result| result["status"].as_u64().unwrap())
        .collect();
    assert_eq!(statuses, [202, 202, 409, 400, 400, 202], "{answer}");
    assert_eq!(results[1]["duplicate"], true, "{answer}");
    assert_eq!((&answer["accepted"], &answer["rejected"]), (&json!(3), &json!(3)));
    assert_eq!(target.ended(id).await, JobStatus::Completed);
    assert_eq!(target.ended(other).await, JobStatus::Completed);
    assert_eq!(
        target.read_model.job(id).await.unwrap().record.job.payload["n"],
        1,
        "the first one wins"
    );
    for (body, code) in [
        ("", ProblemCode::ValidationFailed),
        ("[]", ProblemCode::ValidationFailed),
        ("{}", ProblemCode::MalformedJson),
        ("[1,", ProblemCode::MalformedJson),
    ] {
        let content_type = if body.is_empty() { NDJSON } else { JSON };
        refused(
            body,
            &target.post("/jobs/batch", content_type, body).await,
            code,
            &[],
        );
    }
}
