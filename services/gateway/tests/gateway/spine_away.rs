//! The spine is away, late or overloaded.

use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use odd_contracts::ProblemCode;
use odd_contracts::api::BatchResponse;
use odd_gateway::Config;
use odd_spine::Queue;
use reqwest::StatusCode;
use serde_json::json;

use crate::gate::Mode;
use crate::harness::{Harness, NDJSON, config, eventually, refused};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_accepted_and_the_id_is_told() {
    let gateway = Harness::start().await;
    gateway.gate.set(Mode::Refuse);
    let problem = gateway
        .refused(&json!({"type": "hello"}), ProblemCode::SpineUnavailable)
        .await;
    let id = problem.job_id.expect("the id to repeat under");
    assert!(problem.detail.unwrap().contains("jobId"));
    assert_eq!(gateway.depth(Queue::Work).await, 0);
    gateway.gate.set(Mode::Open);
    let answer = gateway.accepted(&json!({"id": id, "type": "hello"})).await;
    assert_eq!((answer.job_id, answer.duplicate), (id, false));
    gateway.work(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_confirm_is_a_503_and_its_repetition_is_the_same_job() {
    let confirm_timeout = Duration::from_secs(3);
    let gateway = Harness::with(Config {
        confirm_timeout,
        ..config()
    })
    .await;
    gateway.gate.set(Mode::LoseConfirm);
    let problem = gateway
        .refused(&json!({"type": "hello"}), ProblemCode::SpineUnavailable)
        .await;
    gateway.gate.set(Mode::Open);
    let answer = gateway
        .accepted(&json!({"id": problem.job_id, "type": "hello"}))
        .await;
    let work = gateway.work(2).await;
    assert_eq!(
        work[0].event_id, work[1].event_id,
        "the first had arrived: the processor sees the same job twice"
    );
    assert_eq!(work[1].event_id, answer.event_id);
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_waiting_are_turned_away_and_the_others_go_on() {
    let max_waiting = NonZero::new(2).unwrap();
    let gateway = Arc::new(
        Harness::with(Config {
            max_waiting,
            ..config()
        })
        .await,
    );
    gateway.gate.set(Mode::Hold);
    let waiting = tokio::spawn({
        let gateway = gateway.clone();
        async move { gateway.accepted(&json!({"type": "first"})).await }
    });
    gateway.gate.holds(1).await;
    let body = "{\"type\":\"a\"}\n{\"type\":\"b\"}\n";
    let response = gateway.post("/jobs/batch", NDJSON, body).send().await.unwrap();
    assert_eq!(
        (
            response.status().as_u16(),
            response.headers()["retry-after"].to_str().unwrap()
        ),
        (429, "1")
    );
    let results: BatchResponse = response.json().await.unwrap();
    assert!(
        results
            .results
            .iter()
            .all(|result| result.status == 429 && result.job_id.is_some())
    );
    gateway.gate.set(Mode::Open);
    assert!(!waiting.await.unwrap().duplicate);
    gateway.work(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_and_requeue_say_so_too() {
    let gateway = Harness::start().await;
    gateway.gate.set(Mode::Refuse);
    let id = uuid::Uuid::from_u128(1);
    for path in [
        format!("/jobs/{id}/cancel"),
        format!("/dead-letters/{id}/requeue"),
    ] {
        let response = gateway.http.post(gateway.url(&path)).send().await.unwrap();
        refused(response, ProblemCode::SpineUnavailable).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_follows_the_spine() {
    let gateway = Harness::start().await;
    gateway.gate.set(Mode::Refuse);
    eventually("not ready", || async {
        gateway.ready().await == StatusCode::SERVICE_UNAVAILABLE
    })
    .await;
    let alive = gateway.http.get(gateway.url("/healthz")).send().await.unwrap();
    assert_eq!(alive.status(), StatusCode::OK);
    gateway.gate.set(Mode::Open);
    eventually("ready again", || async {
        gateway.ready().await == StatusCode::OK
    })
    .await;
}

/// Large submissions fill the memory long before they reach the bound in number.
#[tokio::test(flavor = "multi_thread")]
async fn too_many_bytes_waiting_are_turned_away_too() {
    let gateway = Arc::new(Harness::start().await);
    gateway.gate.set(Mode::Hold);
    let large = json!({"type": "large", "payload": {"text": "x".repeat((1 << 20) - 4_096)}});
    // Eight times eight of them almost fill the 64 MiB that may wait.
    let mut waiting = Vec::new();
    for batch in 1..=8 {
        let (gateway, lines) = (gateway.clone(), vec![large.to_string(); 8].join("\n"));
        let holding = gateway.clone();
        waiting.push(tokio::spawn(async move {
            let response = gateway.post("/jobs/batch", NDJSON, lines).send().await.unwrap();
            response.json::<BatchResponse>().await.unwrap()
        }));
        holding.gate.holds(batch).await;
    }
    gateway.refused(&large, ProblemCode::Overloaded).await;
    // The broker is spared most of them.
    gateway.gate.set(Mode::Refuse);
    for batch in waiting {
        assert_eq!(batch.await.unwrap().rejected, 8);
    }
    gateway.gate.set(Mode::Open);
    let lines = vec![large.to_string(); 8].join("\n");
    let response = gateway.post("/jobs/batch", NDJSON, lines).send().await.unwrap();
    assert_eq!(response.json::<BatchResponse>().await.unwrap().accepted, 8);
    gateway.work(8).await;
}

/// In earnest what the gate plays elsewhere.
#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_cut_off_accepts_nothing_until_it_is_back() {
    let (gateway, broker) = Harness::behind_a_proxy().await;
    broker.cut().await;
    let problem = gateway
        .refused(&json!({"type": "hello"}), ProblemCode::SpineUnavailable)
        .await;
    eventually("not ready", || async {
        gateway.ready().await == StatusCode::SERVICE_UNAVAILABLE
    })
    .await;
    broker.pass().await;
    eventually("ready again", || async {
        gateway.ready().await == StatusCode::OK
    })
    .await;
    let answer = gateway
        .accepted(&json!({"id": problem.job_id, "type": "hello"}))
        .await;
    assert_eq!((Some(answer.job_id), answer.duplicate), (problem.job_id, false));
    gateway.work(1).await;
    gateway.events(1).await;
}
