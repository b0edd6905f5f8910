//! What every adapter of the port must do, as one suite of properties.
//!
//! An adapter's tests implement [`SpineFactory`] and name it once in [`spine_conformance!`](crate::spine_conformance),
//! which makes one test of each property. Each property panics where the adapter lacks it.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use odd_contracts::api::QueueDepth;
use odd_contracts::{EventType, ids};
use uuid::Uuid;

use crate::port::{Consumer, Delivery, DeliveryTag, Headers, Message, Queue, Route, Spine};

mod dead_letters;
mod deliveries;
mod durability;
mod feeds;

pub use dead_letters::*;
pub use deliveries::*;
pub use durability::*;
pub use feeds::*;

/// Opens the adapter under test over a durable state that no other test shares.
#[async_trait]
pub trait SpineFactory: Send + Sync {
    /// Opens the spine. After everything of an earlier one was dropped, opens the same durable state again.
    async fn open(&self) -> Arc<dyn Spine>;
}

/// Makes a Tokio test of each property. The expression is evaluated once per test, in an async context,
/// and gives a [`SpineFactory`](crate::conformance::SpineFactory).
#[macro_export]
macro_rules! spine_conformance {
    ($factory:expr) => {
        $crate::spine_conformance! { $factory;
            confirms_and_delivers_in_order,
            wakes_a_waiting_consumer,
            returns_what_a_dropped_consumer_had,
            acknowledges_in_any_order,
            acknowledges_from_several_tasks,
            requeues_deliveries,
            bounds_what_is_unacknowledged,
            shares_a_queue_between_consumers,
            loses_nothing_when_waiting_is_cancelled,
            carries_any_bytes,
            tells_depths,
            keeps_unacknowledged_messages_over_a_restart,
            keeps_acknowledged_messages_away_after_a_restart,
            ignores_tags_of_an_earlier_consumer,
            delivers_a_large_backlog,
            keeps_dead_letters_once_with_reason_and_bytes,
            requeues_a_dead_letter,
            feeds_events_live,
            drops_the_oldest_for_a_slow_reader,
            keeps_work_and_events_apart,
        }
    };
    ($factory:expr; $($property:ident),* $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $property() {
                let factory = $factory;
                $crate::conformance::$property(&factory).await;
            }
        )*
    };
}

/// How long anything may take that must happen.
const DEADLINE: Duration = Duration::from_secs(30);
/// How long nothing must happen to count as nothing happening.
const QUIET: Duration = Duration::from_millis(150);

/// The outcome of what must happen in time.
async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(DEADLINE, future).await {
        Ok(outcome) => outcome,
        Err(_) => panic!("{what} took longer than {DEADLINE:?}"),
    }
}

fn message(route: Route, number: usize) -> Message {
    Message {
        route,
        message_id: Uuid::from_u128(number as u128 + 1),
        content_type: "application/json".to_owned(),
        headers: Headers::new(),
        body: body(number),
    }
}

fn body(number: usize) -> Bytes {
    format!("{{\"number\":{number}}}").into()
}

async fn publish(spine: &dyn Spine, messages: Vec<Message>) {
    let count = messages.len();
    let results = within("publishing", spine.publish(messages)).await;
    assert_eq!(results.len(), count, "one result a message");
    for result in results {
        result.expect("a healthy spine confirms");
    }
}

async fn publish_numbers(spine: &dyn Spine, route: Route, numbers: impl Iterator<Item = usize>) {
    publish(spine, numbers.map(|number| message(route, number)).collect()).await;
}

async fn consume(spine: &dyn Spine, queue: Queue, prefetch: usize) -> Box<dyn Consumer> {
    within("consuming", spine.consume(queue, prefetch))
        .await
        .expect("a healthy spine lets consume")
}

/// The next `count` deliveries.
async fn collect(consumer: &mut dyn Consumer, count: usize) -> Vec<Delivery> {
    let mut deliveries = Vec::new();
    while deliveries.len() < count {
        let more = within("a delivery", consumer.next(count - deliveries.len())).await;
        deliveries.extend(more.expect("a healthy spine delivers"));
    }
    assert_eq!(deliveries.len(), count, "no more than was asked for");
    deliveries
}

async fn assert_quiet(consumer: &mut dyn Consumer) {
    let outcome = tokio::time::timeout(QUIET, consumer.next(100)).await;
    assert!(
        outcome.is_err(),
        "nothing was to be delivered, but there came {outcome:?}"
    );
}

/// Does not hold the consumer while it waits: consumers are not `Sync`.
fn acknowledge<'a>(consumer: &dyn Consumer, tags: &'a [DeliveryTag]) -> impl Future<Output = ()> + use<'a> {
    let acknowledger = consumer.acknowledger();
    async move {
        within("acknowledging", acknowledger.ack(tags))
            .await
            .expect("a healthy spine takes acknowledgements");
    }
}

fn tags(deliveries: &[Delivery]) -> Vec<DeliveryTag> {
    deliveries.iter().map(|delivery| delivery.tag).collect()
}

fn bodies(deliveries: &[Delivery]) -> Vec<Bytes> {
    deliveries.iter().map(|delivery| delivery.body.clone()).collect()
}

fn numbered(numbers: impl IntoIterator<Item = usize>) -> Vec<Bytes> {
    numbers.into_iter().map(body).collect()
}

fn distinct(deliveries: &[Delivery]) -> BTreeSet<Bytes> {
    deliveries.iter().map(|delivery| delivery.body.clone()).collect()
}

async fn depth(spine: &dyn Spine, queue: Queue) -> QueueDepth {
    let depths = within("depths", spine.depths())
        .await
        .expect("a healthy spine tells depths");
    let mut found = depths.into_iter().filter(|depth| depth.name == queue.name());
    let depth = found.next().expect("the depth of every queue is told");
    assert!(found.next().is_none(), "each queue is told once");
    depth
}

/// Waits until a queue has this depth; brokers count with a delay.
async fn await_depth(spine: &dyn Spine, queue: Queue, ready: u64, unacknowledged: u64) {
    let reached = async {
        loop {
            let depth = depth(spine, queue).await;
            if (depth.ready, depth.unacknowledged) == (ready, unacknowledged) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    within(
        &format!(
            "{} with {ready} ready and {unacknowledged} unacknowledged",
            queue.name()
        ),
        reached,
    )
    .await;
}

/// An event with a body that tells its number.
fn event(number: usize) -> Message {
    Message {
        message_id: ids::event_id(Uuid::from_u128(number as u128), EventType::Completed, 1),
        ..message(Route::Events(EventType::Completed), number)
    }
}
