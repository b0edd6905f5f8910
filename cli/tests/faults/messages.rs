//! Messages that come twice, come again and again, or are no jobs at all.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use odd_contracts::names::spine::reason;
use odd_contracts::{EventType, Job, Producer, Timestamp, history};
use odd_spine::amqp::AmqpSpine;
use odd_spine::port::Headers;
use odd_spine::{Message, Queue, Route, Spine, codec, dead_letter};
use odd_testkit::wait_for;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::bed::Bed;
use crate::seeds;

/// Longest wait for a state.
const DEADLINE: Duration = Duration::from_secs(60);
/// Jobs whose work messages come twice.
const DOUBLED: usize = 500;
/// Deliveries that are thrown back, at least half of them before a processor comes.
const STORM: usize = 5_000;
/// Time without a delivery after which a running processor has taken everything that there was.
const QUIET: Duration = Duration::from_secs(3);

fn producer() -> Producer {
    Producer {
        service: "somebody-else".to_owned(),
        instance_id: "1".to_owned(),
        version: "0".to_owned(),
    }
}

fn job(payload: Value) -> Job {
    let document = json!({
        "id": Uuid::new_v4(), "type": "fault", "status": "PENDING",
        "createdAt": Timestamp::now(), "payload": payload,
    });
    serde_json::from_value(document).unwrap()
}

fn envelope(job: &Job) -> Value {
    serde_json::to_value(history::created(job, &producer(), Timestamp::now(), "c", None)).unwrap()
}

fn raw(route: Route, content_type: &str, body: Bytes) -> Message {
    Message {
        route,
        message_id: Uuid::new_v4(),
        content_type: content_type.to_owned(),
        headers: Headers::new(),
        body,
    }
}

async fn publish(spine: &dyn Spine, messages: Vec<Message>) {
    for result in spine.publish(messages).await {
        result.unwrap();
    }
}

/// A spine that has connected.
async fn connected(bed: &Bed) -> Arc<AmqpSpine> {
    let spine = bed.spine();
    wait_for(DEADLINE, "the spine beside the roles to connect", || async {
        spine.ping().await.ok()
    })
    .await;
    spine
}

#[tokio::test]
async fn duplicate_deliveries() {
    for seed in seeds() {
        let bed = Bed::up(seed).await;
        let spine = connected(&bed).await;
        let load = bed.load_until_fault().await;
        let jobs: Vec<_> = (0..DOUBLED).map(|n| job(json!({ "n": n }))).collect();
        let messages: Vec<_> = jobs
            .iter()
            .map(|job| codec::work_message(&history::created(job, &producer(), Timestamp::now(), "c", None)))
            .collect();
        // In the same batch, and again after some have ended.
        let doubled = messages
            .iter()
            .flat_map(|message| [message.clone(), message.clone()]);
        publish(&*spine, doubled.collect()).await;
        publish(&*spine, messages).await;
        for job in &jobs {
            bed.ledger.add(job.id);
        }
        bed.prove("duplicate deliveries", load).await;
    }
}

/// Another consumer of the same queue takes deliveries and throws them back, far more often than the limit at which
/// RabbitMQ 4 drops a message where nobody says otherwise.
#[tokio::test]
async fn redelivery_storm() {
    for seed in seeds() {
        let mut bed = Bed::without_processors(seed).await;
        let spine = connected(&bed).await;
        let load = bed.load_until_fault().await;
        let mut thrown = 0;
        {
            let mut consumer = spine.consume(Queue::Work, 100).await.unwrap();
            let acknowledger = consumer.acknowledger();
            while thrown < STORM {
                let alone = bed.processors.is_empty();
                let patience = if alone { DEADLINE } else { QUIET };
                let Ok(deliveries) = tokio::time::timeout(patience, consumer.next(100)).await else {
                    assert!(!alone, "no deliveries after {thrown} of them");
                    // The processor has taken everything that was left to throw.
                    break;
                };
                let deliveries = deliveries.unwrap();
                let tags: Vec<_> = deliveries.iter().map(|delivery| delivery.tag).collect();
                acknowledger.requeue(&tags).await.unwrap();
                thrown += tags.len();
                if thrown >= STORM / 2 && bed.processors.is_empty() {
                    bed.add_processor(None);
                }
            }
        }
        bed.prove("redelivery storm", load).await;
    }
}

