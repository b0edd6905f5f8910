//! Stopping: unready first, then no new connections, then what is in hand, under one deadline.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use futures::{StreamExt, stream};
use odd_contracts::api::Health;
use odd_runtime::Shutdown;
use reqwest::StatusCode;
use tokio::sync::Semaphore;

use crate::support::{LONG, start, start_with};

#[tokio::test]
async fn readiness_goes_first_then_the_listener_and_the_request_in_hand_is_finished() {
    let (started, release) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (tell, wait) = (started.clone(), release.clone());
    let slow = async move || {
        tell.add_permits(1);
        wait.acquire().await.unwrap().forget();
        "done"
    };
    let routes = Router::new().route("/slow", get(slow));
    let server = start_with(Shutdown::new(LONG), |server| {
        server
            .api(routes, Default::default())
            .drain_delay(Duration::from_secs(2))
    })
    .await;
    assert_eq!(server.get("/readyz").await.status(), StatusCode::OK);
    let others = async {
        started.acquire().await.unwrap().forget();
        server.shutdown.trigger();
        // On a connection of its own: the listener is still open.
        let unready = async {
            loop {
                let response = reqwest::get(server.url("/readyz"))
                    .await
                    .expect("the listener is open");
                if response.status() == StatusCode::SERVICE_UNAVAILABLE {
                    break response.json::<Health>().await.unwrap().status;
                }
            }
        };
        assert_eq!(tokio::time::timeout(LONG, unready).await.unwrap(), "draining");
        let closed = async {
            while server.connect().await.is_ok() {
                tokio::task::yield_now().await
            }
        };
        tokio::time::timeout(LONG, closed)
            .await
            .expect("the listener closes");
        assert!(
            !server.served.is_finished(),
            "the request in hand keeps the server"
        );
        release.add_permits(1);
    };
    let (answer, ()) = futures::future::join(server.get("/slow"), others).await;
    assert_eq!(answer.text().await.unwrap(), "done");
    server.stop().await;
}

#[tokio::test]
async fn a_stuck_request_is_cut_off_at_the_deadline() {
    let started = Arc::new(Semaphore::new(0));
    let tell = started.clone();
    let stuck = async move || -> &'static str {
        tell.add_permits(1);
        std::future::pending().await
    };
    let grace = Duration::from_millis(300);
    let routes = Router::new().route("/stuck", get(stuck));
    let server = start_with(Shutdown::new(grace), |server| {
        server.api(routes, Default::default())
    })
    .await;
    let request = server.client.get(server.url("/stuck")).send();
    let stopping = async {
        started.acquire().await.unwrap().forget();
        let since = Instant::now();
        server.shutdown.trigger();
        since
    };
    let (answer, since) = futures::future::join(request, stopping).await;
    assert!(answer.is_err(), "{answer:?}");
    server.served.await.unwrap().unwrap();
    let took = since.elapsed();
    assert!(took >= grace && took < grace + Duration::from_secs(5), "{took:?}");
}

#[tokio::test]
async fn live_streams_end_at_once_and_do_not_hold_up_the_stop() {
    let live = async || {
        let first = stream::iter([Ok::<_, Infallible>(Bytes::from_static(b"data: 1\n\n"))]);
        (
            [(CONTENT_TYPE, "text/event-stream")],
            Body::from_stream(first.chain(stream::pending())),
        )
    };
    let server = start_with(Shutdown::new(LONG), |server| {
        server.streaming(Router::new().route("/stream", get(live)))
    })
    .await;
    let mut events = server.get("/stream").await.bytes_stream();
    assert_eq!(events.next().await.unwrap().unwrap(), "data: 1\n\n");
    server.shutdown.trigger();
    assert!(events.next().await.is_none(), "it ends cleanly");
    tokio::time::timeout(LONG / 2, server.served)
        .await
        .expect("well before the deadline")
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn an_export_that_is_cut_off_does_not_look_complete() {
    let export = async || {
        let first = stream::iter([Ok::<_, Infallible>(Bytes::from_static(b"{}\n"))]);
        (
            [(CONTENT_TYPE, "application/x-ndjson")],
            Body::from_stream(first.chain(stream::pending())),
        )
    };
    let grace = Duration::from_millis(200);
    let server = start_with(Shutdown::new(grace), |server| {
        server.streaming(Router::new().route("/export", get(export)))
    })
    .await;
    let mut lines = server.get("/export").await.bytes_stream();
    assert_eq!(lines.next().await.unwrap().unwrap(), "{}\n");
    server.shutdown.trigger();
    assert!(lines.next().await.unwrap().is_err(), "the client can tell");
    server.served.await.unwrap().unwrap();
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_up_the_stop() {
    let server = start(|server| server).await;
    assert_eq!(server.get("/healthz").await.status(), StatusCode::OK);
    let idle = server.connect().await.unwrap();
    let since = Instant::now();
    server.stop().await;
    assert!(since.elapsed() < Duration::from_secs(5));
    drop(idle);
}
