//! Cancelling jobs and putting dead letters back.

use odd_contracts::ProblemCode;
use odd_contracts::api::CancelAccepted;
use odd_contracts::control::ControlMessage;
use odd_contracts::names::spine::reason::NOT_JSON;
use odd_contracts::{Role, Timestamp};
use odd_spine::dead_letter::{self, DeadLetterRequest};
use odd_spine::{Queue, Spine};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Harness, refused};

#[tokio::test(flavor = "multi_thread")]
async fn a_request_to_cancel_reaches_the_control_queue() {
    let gateway = Harness::start().await;
    let id = Uuid::from_u128(1);
    let before = Timestamp::now();
    let request = gateway
        .http
        .post(gateway.url(&format!("/jobs/{id}/cancel")))
        .header("x-correlation-id", "stop-it");
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 202);
    let answer: CancelAccepted = response.json().await.unwrap();
    assert_eq!((answer.job_id, answer.correlation_id.as_str()), (id, "stop-it"));
    let delivery = gateway.take(Queue::Control, 1).await.remove(0);
    let ControlMessage::Cancel {
        id: asked,
        correlation_id,
        requested_at,
    } = serde_json::from_slice(&delivery.body).unwrap();
    assert_eq!((asked, correlation_id.as_str()), (id, "stop-it"));
    assert!(requested_at >= before);
    assert_eq!(gateway.depth(Queue::Work).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_goes_back_once() {
    let gateway = Harness::start().await;
    let bytes = bytes::Bytes::from_static(b"\xffgarbage");
    let request = DeadLetterRequest {
        bytes: bytes.clone(),
        headers: Default::default(),
        content_type: None,
        queue: Queue::Work,
        reason: NOT_JSON,
        detail: "garbage".to_owned(),
        job_id: None,
    };
    let id = request.id();
    dead_letter::put_aside(
        &*gateway.gate,
        &odd_runtime::producer(Role::Processor),
        vec![request],
    )
    .await
    .unwrap();
    let requeue = || {
        gateway
            .http
            .post(gateway.url(&format!("/dead-letters/{id}/requeue")))
            .send()
    };
    let response = requeue().await.unwrap();
    assert_eq!(response.status(), 202);
    assert_eq!(
        response.json::<Value>().await.unwrap(),
        json!({"id": id, "requeued": true})
    );
    assert_eq!(gateway.take(Queue::Work, 1).await[0].body, bytes);
    refused(requeue().await.unwrap(), ProblemCode::NotFound).await;
    assert_eq!(
        gateway
            .gate
            .depths()
            .await
            .unwrap()
            .iter()
            .map(|depth| depth.ready)
            .sum::<u64>(),
        1,
        "its event"
    );
}
