//! Exchanges, queues and bindings, declared on every connection before anything else.
//!
//! Declaring what is there already changes nothing, so every role may do it at any time. But connections do it one
//! after the other: when two bind a queue that is new, the broker tells the second that it is bound before the first
//! has made it lead anywhere. What the second publishes then would come back, or be confirmed where a live feed takes
//! it, and be missing in the queue.

use std::sync::Arc;

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, Error, ExchangeKind};
use odd_contracts::names::spine as names;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};

use super::failure;
use super::lock::{Lock, NotTaken};
use crate::port::{Queue, Route};

/// The exchange that leads to any queue by its name.
const DEFAULT_EXCHANGE: &str = "";

/// While this queue exists, a connection declares.
pub(super) const LOCK: &str = "odd.topology.lock";

/// Taken to declare by whoever shares it: connections and their tasks, which the broker's lock does not tell apart.
pub(super) type Turn = Arc<Mutex<()>>;

/// Exchange and routing key of a route.
pub(super) fn target(route: Route) -> (&'static str, &'static str) {
    match route {
        Route::Work => (names::WORK_EXCHANGE, Queue::Work.name()),
        Route::Control => (names::WORK_EXCHANGE, Queue::Control.name()),
        Route::Events(event_type) => (names::EVENTS_EXCHANGE, event_type.name()),
        Route::DeadLetter => straight_to(Queue::DeadLetter),
    }
}

/// Exchange and routing key that lead to this queue and nowhere else.
pub(super) fn straight_to(queue: Queue) -> (&'static str, &'static str) {
    (DEFAULT_EXCHANGE, queue.name())
}

/// Declares everything durable, while nobody else does.
///
/// # Errors
/// Says what is wrong and how to mend it.
pub(super) async fn declare(connection: &Connection, turn: &Turn, until: Instant) -> Result<(), String> {
    let late = || "the broker did not declare queues and bindings in time".to_owned();
    let _turn = timeout_at(until, turn.lock()).await.map_err(|_| late())?;
    let declaring = async {
        let lock = lock(connection, until).await?;
        declare_all(lock.channel()).await?;
        // Only when it is back, the next one may come, of this process or another.
        lock.release().await.map_err(|error| failure::told(&error))
    };
    let declared = timeout_at(until, declaring).await;
    declared.unwrap_or_else(|_| Err(late()))
}

async fn lock(connection: &Connection, until: Instant) -> Result<Lock, String> {
    let taken = Lock::take(connection, LOCK, until).await;
    taken.map_err(|not_taken| match not_taken {
        NotTaken::Held => format!(
            "another connection did not finish declaring queues and bindings in time: it has the queue {LOCK}, which \
             goes with it"
        ),
        NotTaken::Unanswered => "the broker did not declare queues and bindings in time".to_owned(),
        NotTaken::Failed(error) => refused(&error, &format!("queue {LOCK}"), || {
            "it must be exclusive, as only odd declares it; remove it, and it is declared anew".to_owned()
        }),
    })
}

async fn declare_all(channel: &Channel) -> Result<(), String> {
    for (exchange, kind) in [
        (names::WORK_EXCHANGE, ExchangeKind::Direct),
        (names::EVENTS_EXCHANGE, ExchangeKind::Topic),
    ] {
        declare_exchange(channel, exchange, kind).await?;
    }
    for queue in Queue::ALL {
        declare_queue(channel, queue).await?;
    }
    for (queue, exchange, key) in bindings() {
        bind(channel, queue, exchange, key).await?;
    }
    Ok(())
}

/// The queue `jobs.created` is never bound to `odd.events`: what a processor says would come back to it as work.
fn bindings() -> [(Queue, &'static str, &'static str); 3] {
    [
        (Queue::Work, names::WORK_EXCHANGE, names::JOBS_CREATED),
        (Queue::Control, names::WORK_EXCHANGE, names::JOBS_CONTROL),
        (Queue::Events, names::EVENTS_EXCHANGE, names::EVENTS_BINDING),
    ]
}

async fn declare_exchange(channel: &Channel, name: &str, kind: ExchangeKind) -> Result<(), String> {
    let options = ExchangeDeclareOptions {
        durable: true,
        ..ExchangeDeclareOptions::default()
    };
    let wanted = match kind {
        ExchangeKind::Direct => "direct",
        _ => "topic",
    };
    channel
        .exchange_declare(name.into(), kind, options, FieldTable::default())
        .await
        .map_err(|error| {
            refused(&error, &format!("exchange {name}"), || {
                format!(
                    "it must be a durable {wanted} exchange; remove it with `rabbitmqadmin delete exchange \
                     --name {name}` and it is declared anew"
                )
            })
        })
}

async fn declare_queue(channel: &Channel, queue: Queue) -> Result<(), String> {
    let name = queue.name();
    channel
        .queue_declare(name.into(), QueueDeclareOptions::durable(), queue_arguments())
        .await
        .map(drop)
        .map_err(|error| {
            refused(&error, &format!("queue {name}"), || {
                format!(
                    "it must be a durable queue with x-queue-type=quorum and x-delivery-limit={DELIVERY_LIMIT}; once it is empty, \
                     remove it with `rabbitmqctl delete_queue {name} --if-empty` and it is declared anew"
                )
            })
        })
}

/// Deliveries of a message after which a queue would drop it: in practice none.
///
/// Quorum queues drop after 20 unless told otherwise, and an outage of a consumer's store takes that many easily; how
/// often a job was taken is counted where its state is. No limit at all (-1) would do as well, but for the order: a
/// queue without a limit puts what a lost consumer had behind everything else, one with a limit before it.
pub(super) const DELIVERY_LIMIT: i32 = 1_000_000_000;

fn queue_arguments() -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    arguments.insert("x-delivery-limit".into(), AMQPValue::LongInt(DELIVERY_LIMIT));
    arguments
}

async fn bind(channel: &Channel, queue: Queue, exchange: &str, key: &str) -> Result<(), String> {
    channel
        .queue_bind(
            queue.name().into(),
            exchange.into(),
            key.into(),
            QueueBindOptions::default(),
            FieldTable::default(),
        )
        .await
        .map_err(|error| {
            let name = queue.name();
            format!(
                "the queue {name} cannot be bound to {exchange}: {}",
                failure::told(&error)
            )
        })
}

fn refused(error: &Error, what: &str, how_to_mend: impl FnOnce() -> String) -> String {
    let said = failure::told(error);
    match failure::code(error) {
        Some(failure::PRECONDITION_FAILED) => {
            format!(
                "the {what} was declared otherwise by somebody else: {}. {said}",
                how_to_mend()
            )
        }
        Some(failure::ACCESS_REFUSED) => {
            format!(
                "the user may not declare the {what}: {said}; grant it with `rabbitmqctl set_permissions`"
            )
        }
        _ => format!("the {what} cannot be declared: {said}"),
    }
}
