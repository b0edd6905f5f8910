//! What a processor published, read off the queue of lifecycle events.

use bytes::Bytes;
use odd_contracts::{EventEnvelope, EventType};
use odd_spine::amqp::AmqpSpine;
use odd_spine::{Consumer, Delivery, Message, Queue, Route, Spine, codec};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::bed::DEADLINE;

/// Deliveries that are read at a time.
const BATCH: usize = 500;

/// The lifecycle events of one test. Each is taken off its queue when it is read.
#[derive(Default)]
pub(super) struct Published(Mutex<Reader>);

#[derive(Default)]
struct Reader {
    consumer: Option<Box<dyn Consumer>>,
    events: Vec<EventEnvelope>,
}

impl Published {
    /// Every event that was confirmed before this call.
    pub(super) async fn read(&self, spine: &AmqpSpine) -> Vec<EventEnvelope> {
        let mut reader = self.0.lock().await;
        if reader.consumer.is_none() {
            reader.consumer = Some(spine.consume(Queue::Events, BATCH).await.unwrap());
        }
        // What was confirmed before it lies before it on the queue.
        let end = marker(Route::Events(EventType::Created));
        let is_end = |delivery: &Delivery| delivery.message_id == Some(end.message_id.to_string());
        let published = spine.publish(vec![end.clone()]).await;
        published.into_iter().for_each(|result| result.unwrap());
        let mut ended = false;
        while !ended {
            let consumer = reader.consumer.as_mut().unwrap();
            let deliveries = next(&mut **consumer, BATCH).await;
            let tags: Vec<_> = deliveries.iter().map(|delivery| delivery.tag).collect();
            consumer.acknowledger().ack(&tags).await.unwrap();
            ended = deliveries.iter().any(is_end);
            let of_a_processor = deliveries.iter().filter(|delivery| !is_end(delivery));
            let events = of_a_processor
                .flat_map(codec::unpack_delivery)
                .map(Result::unwrap);
            reader.events.extend(events);
        }
        reader.events.clone()
    }

    /// What was read so far, to go on with another spine.
    pub(super) fn disconnected(self) -> Self {
        Self(Mutex::new(Reader {
            consumer: None,
            events: self.0.into_inner().events,
        }))
    }
}

/// A message that tells what is before it on its queue from what is behind it.
pub(super) fn marker(route: Route) -> Message {
    Message {
        route,
        message_id: Uuid::new_v4(),
        content_type: "text/plain".to_owned(),
        headers: Default::default(),
        body: Bytes::from_static(b"marker"),
    }
}

/// The next deliveries, which must come in time.
pub(super) async fn next(consumer: &mut dyn Consumer, max: usize) -> Vec<Delivery> {
    let deliveries = tokio::time::timeout(DEADLINE, consumer.next(max)).await;
    deliveries.expect("a delivery comes in time").unwrap()
}
