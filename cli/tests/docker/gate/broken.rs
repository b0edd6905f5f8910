//! A stack with something broken.

use std::path::Path;
use std::time::Duration;

use odd_contracts::names::spine::JOBS_EVENTS;
use odd_engine::docker::{self, Credentials};
use odd_engine::{Home, Instance};
use odd_testkit::gate::failed;
use odd_testkit::wait_for;
use serde_json::{Value, json};

use super::read;
use crate::bed::Stack;

const LONG: Duration = Duration::from_secs(60);
/// Port of RabbitMQ's management interface.
const MANAGEMENT: u16 = 15_672;

/// The instance as the engine sees it.
fn instance(odd: &Stack) -> Instance {
    Instance {
        name: odd.name().parse().unwrap(),
        home: Home::at(odd.home()),
        port_offset: odd.offset(),
    }
}

/// One story, because a stack takes its time to start.
#[tokio::test]
async fn a_broken_stack_fails_the_gate() {
    let odd = Stack::started();
    let service = ["metrics-engine".to_owned()];
    docker::stop(&instance(&odd), &service, LONG).await.unwrap();
    without_its_metrics_engine(&odd);
    steal(&odd).await;
    docker::restart(&instance(&odd), &service, LONG, |_| {})
        .await
        .unwrap();
    robbed(&odd);
}

fn without_its_metrics_engine(odd: &Stack) {
    let args = ["test", "--timeout", "6s", "--keep", "kept", "-o", "json"];
    let answer = odd.run(args).expect_code(6).json();
    let failed = failed(&answer);
    for name in [
        "metrics-engine: ready",
        "every target of Prometheus is up",
        "metrics in Prometheus agree with the counters",
        "the overview knows roles, stores and queues",
        "a job completes",
    ] {
        assert!(
            failed.contains(&name),
            "«{name}» passed without the metrics-engine: {answer:#}"
        );
    }
    for name in ["gateway: ready", "processor: ready", "malformed JSON is refused"] {
        assert!(!failed.contains(&name), "«{name}» failed: {answer:#}");
    }
    let folder = Path::new(answer["folder"].as_str().unwrap());
    assert_eq!(folder, odd.home().join("kept"));
    let status: Value = serde_json::from_str(&read(folder, "status.json")).unwrap();
    let containers = status["containers"].as_array().unwrap();
    let stopped = containers
        .iter()
        .find(|container| container["service"] == "metrics-engine")
        .unwrap();
    assert_eq!(stopped["state"], "exited");
}

/// A third party that takes events from their queue, which nobody else gets then.
async fn steal(odd: &Stack) {
    let credentials = Credentials::load(&instance(odd)).unwrap().unwrap();
    let password = credentials.get("RABBITMQ_PASSWORD").unwrap();
    let url = format!("{}/api/queues/%2F/{JOBS_EVENTS}/get", odd.address(MANAGEMENT));
    let request = json!({ "count": 10_000, "ackmode": "ack_requeue_false", "encoding": "base64" });
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    wait_for(LONG, "events to steal", || async {
        let request = client.post(&url).basic_auth("odd", Some(password)).json(&request);
        let stolen: Value = request.send().await.ok()?.json().await.ok()?;
        (!stolen.as_array()?.is_empty()).then_some(())
    })
    .await;
}

fn robbed(odd: &Stack) {
    let args = [
        "test",
        "--disturb",
        "--only",
        "odd verify",
        "--timeout",
        "5s",
        "-o",
        "json",
    ];
    let answer = odd.run(args).expect_code(6).json();
    assert_eq!(failed(&answer).len(), 1, "{answer:#}");
    let detail = answer["checks"][0]["detail"].as_str().unwrap();
    assert!(
        detail.contains("accepted") && detail.contains("differing from history"),
        "{detail}"
    );
}
