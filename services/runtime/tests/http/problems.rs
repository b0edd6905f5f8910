//! Whatever goes wrong is a problem with a code, never a 5xx that the client caused.

use std::collections::HashMap;

use axum::routing::{get, post};
use axum::{Json, Router};
use odd_contracts::ProblemCode;
use odd_runtime::{CorrelationId, JsonBody, PathParam, QueryParams, RawJson};
use reqwest::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::support::{Running, problem, start};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    kind: String,
    items: Vec<u8>,
}

#[derive(Deserialize)]
struct Page {
    limit: Option<u8>,
}

async fn server() -> Running {
    let routes = Router::new()
        .route(
            "/orders",
            post(async |JsonBody(order): JsonBody<Order>| Json(order)),
        )
        .route(
            "/raw",
            post(async |raw: RawJson| format!("{} {}", raw.bytes.len(), raw.value.is_object())),
        )
        .route(
            "/orders/{id}",
            get(async |PathParam(id): PathParam<Uuid>| id.to_string()),
        )
        .route(
            "/pages",
            get(async |QueryParams(page): QueryParams<Page>| format!("{:?}", page.limit)),
        )
        .route("/bare", post(async |Json(order): Json<Order>| Json(order)))
        .route("/correlated", get(async |id: CorrelationId| id.to_string()))
        .route(
            "/panics",
            get(async || -> String { panic!("the handler is broken") }),
        );
    start(|server| server.api(routes, Default::default())).await
}

#[tokio::test]
async fn what_is_not_there_is_404_and_what_is_not_done_is_405() {
    let server = server().await;
    let found = problem(server.get("/nothing?x=1").await, ProblemCode::NotFound).await;
    assert_eq!(found.detail.as_deref(), Some("there is nothing at /nothing"));
    assert_eq!(found.problem_type, "urn:odd:problem:not_found");
    for path in ["/orders", "/healthz", "/docs/", "/metrics"] {
        let response = server.client.delete(server.url(path)).send().await.unwrap();
        assert!(response.headers().contains_key("allow"), "{path}");
        problem(response, ProblemCode::MethodNotAllowed).await;
    }
    server.stop().await;
}

#[tokio::test]
async fn json_bodies_are_checked_in_content_type_syntax_and_shape() {
    let server = server().await;
    let order = r#"{"kind":"a","items":[1,2]}"#;
    for content_type in [
        "application/json",
        "application/json; charset=utf-8",
        "application/x+json",
    ] {
        let response = server.post("/orders", content_type, order).await;
        assert_eq!(response.status(), StatusCode::OK, "{content_type}");
    }
    for content_type in ["text/plain", "application/x-www-form-urlencoded", ""] {
        problem(
            server.post("/orders", content_type, order).await,
            ProblemCode::UnsupportedMediaType,
        )
        .await;
    }
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    // Of a document that has a shape to keep, the shape is what breaks first.
    problem(
        server.post("/orders", "application/json", deep.clone()).await,
        ProblemCode::ValidationFailed,
    )
    .await;
    problem(
        server.post("/raw", "application/json", deep).await,
        ProblemCode::MalformedJson,
    )
    .await;
    let malformed: [&[u8]; 7] = [
        b"",
        b"{",
        b"{\"kind\":",
        b"nonsense",
        b"\0",
        b"{\"kind\":\"a\0b\",\"items\":[]}",
        b"{\"kind\":\"\xff\xfe\",\"items\":[]}",
    ];
    for path in ["/orders", "/raw"] {
        for body in malformed {
            let text = String::from_utf8_lossy(body);
            let response = server.post(path, "application/json", body.to_vec()).await;
            let found = problem(response, ProblemCode::MalformedJson).await;
            let detail = found.detail.unwrap();
            assert!(detail.contains("line 1 column"), "{path} {text}: {detail}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_document_of_another_shape_is_told_where() {
    let server = server().await;
    for (body, path, message) in [
        (r#"{"kind":"a","items":[1,-2]}"#, "/items/1", "invalid value"),
        (r#"{"kind":7,"items":[]}"#, "/kind", "invalid type"),
        (r#"{"kind":"a"}"#, "", "missing field `items`"),
        (r#"{"kind":"a","items":[],"more":1}"#, "/more", "unknown field"),
        (r#"[]"#, "", "invalid length"),
    ] {
        let response = server.post("/orders", "application/json", body).await;
        let found = problem(response, ProblemCode::ValidationFailed).await;
        let [error] = found.errors.as_slice() else {
            panic!("{found:?}")
        };
        assert_eq!(error.path, path, "{body}");
        assert!(error.message.contains(message), "{body}: {}", error.message);
    }
    server.stop().await;
}

#[tokio::test]
async fn raw_json_keeps_the_bytes() {
    let server = server().await;
    let answer = server
        .post("/raw", "application/json", " { \"a\" : 1 } ")
        .await
        .text()
        .await
        .unwrap();
    assert_eq!(answer, "13 true");
    server.stop().await;
}

#[tokio::test]
async fn parameters_are_checked() {
    let server = server().await;
    for path in [
        "/orders/7",
        "/orders/%00",
        "/orders/%ff",
        "/pages?limit=many",
        "/pages?limit=-1",
        "/pages?limit=256",
    ] {
        let found = problem(server.get(path).await, ProblemCode::InvalidParameter).await;
        assert!(!found.detail.unwrap().is_empty(), "{path}");
    }
    assert_eq!(server.get("/pages").await.text().await.unwrap(), "None");
    assert_eq!(
        server.get("/pages?limit=9").await.text().await.unwrap(),
        "Some(9)"
    );
    server.stop().await;
}

#[tokio::test]
async fn a_rejection_of_the_framework_is_a_problem_too() {
    let server = server().await;
    let response = server.post("/bare", "text/plain", "x").await;
    problem(response, ProblemCode::UnsupportedMediaType).await;
    server.stop().await;
}

#[tokio::test]
async fn a_panic_is_an_internal_problem_and_the_server_goes_on() {
    let server = server().await;
    for _ in 0..3 {
        let found = problem(server.get("/panics").await, ProblemCode::Internal).await;
        assert!(
            !found.detail.unwrap().contains("broken"),
            "the client learns nothing of the inside"
        );
    }
    assert_eq!(server.get("/pages").await.status(), StatusCode::OK);
    server.stop().await;
}

#[tokio::test]
async fn a_correlation_id_is_taken_or_made_and_returned() {
    let server = server().await;
    let ask = async |path: &str, id: Option<&str>| {
        let request = server.client.get(server.url(path));
        let request = id
            .into_iter()
            .fold(request, |request, id| request.header("x-correlation-id", id));
        let response = request.send().await.unwrap();
        let echoed = response.headers()["x-correlation-id"]
            .to_str()
            .unwrap()
            .to_owned();
        (echoed, response.text().await.unwrap())
    };
    let (echoed, seen) = ask("/correlated", Some("order-66")).await;
    assert_eq!((echoed.as_str(), seen.as_str()), ("order-66", "order-66"));
    let (echoed, body) = ask("/nothing", Some("order-67")).await;
    assert_eq!(echoed, "order-67");
    let answers: HashMap<String, Value> = serde_json::from_str(&body).unwrap();
    assert_eq!(answers["correlationId"], "order-67");

    let long = "x".repeat(129);
    for id in [None, Some("two words"), Some(long.as_str()), Some("")] {
        let (echoed, seen) = ask("/correlated", id).await;
        assert_eq!(Uuid::parse_str(&echoed).unwrap().get_version_num(), 7, "{id:?}");
        assert_eq!(echoed, seen);
    }
    server.stop().await;
}
