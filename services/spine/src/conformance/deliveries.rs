//! Properties of deliveries and their acknowledgement.

use super::*;

/// What was published is delivered in the order of publication, with everything that its publisher said.
pub async fn confirms_and_delivers_in_order(factory: &dyn SpineFactory) {
    let spine = factory.open().await;
    let mut first = message(Route::Work, 0);
    first
        .headers
        .insert("x-test".to_owned(), "a \"quoted\" text".to_owned());
    first.content_type = "application/json; charset=utf-8".to_owned();
    publish(&*spine, vec![first.clone()]).await;
    publish_numbers(&*spine, Route::Work, 1..50).await;
    let mut consumer = consume(&*spine, Queue::Work, 100).await;
    let deliveries = collect(&mut *consumer, 30).await;
    publish_numbers(&*spine, Route::Work, 50..60).await;
    let rest = collect(&mut *consumer, 30).await;

    assert_eq!(bodies(&deliveries), numbered(0..30));
    assert_eq!(bodies(&rest), numbered(30..60));
    let delivery = &deliveries[0];
    assert_eq!(delivery.message_id, Some(first.message_id.to_string()));
    assert_eq!(delivery.content_type.as_ref(), Some(&first.content_type));
    assert_eq!(delivery.headers, first.headers);
    assert_eq!(delivery.queue, Queue::Work);
    assert!(
        deliveries
            .iter()
            .chain(&rest)
            .all(|delivery| !delivery.redelivered)
    );
}

/// A consumer that waits on an empty queue gets what is published then.
pub async fn wakes_a_waiting_consumer(factory: &dyn SpineFactory) {
    let spine = factory.open().await;
    let mut consumer = consume(&*spine, Queue::Control, 10).await;
    for round in 0..20 {
        let (delivered, ()) = tokio::join!(
            collect(&mut *consumer, 1),
            publish_numbers(&*spine, Route::Control, round..=round)
        );
        assert_eq!(bodies(&delivered), numbered([round]));
        acknowledge(&*consumer, &tags(&delivered)).await;
    }
}

/// What a consumer has not acknowledged when it is dropped comes again, before everything else, marked as redelivered.
pub async fn returns_what_a_dropped_consumer_had(factory: &dyn SpineFactory) {
    let spine = factory.open().await;
    publish_numbers(&*spine, Route::Work, 0..10).await;
    let mut consumer = consume(&*spine, Queue::Work, 5).await;
    let had = collect(&mut *consumer, 5).await;
    acknowledge(&*consumer, &[had[1].tag, had[3].tag]).await;
    drop(consumer);

    let mut other = consume(&*spine, Queue::Work, 100).await;
    let deliveries = collect(&mut *other, 8).await;
    assert_eq!(bodies(&deliveries), numbered([0, 2, 4, 5, 6, 7, 8, 9]));
    let again: Vec<bool> = deliveries.iter().map(|delivery| delivery.redelivered).collect();
    assert_eq!(&again[..3], [true; 3], "they were delivered before");
    assert_quiet(&mut *other).await;
}

/// Any deliveries may be acknowledged at once, in any order, and more than once.
pub async fn acknowledges_in_any_order(factory: &dyn SpineFactory) {
    let spine = factory.open().await;
    publish_numbers(&*spine, Route::Work, 0..10).await;
    let mut consumer = consume(&*spine, Queue::Work, 100).await;
    let had = tags(&collect(&mut *consumer, 10).await);
    acknowledge(&*consumer, &[had[7], had[2], had[9]]).await;
    acknowledge(&*consumer, &[had[0], had[1], had[2]]).await;
    acknowledge(&*consumer, &[had[7], had[7]]).await;
    acknowledge(&*consumer, &[]).await;
    drop(consumer);

    let mut other = consume(&*spine, Queue::Work, 100).await;
    let left = collect(&mut *other, 5).await;
    assert_eq!(bodies(&left), numbered([3, 4, 5, 6, 8]));
    acknowledge(&*other, &tags(&left)).await;
    await_depth(&*spine, Queue::Work, 0, 0).await;
}

