//! Submissions under an id that was there before.

use std::sync::Arc;

use odd_contracts::ProblemCode;
use odd_gateway::Config;
use odd_spine::Queue;
use serde_json::json;
use uuid::Uuid;

use crate::gate::Mode;
use crate::harness::{Harness, accepted, config};

#[tokio::test(flavor = "multi_thread")]
async fn the_same_submission_again_makes_no_second_message() {
    let gateway = Harness::start().await;
    let submission = json!({"id": Uuid::from_u128(1), "type": "hello", "payload": {"a": 1, "b": 2}});
    let first = gateway.accepted(&submission).await;
    let again =
        json!({"payload": {"b": 2, "a": 1}, "type": "hello", "id": Uuid::from_u128(1), "metadata": {"x": 1}});
    let second = gateway.accepted(&again).await;
    assert!(!first.duplicate && second.duplicate);
    assert_eq!(first.event_id, second.event_id);
    assert_eq!(
        first.correlation_id, second.correlation_id,
        "under which the job can be found"
    );
    gateway.work(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_payload_or_type_is_a_conflict() {
    let gateway = Harness::start().await;
    let id = Uuid::from_u128(2);
    gateway
        .accepted(&json!({"id": id, "type": "hello", "payload": {"a": 1}}))
        .await;
    for other in [
        json!({"id": id, "type": "hello", "payload": {"a": 2}}),
        json!({"id": id, "type": "other", "payload": {"a": 1}}),
        json!({"id": id, "type": "hello"}),
    ] {
        let problem = gateway.refused(&other, ProblemCode::IdConflict).await;
        assert_eq!(problem.job_id, Some(id));
    }
    gateway.work(1).await;
}

/// They wait for the first one's outcome, so the queue gets exactly one message, not several harmless ones.
#[tokio::test(flavor = "multi_thread")]
async fn fifty_at_once_are_one() {
    let gateway = Arc::new(Harness::start().await);
    let submission = json!({"id": Uuid::from_u128(3), "type": "hello"});
    let requests: Vec<_> = (0..50)
        .map(|_| {
            let (gateway, submission) = (gateway.clone(), submission.clone());
            tokio::spawn(async move { gateway.accepted(&submission).await })
        })
        .collect();
    let mut firsts = 0;
    for request in requests {
        firsts += usize::from(!request.await.unwrap().duplicate);
    }
    assert_eq!(firsts, 1);
    gateway.work(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repetition_shares_the_fate_of_the_one_in_flight() {
    let gateway = Arc::new(Harness::start().await);
    let submission = json!({"id": Uuid::from_u128(4), "type": "hello"});
    gateway.gate.set(Mode::Hold);
    let send = || {
        let (gateway, submission) = (gateway.clone(), submission.clone());
        tokio::spawn(async move { gateway.submit(&submission).send().await.unwrap() })
    };
    let first = send();
    gateway.gate.holds(1).await;
    let second = send();
    gateway.gate.set(Mode::Refuse);
    for response in [first.await.unwrap(), second.await.unwrap()] {
        let problem = crate::harness::refused(response, ProblemCode::SpineUnavailable).await;
        assert_eq!(problem.job_id, Some(Uuid::from_u128(4)));
    }
    gateway.gate.set(Mode::Open);
    let answer = gateway.accepted(&submission).await;
    assert!(!answer.duplicate, "what was refused leaves the window");
    gateway.work(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_hangs_up_leaves_its_id_free() {
    let gateway = Arc::new(Harness::start().await);
    let submission = json!({"id": Uuid::from_u128(5), "type": "hello"});
    gateway.gate.set(Mode::Hold);
    let (impatient, body) = (gateway.clone(), submission.clone());
    let first = tokio::spawn(async move { impatient.submit(&body).send().await.map(drop) });
    gateway.gate.holds(1).await;
    let second = tokio::spawn({
        let (gateway, submission) = (gateway.clone(), submission.clone());
        async move { accepted(gateway.submit(&submission).send().await.unwrap()).await }
    });
    first.abort();
    gateway.gate.set(Mode::Open);
    second.await.unwrap();
    assert!(
        (1..=2).contains(&gateway.depth(Queue::Work).await),
        "a second identical message is harmless"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_window_is_bounded() {
    let gateway = Harness::with(Config {
        window: 2,
        ..config()
    })
    .await;
    let submission = |n: u128| json!({"id": Uuid::from_u128(n), "type": "hello"});
    for n in 1..=3 {
        gateway.accepted(&submission(n)).await;
    }
    assert!(gateway.accepted(&submission(3)).await.duplicate);
    assert!(
        !gateway.accepted(&submission(1)).await.duplicate,
        "forgotten: published again, which is harmless"
    );
    gateway.work(4).await;
}
