//! What does not go on.

use futures::stream;
use odd_contracts::ProblemCode;
use reqwest::Body;

use crate::harness::{Behind, Web, problem};

const MIB: usize = 1 << 20;

/// A body of so many bytes whose length is not announced.
fn unannounced(bytes: usize) -> Body {
    let whole = std::iter::repeat_n(64 * 1024, bytes / (64 * 1024));
    let chunks = whole.chain([bytes % (64 * 1024)]);
    Body::wrap_stream(stream::iter(
        chunks.map(|length| Ok::<_, std::io::Error>(vec![b'x'; length])),
    ))
}

#[tokio::test]
async fn bodies_have_limits_announced_or_not() {
    let behind = Behind::answering(async |seen| seen.body.len().to_string()).await;
    let web = Web::before(&behind).await;
    let send = async |path: &str, body: Body| web.http.post(web.url(path)).body(body).send().await.unwrap();
    for (path, limit) in [
        ("/gateway/jobs", MIB),
        ("/api/jobs/lookup", MIB),
        ("/gateway/jobs/batch", 8 * MIB),
    ] {
        for body in [Body::from(vec![b'x'; limit]), unannounced(limit)] {
            let answer = send(path, body).await;
            assert_eq!(answer.text().await.unwrap(), limit.to_string(), "{path}");
        }
        let passed = behind.seen().len();
        for body in [Body::from(vec![b'x'; limit + 1]), unannounced(limit + 1)] {
            let problem = problem(send(path, body).await, ProblemCode::PayloadTooLarge).await;
            let detail = format!("the body may have at most {limit} bytes");
            assert_eq!(problem.detail, Some(detail), "{path}");
        }
        assert_eq!(
            behind.seen().len(),
            passed,
            "{path}: nobody behind takes half of it for all"
        );
    }
    // A GET has none.
    let answer = web
        .http
        .get(web.url("/api/stats"))
        .body("x")
        .send()
        .await
        .unwrap();
    problem(answer, ProblemCode::PayloadTooLarge).await;
}

#[tokio::test]
async fn only_what_is_listed_goes_on() {
    let behind = Behind::answering(async |_| "secret").await;
    let web = Web::before(&behind).await;
    for path in [
        "/api/metrics",
        "/gateway/metrics",
        "/api/readyz",
        "/gateway/docs",
        "/gateway/docs/",
        "/api/alerts/webhook",
        "/api",
        "/gateway/",
        "/api//jobs",
        "/api/jobs/",
        "/api/jobs/1/2/3",
        "/apijobs",
        "/gateway/jobs/7/cancel/",
        "/API/jobs",
        "/api/http://elsewhere/",
    ] {
        let answer = web.http.get(web.url(path)).send().await.unwrap();
        problem(answer, ProblemCode::NotFound).await;
    }
    assert_eq!(behind.seen().len(), 0);
}

/// As raw bytes: clients of good manners would tidy the paths up.
#[tokio::test]
async fn there_is_no_way_out_and_no_open_proxy() {
    let behind = Behind::answering(async |_| "secret").await;
    let web = Web::before(&behind).await;
    for target in [
        "/api/../metrics",
        "/api/jobs/../../metrics",
        "/api/jobs/..",
        "/api/jobs/.",
        "/api/jobs/%2e%2e",
        "/api/jobs/%2e%2e/timeline",
        "/api/jobs/%252e%252e%252fmetrics",
        "/api/jobs/..%2f..%2fmetrics",
        "/api/jobs/..%5cmetrics",
        "/api/jobs/%00",
        "/gateway/../api/../metrics",
        "http://127.0.0.1:1/api/jobs",
        "http://elsewhere/",
        "//elsewhere/api/jobs",
        "elsewhere:80",
        "*",
    ] {
        let answer = web
            .raw(&format!(
                "GET {target} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n"
            ))
            .await;
        assert!(
            answer.starts_with("HTTP/1.1 400") || answer.starts_with("HTTP/1.1 404"),
            "{target}: {answer}"
        );
        assert!(!answer.contains("secret"), "{target}: {answer}");
    }
    let answer = web
        .raw("CONNECT elsewhere:80 HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n")
        .await;
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    let answer = web
        .raw("GET /api/stats HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: upgrade, close\r\nupgrade: websocket\r\n\r\n")
        .await;
    assert!(
        answer.starts_with("HTTP/1.1 200"),
        "an upgrade is not passed on: {answer}"
    );
    let seen = behind.seen();
    assert_eq!((seen.len(), seen[0].header("upgrade")), (1, ""));
}

/// Two lengths, or a length and chunks: what would be two requests to somebody else.
#[tokio::test]
async fn a_request_of_two_meanings_does_not_go_on() {
    let behind = Behind::answering(async |_| "taken").await;
    let web = Web::before(&behind).await;
    for framing in [
        "content-length: 5\r\ncontent-length: 6",
        "content-length: 5x",
        "transfer-encoding: chunked, identity",
    ] {
        let head = format!(
            "POST /gateway/jobs HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n{framing}\r\n\r\n"
        );
        let answer = web.raw(&format!("{head}12345")).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{framing}: {answer}");
    }
    assert_eq!(behind.seen().len(), 0);
}

#[tokio::test]
async fn pages_of_other_origins_change_nothing() {
    let behind = Behind::answering(async |_| "taken").await;
    let web = Web::before(&behind).await;
    let send = async |origin: &str| {
        let request = web.http.post(web.url("/gateway/jobs/7/cancel"));
        request.header("origin", origin).send().await.unwrap()
    };
    for origin in [
        "http://elsewhere",
        "null",
        "http://127.0.0.1",
        "https://127.0.0.1:1",
    ] {
        problem(send(origin).await, ProblemCode::ForeignOrigin).await;
    }
    assert_eq!(behind.seen().len(), 0);
    let own = format!("http://{}", web.address);
    assert_eq!(send(&own).await.status(), 200);
}
