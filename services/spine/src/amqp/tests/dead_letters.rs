//! Dead letters: kept and put back once.

use odd_contracts::{ids, names::spine as names};

use super::*;

fn letter(text: &'static str) -> Message {
    let headers = [
        (names::HEADER_REASON, names::reason::NOT_JSON),
        (names::HEADER_QUEUE, names::JOBS_CREATED),
        ("x-test", "original"),
    ];
    Message {
        route: Route::DeadLetter,
        message_id: ids::dead_letter_id(text.as_bytes()),
        content_type: "text/plain".to_owned(),
        headers: headers
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        body: Bytes::from_static(text.as_bytes()),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_are_shown_once_and_put_back_once() {
    let host = servers::rabbitmq().await;
    let spine = spine(&host).await;
    for text in ["twice", "another", "twice", "twice"] {
        publish(&spine, letter(text)).await.unwrap();
    }
    let id = letter("twice").message_id;
    assert!(spine.requeue_dead_letter(id).await.unwrap());
    await_ready(&spine, Queue::DeadLetter, 1).await;
    await_ready(&spine, Queue::Work, 1).await;
    assert!(!spine.requeue_dead_letter(id).await.unwrap());

    // Dead again, it is a dead letter again, also for a reader that dealt with the first.
    let mut letters = spine.consume(Queue::DeadLetter, 10).await.unwrap();
    let another = collect(&mut *letters, 1).await;
    publish(&spine, letter("another")).await.unwrap();
    publish(&spine, letter("twice")).await.unwrap();
    assert_eq!(&collect(&mut *letters, 1).await[0].body[..], b"twice");
    letters.acknowledger().ack(&tags(&another)).await.unwrap();
    publish(&spine, letter("another")).await.unwrap();
    assert_eq!(&collect(&mut *letters, 1).await[0].body[..], b"another");
}

/// Two processes and several tasks of each: while one looks, the letters are not lost to the others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_requests_put_back_each_letter_once() {
    const LETTERS: [&str; 4] = ["a", "b", "c", "d"];
    let host = servers::rabbitmq().await;
    let spines = [spine(&host).await, spine(&host).await];
    for text in LETTERS {
        publish(&spines[0], letter(text)).await.unwrap();
    }
    let mut requests = tokio::task::JoinSet::new();
    for text in LETTERS.into_iter().chain(LETTERS) {
        for spine in &spines {
            let spine = Arc::clone(spine);
            let id = letter(text).message_id;
            requests.spawn(async move { spine.requeue_dead_letter(id).await.unwrap() });
        }
    }
    let mut done = 0;
    while let Some(found) = within("requeueing", requests.join_next()).await {
        done += usize::from(found.unwrap());
    }
    assert_eq!(done, LETTERS.len());
    await_ready(&spines[0], Queue::DeadLetter, 0).await;
    await_ready(&spines[0], Queue::Work, LETTERS.len() as u64).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_letter_is_found_behind_many() {
    const LETTERS: usize = 3000;
    let host = servers::rabbitmq().await;
    let spine = spine(&host).await;
    let filler = |number: usize| Message {
        message_id: Uuid::from_u128(number as u128),
        ..letter("filler")
    };
    let results = within("publishing", spine.publish((0..LETTERS).map(filler).collect())).await;
    assert!(results.iter().all(Result::is_ok));
    publish(&spine, letter("wanted")).await.unwrap();
    let found = within(
        "requeueing",
        spine.requeue_dead_letter(letter("wanted").message_id),
    )
    .await;
    assert!(found.unwrap());
    await_ready(&spine, Queue::DeadLetter, LETTERS as u64).await;
    let mut consumer = spine.consume(Queue::Work, 10).await.unwrap();
    let back = &collect(&mut *consumer, 1).await[0];
    assert_eq!(&back.body[..], b"wanted");
    assert_eq!(back.headers.keys().collect::<Vec<_>>(), ["x-test"]);
}
