//! The gateway as a role: its description, and its end.

use odd_spine::Queue;
use serde_json::{Value, json};

use crate::gate::Mode;
use crate::harness::Harness;

#[tokio::test(flavor = "multi_thread")]
async fn the_description_lists_every_path_with_its_answers() {
    let gateway = Harness::start().await;
    let document: Value = gateway
        .http
        .get(gateway.url("/openapi.json"))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let paths = document["paths"].as_object().unwrap();
    for (path, statuses) in [
        ("/jobs", &["202", "400", "409", "413", "415", "429", "503"][..]),
        ("/jobs/batch", &["200", "400", "413", "415", "429", "503"]),
        ("/jobs/{id}/cancel", &["202", "400", "429", "503"]),
        (
            "/jobs/{id}/retry",
            &["202", "400", "404", "409", "415", "429", "503"],
        ),
        ("/dead-letters/{id}/requeue", &["202", "400", "404", "503"]),
    ] {
        let answers = paths[path]["post"]["responses"].as_object().unwrap();
        assert!(
            statuses.iter().all(|status| answers.contains_key(*status)),
            "{path}: {answers:?}"
        );
    }
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert!(paths.contains_key(path), "{path}");
    }
    let example = &paths["/jobs"]["post"]["requestBody"]["content"]["application/json"]["examples"];
    for (name, example) in example.as_object().unwrap() {
        assert_eq!(
            gateway.submit(&example["value"]).send().await.unwrap().status(),
            202,
            "{name}"
        );
    }
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let text = document.to_string();
    let mut references = text
        .split("#/components/schemas/")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap());
    assert!(
        references.all(|name| schemas.contains_key(name)),
        "every reference leads somewhere"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn created_events_are_published_before_the_end() {
    let mut gateway = Harness::start().await;
    gateway.gate.set(Mode::HoldEvents);
    for n in 0..30 {
        gateway
            .accepted(&json!({"type": "hello", "payload": {"n": n}}))
            .await;
    }
    gateway.gate.holds(1).await;
    assert_eq!(gateway.depth(Queue::Events).await, 0);
    gateway.stop();
    gateway.gate.set(Mode::Open);
    gateway.ended().await.unwrap();
    let messages = gateway.depth(Queue::Events).await as usize;
    gateway.events(30).await;
    assert!(
        messages <= 2,
        "one batch was under way, the others follow in one: {messages}"
    );
    gateway.work(30).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submission_in_hand_is_finished_before_the_end() {
    let mut gateway = Harness::start().await;
    gateway.gate.set(Mode::Hold);
    let request = gateway.submit(&json!({"type": "hello"}));
    let answer = tokio::spawn(async move { crate::harness::accepted(request.send().await.unwrap()).await });
    gateway.gate.holds(1).await;
    gateway.stop();
    gateway.gate.set(Mode::Open);
    answer.await.unwrap();
    gateway.ended().await.unwrap();
    gateway.work(1).await;
}
