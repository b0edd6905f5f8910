//! What must be refused, and how.

use odd_contracts::ProblemCode::{
    self, MalformedJson, PayloadTooLarge, UnsupportedMediaType, ValidationFailed,
};
use odd_contracts::names::metric::MAX_TYPES;
use odd_spine::Queue;
use serde_json::json;

use crate::harness::{Harness, JSON, refused};
use crate::submit::fixtures;

#[tokio::test(flavor = "multi_thread")]
async fn every_negative_submission_is_refused_at_its_place() {
    let gateway = Harness::start().await;
    for (name, document) in fixtures("negative") {
        let problem = gateway.refused(&document, ValidationFailed).await;
        let place = name.strip_suffix(".json").unwrap().split_once('@').unwrap().1;
        let pointer = if place.is_empty() {
            String::new()
        } else {
            format!("/{}", place.replace('.', "/"))
        };
        assert!(
            problem.errors.iter().any(|error| error.path == pointer),
            "{name}: {:?}",
            problem.errors
        );
    }
    assert_eq!(gateway.depth(Queue::Work).await, 0, "nothing of it was published");
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_no_submission_are_refused() {
    let gateway = Harness::start().await;
    let deep_array = [b"[".repeat(5_000), b"]".repeat(5_000)].concat();
    let nested = |levels: usize| {
        let (open, close) = ("{\"a\":".repeat(levels), "}".repeat(levels));
        format!("{{\"type\":\"t\",\"payload\":{open}1{close}}}").into_bytes()
    };
    let cases: Vec<(&str, Vec<u8>, ProblemCode)> = vec![
        ("nothing", b"".to_vec(), MalformedJson),
        ("half a document", b"{\"type\":".to_vec(), MalformedJson),
        (
            "two documents",
            b"{\"type\":\"a\"}{\"type\":\"b\"}".to_vec(),
            MalformedJson,
        ),
        ("no JSON", b"type=hello".to_vec(), MalformedJson),
        ("a NUL byte", b"{\"type\":\"a\"}\0".to_vec(), MalformedJson),
        (
            "a NUL byte in a text",
            b"{\"type\":\"a\0b\"}".to_vec(),
            MalformedJson,
        ),
        ("no UTF-8", b"{\"type\":\"\xff\xfe\"}".to_vec(), MalformedJson),
        (
            "half a surrogate pair",
            br#"{"type":"a","payload":{"t":"\ud800"}}"#.to_vec(),
            MalformedJson,
        ),
        ("deep nesting", deep_array, MalformedJson),
        (
            "nesting that readers could not follow",
            nested(110),
            ValidationFailed,
        ),
        ("very deep nesting", nested(2_000), MalformedJson),
        ("an array", b"[]".to_vec(), ValidationFailed),
        ("null", b"null".to_vec(), ValidationFailed),
        (
            "a number too large",
            br#"{"type":"a","payload":{"n":1e400}}"#.to_vec(),
            MalformedJson,
        ),
        (
            "a huge option",
            br#"{"type":"a","options":{"timeoutMs":99999999999999999999}}"#.to_vec(),
            ValidationFailed,
        ),
        (
            "a run beyond a year",
            br#"{"type":"a","options":{"runAt":"9000-01-01T00:00:00Z"}}"#.to_vec(),
            ValidationFailed,
        ),
        ("2 MiB", vec![b' '; 2 << 20], PayloadTooLarge),
    ];
    for (what, body, code) in cases {
        let response = gateway.post("/jobs", JSON, body).send().await.unwrap();
        let problem = refused(response, code).await;
        assert_eq!(problem.errors.is_empty(), code != ValidationFailed, "{what}");
    }
    assert_eq!(gateway.depth(Queue::Work).await, 0);
    gateway.accepted(&json!({"type": "hello"})).await;
    let rejected = gateway
        .metric("gateway_jobs_rejected_total{code=\"payload_too_large\",service=\"gateway\"}")
        .await;
    assert!((rejected - 1.0).abs() < f64::EPSILON);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_json_is_taken() {
    let gateway = Harness::start().await;
    for content_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/x-ndjson",
        "json",
    ] {
        let response = gateway
            .post("/jobs", content_type, r#"{"type":"hello"}"#)
            .send()
            .await
            .unwrap();
        refused(response, UnsupportedMediaType).await;
    }
    let bare = gateway
        .http
        .post(gateway.url("/jobs"))
        .body(r#"{"type":"hello"}"#)
        .send()
        .await
        .unwrap();
    refused(bare, UnsupportedMediaType).await;
    let batch = gateway
        .post("/jobs/batch", "text/csv", "type\nhello")
        .send()
        .await
        .unwrap();
    refused(batch, UnsupportedMediaType).await;
    let charset = gateway.post("/jobs", "application/json; charset=utf-8", r#"{"type":"hello"}"#);
    assert_eq!(charset.send().await.unwrap().status(), 202);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_paths_and_methods_are_problems() {
    let gateway = Harness::start().await;
    for path in [
        "/jobs/no-uuid/cancel",
        "/jobs/%00/retry",
        "/dead-letters/1/requeue",
    ] {
        refused(
            gateway.post(path, JSON, "{}").send().await.unwrap(),
            ProblemCode::InvalidParameter,
        )
        .await;
    }
    refused(
        gateway.post("/nowhere", JSON, "{}").send().await.unwrap(),
        ProblemCode::NotFound,
    )
    .await;
    let get = gateway.http.get(gateway.url("/jobs")).send().await.unwrap();
    refused(get, ProblemCode::MethodNotAllowed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_types_keep_the_metrics_small() {
    let gateway = Harness::start().await;
    for batch in 0..2 {
        let lines: String = (0..1_000)
            .map(|n| format!("{{\"type\":\"type-{batch}-{n}\"}}\n"))
            .collect();
        let response = gateway
            .post("/jobs/batch", crate::harness::NDJSON, lines)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 200);
    }
    gateway
        .refused(&json!({"type": "no type"}), ValidationFailed)
        .await;
    let text = gateway.metrics().await;
    let labels = text
        .lines()
        .filter(|line| line.starts_with("gateway_jobs_submitted_total{"))
        .count();
    assert_eq!(labels, MAX_TYPES + 2, "so many types, `other` and `unknown`");
    let submitted =
        |label: &str| format!("gateway_jobs_submitted_total{{type=\"{label}\",service=\"gateway\"}}");
    let other = gateway.metric(&submitted("other")).await as usize;
    assert_eq!(other, 2_000 - MAX_TYPES);
    assert_eq!(gateway.metric(&submitted("unknown")).await as usize, 1);
    assert_eq!(
        gateway
            .metric("gateway_jobs_accepted_total{service=\"gateway\"}")
            .await as usize,
        2_000
    );
}
