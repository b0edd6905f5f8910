//! Properties of dead letters.

use odd_contracts::names::spine as names;

use super::*;
use crate::codec;
use crate::dead_letter::{self, DeadLetterRequest};
use odd_contracts::{EventEnvelope, Producer};

fn producer() -> Producer {
    Producer {
        service: "processor".to_owned(),
        instance_id: "conformance".to_owned(),
        version: "0.0.0".to_owned(),
    }
}

async fn put_aside(spine: &dyn Spine, bytes: &'static [u8], queue: Queue) -> Uuid {
    let request = DeadLetterRequest {
        bytes: Bytes::from_static(bytes),
        headers: [("x-test".to_owned(), "original".to_owned())].into(),
        content_type: Some("text/plain".to_owned()),
        queue,
        reason: names::reason::NOT_JSON,
        detail: "expected value at line 1 column 1".to_owned(),
        job_id: None,
    };
    let id = request.id();
    within(
        "putting aside",
        dead_letter::put_aside(spine, &producer(), vec![request]),
    )
    .await
    .expect("a healthy spine takes dead letters");
    id
}

/// A dead letter has its reason, its original bytes and headers, and an event; put aside twice it is still one.
pub async fn keeps_dead_letters_once_with_reason_and_bytes(factory: &dyn SpineFactory) {
    let spine = factory.open().await;
    let id = put_aside(&*spine, b"no \0 json \xff", Queue::Work).await;
    put_aside(&*spine, b"no \0 json \xff", Queue::Work).await;
    put_aside(&*spine, b"other", Queue::Events).await;

    let mut letters = consume(&*spine, Queue::DeadLetter, 100).await;
    let deliveries = collect(&mut *letters, 2).await;
    assert_quiet(&mut *letters).await;
    let letter = &deliveries[0];
    assert_eq!(&letter.body[..], b"no \0 json \xff");
    assert_eq!(letter.message_id, Some(id.to_string()));
    assert_eq!(letter.content_type.as_deref(), Some("text/plain"));
    assert_eq!(letter.headers["x-test"], "original");
    assert_eq!(letter.headers[names::HEADER_REASON], names::reason::NOT_JSON);
    assert_eq!(letter.headers[names::HEADER_QUEUE], names::JOBS_CREATED);
    assert!(letter.headers[names::HEADER_DETAIL].contains("line 1"));
    assert_eq!(deliveries[1].headers[names::HEADER_QUEUE], names::JOBS_EVENTS);

    let mut events = consume(&*spine, Queue::Events, 100).await;
    let reported: Vec<EventEnvelope> = collect(&mut *events, 3)
        .await
        .iter()
        .flat_map(codec::unpack_delivery)
        .map(|event| event.expect("it is an envelope"))
        .collect();
    assert_eq!(reported[0].event_id, reported[1].event_id, "the same event");
    let shown = dead_letter::from_event(&reported[0]).expect("it reports a dead letter");
    assert_eq!((shown.id, shown.size), (id, 11));
}

/// A dead letter goes back to the end of the queue it was taken from, bytes unchanged, and is no dead letter any more.
pub async fn requeues_a_dead_letter(factory: &dyn SpineFactory) {
    let spine = factory.open().await;
    let work = put_aside(&*spine, b"for work", Queue::Work).await;
    let control = put_aside(&*spine, b"for control", Queue::Control).await;
    publish_numbers(&*spine, Route::Work, 0..1).await;
    let mut consumer = consume(&*spine, Queue::Work, 100).await;
    let requeue = |id| within("requeue", spine.requeue_dead_letter(id));
    assert!(!requeue(Uuid::from_u128(77)).await.expect("it answers"));
    assert!(requeue(work).await.expect("it answers"));
    assert!(
        !requeue(work).await.expect("it answers"),
        "it was requeued already"
    );

    let deliveries = collect(&mut *consumer, 2).await;
    assert_eq!(bodies(&deliveries), [body(0), Bytes::from_static(b"for work")]);
    let back = &deliveries[1];
    assert_eq!(back.headers.get("x-test").map(String::as_str), Some("original"));
    assert!(
        !back.headers.contains_key(names::HEADER_REASON),
        "it is no dead letter any more"
    );
    acknowledge(&*consumer, &tags(&deliveries)).await;

    await_depth(&*spine, Queue::DeadLetter, 1, 0).await;
    assert!(requeue(control).await.expect("it answers"));
    let mut controls = consume(&*spine, Queue::Control, 100).await;
    assert_eq!(
        bodies(&collect(&mut *controls, 1).await),
        [Bytes::from_static(b"for control")]
    );
    await_depth(&*spine, Queue::DeadLetter, 0, 0).await;

    let again = put_aside(&*spine, b"for work", Queue::Work).await;
    assert_eq!(again, work);
    await_depth(&*spine, Queue::DeadLetter, 1, 0).await;
}
