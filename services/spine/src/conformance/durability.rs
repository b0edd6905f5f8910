//! Properties that outlive the process, and those of long queues.

use super::*;

/// What was confirmed and not acknowledged is there after a restart, in order.
pub async fn keeps_unacknowledged_messages_over_a_restart(factory: &dyn SpineFactory) {
    let spine = factory.open().await;
    let mut marked = message(Route::Work, 0);
    marked.headers.insert("x-test".to_owned(), "kept".to_owned());
    publish(&*spine, vec![marked.clone()]).await;
    publish_numbers(&*spine, Route::Work, 1..20).await;
    publish(&*spine, vec![event(3)]).await;
    let mut consumer = consume(&*spine, Queue::Work, 5).await;
    let had = collect(&mut *consumer, 5).await;
    drop(consumer);
    drop(spine);

    let spine = factory.open().await;
    await_depth(&*spine, Queue::Work, 20, 0).await;
    let mut consumer = consume(&*spine, Queue::Work, 100).await;
    let deliveries = collect(&mut *consumer, 20).await;
    assert_eq!(bodies(&deliveries), numbered(0..20));
    assert_eq!(deliveries[0].headers, marked.headers);
    assert_eq!(deliveries[0].message_id, had[0].message_id);
    assert!(deliveries[..5].iter().all(|delivery| delivery.redelivered));
    let mut events = consume(&*spine, Queue::Events, 100).await;
    assert_eq!(bodies(&collect(&mut *events, 1).await), numbered([3]));
}

/// What was acknowledged does not come again after a restart.
pub async fn keeps_acknowledged_messages_away_after_a_restart(factory: &dyn SpineFactory) {
    let spine = factory.open().await;
    publish_numbers(&*spine, Route::Work, 0..10).await;
    let mut consumer = consume(&*spine, Queue::Work, 100).await;
    let had = tags(&collect(&mut *consumer, 10).await);
    acknowledge(&*consumer, &had[..4]).await;
    acknowledge(&*consumer, &[had[9], had[6]]).await;
    drop(consumer);
    drop(spine);

    let spine = factory.open().await;
    let mut consumer = consume(&*spine, Queue::Work, 100).await;
    let left = collect(&mut *consumer, 4).await;
    assert_eq!(bodies(&left), numbered([4, 5, 7, 8]));
    assert_quiet(&mut *consumer).await;
    acknowledge(&*consumer, &tags(&left)).await;
    publish_numbers(&*spine, Route::Work, 10..12).await;
    assert_eq!(bodies(&collect(&mut *consumer, 2).await), numbered([10, 11]));
}

/// A tag acknowledges nothing but the delivery that it was given to.
pub async fn ignores_tags_of_an_earlier_consumer(factory: &dyn SpineFactory) {
    let spine = factory.open().await;
    publish_numbers(&*spine, Route::Work, 0..3).await;
    let mut consumer = consume(&*spine, Queue::Work, 100).await;
    let old = tags(&collect(&mut *consumer, 3).await);
    let old_handle = consumer.acknowledger();
    drop(consumer);
    let mut consumer = consume(&*spine, Queue::Work, 100).await;
    let had = collect(&mut *consumer, 3).await;
    acknowledge(&*consumer, &old).await;
    // Whether it is told or not, it must not count.
    let _ = within("acknowledging", old_handle.ack(&tags(&had))).await;
    drop(consumer);
    let mut consumer = consume(&*spine, Queue::Work, 100).await;
    assert_eq!(bodies(&collect(&mut *consumer, 3).await), numbered(0..3));
}

/// A queue that is far longer than what is kept in memory is delivered whole, once and in order, while it still grows.
pub async fn delivers_a_large_backlog(factory: &dyn SpineFactory) {
    const MESSAGES: usize = 20_000;
    const BATCH: usize = 500;
    let spine = factory.open().await;
    for start in (0..MESSAGES / 2).step_by(BATCH) {
        publish_numbers(&*spine, Route::Work, start..start + BATCH).await;
    }
    let mut consumer = consume(&*spine, Queue::Work, 2 * BATCH).await;
    let publisher = Arc::clone(&spine);
    let publishing = tokio::spawn(async move {
        for start in (MESSAGES / 2..MESSAGES).step_by(BATCH) {
            publish_numbers(&*publisher, Route::Work, start..start + BATCH).await;
        }
    });
    let mut next = 0;
    while next < MESSAGES {
        let deliveries = within("a delivery", consumer.next(BATCH))
            .await
            .expect("it delivers");
        assert_eq!(bodies(&deliveries), numbered(next..next + deliveries.len()));
        assert!(deliveries.iter().all(|delivery| !delivery.redelivered));
        next += deliveries.len();
        acknowledge(&*consumer, &tags(&deliveries)).await;
    }
    publishing.await.expect("publishing does not panic");
    assert_quiet(&mut *consumer).await;
    await_depth(&*spine, Queue::Work, 0, 0).await;
}
