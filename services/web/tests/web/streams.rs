//! Answers that last pass as they come, and end with either side.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::IntoResponse;
use eventsource_stream::Eventsource;
use futures::{StreamExt, stream};
use tokio::sync::{Mutex, mpsc};

use crate::harness::{Behind, LONG, Web, until};

type Chunk = Result<Bytes, std::io::Error>;

/// A role whose stream is what the test sends it.
async fn streaming(content_type: &'static str) -> (Behind, mpsc::Sender<Chunk>, Arc<AtomicBool>) {
    let (sender, receiver) = mpsc::channel::<Chunk>(8);
    let receiver = Arc::new(Mutex::new(Some(receiver)));
    let ended = Arc::new(AtomicBool::new(false));
    let noted = Arc::clone(&ended);
    let behind = Behind::answering(move |_| {
        let (receiver, noted) = (Arc::clone(&receiver), Arc::clone(&noted));
        async move {
            let receiver = receiver.lock().await.take().expect("one stream");
            let note = Note(noted);
            let chunks = stream::unfold((receiver, note), |(mut receiver, note)| async move {
                receiver.recv().await.map(|chunk| (chunk, (receiver, note)))
            });
            ([("content-type", content_type)], Body::from_stream(chunks)).into_response()
        }
    })
    .await;
    (behind, sender, ended)
}

/// Notes that the stream was let go of.
struct Note(Arc<AtomicBool>);

impl Drop for Note {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

async fn send(sender: &mpsc::Sender<Chunk>, text: &'static str) {
    sender
        .send(Ok(Bytes::from_static(text.as_bytes())))
        .await
        .unwrap();
}

#[tokio::test]
async fn events_pass_one_by_one_and_a_client_that_leaves_ends_the_stream_behind() {
    let (behind, sender, ended) = streaming("text/event-stream").await;
    let web = Web::before(&behind).await;
    let answer = web
        .http
        .get(web.url("/api/stream?types=job.completed"))
        .header("last-event-id", "e-7")
        .send();
    // The head comes before anything was sent.
    let answer = tokio::time::timeout(LONG, answer).await.unwrap().unwrap();
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let seen = &behind.seen()[0];
    assert_eq!(
        (seen.target.as_str(), seen.header("last-event-id")),
        ("/stream?types=job.completed", "e-7")
    );

    let mut events = answer.bytes_stream().eventsource();
    for (text, id) in [("id: 1\ndata: one\n\n", "1"), ("id: 2\ndata: two\n\n", "2")] {
        // Each is there before the next is sent: nothing waits for more.
        send(&sender, text).await;
        let event = tokio::time::timeout(LONG, events.next()).await.unwrap();
        assert_eq!(event.unwrap().unwrap().id, id);
    }
    let open = "web_answers_open{upstream=\"read-model\",service=\"web\"}";
    assert_eq!(web.metric(open).await, Some(1.0));
    drop(events);
    until("the stream behind to be let go of", || async {
        // Found out at the next thing that is sent, at the latest.
        let _ = sender.try_send(Ok(Bytes::from_static(b": alive\n\n")));
        ended.load(Ordering::SeqCst).then_some(())
    })
    .await;
    until("no answer to be open", || async {
        web.metric(open).await.filter(|open| *open == 0.0)
    })
    .await;
}

/// A silent stream has no limit that one request has.
#[tokio::test]
async fn a_stream_outlives_the_wait_for_an_answer() {
    let (behind, sender, _ended) = streaming("text/event-stream").await;
    let limit = Duration::from_millis(300);
    let web = Web::at(&behind.url, limit).await;
    let mut events = web.get("/api/stream").await.bytes_stream().eventsource();
    assert!(
        tokio::time::timeout(limit * 3, events.next()).await.is_err(),
        "it is silent"
    );
    send(&sender, "data: later\n\n").await;
    let event = tokio::time::timeout(LONG, events.next()).await.unwrap();
    assert_eq!(event.unwrap().unwrap().data, "later");
}

#[tokio::test]
async fn a_stop_ends_streams_at_once() {
    let (behind, sender, _ended) = streaming("text/event-stream").await;
    let web = Web::before(&behind).await;
    let mut chunks = web.get("/api/stream").await.bytes_stream();
    send(&sender, "data: 1\n\n").await;
    assert!(chunks.next().await.unwrap().is_ok());
    let began = std::time::Instant::now();
    web.stop().await;
    assert!(began.elapsed() < LONG / 2, "{:?}", began.elapsed());
    assert!(chunks.next().await.is_none(), "the stream ends in good order");
}

#[tokio::test]
async fn an_export_that_breaks_off_does_not_look_complete() {
    let (behind, sender, _ended) = streaming("application/x-ndjson").await;
    let web = Web::before(&behind).await;
    let mut chunks = web.get("/api/export/jobs").await.bytes_stream();
    send(&sender, "{\"id\":1}\n").await;
    assert_eq!(chunks.next().await.unwrap().unwrap(), "{\"id\":1}\n");
    sender
        .send(Err(std::io::Error::other("the store went away")))
        .await
        .unwrap();
    assert!(chunks.next().await.unwrap().is_err(), "the client can tell");
}

#[tokio::test]
async fn a_large_answer_arrives_whole() {
    let behind = Behind::answering(async |_| {
        let chunks = stream::iter(0..512_u32).map(|n| Ok::<_, std::io::Error>(vec![n as u8; 64 * 1024]));
        Body::from_stream(chunks)
    })
    .await;
    let web = Web::before(&behind).await;
    let mut chunks = web.get("/api/export/events").await.bytes_stream();
    let (mut length, mut sum) = (0_usize, 0_u64);
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.unwrap();
        length += chunk.len();
        sum += chunk.iter().map(|byte| u64::from(*byte)).sum::<u64>();
    }
    assert_eq!(length, 512 * 64 * 1024);
    assert_eq!(sum, 2 * 64 * 1024 * (0..256_u64).sum::<u64>());
}
