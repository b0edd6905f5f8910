//! Limits of size, time and number.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::{get, post};
use futures::{StreamExt, stream};
use odd_contracts::ProblemCode;
use odd_runtime::http::body_limit;
use odd_runtime::{Limits, RawBody};
use reqwest::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Semaphore;

use crate::support::{LONG, problem, start};

#[tokio::test]
async fn a_body_beyond_the_limit_is_413_however_it_is_sent() {
    let length = async |RawBody(bytes): RawBody| bytes.len().to_string();
    let routes = Router::new()
        .route("/any", post(length))
        .route("/framework", post(async |bytes: Bytes| bytes.len().to_string()))
        .route("/larger", post(length).layer(body_limit(3 << 20)));
    let server = start(|server| server.api(routes, Default::default())).await;
    let sized = |bytes: usize| reqwest::Body::from(vec![b'x'; bytes]);
    let chunked = |bytes: usize| {
        let chunks = stream::iter(0..bytes / 4096).map(|_| Ok::<_, Infallible>(vec![b'x'; 4096]));
        reqwest::Body::wrap_stream(chunks)
    };
    let (limit, two) = (1 << 20, 2 << 20);
    for body in [sized(limit), chunked(limit)] {
        let response = server.post("/any", "text/plain", body).await;
        assert_eq!(response.text().await.unwrap(), limit.to_string());
    }
    for body in [sized(limit + 1), sized(two), chunked(two)] {
        problem(
            server.post("/any", "text/plain", body).await,
            ProblemCode::PayloadTooLarge,
        )
        .await;
    }
    problem(
        server
            .post("/framework", "text/plain", chunked(limit + 4096))
            .await,
        ProblemCode::PayloadTooLarge,
    )
    .await;
    assert_eq!(
        server
            .post("/larger", "text/plain", sized(two))
            .await
            .text()
            .await
            .unwrap(),
        two.to_string()
    );
    problem(
        server.post("/larger", "text/plain", sized(4 << 20)).await,
        ProblemCode::PayloadTooLarge,
    )
    .await;
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_asks_first_sends_nothing_in_vain() {
    let routes = Router::new().route("/any", post(async |_: RawBody| "ok"));
    let server = start(|server| server.api(routes, Default::default())).await;
    let mut stream = server.connect().await.unwrap();
    let head = "POST /any HTTP/1.1\r\nhost: x\r\ncontent-length: 9999999\r\nexpect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    tokio::time::timeout(LONG, stream.read_exact(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
    server.stop().await;
}

#[tokio::test]
async fn what_takes_too_long_is_408_but_streams_may_last() {
    let limit = Duration::from_millis(100);
    let routes = Router::new()
        .route("/stuck", get(std::future::pending::<&str>))
        .route("/body", post(async |_: RawBody| "ok"));
    let export = async move || {
        tokio::time::sleep(limit * 2).await;
        Body::from_stream(stream::unfold(0, move |n| async move {
            tokio::time::sleep(limit).await;
            (n < 3).then(|| (Ok::<_, Infallible>("line\n"), n + 1))
        }))
    };
    let export = Router::new().route("/export", get(export));
    let limits = Limits {
        timeout: limit,
        ..Limits::default()
    };
    let server = start(|server| {
        server
            .api(routes, Default::default())
            .streaming(export)
            .limits(limits)
    })
    .await;
    problem(server.get("/stuck").await, ProblemCode::RequestTimeout).await;
    assert_eq!(
        server.get("/export").await.text().await.unwrap(),
        "line\nline\nline\n"
    );

    let mut stream = server.connect().await.unwrap();
    stream
        .write_all(b"POST /body HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf")
        .await
        .unwrap();
    let mut answer = String::new();
    tokio::time::timeout(LONG, stream.read_to_string(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 408") && answer.contains("request_timeout"),
        "{answer}"
    );
    server.stop().await;
}

#[tokio::test]
async fn a_head_that_does_not_come_closes_the_connection() {
    let limits = Limits {
        head: Duration::from_millis(100),
        ..Limits::default()
    };
    let server = start(|server| server.limits(limits)).await;
    let mut stream = server.connect().await.unwrap();
    stream.write_all(b"GET /healthz HTT").await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(LONG, stream.read_to_end(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert!(!answer.starts_with(b"HTTP/1.1 2"));
    server.stop().await;
}

#[tokio::test]
async fn too_many_at_once_are_429_while_monitoring_goes_on() {
    let (started, release) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (tell, wait) = (started.clone(), release.clone());
    let slow = async move || {
        tell.add_permits(1);
        wait.acquire().await.unwrap().forget();
        "done"
    };
    let routes = Router::new().route("/slow", get(slow));
    let limits = Limits {
        concurrency: 2,
        ..Limits::default()
    };
    let server = start(|server| server.api(routes, Default::default()).limits(limits)).await;
    let in_hand = futures::future::join(server.get("/slow"), server.get("/slow"));
    let others = async {
        started.acquire_many(2).await.unwrap().forget();
        problem(server.get("/slow").await, ProblemCode::Overloaded).await;
        for path in ["/healthz", "/readyz", "/metrics"] {
            assert_eq!(server.get(path).await.status(), StatusCode::OK, "{path}");
        }
        release.add_permits(2);
    };
    let ((one, other), ()) = futures::future::join(in_hand, others).await;
    assert_eq!((one.status(), other.status()), (StatusCode::OK, StatusCode::OK));
    release.add_permits(1);
    assert_eq!(
        server.get("/slow").await.status(),
        StatusCode::OK,
        "the place is free again"
    );
    server.stop().await;
}

#[tokio::test]
async fn a_stream_keeps_its_place_until_it_ends() {
    let endless = async || Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
    let streaming = Router::new().route("/stream", get(endless));
    let limits = Limits {
        streams: 1,
        ..Limits::default()
    };
    let server = start(|server| server.streaming(streaming).limits(limits)).await;
    let open = server.get("/stream").await;
    assert_eq!(open.status(), StatusCode::OK);
    problem(server.get("/stream").await, ProblemCode::Overloaded).await;
    drop(open);
    let freed = async {
        while server.get("/stream").await.status() != StatusCode::OK {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LONG, freed)
        .await
        .expect("a client that left frees its place");
    server.shutdown.trigger();
}
