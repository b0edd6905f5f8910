//! The live stream and the statistics that come from it.

use std::pin::Pin;
use std::time::Duration;

use eventsource_stream::{Event, Eventsource};
use futures::{Stream, StreamExt};
use odd_contracts::api::{LatencySummary, Stats};
use odd_contracts::{EventEnvelope, EventType, Job, JobStatus, history};
use odd_spine::codec;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::support::{DEADLINE, System, created, job, wait_for};

type Events = Pin<Box<dyn Stream<Item = Event> + Send>>;

/// An open stream.
async fn open(system: &System, query: &str) -> Events {
    let response = system.response(&format!("/stream{query}")).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let events = response.bytes_stream().eventsource();
    Box::pin(events.map(|event| event.expect("the stream is well-formed")))
}

async fn next(events: &mut Events) -> Option<Event> {
    tokio::time::timeout(DEADLINE, events.next())
        .await
        .expect("an event comes in time")
}

async fn publish(system: &System, events: &[EventEnvelope]) {
    codec::publish_events(system.ports.spine.as_ref(), events)
        .await
        .unwrap();
}

async fn open_streams(system: &System) -> String {
    let metrics = system.response("/metrics").await.text().await.unwrap();
    let line = metrics
        .lines()
        .find(|line| line.starts_with("read_model_streams{"));
    line.unwrap().rsplit(' ').next().unwrap().to_owned()
}