/// What is wrong, on which queue, and the reason that its dead letter has to give.
fn poison() -> Vec<(&'static str, Route, Bytes, &'static str)> {
    let text = |value: &Value| Bytes::from(value.to_string());
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut envelope = envelope(&job(json!({ "token": Uuid::new_v4() })));
        change(&mut envelope);
        text(&envelope)
    };
    let token = Uuid::new_v4();
    let work = Route::Work;
    vec![
        (
            "bytes",
            work,
            Bytes::from_static(b"\x00\xff\xfe garbage"),
            reason::NOT_JSON,
        ),
        (
            "half a document",
            work,
            Bytes::from(format!("{{\"half\": \"{token}")),
            reason::NOT_JSON,
        ),
        (
            "invalid UTF-8",
            work,
            Bytes::from_static(b"{\"text\": \"\xc3\x28\"}"),
            reason::NOT_JSON,
        ),
        (
            "nesting without end",
            work,
            Bytes::from("[".repeat(10_000)),
            reason::NOT_JSON,
        ),
        ("an array", work, text(&json!([token])), reason::INVALID_ENVELOPE),
        (
            "a bare job",
            work,
            text(&json!(job(json!({})))),
            reason::INVALID_ENVELOPE,
        ),
        (
            "another type of event",
            work,
            changed(&|e| e["eventType"] = json!("job.completed")),
            reason::INVALID_ENVELOPE,
        ),
        (
            "no event id",
            work,
            changed(&|e| e["eventId"] = Value::Null),
            reason::INVALID_ENVELOPE,
        ),
        (
            "an option out of bounds",
            work,
            changed(&|e| e["payload"]["options"] = json!({ "maxAttempts": 99 })),
            reason::INVALID_JOB,
        ),
        (
            "a type with blanks",
            work,
            changed(&|e| e["payload"]["type"] = json!("no such type")),
            reason::INVALID_JOB,
        ),
        (
            "a payload that is a list",
            work,
            changed(&|e| e["payload"]["payload"] = json!([1, 2])),
            reason::INVALID_JOB,
        ),
        (
            "a job that ended",
            work,
            changed(&|e| e["payload"]["status"] = json!("COMPLETED")),
            reason::INVALID_JOB,
        ),
        (
            "an unknown request",
            Route::Control,
            text(&json!({ "action": "explode", "token": token })),
            reason::INVALID_ENVELOPE,
        ),
        (
            "a line of events",
            Route::Events(EventType::Completed),
            Bytes::from(format!("not json {token}")),
            reason::NOT_JSON,
        ),
    ]
}

#[tokio::test]
async fn poison_among_good_messages() {
    for seed in seeds() {
        let bed = Bed::up(seed).await;
        let load = bed.load_until_fault().await;
        let mut expected = publish_poison(&bed).await;
        expected.insert(publish_conflict(&bed).await, reason::ID_CONFLICT);
        put_aside(&bed, &expected).await;
        bed.prove(&format!("poison of {} kinds", expected.len()), load)
            .await;
        assert_eq!(
            bed.dead_lettered().await,
            expected.len() as u64,
            "each is counted once"
        );
    }
}

