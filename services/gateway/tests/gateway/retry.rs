//! Repeating a job that has ended. The read-model is another role, so its one answer is played here.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use axum::{Json, Router};
use odd_contracts::{FieldError, ProblemCode};
use odd_gateway::Config;
use odd_spine::Queue;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::harness::{Harness, JSON, accepted, config, refused};

/// A gateway whose read-model knows this job.
async fn beside(known: Value) -> Harness {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let read_model_url = format!("http://{}/", listener.local_addr().unwrap());
    let routes = Router::new().route("/jobs/{id}", get(job)).with_state(known);
    tokio::spawn(async move { axum::serve(listener, routes).await });
    Harness::with(Config {
        read_model_url,
        ..config()
    })
    .await
}

async fn job(
    State(known): State<Value>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> (StatusCode, Json<Value>) {
    assert!(headers.contains_key("x-correlation-id"));
    if known["hang"] == true {
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    match known["id"] == id {
        true => (StatusCode::OK, Json(known)),
        false => (StatusCode::NOT_FOUND, Json(json!({}))),
    }
}

fn old() -> Uuid {
    Uuid::from_u128(77)
}

fn ended(status: &str) -> Value {
    let producer = json!({"service": "gateway", "instanceId": "i", "version": "0.1.0"});
    json!({
        "id": old(), "type": "hash", "status": status,
        "createdAt": "2026-01-31T12:00:00.000000Z", "updatedAt": "2026-01-31T12:00:05.000000Z",
        "payload": {"rounds": 3}, "metadata": {"team": "blue"},
        "options": {"maxAttempts": 2, "delayMs": 60000},
        "correlationId": "old", "submittedAt": "2026-01-31T12:00:00.000000Z", "submittedBy": producer,
        "takenAt": "2026-01-31T12:00:01.000000Z", "takenBy": producer, "valid": true, "attempt": 2, "takes": 2,
        "error": "it broke", "attempts": []
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ended_job_is_repeated_under_a_new_id() {
    let gateway = beside(ended("FAILED")).await;
    let response = gateway
        .http
        .post(gateway.url(&format!("/jobs/{}/retry", old())))
        .send()
        .await
        .unwrap();
    let location = response.headers()["location"].to_str().unwrap().to_owned();
    let answer = accepted(response).await;
    assert_ne!(answer.job_id, old());
    assert_eq!(location, format!("/jobs/{}", answer.job_id));
    let job = gateway.work(1).await.remove(0).payload;
    assert_eq!((&job["retryOf"], &job["type"]), (&json!(old()), &json!("hash")));
    assert_eq!(
        (&job["payload"], &job["metadata"]),
        (&json!({"rounds": 3}), &json!({"team": "blue"}))
    );
    assert_eq!(job["options"], json!({"maxAttempts": 2}), "it runs at once");
    assert_eq!(job["status"], "PENDING");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chosen_id_makes_the_request_repeatable() {
    let gateway = beside(ended("COMPLETED")).await;
    let path = format!("/jobs/{}/retry", old());
    let new = Uuid::from_u128(78);
    let send = |body: Value| gateway.post(&path, JSON, body.to_string()).send();
    let first = accepted(send(json!({"id": new})).await.unwrap()).await;
    let second = accepted(send(json!({"id": new})).await.unwrap()).await;
    assert_eq!(
        (first.job_id, first.duplicate, second.duplicate),
        (new, false, true)
    );
    gateway.work(1).await;
    let problem = refused(
        send(json!({"id": old()})).await.unwrap(),
        ProblemCode::ValidationFailed,
    )
    .await;
    assert!(matches!(problem.errors.as_slice(), [FieldError { path, .. }] if path == "/id"));
    refused(
        send(json!({"id": "x"})).await.unwrap(),
        ProblemCode::ValidationFailed,
    )
    .await;
    refused(
        send(json!({"job": new})).await.unwrap(),
        ProblemCode::ValidationFailed,
    )
    .await;
    let text = gateway.post(&path, "text/plain", "x").send().await.unwrap();
    refused(text, ProblemCode::UnsupportedMediaType).await;
    assert_eq!(gateway.depth(Queue::Work).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_has_not_ended_or_is_not_known_is_not_repeated() {
    for status in ["PENDING", "EXECUTING", "RETRYING"] {
        let gateway = beside(ended(status)).await;
        let retry = |id: Uuid| {
            gateway
                .http
                .post(gateway.url(&format!("/jobs/{id}/retry")))
                .send()
        };
        let problem = refused(retry(old()).await.unwrap(), ProblemCode::StateConflict).await;
        assert!(problem.detail.unwrap().contains(status));
        refused(retry(Uuid::from_u128(1)).await.unwrap(), ProblemCode::NotFound).await;
        assert_eq!(gateway.depth(Queue::Work).await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_never_was_valid_is_not_repeated() {
    let mut poison = ended("FAILED");
    poison["options"] = json!({"maxAttempts": 1_000});
    let gateway = beside(poison).await;
    let retry = gateway.http.post(gateway.url(&format!("/jobs/{}/retry", old())));
    let problem = refused(retry.send().await.unwrap(), ProblemCode::StateConflict).await;
    assert!(problem.detail.unwrap().contains("never was a valid job"));
    assert_eq!(gateway.depth(Queue::Work).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_read_model_nothing_is_repeated() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let read_model_url = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let away = Harness::with(Config {
        read_model_url,
        ..config()
    })
    .await;
    let mut silent = ended("FAILED");
    silent["hang"] = json!(true);
    for gateway in [away, beside(silent).await, beside(json!({"id": old()})).await] {
        let response = gateway
            .http
            .post(gateway.url(&format!("/jobs/{}/retry", old())))
            .send()
            .await
            .unwrap();
        refused(response, ProblemCode::StoreUnavailable).await;
        assert_eq!(gateway.depth(Queue::Work).await, 0);
    }
}
