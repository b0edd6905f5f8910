//! Roles behind that are away, slow, or no HTTP servers at all.

use std::time::Duration;

use odd_contracts::ProblemCode;
use odd_contracts::api::Health;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::harness::{Behind, LONG, Web, problem, until};

/// An address where nobody listens, and the listener that it takes to change that.
async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[tokio::test]
async fn a_role_that_is_away_is_a_502_and_the_page_is_served_all_the_same() {
    let url = nobody().await;
    let web = Web::at(&url, LONG).await;
    for path in ["/api/overview", "/api/stream"] {
        let problem = problem(web.get(path).await, ProblemCode::UpstreamUnavailable).await;
        let detail = problem.detail.unwrap();
        assert!(detail.starts_with("the read-model cannot be reached"), "{detail}");
        assert!(problem.correlation_id.is_some());
    }
    let refused = "web_requests_passed_total{status=\"none\",upstream=\"read-model\",service=\"web\"}";
    assert_eq!(web.metric(refused).await, Some(2.0));
    assert_eq!(web.get("/").await.status(), 200);

    let health: Health = until("both roles to be missed", || async {
        let answer = web.get("/readyz").await;
        assert_eq!(answer.status(), 200, "none of them is required");
        let health: Health = answer.json().await.unwrap();
        let missed = health
            .checks
            .values()
            .all(|said| said.contains("cannot be reached"));
        (health.checks.len() == 2 && missed).then_some(health)
    })
    .await;
    assert_eq!((health.status.as_str(), health.service.as_str()), ("ok", "web"));

    // It comes back, and nobody has to tell.
    let listener = TcpListener::bind(url.trim_start_matches("http://"))
        .await
        .unwrap();
    let _behind = Behind::at(listener, async |_| "here again");
    assert_eq!(web.get("/api/overview").await.text().await.unwrap(), "here again");
    until("both roles to be well", || async {
        let health: Health = web.get("/readyz").await.json().await.unwrap();
        health.checks.values().all(|said| said == "ok").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_role_that_is_too_slow_is_a_504() {
    let behind = Behind::answering(async |_| std::future::pending::<&str>().await).await;
    let web = Web::at(&behind.url, Duration::from_millis(200)).await;
    let answer = web
        .http
        .post(web.url("/gateway/jobs"))
        .body("{}")
        .send()
        .await
        .unwrap();
    let problem = problem(answer, ProblemCode::UpstreamTimeout).await;
    assert_eq!(problem.detail.unwrap(), "the gateway did not answer within 0.2 s");
    assert!(problem.code.is_retryable());
}

/// Answers every connection with these bytes.
async fn saying(bytes: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut asked = [0; 1024];
            let _ = socket.read(&mut asked).await;
            let _ = socket.write_all(bytes).await;
        }
    });
    url
}

#[tokio::test]
async fn a_role_that_does_not_speak_http_is_a_502() {
    for bytes in [
        &b"SSH-2.0-OpenSSH_9.2\r\n"[..],
        b"",
        b"HTTP/1.1 999999 no\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: elsewhere\r\nconnection: upgrade\r\n\r\n",
    ] {
        let web = Web::at(&saying(bytes).await, LONG).await;
        let answer = web.get("/api/overview").await;
        let problem = problem(answer, ProblemCode::UpstreamUnavailable).await;
        let detail = problem.detail.unwrap();
        assert!(
            detail.starts_with("the read-model did not answer as HTTP has it"),
            "{}: {detail}",
            String::from_utf8_lossy(bytes)
        );
    }
}

#[tokio::test]
async fn an_answer_that_ends_early_does_not_look_complete() {
    let url = saying(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf of it").await;
    let web = Web::at(&url, LONG).await;
    let answer = web.get("/api/jobs").await;
    assert_eq!(answer.status(), 200);
    assert!(answer.bytes().await.is_err());
}

/// A page of the instance's own address must not run what somebody else put there.
#[tokio::test]
async fn a_foreign_page_behind_runs_nothing_here() {
    let url = saying(b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 26\r\nconnection: close\r\n\r\n<script>alert(1)</script>\n").await;
    let web = Web::at(&url, LONG).await;
    let answer = web.get("/api/jobs/7").await;
    assert_eq!(
        answer.headers()["content-security-policy"],
        "default-src 'none'; frame-ancestors 'none'"
    );
    assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
}
