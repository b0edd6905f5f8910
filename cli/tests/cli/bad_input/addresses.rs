//! Paths, parameters, and bytes that are no HTTP.

use odd_client::RawRequest;
use odd_contracts::names::spine::JSON;
use odd_contracts::{ProblemCode, Role};
use serde_json::json;
use uuid::Uuid;

use super::{LONG, Target, refused};

pub(super) async fn ids_in_paths(target: &Target) {
    for path in [
        "/jobs/no-uuid/cancel",
        "/jobs/%00/retry",
        "/jobs/-1/cancel",
        "/dead-letters/x/requeue",
    ] {
        let answer = target.post(path, JSON, "{}").await;
        refused(path, &answer, ProblemCode::InvalidParameter, &[]);
    }
    let nobody = Uuid::new_v4();
    let answer = target.post(&format!("/jobs/{nobody}/retry"), JSON, "{}").await;
    refused("retry of nobody", &answer, ProblemCode::NotFound, &[]);
    let answer = target
        .post(&format!("/dead-letters/{nobody}/requeue"), JSON, "")
        .await;
    refused("requeue of nothing", &answer, ProblemCode::NotFound, &[]);
    // The gateway cannot know; the processor decides that there is nothing to cancel.
    assert_eq!(
        target
            .post(&format!("/jobs/{nobody}/cancel"), JSON, "{}")
            .await
            .status,
        202
    );
    for path in ["/jobs/no-uuid", "/jobs/no-uuid/timeline", "/dead-letters/%ff"] {
        let answer = target.read_model.exchange(RawRequest::get(path)).await.unwrap();
        refused(path, &answer, ProblemCode::InvalidParameter, &[]);
    }
    for path in [format!("/jobs/{nobody}"), "/jobs/../../etc/passwd".to_owned()] {
        let answer = target.read_model.exchange(RawRequest::get(&path)).await.unwrap();
        refused(&path, &answer, ProblemCode::NotFound, &[]);
    }
}

pub(super) async fn queries(target: &Target) {
    for path in [
        "/jobs?limit=0",
        "/jobs?limit=-1",
        "/jobs?limit=501",
        "/jobs?limit=99999999999999999999",
        "/jobs?status=DONE",
        "/jobs?since=2026-01-31T12:00:00",
        "/jobs?cursor=garbage",
        "/jobs?cursor=%00",
        "/jobs?colour=red",
        "/jobs?limit=1&limit=2",
        "/events?type=job.exploded",
        "/events?jobId=x",
        "/events?after=x",
        "/dead-letters?cursor=-1x",
        "/stream?types=job.exploded",
        "/stream?jobId=x",
    ] {
        let answer = target.read_model.exchange(RawRequest::get(path)).await.unwrap();
        refused(path, &answer, ProblemCode::InvalidParameter, &[]);
    }
    // Nothing can match, but nothing breaks either.
    for path in [
        "/jobs?type=%00",
        "/jobs?id=%25",
        "/jobs?id=%27%20OR%201=1",
        "/events?correlationId=%F0%9F%A6%80",
    ] {
        let answer = target.read_model.exchange(RawRequest::get(path)).await.unwrap();
        assert!(matches!(answer.status, 200 | 400), "{path}: {}", answer.status);
    }
    let ids: Vec<Uuid> = (0..1_001).map(|_| Uuid::new_v4()).collect();
    let request = RawRequest::post("/jobs/lookup").json(json!({ "ids": ids }).to_string());
    let answer = target.read_model.exchange(request).await.unwrap();
    refused("1,001 ids", &answer, ProblemCode::InvalidParameter, &[]);
}

/// Bytes that are no HTTP, and requests that break off, on every port.
pub(super) async fn no_http_at_all(target: &Target) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    for role in Role::ALL {
        for bytes in [
            &b"\0\x01\x02\x03\r\n\r\n"[..],
            b"GET / HTTP/9.9\r\n\r\n",
            b"POST /jobs HTTP/1.1\r\nhost: x\r\ncontent-length: -5\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        ] {
            let mut socket = tokio::net::TcpStream::connect(("127.0.0.1", target.odd.port(role)))
                .await
                .unwrap();
            socket.write_all(bytes).await.unwrap();
            socket.shutdown().await.unwrap();
            let mut answer = Vec::new();
            // A reset is an answer too.
            let read = tokio::time::timeout(LONG, socket.read_to_end(&mut answer)).await;
            assert!(
                read.is_ok(),
                "{role} hangs on {:?}",
                String::from_utf8_lossy(bytes)
            );
            assert!(
                !answer.starts_with(b"HTTP/1.1 2"),
                "{role}: {}",
                String::from_utf8_lossy(&answer)
            );
        }
        // The head promises a body that never comes.
        let mut socket = tokio::net::TcpStream::connect(("127.0.0.1", target.odd.port(role)))
            .await
            .unwrap();
        let head = b"POST /jobs HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{";
        socket.write_all(head).await.unwrap();
    }
}
