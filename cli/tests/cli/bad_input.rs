//! Bad input from outside, all of it to one running observatory: each is refused as its contract says, nothing of it
//! becomes a job, and in the end the observatory is as healthy as before and has lost nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use odd_client::{Gateway, RawAnswer, RawRequest, ReadModel};
use odd_contracts::names::metric::MAX_TYPES;
use odd_contracts::names::spine::{JSON, NDJSON};
use odd_contracts::{JobId, JobStatus, ProblemCode, Role};
use odd_testkit::{Instance, wait_for};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::instance;

const LONG: Duration = Duration::from_secs(60);
/// Most different types of which `/stats` keeps counts, beside `other`.
const MAX_COUNTED_TYPES: usize = 200;
/// Types that are submitted.
const TYPES: usize = 10_000;

/// An observatory that is badly treated.
struct Target {
    odd: Instance,
    gateway: Gateway,
    read_model: ReadModel,
}

impl Target {
    fn start() -> Self {
        let odd = instance();
        odd.up();
        Self {
            gateway: Gateway::new(&odd.url(Role::Gateway)).unwrap(),
            read_model: ReadModel::new(&odd.url(Role::ReadModel)).unwrap(),
            odd,
        }
    }

    async fn post(&self, path: &str, content_type: &str, body: impl Into<Vec<u8>>) -> RawAnswer {
        let request = RawRequest::post(path).body(content_type, body.into());
        self.gateway.exchange(request).await.unwrap()
    }

    async fn submit(&self, body: impl Into<Vec<u8>>) -> RawAnswer {
        self.post("/jobs", JSON, body).await
    }

    async fn ended(&self, id: JobId) -> JobStatus {
        wait_for(LONG, "the job to end", || async {
            let known = self.read_model.lookup(&[id]).await.ok()?;
            let status = known.jobs.first()?.status;
            status.is_terminal().then_some(status)
        })
        .await
    }
}

/// The answer is a problem of this code; where it broke a contract, each of these places is named.
#[track_caller]
fn refused(what: &str, answer: &RawAnswer, code: ProblemCode, paths: &[&str]) {
    let text = String::from_utf8_lossy(&answer.body);
    assert_eq!(answer.status, code.status(), "{what}: {text}");
    let problem: odd_contracts::Problem = answer.json().unwrap_or_else(|e| panic!("{what}: {e}"));
    assert_eq!(problem.code, code, "{what}: {text}");
    assert!(
        answer
            .header("content-type")
            .starts_with("application/problem+json"),
        "{what}"
    );
    let found: Vec<&str> = problem.errors.iter().map(|error| error.path.as_str()).collect();
    for path in paths {
        assert!(found.contains(path), "{what}: {path} is not among {found:?}");
    }
}

#[track_caller]
fn accepted(what: &str, answer: &RawAnswer) -> JobId {
    assert_eq!(
        answer.status,
        202,
        "{what}: {}",
        String::from_utf8_lossy(&answer.body)
    );
    answer.json::<odd_contracts::JobAccepted>().unwrap().job_id
}

