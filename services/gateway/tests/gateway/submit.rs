//! What a good submission becomes.

use odd_contracts::{EventType, JobStatus, ids};
use odd_gateway::Config;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Harness, accepted, config};

const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[tokio::test(flavor = "multi_thread")]
async fn a_submission_becomes_one_work_message_with_everything_it_brought() {
    let gateway = Harness::start().await;
    let submission = json!({"type": "hello", "payload": {"text": "a\u{0}b"}, "metadata": {"team": "blue"},
        "options": {"maxAttempts": 5, "delayMs": 10}});
    let request = gateway
        .submit(&submission)
        .header("x-correlation-id", "my-request-1")
        .header("traceparent", TRACEPARENT);
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["x-correlation-id"], "my-request-1");
    let location = response.headers()["location"].to_str().unwrap().to_owned();
    let answer = accepted(response).await;
    assert_eq!(location, format!("/jobs/{}", answer.job_id));
    assert_eq!((answer.status, answer.duplicate), (JobStatus::Pending, false));
    assert_eq!(answer.correlation_id, "my-request-1");

    let envelope = gateway.work(1).await.remove(0);
    assert_eq!(envelope.event_type, EventType::Created);
    assert_eq!(envelope.event_id, answer.event_id);
    assert_eq!(
        envelope.event_id,
        ids::event_id(answer.job_id, EventType::Created, 0)
    );
    assert_eq!(envelope.sequence, Some(0));
    assert_eq!(envelope.correlation_id, "my-request-1");
    assert_eq!(envelope.traceparent.as_deref(), Some(TRACEPARENT));
    assert_eq!(envelope.producer.service, "gateway");
    assert_eq!(envelope.job_id(), Some(answer.job_id));
    assert_eq!(
        envelope.payload["payload"]["text"], "a\u{0}b",
        "a NUL in a text survives"
    );
    assert_eq!(envelope.payload["metadata"], submission["metadata"]);
    assert_eq!(envelope.payload["options"], submission["options"]);
    assert_eq!(envelope.payload["status"], "PENDING");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_created_event_follows_on_its_own() {
    let gateway = Harness::start().await;
    for n in 0..20 {
        gateway
            .accepted(&json!({"type": "hello", "payload": {"n": n}}))
            .await;
    }
    let mut work = gateway.work(20).await;
    let mut events = gateway.events(20).await;
    work.sort_by_key(|envelope| envelope.event_id);
    events.sort_by_key(|envelope| envelope.event_id);
    assert_eq!(events, work, "the event is the very envelope of the work message");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_absent_is_filled() {
    let gateway = Harness::start().await;
    let response = gateway
        .submit(&json!({"type": "hello"}))
        .header("traceparent", "nonsense")
        .send()
        .await;
    let answer = accepted(response.unwrap()).await;
    let envelope = gateway.work(1).await.remove(0);
    assert_eq!(envelope.payload["payload"], json!({}));
    assert!(envelope.payload["createdAt"].is_string());
    assert_eq!(
        envelope.traceparent, None,
        "a malformed trace context does not travel on"
    );
    assert_eq!(envelope.correlation_id, answer.correlation_id);
    assert!(answer.correlation_id.parse::<Uuid>().is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_golden_submission_is_accepted() {
    // The fixtures share their ids.
    let gateway = Harness::with(Config {
        window: 0,
        ..config()
    })
    .await;
    let golden = fixtures("golden");
    for (name, document) in &golden {
        let answer = gateway.accepted(document).await;
        let envelope = gateway.work(1).await.remove(0);
        for field in ["type", "payload", "metadata", "options"] {
            let given = document
                .get(field)
                .filter(|value| !value.as_object().is_some_and(serde_json::Map::is_empty));
            if let Some(given) = given {
                assert_eq!(&envelope.payload[field], given, "{field} of {name}");
            }
        }
        if let Some(id) = document.get("id") {
            assert_eq!(
                id.as_str().unwrap().parse::<Uuid>().unwrap(),
                answer.job_id,
                "{name}"
            );
        }
    }
}

/// Submissions of the contract's fixtures with their file names.
pub(crate) fn fixtures(kind: &str) -> Vec<(String, Value)> {
    let directory = format!(
        "{}/../../contracts/fixtures/{kind}/job-submission",
        env!("CARGO_MANIFEST_DIR")
    );
    let read = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.unwrap().path();
        let document = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        (path.file_name().unwrap().to_string_lossy().into_owned(), document)
    };
    let fixtures: Vec<_> = std::fs::read_dir(directory).unwrap().map(read).collect();
    assert!(fixtures.len() >= 3, "the contract has fixtures of kind {kind}");
    fixtures
}
