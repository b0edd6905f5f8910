//! Many that declare the same at the same time.

use std::collections::BTreeSet;

use futures::future::join_all;
use lapin::options::ExchangeDeleteOptions;
use odd_contracts::names::spine as names;
use tokio::time::{Instant, timeout};

use super::*;
use crate::amqp::lock::Lock;
use crate::amqp::topology::{self, Turn};

/// The broker answers a second binding of the same before the first one leads anywhere. A live feed in that moment
/// would even have the event confirmed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_finds_its_queue_as_soon_as_a_connection_stands() {
    const ROUNDS: usize = 30;
    const SPINES: usize = 6;
    let host = servers::rabbitmq().await;
    let (_connection, channel) = stranger(&host.url).await;
    for round in 0..ROUNDS {
        let removing =
            channel.exchange_delete(names::EVENTS_EXCHANGE.into(), ExchangeDeleteOptions::default());
        removing.await.unwrap();
        let spines: Vec<_> = (0..SPINES).map(|_| AmqpSpine::new(options(&host))).collect();
        let publishing = spines.iter().enumerate().map(async |(spine_number, spine)| {
            ready(spine).await;
            let feed = match spine_number {
                0 => Some(spine.live(10).await.unwrap()),
                _ => None,
            };
            let number = round * SPINES + spine_number;
            let event = message(Route::Events(EventType::Created), number);
            (publish(spine, event).await, feed)
        });
        for (published, _feed) in join_all(publishing).await {
            published.unwrap_or_else(|error| panic!("round {round}: {error:?}"));
        }
    }
    let spine = spine(&host).await;
    let count = ROUNDS * SPINES;
    await_ready(&spine, Queue::Events, count as u64).await;
    let mut consumer = spine.consume(Queue::Events, 1000).await.unwrap();
    let deliveries = collect(&mut *consumer, count).await;
    let numbers: BTreeSet<_> = deliveries.iter().map(|delivery| number(&delivery.body)).collect();
    assert_eq!(numbers, (0..count).collect());
}

/// Whoever dies while it declares is in nobody's way for longer than its connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_declares_for_too_long_is_told_and_waited_for() {
    let host = servers::rabbitmq().await;
    let (other, _channel) = stranger(&host.url).await;
    let until = Instant::now() + DEADLINE;
    let lock = Lock::take(&other, topology::LOCK, until).await;
    let spine = AmqpSpine::new(AmqpOptions {
        connect_timeout: Duration::from_millis(500),
        ..options(&host)
    });
    let reason = wait_for(DEADLINE, "the reason", || async {
        match spine.ping().await {
            Err(SpineError::Unavailable(reason)) => reason.contains(topology::LOCK).then_some(reason),
            _ => None,
        }
    })
    .await;
    assert!(reason.contains("another connection did not finish"), "{reason}");
    let Err(PublishError::Unavailable(told)) = publish(&spine, message(Route::Work, 1)).await else {
        panic!("nothing may be published before everything is declared");
    };
    assert!(told.contains(topology::LOCK), "{told}");
    other.close(200, "".into()).await.unwrap();
    assert!(lock.is_ok(), "held until its connection was gone");
    ready(&spine).await;
    publish(&spine, message(Route::Work, 1)).await.unwrap();
}

/// Dropped at any moment, a declaration leaves no lock behind on a connection that lives on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_declaration_that_is_given_up_is_in_nobodys_way() {
    let host = servers::rabbitmq().await;
    let (one, _channel) = stranger(&host.url).await;
    let (other, _channel) = stranger(&host.url).await;
    for given_up_after in (0..40).map(|steps| Duration::from_micros(steps * 500)) {
        let turn = Turn::default();
        let until = Instant::now() + DEADLINE;
        // It may be done before, which is as well.
        let _ = timeout(given_up_after, topology::declare(&one, &turn, until)).await;
        let declared = within("the other's turn", topology::declare(&other, &turn, until)).await;
        assert_eq!(declared, Ok(()), "given up after {given_up_after:?}");
    }
}
