//! Many submissions at once.

use odd_contracts::ProblemCode;
use odd_contracts::api::BatchResponse;
use odd_spine::Queue;
use serde_json::json;
use uuid::Uuid;

use crate::gate::Mode;
use crate::harness::{Harness, JSON, NDJSON, refused};

async fn batch(gateway: &Harness, content_type: &str, body: impl Into<reqwest::Body>) -> BatchResponse {
    let response = gateway
        .post("/jobs/batch", content_type, body)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    let response: BatchResponse = response.json().await.unwrap();
    assert!(
        response
            .results
            .iter()
            .enumerate()
            .all(|(n, result)| result.index == n),
        "in order"
    );
    assert_eq!(response.accepted + response.rejected, response.results.len());
    response
}

fn statuses(response: &BatchResponse) -> Vec<u16> {
    response.results.iter().map(|result| result.status).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn good_lines_are_accepted_beside_bad_ones() {
    let gateway = Harness::start().await;
    let id = Uuid::from_u128(1);
    let large = format!(r#"{{"type":"t","payload":{{"x":"{}"}}}}"#, "x".repeat(1 << 20));
    let lines = [
        r#"{"type":"one"}"#.to_owned(),
        "{".to_owned(),
        format!(r#"{{"id":"{id}","type":""}}"#),
        String::new(),
        format!(r#"{{"id":"{id}","type":"two","payload":{{"t":"a\u0000b"}}}}"#),
        large,
        "[".repeat(5_000),
        r#"{"type":"three","options":{"maxAttempts":26}}"#.to_owned(),
    ];
    let response = batch(&gateway, NDJSON, lines.join("\r\n")).await;
    assert_eq!(statuses(&response), [202, 400, 400, 202, 413, 400, 400]);
    assert_eq!((response.accepted, response.rejected), (2, 5));
    let problem = |n: usize| response.results[n].problem.as_ref().unwrap();
    assert_eq!(problem(1).code, ProblemCode::MalformedJson);
    assert_eq!(problem(2).errors[0].path, "/type");
    assert_eq!(
        response.results[2].job_id,
        Some(id),
        "the id can be told though the line is wrong"
    );
    assert_eq!(problem(6).errors[0].path, "/options/maxAttempts");
    let work = gateway.work(2).await;
    assert_eq!(work[0].event_id, response.results[0].event_id.unwrap());
    assert_eq!(work[1].job_id(), Some(id));
    assert_eq!(work[1].payload["payload"]["t"], "a\u{0}b");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_array_is_a_batch_too() {
    let gateway = Harness::start().await;
    let body = json!([{"type": "one"}, 7, {"type": "two"}, {"kind": "three"}]).to_string();
    let response = batch(&gateway, JSON, body).await;
    assert_eq!(statuses(&response), [202, 400, 202, 400]);
    gateway.work(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn repeated_ids_in_one_batch_are_repetitions() {
    let gateway = Harness::start().await;
    let (a, b) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let submissions = json!([
        {"id": a, "type": "t", "payload": {"n": 1}},
        {"id": b, "type": "t"},
        {"id": a, "type": "t", "payload": {"n": 1}},
        {"id": a, "type": "t", "payload": {"n": 2}},
    ]);
    let response = batch(&gateway, JSON, submissions.to_string()).await;
    assert_eq!(statuses(&response), [202, 202, 202, 409]);
    let duplicates: Vec<_> = response.results.iter().map(|result| result.duplicate).collect();
    assert_eq!(duplicates, [false, false, true, false]);
    assert_eq!(response.results[0].event_id, response.results[2].event_id);
    let again = batch(&gateway, JSON, submissions.to_string()).await;
    assert_eq!(statuses(&again), [202, 202, 202, 409]);
    assert!(again.results[..3].iter().all(|result| result.duplicate));
    gateway.work(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_fit_and_one_more_does_not() {
    let gateway = Harness::start().await;
    let line = "{\"type\":\"hello\"}\n";
    let response = batch(&gateway, NDJSON, line.repeat(1_000)).await;
    assert_eq!(response.accepted, 1_000);
    gateway.work(1_000).await;
    let response = gateway
        .post("/jobs/batch", NDJSON, line.repeat(1_001))
        .send()
        .await
        .unwrap();
    let problem = refused(response, ProblemCode::PayloadTooLarge).await;
    assert!(problem.detail.unwrap().contains("1000"));
    let response = gateway
        .post("/jobs/batch", NDJSON, vec![b' '; 9 << 20])
        .send()
        .await
        .unwrap();
    refused(response, ProblemCode::PayloadTooLarge).await;
    assert_eq!(gateway.depth(Queue::Work).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_batch_is_refused_whole() {
    let gateway = Harness::start().await;
    for (content_type, body, code) in [
        (JSON, "{\"type\":\"hello\"}", ProblemCode::MalformedJson),
        (JSON, "[{\"type\":", ProblemCode::MalformedJson),
        (NDJSON, "hello\nworld\n", ProblemCode::MalformedJson),
        (JSON, "[]", ProblemCode::ValidationFailed),
        (NDJSON, "\n", ProblemCode::ValidationFailed),
    ] {
        refused(
            gateway
                .post("/jobs/batch", content_type, body)
                .send()
                .await
                .unwrap(),
            code,
        )
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_the_spine_refuses_can_be_repeated_line_by_line() {
    let gateway = Harness::start().await;
    gateway.gate.set(Mode::Refuse);
    let body = "{\"type\":\"one\"}\n{\"type\":\"\"}\n{\"type\":\"two\"}\n";
    let response = gateway.post("/jobs/batch", NDJSON, body).send().await.unwrap();
    assert_eq!(
        (
            response.status().as_u16(),
            response.headers()["retry-after"].to_str().unwrap()
        ),
        (503, "1")
    );
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let document: serde_json::Value = response.json().await.unwrap();
    assert_eq!(document["code"], "spine_unavailable");
    let results: BatchResponse = serde_json::from_value(document).unwrap();
    assert_eq!(statuses(&results), [503, 400, 503]);
    gateway.gate.set(Mode::Open);
    for (n, job_type) in [(0, "one"), (2, "two")] {
        let id = results.results[n].job_id.unwrap();
        gateway.accepted(&json!({"id": id, "type": job_type})).await;
    }
    gateway.work(2).await;
}