/// The handle acknowledges from many tasks at once.
pub async fn acknowledges_from_several_tasks(factory: &dyn SpineFactory) {
    let spine = factory.open().await;
    publish_numbers(&*spine, Route::Work, 0..64).await;
    let mut consumer = consume(&*spine, Queue::Work, 64).await;
    let deliveries = collect(&mut *consumer, 64).await;
    let tasks: Vec<_> = deliveries
        .iter()
        .flat_map(|delivery| [delivery.tag, delivery.tag])
        .map(|tag| {
            let acknowledger = consumer.acknowledger();
            tokio::spawn(async move { acknowledger.ack(&[tag]).await })
        })
        .collect();
    for task in tasks {
        within("acknowledging", task)
            .await
            .expect("it does not panic")
            .expect("a healthy spine takes acknowledgements");
    }
    await_depth(&*spine, Queue::Work, 0, 0).await;
    publish_numbers(&*spine, Route::Work, 64..128).await;
    let more = collect(&mut *consumer, 64).await;
    assert_eq!(bodies(&more), numbered(64..128));
}

/// What a consumer gives back comes again, marked as redelivered.
pub async fn requeues_deliveries(factory: &dyn SpineFactory) {
    let spine = factory.open().await;
    publish_numbers(&*spine, Route::Work, 0..4).await;
    let mut consumer = consume(&*spine, Queue::Work, 4).await;
    let had = collect(&mut *consumer, 4).await;
    within(
        "requeue",
        consumer.acknowledger().requeue(&[had[2].tag, had[1].tag]),
    )
    .await
    .expect("a healthy spine takes deliveries back");
    let again = collect(&mut *consumer, 2).await;
    assert_eq!(distinct(&again), numbered([1, 2]).into_iter().collect());
    assert!(again.iter().all(|delivery| delivery.redelivered));
    assert!(
        again
            .iter()
            .all(|delivery| delivery.tag != had[1].tag && delivery.tag != had[2].tag),
        "a new delivery has a new tag"
    );
}

/// A consumer never has more than its prefetch unacknowledged; an acknowledgement makes room.
pub async fn bounds_what_is_unacknowledged(factory: &dyn SpineFactory) {
    let spine = factory.open().await;
    publish_numbers(&*spine, Route::Work, 0..10).await;
    let mut consumer = consume(&*spine, Queue::Work, 3).await;
    let had = collect(&mut *consumer, 3).await;
    assert_quiet(&mut *consumer).await;

    acknowledge(&*consumer, &[had[1].tag]).await;
    let more = within("a delivery", consumer.next(100))
        .await
        .expect("it delivers");
    assert_eq!(bodies(&more), numbered([3]));
    assert_quiet(&mut *consumer).await;

    // Room is made while the consumer waits for it.
    let acknowledger = consumer.acknowledger();
    let release = async {
        tokio::task::yield_now().await;
        acknowledger.ack(&[had[0].tag, had[2].tag, more[0].tag]).await
    };
    let (more, released) = tokio::join!(collect(&mut *consumer, 3), release);
    released.expect("a healthy spine takes acknowledgements");
    assert_eq!(bodies(&more), numbered([4, 5, 6]));
}

/// Several consumers get each message once between them, and each of them some.
pub async fn shares_a_queue_between_consumers(factory: &dyn SpineFactory) {
    const MESSAGES: usize = 600;
    let spine = factory.open().await;
    let (delivered, mut arrivals) = tokio::sync::mpsc::unbounded_channel();
    let mut tasks = tokio::task::JoinSet::new();
    for index in 0..3 {
        let mut consumer = consume(&*spine, Queue::Work, 20).await;
        let delivered = delivered.clone();
        tasks.spawn(async move {
            while let Ok(deliveries) = consumer.next(20).await {
                acknowledge(&*consumer, &tags(&deliveries)).await;
                if delivered.send((index, deliveries)).is_err() {
                    return;
                }
            }
        });
    }
    for start in (0..MESSAGES).step_by(60) {
        publish_numbers(&*spine, Route::Work, start..start + 60).await;
    }
    let mut counts = [0; 3];
    let mut all = Vec::new();
    while all.len() < MESSAGES {
        let (index, deliveries): (usize, Vec<_>) = within("a delivery", arrivals.recv())
            .await
            .expect("consumers live");
        counts[index] += deliveries.len();
        all.extend(deliveries);
    }
    await_depth(&*spine, Queue::Work, 0, 0).await;
    assert_eq!(distinct(&all).len(), MESSAGES, "nothing came twice");
    assert!(counts.iter().all(|count| *count > 0), "unfair: {counts:?}");
    tasks.abort_all();
}