/// Waits until the read-model follows the live feed. It does so before it serves, unless the spine is slow to answer.
async fn until_followed(system: &System) {
    let probe = created(&job("probe"));
    let mut events = open(system, &format!("?jobId={}", probe.job_id().unwrap())).await;
    wait_for("the live feed to be followed", async || {
        publish(system, std::slice::from_ref(&probe)).await;
        tokio::time::timeout(Duration::from_millis(100), events.next())
            .await
            .ok()
    })
    .await;
    drop(events);
    wait_for("no stream", async || {
        (open_streams(system).await == "0").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_stream_shows_whole_envelopes_once_and_ends_with_the_role() {
    let system = System::start().await;
    until_followed(&system).await;
    let mut events = open(&system, "").await;
    let stored = system.seed(job("hello"), JobStatus::Completed).await;
    let history = stored.events();
    publish(&system, &history).await;
    // A history published again is no news.
    publish(&system, &history).await;
    let last = created(&job("last"));
    publish(&system, std::slice::from_ref(&last)).await;
    for wanted in history.iter().chain([&last]) {
        let event = next(&mut events).await.unwrap();
        assert_eq!(event.event, wanted.event_type.name());
        assert_eq!(event.id, wanted.event_id.to_string());
        let envelope: EventEnvelope = serde_json::from_str(&event.data).unwrap();
        assert_eq!(&envelope, wanted);
    }
    system.trigger_shutdown();
    assert_eq!(next(&mut events).await.map(|event| event.data), None);
    system.stop().await;
}

#[tokio::test]
async fn a_stream_filters_by_type_and_job_and_is_counted_while_it_is_open() {
    let system = System::start().await;
    until_followed(&system).await;
    let (one, other) = (job("one"), job("other"));
    let mut of_one = open(&system, &format!("?jobId={}", one.id)).await;
    let mut failures = open(&system, "?types=job.failed,job.cancelled").await;
    wait_for("two streams", async || {
        (open_streams(&system).await == "2").then_some(())
    })
    .await;

    publish(&system, &[created(&other), created(&one)]).await;
    let failed = system.seed(one.clone(), JobStatus::Failed).await;
    publish(&system, &failed.events()).await;
    let names = async |events: &mut Events, count: usize| {
        let mut names = Vec::new();
        for _ in 0..count {
            names.push(next(events).await.unwrap().event);
        }
        names
    };
    assert_eq!(
        names(&mut of_one, 4).await,
        ["job.created", "job.validated", "job.executed", "job.failed"]
    );
    assert_eq!(names(&mut failures, 1).await, ["job.failed"]);
    drop((of_one, failures));
    wait_for("no stream", async || {
        (open_streams(&system).await == "0").then_some(())
    })
    .await;
    system.stop().await;
}

#[tokio::test]
async fn a_slow_client_loses_the_oldest_and_learns_how_many() {
    const EVENTS: usize = 150;
    let system = System::start_with(|config| config.stream_events = 4, |ports| ports).await;
    until_followed(&system).await;
    let (address, path) = (
        system.url.trim_start_matches("http://"),
        "/stream?types=job.created",
    );
    let mut client = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n\r\n");
    client.write_all(request.as_bytes()).await.unwrap();
    wait_for("the stream", async || {
        (open_streams(&system).await != "0").then_some(())
    })
    .await;
    // Larger by far than what the sockets between the two can hold.
    for _ in 0..EVENTS {
        let mut large = job("large");
        large
            .payload
            .insert("text".to_owned(), json!("x".repeat(200_000)));
        publish(&system, &[created(&large)]).await;
    }
    publish(&system, &[created(&job("last"))]).await;

    let mut lines = BufReader::new(client).lines();
    let (mut received, mut dropped) = (0, 0);
    loop {
        let line = tokio::time::timeout(DEADLINE, lines.next_line())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        if line == "event: job.created" {
            received += 1;
        } else if let Some(notice) = line.strip_prefix("data: {\"dropped\":") {
            dropped += notice.trim_end_matches('}').parse::<usize>().unwrap();
        } else if line.contains("\"type\":\"last\"") {
            break;
        }
    }
    assert!(dropped > 0, "the client was slow");
    assert_eq!(received + dropped, EVENTS + 1, "each is received or counted");
    system.stop().await;
}

#[tokio::test]
async fn statistics_follow_the_live_feed() {
    let system = System::start().await;
    until_followed(&system).await;
    for status in [JobStatus::Completed, JobStatus::Completed, JobStatus::Failed] {
        let stored = system.seed(job("hello"), status).await;
        publish(&system, &stored.events()).await;
    }
    let stats: Stats = wait_for("three ends", async || {
        let stats: Stats = system.get("/stats").await;
        (stats.throughput.iter().sum::<u64>() == 3).then_some(stats)
    })
    .await;
    assert_eq!((stats.completed, stats.failed, stats.counters.total), (2, 1, 3));
    assert_eq!(stats.throughput.len(), 60);
    let LatencySummary { p50, max, .. } = stats.latency_ms.unwrap();
    assert!(p50 > 0.0 && max >= p50, "{p50} {max}");
    wait_for("the rate of three jobs in ten seconds", async || {
        let stats: Stats = system.get("/stats").await;
        ((stats.jobs_per_second - 0.3).abs() < 1e-9).then_some(())
    })
    .await;
    system.stop().await;
}

/// Histories of this many jobs, ready to be published.
fn histories(jobs: usize) -> Vec<Vec<EventEnvelope>> {
    let of_type = |event_type: EventType, jobs: &[Job]| -> Vec<EventEnvelope> {
        let event = |job: &Job| {
            let mut event = history::created(
                job,
                &crate::support::producer("gateway"),
                job.created_at,
                "c",
                None,
            );
            event.event_type = event_type;
            event.event_id = odd_contracts::ids::event_id(job.id, event_type, 0);
            event
        };
        jobs.iter().map(event).collect()
    };
    let jobs: Vec<Job> = (0..jobs).map(|_| job("hello")).collect();
    jobs.chunks(512)
        .flat_map(|jobs| {
            [EventType::Created, EventType::Validated, EventType::Completed].map(|event| of_type(event, jobs))
        })
        .collect()
}

/// Publishes everything, and returns how many events one stream received.
async fn pour(system: &System, batches: &[Vec<EventEnvelope>]) -> usize {
    let total: usize = batches.iter().map(Vec::len).sum();
    let mut chunks = Box::pin(system.response("/stream").await.bytes_stream());
    let publishing = async {
        for batch in batches {
            publish(system, batch).await;
        }
    };
    let receiving = async {
        let (mut received, mut text) = (0, String::new());
        while received < total {
            let chunk = tokio::time::timeout(DEADLINE, chunks.next()).await;
            text.push_str(std::str::from_utf8(&chunk.unwrap().unwrap().unwrap()).unwrap());
            // What follows the last line's end is not whole yet.
            let rest = text.split_off(text.rfind('\n').map_or(0, |end| end + 1));
            assert!(
                !text.contains("odd.dropped"),
                "events were dropped after {received}"
            );
            received += text.lines().filter(|line| line.starts_with("id: ")).count();
            text = rest;
        }
        received
    };
    futures::join!(publishing, receiving).1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_keeps_up_misses_nothing() {
    let system = System::start_with(|config| config.stream_events = 100_000, |ports| ports).await;
    until_followed(&system).await;
    assert_eq!(pour(&system, &histories(5_000)).await, 15_000);
    system.stop().await;
}
