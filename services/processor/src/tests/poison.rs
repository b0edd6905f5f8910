//! Messages that are no jobs: put aside with their bytes, and the consumer goes on.

use odd_contracts::names::spine::{HEADER_REASON, reason};
use odd_contracts::{EventType, JobStatus};
use odd_spine::{Delivery, Queue, Spine};
use serde_json::json;

use super::bed::{Bed, created, error, job, until};
use super::published::next;

async fn dead_letters(bed: &Bed, count: usize) -> Vec<Delivery> {
    let mut consumer = bed.spine.consume(Queue::DeadLetter, count).await.unwrap();
    let mut deliveries = Vec::new();
    while deliveries.len() < count {
        deliveries.extend(next(&mut *consumer, count).await);
    }
    deliveries
}

#[tokio::test]
async fn garbage_is_put_aside_and_the_consumer_goes_on() {
    let bed = Bed::running().await;
    let named = job(json!({}));
    let mut no_job = created(&named);
    no_job
        .payload
        .insert("options".to_owned(), json!({ "maxAttempts": 99 }));
    let mut event = created(&job(json!({})));
    event.event_type = EventType::Completed;
    let garbage: Vec<(Vec<u8>, &str)> = vec![
        (b"\x00\xff garbage".to_vec(), reason::NOT_JSON),
        (b"{\"half\": ".to_vec(), reason::NOT_JSON),
        (b"[1, 2]".to_vec(), reason::INVALID_ENVELOPE),
        (serde_json::to_vec(&no_job).unwrap(), reason::INVALID_JOB),
        (serde_json::to_vec(&event).unwrap(), reason::INVALID_ENVELOPE),
    ];
    for (bytes, _) in &garbage {
        bed.publish_bytes(bytes).await;
    }
    let good = job(json!({}));
    bed.submit(&good).await;
    bed.until(good.id, JobStatus::Completed).await;
    bed.until_no_work().await;
    let aside = dead_letters(&bed, garbage.len()).await;
    for (bytes, why) in &garbage {
        let found = aside
            .iter()
            .find(|delivery| delivery.body == *bytes)
            .expect("bytes are kept unchanged");
        assert_eq!(
            found.headers.get(HEADER_REASON).map(String::as_str),
            Some(*why),
            "{found:?}"
        );
    }
    // A job that was named is FAILED, so that whoever waits for it learns of it.
    let failed = bed.until(named.id, JobStatus::Failed).await;
    assert!(
        error(&failed.record).contains("maxAttempts"),
        "{}",
        error(&failed.record)
    );
    bed.until_settled(named.id).await;
    let reported = until("every dead letter to be told", async || {
        let published = bed.published().await;
        let reported = published
            .iter()
            .filter(|event| event.event_type == EventType::DeadLettered)
            .count();
        (reported >= garbage.len()).then_some(reported)
    })
    .await;
    assert_eq!(reported, garbage.len());
    bed.end().await;
}

#[tokio::test]
async fn the_first_payload_under_an_id_wins() {
    let bed = Bed::running().await;
    let first = job(json!({ "n": 1 }));
    bed.submit(&first).await;
    bed.until(first.id, JobStatus::Completed).await;
    let mut second = first.clone();
    second.payload.insert("n".to_owned(), 2.into());
    bed.submit(&second).await;
    let aside = dead_letters(&bed, 1).await;
    assert_eq!(
        aside[0].headers.get(HEADER_REASON).map(String::as_str),
        Some(reason::ID_CONFLICT)
    );
    let stored = bed.until(first.id, JobStatus::Completed).await;
    assert_eq!(stored.record.job.payload, first.payload);
    bed.until_settled(first.id).await;
    bed.end().await;
}

#[tokio::test]
async fn a_third_partys_message_is_served_like_any_other() {
    let bed = Bed::running().await;
    let job = job(json!({}));
    let mut envelope = created(&job);
    // Its own event id, no sequence, written with white space, and more fields than we know.
    envelope.event_id = uuid::Uuid::new_v4();
    envelope.sequence = None;
    envelope.payload.insert("theirs".to_owned(), true.into());
    bed.publish_bytes(&serde_json::to_vec_pretty(&envelope).unwrap())
        .await;
    bed.until(job.id, JobStatus::Completed).await;
    bed.until_settled(job.id).await;
    bed.end().await;
}

#[tokio::test]
async fn nonsense_on_the_control_queue_is_put_aside() {
    let bed = Bed::running().await;
    let mut message = odd_spine::codec::work_message(&created(&job(json!({}))));
    message.route = odd_spine::Route::Control;
    message.body = bytes::Bytes::from_static(b"{\"action\":\"explode\"}");
    bed.publish(message).await;
    let aside = dead_letters(&bed, 1).await;
    assert_eq!(&aside[0].body[..], b"{\"action\":\"explode\"}");
    bed.until_depth(Queue::Control, (0, 0)).await;
    bed.end().await;
}