/// Ending the wait for deliveries at any moment loses none of them.
pub async fn loses_nothing_when_waiting_is_cancelled(factory: &dyn SpineFactory) {
    const MESSAGES: usize = 300;
    let spine = factory.open().await;
    let mut consumer = consume(&*spine, Queue::Work, MESSAGES).await;
    let publisher = Arc::clone(&spine);
    let publishing = tokio::spawn(async move {
        for number in 0..MESSAGES {
            publish_numbers(&*publisher, Route::Work, number..=number).await;
        }
    });
    let mut all = Vec::new();
    let receiving = async {
        while all.len() < MESSAGES {
            let patience = Duration::from_micros(50 * (all.len() as u64 % 7));
            if let Ok(deliveries) = tokio::time::timeout(patience, consumer.next(3)).await {
                all.extend(deliveries.expect("a healthy spine delivers"));
            }
        }
    };
    within("all deliveries", receiving).await;
    publishing.await.expect("publishing does not panic");
    assert_eq!(bodies(&all), numbered(0..MESSAGES));
    assert_quiet(&mut *consumer).await;
}

/// Bodies are bytes, whatever they are.
pub async fn carries_any_bytes(factory: &dyn SpineFactory) {
    let spine = factory.open().await;
    let every_byte: Vec<u8> = (0..=255).collect();
    let large: Vec<u8> = (0..1_000_000_u32).map(|n| (n % 251) as u8).collect();
    let contents: Vec<Bytes> = [
        &b""[..],
        b"\0",
        b"a\0b\0",
        b"\xff\xfe\x00\xc3\x28",
        &every_byte,
        &large,
        b"\r\n\n",
    ]
    .into_iter()
    .map(Bytes::copy_from_slice)
    .collect();
    let messages = contents.iter().enumerate().map(|(number, content)| Message {
        body: content.clone(),
        ..message(Route::Work, number)
    });
    publish(&*spine, messages.collect()).await;
    let mut consumer = consume(&*spine, Queue::Work, 100).await;
    let deliveries = collect(&mut *consumer, contents.len()).await;
    assert!(
        bodies(&deliveries) == contents,
        "bodies must come as they were published"
    );
}

/// Depths tell what is ready, what is unacknowledged, and how old the oldest message is.
pub async fn tells_depths(factory: &dyn SpineFactory) {
    let spine = factory.open().await;
    for queue in Queue::ALL {
        await_depth(&*spine, queue, 0, 0).await;
    }
    assert_eq!(
        depth(&*spine, Queue::Work).await.oldest_ms,
        None,
        "an empty queue has no oldest message"
    );
    publish_numbers(&*spine, Route::Work, 0..7).await;
    await_depth(&*spine, Queue::Work, 7, 0).await;
    if let Some(age) = depth(&*spine, Queue::Work).await.oldest_ms {
        assert!(u128::from(age) < DEADLINE.as_millis() * 2, "{age} ms is too old");
    }
    let mut consumer = consume(&*spine, Queue::Work, 3).await;
    let had = collect(&mut *consumer, 3).await;
    await_depth(&*spine, Queue::Work, 4, 3).await;
    acknowledge(&*consumer, &[had[0].tag]).await;
    await_depth(&*spine, Queue::Events, 0, 0).await;
    drop(consumer);
    await_depth(&*spine, Queue::Work, 6, 0).await;
}
