//! What every role serves.

use std::io::Read as _;

use axum::Router;
use axum::routing::get;
use odd_contracts::api::Health;
use odd_contracts::{ProblemCode, VERSION};
use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::support::{problem, start};

#[tokio::test]
async fn health_tells_role_and_version_and_readiness_its_checks() {
    let server = start(|server| server).await;
    let check = server.readiness.require("spine");
    let health: Health = server.get("/healthz").await.json().await.unwrap();
    assert_eq!(
        (
            health.status.as_str(),
            health.service.as_str(),
            health.version.as_str()
        ),
        ("ok", "gateway", VERSION)
    );

    assert_eq!(health.commit, None, "nobody told it");
    odd_contracts::build::set_commit("0123456789ab");
    let health: Health = server.get("/healthz").await.json().await.unwrap();
    assert_eq!(health.commit.as_deref(), Some("0123456789ab"));

    let response = server.get("/readyz").await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    let health: Health = response.json().await.unwrap();
    assert_eq!(health.status, "not ready: spine");
    assert_eq!(health.checks["spine"], "has not answered yet");

    check.ok();
    let response = server.get("/readyz").await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.json::<Health>().await.unwrap().checks["spine"], "ok");
    server.stop().await;
}

#[tokio::test]
async fn metrics_count_requests_by_route_and_never_by_path() {
    let routes = Router::new().route("/jobs/{id}", get(async || "ok"));
    let server = start(|server| server.api(routes, Default::default())).await;
    for n in 0..50 {
        server.get(&format!("/jobs/{n}")).await;
        server.get(&format!("/nothing/{n}")).await;
        let made_up = Method::from_bytes(format!("METHOD{n}").as_bytes()).unwrap();
        server
            .client
            .request(made_up, server.url("/jobs/1"))
            .send()
            .await
            .unwrap();
    }
    let response = server.get("/metrics").await;
    assert!(
        response.headers()["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/plain")
    );
    let text = response.text().await.unwrap();
    for line in [
        r#"http_requests_total{method="GET",path="/jobs/{id}",status="200",service="gateway"} 50"#,
        r#"http_requests_total{method="GET",path="unmatched",status="404",service="gateway"} 50"#,
        r#"http_requests_total{method="OTHER",path="/jobs/{id}",status="405",service="gateway"} 50"#,
        r#"http_request_seconds_count{method="GET",path="/jobs/{id}",service="gateway"} 50"#,
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    assert!(
        text.contains("process_resident_memory_bytes{service=\"gateway\"}"),
        "{text}"
    );
    assert!(text.contains("odd_ready{service=\"gateway\"} 1"), "{text}");
    let build = format!("odd_build_info{{version=\"{VERSION}\",service=\"gateway\"}} 1");
    assert!(text.contains(&build), "{build} is not in\n{text}");
    assert_eq!(
        text.lines()
            .filter(|line| line.starts_with("http_requests_total"))
            .count(),
        3,
        "{text}"
    );
    server.stop().await;
}

#[tokio::test]
async fn the_description_has_the_built_in_paths_and_the_roles_own() {
    #[derive(utoipa::OpenApi)]
    #[openapi(paths(things))]
    struct Api;
    #[utoipa::path(get, path = "/things", responses((status = 200)))]
    async fn things() {}

    let openapi = <Api as utoipa::OpenApi>::openapi();
    let routes = Router::new().route("/things", get(things));
    let server = start(|server| server.api(routes, openapi)).await;
    let response = server.get("/openapi.json").await;
    assert_eq!(response.headers()["content-type"], "application/json");
    let document: Value = response.json().await.unwrap();
    assert_eq!(document["info"]["title"], "odd gateway");
    assert_eq!(document["info"]["version"], VERSION);
    for path in ["/things", "/healthz", "/readyz", "/metrics"] {
        assert!(
            document["paths"][path]["get"].is_object(),
            "{path} is not in {document}"
        );
    }
    assert!(document["components"]["schemas"]["Health"].is_object());
    server.stop().await;
}

#[tokio::test]
async fn swagger_ui_comes_from_the_binary_alone() {
    let server = start(|server| server).await;
    let response = server.get("/docs").await;
    assert_eq!(response.headers()["location"], "/docs/");
    let page = server.get("/docs/").await;
    assert!(
        page.headers()["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/html")
    );
    let page = page.text().await.unwrap();
    assert!(
        page.contains("swagger-ui") && !page.contains("http://") && !page.contains("https://"),
        "{page}"
    );

    // Everything that the page loads is here.
    let loaded: Vec<_> = page
        .split(['"', '\''])
        .filter(|text| [".js", ".css", ".png"].iter().any(|end| text.ends_with(end)))
        .collect();
    assert!(loaded.len() >= 4, "{page}");
    for file in loaded {
        let response = server
            .get(&format!("/docs/{}", file.trim_start_matches("./")))
            .await;
        assert_eq!(response.status(), StatusCode::OK, "{file}");
        assert!(!response.bytes().await.unwrap().is_empty(), "{file}");
    }
    let script = server.get("/docs/swagger-ui-bundle.js").await;
    assert!(
        script.headers()["content-type"]
            .to_str()
            .unwrap()
            .contains("javascript")
    );
    assert!(
        !script.headers().contains_key("content-encoding"),
        "this client takes no gzip"
    );
    let script = script.bytes().await.unwrap();
    assert!(script.len() > 500_000);
    // A browser gets it as it is in the binary.
    let request = reqwest::Client::new().get(server.url("/docs/swagger-ui-bundle.js"));
    let packed = request
        .header("accept-encoding", "gzip, br")
        .send()
        .await
        .unwrap();
    assert_eq!(packed.headers()["content-encoding"], "gzip");
    assert_eq!(packed.headers()["vary"], "accept-encoding");
    let packed = packed.bytes().await.unwrap();
    assert!(packed.len() * 2 < script.len());
    let mut plain = Vec::new();
    let _ = flate2::read::GzDecoder::new(packed.as_ref())
        .read_to_end(&mut plain)
        .unwrap();
    assert!(plain == script, "it is the same file");
    let start = server
        .get("/docs/swagger-initializer.js")
        .await
        .text()
        .await
        .unwrap();
    assert!(start.contains("\"/openapi.json\""), "{start}");
    problem(server.get("/docs/nothing.js").await, ProblemCode::NotFound).await;
    server.stop().await;
}

#[tokio::test]
async fn only_pages_of_the_listed_origins_may_call() {
    let routes = Router::new().route("/jobs", get(async || "ok"));
    let origin = "http://127.0.0.1:8081";
    let server = start(|server| {
        server
            .api(routes, Default::default())
            .cors([origin.parse().unwrap()])
    })
    .await;
    let preflight = async |origin: &str| {
        let request = server
            .client
            .request(Method::OPTIONS, server.url("/jobs"))
            .header("origin", origin);
        request
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "content-type")
            .send()
            .await
            .unwrap()
    };
    let allowed = preflight(origin).await;
    assert_eq!(allowed.status(), StatusCode::OK);
    assert_eq!(allowed.headers()["access-control-allow-origin"], origin);
    let other = preflight("http://evil.example").await;
    assert!(!other.headers().contains_key("access-control-allow-origin"));

    let answer = server
        .client
        .get(server.url("/jobs"))
        .header("origin", origin)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.headers()["access-control-allow-origin"], origin);
    let exposed = answer.headers()["access-control-expose-headers"]
        .to_str()
        .unwrap();
    assert!(exposed.contains("x-correlation-id"), "{exposed}");
    server.stop().await;
}
