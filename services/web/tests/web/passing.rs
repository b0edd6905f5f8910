//! Requests go on as they came, and answers come back as they were given.

use axum::Json;
use axum::http::StatusCode;
use odd_contracts::{Problem, ProblemCode};
use serde_json::{Value, json};

use crate::harness::{Behind, Web, problem};

#[tokio::test]
async fn a_request_goes_on_with_its_target_headers_and_body() {
    let behind =
        Behind::answering(async |_| (StatusCode::ACCEPTED, [("location", "/jobs/1")], "taken")).await;
    let web = Web::before(&behind).await;
    let answer = web
        .http
        .post(web.url("/gateway/jobs?trace=a%2Fb&x=%C3%A9"))
        .header("content-type", "application/json")
        .header("x-correlation-id", "c-1")
        .header(
            "traceparent",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        )
        .header("x-forwarded-for", "10.0.0.7")
        .header("connection", "x-secret")
        .header("x-secret", "for this connection only")
        .header("cookie", "session=of another port")
        .body(r#"{"type":"hello"}"#)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 202);
    assert_eq!(answer.headers()["location"], "/jobs/1");
    assert_eq!(answer.headers()["x-correlation-id"], "c-1");
    assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
    assert_eq!(answer.text().await.unwrap(), "taken");

    let seen = &behind.seen()[0];
    assert_eq!(
        (seen.method.as_str(), seen.target.as_str()),
        ("POST", "/jobs?trace=a%2Fb&x=%C3%A9")
    );
    assert_eq!(seen.body, br#"{"type":"hello"}"#);
    assert_eq!(seen.header("content-type"), "application/json");
    assert_eq!(seen.header("content-length"), "16");
    assert_eq!(seen.header("x-correlation-id"), "c-1");
    assert!(seen.header("traceparent").starts_with("00-0af7"));
    assert_eq!(seen.header("x-forwarded-for"), "10.0.0.7, 127.0.0.1");
    assert_eq!(seen.header("x-forwarded-host"), web.address.to_string());
    assert_eq!(seen.header("host"), behind.url.trim_start_matches("http://"));
    for name in ["x-secret", "cookie", "connection"] {
        assert_eq!(seen.header(name), "", "{name}");
    }
}

#[tokio::test]
async fn a_request_without_a_correlation_id_gets_one_and_both_sides_see_it() {
    let behind = Behind::answering(async |_| "{}").await;
    let web = Web::before(&behind).await;
    let answer = web.get("/api/stats").await;
    let id = answer.headers()["x-correlation-id"].to_str().unwrap().to_owned();
    assert_eq!(behind.seen()[0].header("x-correlation-id"), id);
    assert!(id.len() >= 32, "{id}");
}

/// The list in the description is the list of what works: each is asked.
#[tokio::test]
async fn everything_that_is_described_is_passed_on() {
    let behind = Behind::answering(async |seen| Json(json!({ "target": seen.target }))).await;
    let web = Web::before(&behind).await;
    let description: Value = web.get("/openapi.json").await.json().await.unwrap();
    let mut passed = 0;
    for (path, operations) in description["paths"].as_object().unwrap() {
        let Some(target) = ["/api", "/gateway"]
            .iter()
            .find_map(|prefix| path.strip_prefix(prefix))
        else {
            continue;
        };
        let (path, target) = (path.replace("{id}", "7"), target.replace("{id}", "7"));
        for method in operations.as_object().unwrap().keys() {
            let method = method.to_uppercase().parse().unwrap();
            let answer = web.http.request(method, web.url(&path)).send().await.unwrap();
            assert_eq!(answer.status(), 200, "{path}");
            assert_eq!(answer.json::<Value>().await.unwrap()["target"], target, "{path}");
            passed += 1;
        }
    }
    assert_eq!(behind.seen().len(), passed);
    assert!(passed > 15, "only {passed} were found");
}

#[tokio::test]
async fn heads_pass_and_other_methods_do_not() {
    let behind = Behind::answering(async |_| "some bytes").await;
    let web = Web::before(&behind).await;
    let answer = web.http.head(web.url("/api/jobs")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-length"], "10");
    assert_eq!(answer.bytes().await.unwrap().len(), 0);
    assert_eq!(behind.seen()[0].method, "HEAD");

    for (method, path, allowed) in [
        ("DELETE", "/api/jobs", "GET,HEAD"),
        ("POST", "/api/jobs", "GET,HEAD"),
        ("GET", "/gateway/jobs", "POST"),
        ("PUT", "/gateway/jobs/7/cancel", "POST"),
    ] {
        let request = web.http.request(method.parse().unwrap(), web.url(path));
        let answer = request.send().await.unwrap();
        assert_eq!(answer.headers()["allow"], allowed, "{method} {path}");
        problem(answer, ProblemCode::MethodNotAllowed).await;
    }
    assert_eq!(behind.seen().len(), 1, "nothing else went on");
}

#[tokio::test]
async fn what_a_role_says_of_an_error_comes_back_as_it_is() {
    let behind = Behind::answering(async |_| {
        let problem = Problem::new(ProblemCode::SpineUnavailable, "no confirm");
        let headers = [
            ("content-type", "application/problem+json"),
            ("retry-after", "3"),
            ("set-cookie", "a=b"),
            ("access-control-allow-origin", "http://elsewhere"),
        ];
        (
            StatusCode::SERVICE_UNAVAILABLE,
            headers,
            serde_json::to_vec(&problem).unwrap(),
        )
    })
    .await;
    let web = Web::before(&behind).await;
    let answer = web
        .http
        .post(web.url("/gateway/jobs"))
        .body("{}")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.headers()["retry-after"], "3");
    for dropped in ["set-cookie", "access-control-allow-origin"] {
        assert!(!answer.headers().contains_key(dropped), "{dropped}");
    }
    let problem = problem(answer, ProblemCode::SpineUnavailable).await;
    assert_eq!(problem.detail.as_deref(), Some("no confirm"));
    let counted = web
        .metric("web_requests_passed_total{status=\"5xx\",upstream=\"gateway\",service=\"web\"}")
        .await;
    assert_eq!(counted, Some(1.0));
}

/// Redirects are the client's to follow, or not.
#[tokio::test]
async fn a_redirect_is_not_followed() {
    let behind = Behind::answering(async |_| (StatusCode::FOUND, [("location", "http://elsewhere/")])).await;
    let web = Web::before(&behind).await;
    let answer = web.get("/api/overview").await;
    assert_eq!((answer.status().as_u16(), behind.seen().len()), (302, 1));
}
