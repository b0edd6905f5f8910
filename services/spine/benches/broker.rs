//! What a broker carries by itself: messages published with confirm by many callers while another consumer takes and
//! acknowledges as many. The rate that any system on it can at most have, per message of a job.
//!
//! `ODD_AMQP_URL=amqp://… cargo bench -p odd-spine --bench broker -- [MESSAGES] [CALLERS]`
#![expect(clippy::print_stdout, reason = "its figures are what it is for")]
#![expect(
    clippy::unwrap_used,
    reason = "a measurement that fails has nothing to clear up"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use bytes::Bytes;
use odd_contracts::names::env;
use odd_spine::amqp::{AmqpOptions, AmqpSpine};
use odd_spine::{Message, Queue, Route, Spine};
use uuid::Uuid;

/// Bytes of a message: a work message with a small payload.
const BYTES: usize = 500;
/// Deliveries that may be unacknowledged.
const PREFETCH: usize = 1_000;

fn message() -> Message {
    Message {
        route: Route::Control,
        message_id: Uuid::new_v4(),
        content_type: "application/json".to_owned(),
        headers: Default::default(),
        body: Bytes::from_static(&[b'x'; BYTES]),
    }
}

async fn publish(spine: Arc<AmqpSpine>, next: Arc<AtomicUsize>, messages: usize) {
    while next.fetch_add(1, Ordering::Relaxed) < messages {
        spine.publish(vec![message()]).await.pop().unwrap().unwrap();
    }
}

async fn consume(spine: Arc<AmqpSpine>, messages: usize) {
    let mut consumer = spine.consume(Queue::Control, PREFETCH).await.unwrap();
    let acknowledger = consumer.acknowledger();
    let mut taken = 0;
    while taken < messages {
        let deliveries = consumer.next(256).await.unwrap();
        let tags: Vec<_> = deliveries.iter().map(|delivery| delivery.tag).collect();
        acknowledger.ack(&tags).await.unwrap();
        taken += tags.len();
    }
}

#[tokio::main]
async fn main() {
    let Ok(url) = std::env::var(env::AMQP_URL) else {
        println!("set {} to a broker that nobody else uses", env::AMQP_URL);
        return;
    };
    let mut numbers = std::env::args()
        .skip(1)
        .filter_map(|argument| argument.parse().ok());
    let messages = numbers.next().unwrap_or(100_000);
    let callers = numbers.next().unwrap_or(256);
    let spine = AmqpSpine::new(AmqpOptions::new(url));
    spine.ping().await.unwrap();
    let begun = Instant::now();
    let consumer = tokio::spawn(consume(spine.clone(), messages));
    let next = Arc::new(AtomicUsize::new(0));
    let publishers: Vec<_> = (0..callers)
        .map(|_| tokio::spawn(publish(spine.clone(), next.clone(), messages)))
        .collect();
    for publisher in publishers {
        publisher.await.unwrap();
    }
    consumer.await.unwrap();
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "{messages} messages of {BYTES} bytes, {callers} callers: {:.0} published, confirmed, delivered and acknowledged a second",
        messages as f64 / seconds
    );
}