/// A document whose payload nests so many levels deep, itself included.
fn nested(levels: usize) -> String {
    let (open, close) = ("[".repeat(levels - 1), "]".repeat(levels - 1));
    format!(r#"{{"type":"deep","payload":{{"a":{open}1{close}}}}}"#)
}

#[tokio::test]
async fn an_observatory_survives_all_bad_input_unharmed() {
    let target = Target::start();
    bodies_that_are_no_json(&target).await;
    documents_that_break_the_contract(&target).await;
    too_large_and_wrongly_declared(&target).await;
    nesting(&target).await;
    odd_but_valid(&target).await;
    batches(&target).await;
    ids_in_paths(&target).await;
    queries(&target).await;
    no_http_at_all(&target).await;
    one_id_from_everywhere(&target).await;
    ten_thousand_types(&target).await;
    unharmed(&target).await;
}

async fn bodies_that_are_no_json(target: &Target) {
    for body in [
        &b""[..],
        b" ",
        b"{",
        b"{\"type\":\"a\"",
        b"{'type':'a'}",
        b"{\"type\":\"a\"} {}",
        b"{\"type\":\"a\",}",
        b"{\"type\":\"a\0b\"}",
        b"\0\0\0\0",
        b"{\"type\":\"a\"}\0",
        b"\xef\xbb\xbf{\"type\":\"a\"}",
        b"\xff\xfe{\x00",
        b"{\"type\":\"\xc3\x28\"}",
        br#"{"type":"a","payload":{"x":"\ud800"}}"#,
        br#"{"type":"a","payload":{"x":1e999}}"#,
        br#"{"type":"a","payload":{"x":NaN}}"#,
        br#"{"type":"a","payload":{"x":0123}}"#,
    ] {
        let what = String::from_utf8_lossy(body).into_owned();
        refused(&what, &target.submit(body).await, ProblemCode::MalformedJson, &[]);
    }
}

async fn documents_that_break_the_contract(target: &Target) {
    let year_ahead = "2200-01-01T00:00:00Z";
    for (document, path) in [
        (json!(null), ""),
        (json!("text"), ""),
        (json!([{ "type": "a" }]), ""),
        (json!({}), "/type"),
        (json!({ "type": null }), "/type"),
        (json!({ "type": 7 }), "/type"),
        (json!({ "type": "" }), "/type"),
        (json!({ "type": "x".repeat(51) }), "/type"),
        (json!({ "type": "with space" }), "/type"),
        (json!({ "type": "nul\0" }), "/type"),
        (json!({ "type": "ä" }), "/type"),
        (json!({ "type": "a", "payload": [] }), "/payload"),
        (json!({ "type": "a", "payload": null }), "/payload"),
        (json!({ "type": "a", "payload": "{}" }), "/payload"),
        (json!({ "type": "a", "metadata": [1] }), "/metadata"),
        (json!({ "type": "a", "priority": 5 }), "/priority"),
        (json!({ "type": "a", "__proto__": {} }), "/__proto__"),
        (json!({ "type": "a", "retryOf": Uuid::new_v4() }), "/retryOf"),
        (json!({ "type": "a", "status": "COMPLETED" }), "/status"),
        (json!({ "type": "a", "status": "pending" }), "/status"),
        (json!({ "type": "a", "id": "no-uuid" }), "/id"),
        (json!({ "type": "a", "id": "" }), "/id"),
        (json!({ "type": "a", "id": 5 }), "/id"),
        (
            json!({ "type": "a", "id": "0198f3a2-5c1e-7d3a-9a54-3f0d6c1b2e7" }),
            "/id",
        ),
        (
            json!({ "type": "a", "id": "{0198f3a2-5c1e-7d3a-9a54-3f0d6c1b2e77}" }),
            "/id",
        ),
        (
            json!({ "type": "a", "createdAt": "2026-01-31T12:00:00" }),
            "/createdAt",
        ),
        (
            json!({ "type": "a", "createdAt": "2026-02-30T12:00:00Z" }),
            "/createdAt",
        ),
        (json!({ "type": "a", "createdAt": "yesterday" }), "/createdAt"),
        (json!({ "type": "a", "createdAt": 1_700_000_000 }), "/createdAt"),
        (
            json!({ "type": "a", "options": { "runAt": "2026-01-31T12:00:00" } }),
            "/options/runAt",
        ),
        (
            json!({ "type": "a", "options": { "runAt": year_ahead } }),
            "/options/runAt",
        ),
        (
            json!({ "type": "a", "options": { "maxAttempts": 0 } }),
            "/options/maxAttempts",
        ),
        (
            json!({ "type": "a", "options": { "maxAttempts": -1 } }),
            "/options/maxAttempts",
        ),
        (
            json!({ "type": "a", "options": { "maxAttempts": 26 } }),
            "/options/maxAttempts",
        ),
        (
            json!({ "type": "a", "options": { "maxAttempts": 1.5 } }),
            "/options/maxAttempts",
        ),
        (
            json!({ "type": "a", "options": { "maxAttempts": "3" } }),
            "/options/maxAttempts",
        ),
        (
            json!({ "type": "a", "options": { "backoffMs": -1 } }),
            "/options/backoffMs",
        ),
        (
            json!({ "type": "a", "options": { "timeoutMs": 0 } }),
            "/options/timeoutMs",
        ),
        (
            json!({ "type": "a", "options": { "timeoutMs": u64::MAX } }),
            "/options/timeoutMs",
        ),
        (
            json!({ "type": "a", "options": { "delayMs": i64::MIN } }),
            "/options/delayMs",
        ),
        (
            json!({ "type": "a", "options": { "delayMs": 1e300 } }),
            "/options/delayMs",
        ),
        (
            json!({ "type": "a", "options": { "retries": 3 } }),
            "/options/retries",
        ),
        (json!({ "type": "a", "options": [] }), "/options"),
    ] {
        let what = document.to_string();
        let answer = target.submit(what.clone()).await;
        refused(&what, &answer, ProblemCode::ValidationFailed, &[path]);
    }
    // Beyond what 64 bits hold; no such number can be written in Rust.
    let huge = r#"{"type":"a","options":{"delayMs":99999999999999999999999999}}"#;
    refused(
        huge,
        &target.submit(huge).await,
        ProblemCode::ValidationFailed,
        &["/options/delayMs"],
    );
}

async fn too_large_and_wrongly_declared(target: &Target) {
    let two_mebibytes = json!({ "type": "a", "payload": { "x": "y".repeat(2 << 20) } }).to_string();
    let answer = target.submit(two_mebibytes.clone()).await;
    refused("2 MiB", &answer, ProblemCode::PayloadTooLarge, &[]);
    let answer = target.post("/jobs/batch", NDJSON, vec![b'x'; 9 << 20]).await;
    refused("a batch of 9 MiB", &answer, ProblemCode::PayloadTooLarge, &[]);
    let answer = target.post("/jobs/batch", NDJSON, "{}\n".repeat(1_001)).await;
    refused("1,001 lines", &answer, ProblemCode::PayloadTooLarge, &[]);
    for content_type in [
        "text/plain",
        "text/json",
        "application/x-ndjson",
        "multipart/form-data; boundary=x",
        "json",
    ] {
        let answer = target.post("/jobs", content_type, r#"{"type":"a"}"#).await;
        refused(content_type, &answer, ProblemCode::UnsupportedMediaType, &[]);
    }
    let undeclared = RawRequest::post("/jobs");
    let answer = target.gateway.exchange(undeclared).await.unwrap();
    refused("no content type", &answer, ProblemCode::UnsupportedMediaType, &[]);
}

async fn nesting(target: &Target) {
    refused(
        "10,000 levels",
        &target.submit(nested(10_000)).await,
        ProblemCode::MalformedJson,
        &[],
    );
    refused(
        "101 levels",
        &target.submit(nested(101)).await,
        ProblemCode::ValidationFailed,
        &["/payload"],
    );
    let batch = format!("{}\n{}\n", nested(10_000), r#"{"type":"deep"}"#);
    let answer: Value = target.post("/jobs/batch", NDJSON, batch).await.json().unwrap();
    assert_eq!(
        (&answer["accepted"], &answer["rejected"]),
        (&json!(1), &json!(1)),
        "{answer}"
    );
    // What is accepted must be readable everywhere it travels.
    let id = accepted("100 levels", &target.submit(nested(100)).await);
    assert_eq!(target.ended(id).await, JobStatus::Completed);
    let whole = || async {
        target
            .read_model
            .timeline(id)
            .await
            .ok()
            .filter(|timeline| timeline.complete)
    };
    wait_for(LONG, "the history of a deep job", whole).await;
    assert!(target.read_model.job(id).await.is_ok());
}

/// Strange, and to be taken as it is.
async fn odd_but_valid(target: &Target) {
    let payload = json!({
        "nul": "a\0b", "": "no name", "emoji": "🦀", "rtl": "\u{202e}abc", "quote": "'; DROP TABLE jobs; --",
        "big": u64::MAX, "small": i64::MIN, "float": 1e308, "tiny": 5e-324, "long": "z".repeat(100_000),
    });
    let document =
        json!({ "id": Uuid::now_v7(), "type": "a..-_", "payload": payload, "metadata": { "\0": "\0" } });
    let id = accepted("strange values", &target.submit(document.to_string()).await);
    assert_eq!(target.ended(id).await, JobStatus::Completed);
    let job = target.read_model.job(id).await.unwrap().record.job;
    assert_eq!(
        Value::Object(job.payload),
        payload,
        "a payload is kept to the bit"
    );
    assert_eq!(job.metadata["\0"], "\0");
    let again: Value = target.submit(document.to_string()).await.json().unwrap();
    assert_eq!(again["duplicate"], true, "{again}");
    for simulate in [
        json!({ "durationMs": -1 }),
        json!({ "durationMs": 1e300 }),
        json!("fast"),
        json!([]),
    ] {
        let document = json!({ "type": "a", "payload": { "simulate": simulate } });
        let id = accepted(
            "nonsense for the handler",
            &target.submit(document.to_string()).await,
        );
        assert_eq!(target.ended(id).await, JobStatus::Failed, "{document}");
        assert_eq!(
            target.read_model.job(id).await.unwrap().attempts.len(),
            1,
            "nonsense is not repeated"
        );
    }
}

async fn batches(target: &Target) {
    let (id, other) = (Uuid::now_v7(), Uuid::now_v7());
    let lines = [
        json!({ "id": id, "type": "a", "payload": { "n": 1 } }).to_string(),
        json!({ "id": id, "type": "a", "payload": { "n": 1 } }).to_string(),
        json!({ "id": id, "type": "a", "payload": { "n": 2 } }).to_string(),
        "no json".to_owned(),
        json!({ "id": "no-uuid", "type": "a" }).to_string(),
        json!({ "id": other, "type": "a" }).to_string(),
    ];
    let answer: Value = target
        .post("/jobs/batch", NDJSON, lines.join("\n"))
        .await
        .json()
        .unwrap();
    let results = answer["results"].as_array().unwrap();
    let statuses: Vec<u64> = results
        .iter()
        .map(|result| result["status"].as_u64().unwrap())
        .collect();
    assert_eq!(statuses, [202, 202, 409, 400, 400, 202], "{answer}");
    assert_eq!(results[1]["duplicate"], true, "{answer}");
    assert_eq!((&answer["accepted"], &answer["rejected"]), (&json!(3), &json!(3)));
    assert_eq!(target.ended(id).await, JobStatus::Completed);
    assert_eq!(target.ended(other).await, JobStatus::Completed);
    assert_eq!(
        target.read_model.job(id).await.unwrap().record.job.payload["n"],
        1,
        "the first one wins"
    );
    for (body, code) in [
        ("", ProblemCode::ValidationFailed),
        ("[]", ProblemCode::ValidationFailed),
        ("{}", ProblemCode::MalformedJson),
        ("[1,", ProblemCode::MalformedJson),
    ] {
        let content_type = if body.is_empty() { NDJSON } else { JSON };
        refused(
            body,
            &target.post("/jobs/batch", content_type, body).await,
            code,
            &[],
        );
    }
}

async fn ids_in_paths(target: &Target) {
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
    for path in [
        "/jobs/no-uuid",
        "/jobs/no-uuid/timeline",
        "/events/7",
        "/dead-letters/%ff",
    ] {
        let answer = target.read_model.exchange(RawRequest::get(path)).await.unwrap();
        refused(path, &answer, ProblemCode::InvalidParameter, &[]);
    }
    for path in [
        format!("/jobs/{nobody}"),
        format!("/events/{nobody}"),
        "/jobs/../../etc/passwd".to_owned(),
    ] {
        let answer = target.read_model.exchange(RawRequest::get(&path)).await.unwrap();
        refused(&path, &answer, ProblemCode::NotFound, &[]);
    }
}

async fn queries(target: &Target) {
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
async fn no_http_at_all(target: &Target) {
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

/// Many at once under one id: one job, and everybody is told the same.
async fn one_id_from_everywhere(target: &Target) {
    let id = Uuid::now_v7();
    let body = |n: usize| json!({ "id": id, "type": "a", "payload": { "n": n } }).to_string();
    let answers = join_all((0..60).map(|n| target.submit(body(n % 2)))).await;
    let told = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((told(202), told(409)), (30, 30));
    let first = |answer: &&RawAnswer| {
        answer.status == 202
            && answer
                .json::<odd_contracts::JobAccepted>()
                .is_ok_and(|accepted| !accepted.duplicate)
    };
    assert_eq!(answers.iter().filter(first).count(), 1);
    assert_eq!(target.ended(id).await, JobStatus::Completed);
    assert_eq!(target.read_model.job(id).await.unwrap().record.takes, 1);
}

/// Metrics and counters stay bounded, whatever clients call their jobs.
async fn ten_thousand_types(target: &Target) {
    for chunk in 0..TYPES / 1_000 {
        let lines: String = (0..1_000)
            .map(|n| format!("{{\"type\":\"kind-{}\"}}\n", chunk * 1_000 + n))
            .collect();
        let answer = target.gateway.submit_batch(lines.into()).await.unwrap();
        assert_eq!(answer.accepted, 1_000);
    }
    wait_for(LONG, "every job to be counted as ended", || async {
        let counters = target.read_model.stats().await.ok()?.counters;
        let ended = [JobStatus::Completed, JobStatus::Failed, JobStatus::Cancelled];
        let ended: u64 = ended.into_iter().map(|status| counters.in_status(status)).sum();
        (counters.total >= TYPES as u64 && ended == counters.total).then_some(())
    })
    .await;
    let counters = target.read_model.stats().await.unwrap().counters;
    assert!(
        counters.by_type.len() <= MAX_COUNTED_TYPES + 1,
        "{}",
        counters.by_type.len()
    );
    let by_type: u64 = counters.by_type.values().map(|counts| counts.total).sum();
    assert_eq!(by_type, counters.total, "every job counts under some type");
    for role in Role::ALL {
        let text = odd_client::RoleClient::new(&target.odd.url(role), Default::default())
            .unwrap()
            .metrics()
            .await
            .unwrap();
        let types: BTreeSet<&str> = text
            .split("type=\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .filter(|value| !value.starts_with("job."))
            .collect();
        assert!(types.len() <= MAX_TYPES + 2, "{role} has {} types", types.len());
        assert!(text.len() < 256 * 1024, "{role} exposes {} bytes", text.len());
    }
    let page = target
        .read_model
        .exchange(RawRequest::get("/jobs?type=kind-9999"))
        .await
        .unwrap();
    assert_eq!(page.json::<Value>().unwrap()["jobs"].as_array().unwrap().len(), 1);
}

async fn unharmed(target: &Target) {
    let verdict = target.odd.run(["verify", "-o", "json"]);
    assert_eq!(verdict.code, Some(0), "{verdict:?}");
    let verdict = verdict.json();
    assert_eq!(
        (&verdict["inFlight"], &verdict["countersCompared"]),
        (&json!(0), &json!(true)),
        "{verdict}"
    );
    let _ = target.odd.run(["status", "--check"]).expect_code(0);
    let gate = target.odd.run(["test", "-o", "json"]);
    assert_eq!(gate.code, Some(0), "{gate:?}");
    let panics = std::fs::read_to_string(target.odd.engine().log_file()).unwrap();
    assert!(!panics.contains("panicked"), "a role panicked");
    let letters = target.read_model.dead_letters(None, None).await.unwrap();
    assert!(
        letters.dead_letters.is_empty(),
        "what the gateway accepts is never dead-lettered"
    );
}