/// The processor ends between putting messages aside and acknowledging them: they come again.
#[tokio::test]
async fn poison_and_a_processor_that_ends() {
    for seed in seeds() {
        let mut bed = Bed::without_processors(seed).await;
        bed.add_processor(Some("processor.after_dead_letter=2*off->return"));
        bed.ready().await;
        let load = bed.load_until_fault().await;
        let mut expected = publish_poison(&bed).await;
        let spine = connected(&bed).await;
        let begun = std::time::Instant::now();
        // Few messages make few batches: more of the same kind until the window was passed often enough.
        while bed.processors[0].runs() {
            assert!(begun.elapsed() < DEADLINE, "the processor reaches its failpoint");
            let body = Bytes::from(format!("[\"{}\"]", Uuid::new_v4()));
            publish(&*spine, vec![raw(Route::Work, "application/json", body.clone())]).await;
            expected.insert(body, reason::INVALID_ENVELOPE);
        }
        let status = bed.processors[0].ended("to reach its failpoint").await;
        assert!(!status.success(), "the failpoint ends the process: {status}");
        bed.processors[0].start();
        put_aside(&bed, &expected).await;
        bed.prove("processor.after_dead_letter", load).await;
        assert_eq!(
            bed.dead_lettered().await,
            expected.len() as u64,
            "each is counted once"
        );
    }
}

/// Publishes every kind, and tells what has to become of each.
async fn publish_poison(bed: &Bed) -> BTreeMap<Bytes, &'static str> {
    let spine = connected(bed).await;
    let poison = poison();
    let messages = poison
        .iter()
        .map(|(_, route, body, _)| raw(*route, "application/json", body.clone()));
    publish(&*spine, messages.collect()).await;
    poison
        .into_iter()
        .map(|(_, _, body, reason)| (body, reason))
        .collect()
}

/// Publishes two payloads under one id: the first wins, the other is put aside.
async fn publish_conflict(bed: &Bed) -> Bytes {
    let spine = connected(bed).await;
    let first = job(json!({ "n": 1 }));
    let mut second = first.clone();
    second.payload.insert("n".to_owned(), 2.into());
    let work = |body: Bytes| raw(Route::Work, "application/json", body);
    publish(&*spine, vec![work(envelope(&first).to_string().into())]).await;
    bed.ledger.add(first.id);
    bed.until_stored(first.id).await;
    let conflict = Bytes::from(envelope(&second).to_string());
    publish(&*spine, vec![work(conflict.clone())]).await;
    conflict
}

/// Each is in the event log once and on the queue, with its reason and its bytes.
async fn put_aside(bed: &Bed, expected: &BTreeMap<Bytes, &str>) {
    reported(bed, expected).await;
    kept(&*connected(bed).await, expected).await;
}

/// The event log has each dead letter once, with its reason and its bytes.
async fn reported(bed: &Bed, expected: &BTreeMap<Bytes, &str>) {
    let letters = wait_for(DEADLINE, "every dead letter to be in the event log", || async {
        let letters = bed.dead_letters().await;
        (letters.len() >= expected.len()).then_some(letters)
    })
    .await;
    let mut found = BTreeMap::new();
    for event in &letters {
        let letter = dead_letter::from_event(event).expect("a dead letter's event tells of it");
        let body = Bytes::from(BASE64.decode(&letter.body_base64).unwrap());
        assert!(
            found.insert(body, letter.reason).is_none(),
            "told once: {event:?}"
        );
    }
    let expected: BTreeMap<_, _> = expected
        .iter()
        .map(|(body, reason)| (body.clone(), (*reason).to_owned()))
        .collect();
    assert_eq!(found, expected);
}

/// The queue has each of them with its bytes unchanged.
async fn kept(spine: &dyn Spine, expected: &BTreeMap<Bytes, &str>) {
    let mut consumer = spine.consume(Queue::DeadLetter, 100).await.unwrap();
    let mut found = BTreeMap::new();
    while found.len() < expected.len() {
        let deliveries = tokio::time::timeout(DEADLINE, consumer.next(100)).await;
        for delivery in deliveries.expect("every dead letter is on the queue").unwrap() {
            let reason = delivery.headers[odd_contracts::names::spine::HEADER_REASON].clone();
            found.insert(delivery.body, reason);
        }
    }
    let expected: BTreeMap<_, _> = expected
        .iter()
        .map(|(body, reason)| (body.clone(), (*reason).to_owned()))
        .collect();
    assert_eq!(found, expected);
}
