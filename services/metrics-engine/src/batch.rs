//! Deliveries taken together, and the events in them.

use bytes::Bytes;
use odd_contracts::names::spine::reason;
use odd_spine::codec::{self, BadLine};
use odd_spine::dead_letter::DeadLetterRequest;
use odd_spine::{Delivery, DeliveryTag};
use odd_store::{CounterEvent, LoggedEvent};

/// Deliveries, unpacked.
pub(crate) struct Batch {
    deliveries: Vec<Delivery>,
    /// The events, in order of delivery.
    pub(crate) events: Vec<LoggedEvent>,
    /// Of each event, what it counts for.
    counted: Vec<Option<CounterEvent>>,
    /// Of each event, where it stood.
    places: Vec<Place>,
    /// Lines that are no event.
    pub(crate) bad: Vec<DeadLetterRequest>,
}

/// Part of a delivery's body.
struct Place {
    delivery: usize,
    bytes: Bytes,
}

impl Batch {
    pub(crate) fn unpack(deliveries: Vec<Delivery>) -> Self {
        let mut batch = Self {
            events: Vec::with_capacity(deliveries.len()),
            counted: Vec::with_capacity(deliveries.len()),
            places: Vec::with_capacity(deliveries.len()),
            bad: Vec::new(),
            deliveries: Vec::new(),
        };
        for (index, delivery) in deliveries.iter().enumerate() {
            for read in codec::read_delivery(delivery) {
                match read {
                    Ok((head, text)) => {
                        batch.events.push(LoggedEvent::new(&head, text));
                        batch.counted.push(CounterEvent::of(&head));
                        batch.places.push(Place {
                            delivery: index,
                            bytes: delivery.body.slice_ref(text.as_bytes()),
                        });
                    }
                    Err(bad) => batch.bad.push(DeadLetterRequest::of_line(delivery, bad)),
                }
            }
        }
        batch.deliveries = deliveries;
        batch
    }

    /// What is to be counted, each with the number of its event; leaves nothing behind.
    pub(crate) fn take_counted(&mut self, wanted: impl Fn(usize) -> bool) -> (Vec<usize>, Vec<CounterEvent>) {
        std::mem::take(&mut self.counted)
            .into_iter()
            .enumerate()
            .filter(|(index, _)| wanted(*index))
            .filter_map(|(index, event)| Some((index, event?)))
            .unzip()
    }

    /// Every delivery, to acknowledge it.
    pub(crate) fn tags(&self) -> Vec<DeliveryTag> {
        self.deliveries.iter().map(|delivery| delivery.tag).collect()
    }

    /// A store refuses the event with this number: its line is to be put aside.
    pub(crate) fn refused(&self, event: usize, detail: String) -> DeadLetterRequest {
        let place = &self.places[event];
        let delivery = &self.deliveries[place.delivery];
        let line = BadLine {
            bytes: place.bytes.clone(),
            reason: reason::STORE_REFUSED,
            detail,
        };
        DeadLetterRequest::of_line(delivery, line)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use odd_contracts::names::spine::{JSON, NDJSON};
    use odd_contracts::{EventEnvelope, EventType};
    use odd_spine::Queue;
    use odd_store::conformance::sample;

    use super::*;

    fn delivery(number: u64, content_type: &str, body: String) -> Delivery {
        Delivery {
            tag: DeliveryTag { consumer: 1, number },
            redelivered: false,
            queue: Queue::Events,
            message_id: None,
            content_type: Some(content_type.to_owned()),
            headers: BTreeMap::new(),
            body: body.into(),
        }
    }

    #[test]
    fn a_refused_event_is_put_aside_with_the_bytes_of_its_line() {
        let event = |n| sample::event(sample::job(n), EventType::Created, 0);
        let line = |n| serde_json::to_string(&event(n)).unwrap();
        let pretty = serde_json::to_string_pretty(&event(4)).unwrap();
        let batch = Batch::unpack(vec![
            delivery(1, NDJSON, format!("{}\r\n\n{{broken\n  {}\n", line(1), line(2))),
            delivery(2, JSON, line(3)),
            delivery(3, JSON, pretty.clone()),
        ]);
        let recorded: Vec<EventEnvelope> = batch
            .events
            .iter()
            .map(|event| serde_json::from_str(&event.envelope).unwrap())
            .collect();
        assert_eq!(recorded, [event(1), event(2), event(3), event(4)]);
        assert_eq!(batch.tags().len(), 3);
        assert_eq!(batch.bad.len(), 1);
        assert_eq!(&batch.bad[0].bytes[..], b"{broken");
        let bytes: Vec<_> = (0..4)
            .map(|n| batch.refused(n, "too odd".to_owned()).bytes)
            .collect();
        assert_eq!(bytes[0], line(1));
        assert_eq!(bytes[1], format!("  {}", line(2)));
        assert_eq!(bytes[2], line(3));
        assert_eq!(bytes[3], pretty);
        let request = batch.refused(1, "too odd".to_owned());
        assert_eq!(
            (request.reason, &request.detail[..]),
            ("store_refused", "too odd")
        );
        assert_eq!(request.job_id, Some(sample::job(2)));
    }
}
