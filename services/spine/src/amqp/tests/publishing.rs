//! Publishing and its confirms.

use lapin::options::QueueDeleteOptions;
use odd_contracts::names::spine as names;

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_concurrent_callers_share_windows_and_lose_nothing() {
    const CALLS: usize = 10_000;
    let host = servers::rabbitmq().await;
    let spine = spine(&host).await;
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..CALLS {
        let spine = Arc::clone(&spine);
        calls.spawn(async move { publish(&spine, message(Route::Work, number)).await });
    }
    while let Some(published) = within("publishing", calls.join_next()).await {
        published.unwrap().unwrap();
    }
    let mut consumer = spine.consume(Queue::Work, 2000).await.unwrap();
    let mut seen = vec![false; CALLS];
    for _ in 0..CALLS / 500 {
        let deliveries = collect(&mut *consumer, 500).await;
        for delivery in &deliveries {
            assert!(!std::mem::replace(&mut seen[number(&delivery.body)], true));
        }
        consumer.acknowledger().ack(&tags(&deliveries)).await.unwrap();
    }
    assert!(seen.iter().all(|seen| *seen));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_of_thousands_keeps_its_order() {
    let host = servers::rabbitmq().await;
    let spine = spine(&host).await;
    let messages: Vec<_> = (0..3000).map(|number| message(Route::Work, number)).collect();
    let results = within("publishing", spine.publish(messages)).await;
    assert!(results.len() == 3000 && results.iter().all(Result::is_ok));
    let mut consumer = spine.consume(Queue::Work, 5000).await.unwrap();
    let mut next = 0;
    while next < 3000 {
        let deliveries = collect(&mut *consumer, 100).await;
        for delivery in &deliveries {
            assert_eq!(number(&delivery.body), next);
            next += 1;
        }
        consumer.acknowledger().ack(&tags(&deliveries)).await.unwrap();
    }
}

/// Version-dependent: a returned message comes before its confirm, and the library hands it to any of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exactly_the_returned_messages_of_a_window_are_unroutable() {
    let host = servers::rabbitmq().await;
    let spine = spine(&host).await;
    let (_connection, channel) = stranger(&host.url).await;
    channel
        .queue_unbind(
            names::JOBS_CONTROL.into(),
            names::WORK_EXCHANGE.into(),
            names::JOBS_CONTROL.into(),
            FieldTable::default(),
        )
        .await
        .unwrap();
    let route = |number: usize| match number % 3 {
        0 => Route::Control,
        _ => Route::Work,
    };
    // One call is one window, however large.
    let messages = (0..2000).map(|number| message(route(number), number)).collect();
    let results = within("publishing", spine.publish(messages)).await;
    for (number, result) in results.iter().enumerate() {
        match route(number) {
            Route::Control => assert!(
                matches!(result, Err(PublishError::Unroutable)),
                "{number}: {result:?}"
            ),
            _ => assert!(result.is_ok(), "{number}: {result:?}"),
        }
    }
    // What was removed is declared again by itself.
    wait_for(DEADLINE, "the binding", || async {
        publish(&spine, message(Route::Control, 9999)).await.ok()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_queue_is_declared_again() {
    let host = servers::rabbitmq().await;
    let spine = spine(&host).await;
    let mut consumer = spine.consume(Queue::Control, 10).await.unwrap();
    let (_connection, channel) = stranger(&host.url).await;
    channel
        .queue_delete(names::JOBS_CONTROL.into(), QueueDeleteOptions::default())
        .await
        .unwrap();
    // The broker cancels the consumer.
    let ended = within("the end", consumer.next(10)).await.unwrap_err();
    assert!(
        matches!(&ended, SpineError::Unavailable(reason) if reason.contains(names::JOBS_CONTROL)),
        "{ended}"
    );
    drop(consumer);
    let mut consumer = spine.consume(Queue::Control, 10).await.unwrap();
    publish(&spine, message(Route::Control, 1)).await.unwrap();
    assert_eq!(number(&collect(&mut *consumer, 1).await[0].body), 1);

    for queue in Queue::ALL {
        channel
            .queue_delete(queue.name().into(), QueueDeleteOptions::default())
            .await
            .unwrap();
    }
    spine.ping().await.unwrap();
    await_ready(&spine, Queue::Events, 0).await;
    let event = message(Route::Events(EventType::Completed), 3);
    publish(&spine, event).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_message_goes_through_and_one_too_large_harms_nobody() {
    let host = servers::rabbitmq().await;
    let spine = spine(&host).await;
    let large = Message {
        body: Bytes::from(vec![7; 1 << 20]),
        ..message(Route::Work, 0)
    };
    let too_large = Message {
        body: Bytes::from(vec![7; (16 << 20) + 1]),
        ..message(Route::Work, 1)
    };
    let (small, large, too_large) = tokio::join!(
        publish(&spine, message(Route::Work, 2)),
        publish(&spine, large),
        publish(&spine, too_large)
    );
    small.unwrap();
    large.unwrap();
    assert!(
        matches!(too_large, Err(PublishError::Unavailable(_))),
        "{too_large:?}"
    );
    let mut consumer = spine.consume(Queue::Work, 10).await.unwrap();
    let mut sizes: Vec<_> = collect(&mut *consumer, 2)
        .await
        .iter()
        .map(|delivery| delivery.body.len())
        .collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [1, 1 << 20]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_waits_than_there_is_room_for() {
    let host = servers::rabbitmq().await;
    let (proxy, url) = odd_testkit::FaultProxy::before(&host.url).await;
    let spine = AmqpSpine::new(AmqpOptions {
        waiting_messages: 10,
        confirm_timeout: Duration::from_secs(2),
        url,
        ..options(&host)
    });
    ready(&spine).await;
    proxy.half_open().await;
    // Nothing is confirmed: five calls of two fill the room, the others are refused.
    let calls = (0..20).map(|call| spine.publish(vec![message(Route::Work, call); 2]));
    let results = within("publishing", futures::future::join_all(calls))
        .await
        .concat();
    let refused = |result: &&Result<(), PublishError>| matches!(result, Err(PublishError::Blocked(reason)) if reason.contains("too many"));
    assert_eq!(results.iter().filter(refused).count(), 30, "{results:?}");
    assert!(
        results.iter().all(Result::is_err),
        "nothing can be confirmed: {results:?}"
    );
    proxy.resume().await;
    wait_for(DEADLINE, "publishing again", || async {
        publish(&spine, message(Route::Work, 10)).await.ok()
    })
    .await;
}
