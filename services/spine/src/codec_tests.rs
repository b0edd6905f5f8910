use odd_contracts::{CONTRACT_VERSION, JsonObject, Producer, Timestamp};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::port::{DeliveryTag, Queue};

fn envelope(event_type: EventType, number: u128, note: &str) -> EventEnvelope {
    let job = Uuid::from_u128(number);
    let payload: JsonObject = [("id".to_owned(), json!(job)), ("note".to_owned(), json!(note))]
        .into_iter()
        .collect();
    EventEnvelope {
        contract_version: CONTRACT_VERSION.to_owned(),
        event_type,
        event_id: ids::event_id(job, event_type, 1),
        occurred_at: Timestamp::from_micros(1_764_000_000_123_456),
        producer: Producer {
            service: "processor".to_owned(),
            instance_id: "p-1".to_owned(),
            version: "0.1.0".to_owned(),
        },
        correlation_id: "c".to_owned(),
        idempotency_key: job.to_string(),
        payload,
        sequence: ids::sequence(event_type, 1),
        causation_id: None,
        traceparent: None,
    }
}

fn unpack_all(messages: &[Message]) -> Vec<EventEnvelope> {
    messages
        .iter()
        .flat_map(|message| unpack(Some(&message.content_type), &message.body))
        .map(|event| event.expect("what was packed is an envelope"))
        .collect()
}

/// What [`read_delivery`] makes of a message, read whole.
fn read_all(content_type: Option<&str>, body: &Bytes) -> Vec<Result<EventEnvelope, BadLine>> {
    let delivery = Delivery {
        tag: DeliveryTag {
            consumer: 1,
            number: 1,
        },
        redelivered: false,
        queue: Queue::Events,
        message_id: None,
        content_type: content_type.map(str::to_owned),
        headers: Headers::new(),
        body: body.clone(),
    };
    let read: Vec<_> = read_delivery(&delivery)
        .map(|event| {
            event.map(|(head, text)| {
                let envelope: EventEnvelope = serde_json::from_str(text).expect("it has a head");
                assert_eq!(head, EventHead::of(&envelope));
                envelope
            })
        })
        .collect();
    read
}

fn only_bad(content_type: Option<&str>, body: &'static [u8]) -> BadLine {
    let body = Bytes::from_static(body);
    let mut parsed = unpack(content_type, &body);
    assert_eq!(read_all(content_type, &body), parsed);
    assert_eq!(parsed.len(), 1, "{parsed:?}");
    parsed.remove(0).expect_err("it is no envelope")
}

proptest! {
    #[test]
    fn what_is_packed_is_unpacked_in_the_order_of_its_type(
        parts in proptest::collection::vec((0..9_usize, any::<String>()), 0..60)
    ) {
        let events: Vec<_> = parts
            .iter()
            .enumerate()
            .map(|(number, (kind, note))| envelope(EventType::ALL[*kind], number as u128, note))
            .collect();
        let messages = pack(&events);
        let unpacked = unpack_all(&messages);
        prop_assert_eq!(unpacked.len(), events.len());
        for event_type in EventType::ALL {
            let of_type = |events: &[EventEnvelope]| -> Vec<EventEnvelope> {
                events.iter().filter(|event| event.event_type == event_type).cloned().collect()
            };
            prop_assert_eq!(of_type(&unpacked), of_type(&events));
        }
        // The content type is of help, not of need.
        for message in &messages {
            prop_assert_eq!(unpack(None, &message.body), unpack(Some(names::NDJSON), &message.body));
            prop_assert_eq!(read_all(None, &message.body), unpack(None, &message.body));
        }
    }

    #[test]
    fn no_bytes_are_lost_or_stall(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let body = Bytes::from(body);
        for content_type in [None, Some(names::JSON), Some(names::NDJSON), Some("text/plain")] {
            let parsed = unpack(content_type, &body);
            prop_assert!(!parsed.is_empty());
            prop_assert_eq!(&read_all(content_type, &body), &parsed);
            for bad in parsed.into_iter().filter_map(Result::err) {
                prop_assert!(body.windows(bad.bytes.len().max(1)).any(|part| part == &bad.bytes[..]) || bad.bytes.is_empty());
            }
        }
    }
}

#[test]
fn packs_have_one_type_and_keep_both_bounds() {
    let mut events: Vec<_> = (0..1200)
        .map(|number| envelope(EventType::Completed, number, ""))
        .collect();
    events.insert(3, envelope(EventType::Failed, 9000, ""));
    let messages = pack(&events);
    let counts: Vec<_> = messages
        .iter()
        .map(|message| (message.route, unpack(Some(names::NDJSON), &message.body).len()))
        .collect();
    let completed = Route::Events(EventType::Completed);
    assert_eq!(counts.iter().filter(|(route, _)| *route != completed).count(), 1);
    assert_eq!(counts.iter().map(|(_, count)| count).sum::<usize>(), 1201);
    assert!(counts.iter().all(|(_, count)| *count <= names::MAX_ENVELOPES));
    assert!(counts.contains(&(completed, names::MAX_ENVELOPES)));

    let long = "x".repeat(100 * 1024);
    let mut events: Vec<_> = (0..5)
        .map(|number| envelope(EventType::Created, number, &long))
        .collect();
    events.insert(2, envelope(EventType::Created, 7, &long.repeat(4)));
    let messages = pack(&events);
    assert_eq!(unpack_all(&messages), events);
    let larger: Vec<_> = messages
        .iter()
        .filter(|message| message.body.len() > names::MAX_BATCH_BYTES)
        .collect();
    assert_eq!(larger.len(), 1, "only the envelope that is larger by itself");
    assert_eq!(unpack(Some(names::NDJSON), &larger[0].body).len(), 1);
}

#[test]
fn takes_one_envelope_pretty_printed_whatever_it_is_called() {
    let event = envelope(EventType::Created, 1, "a\nb");
    let pretty = Bytes::from(serde_json::to_vec_pretty(&event).unwrap());
    for content_type in [
        Some("application/json"),
        Some("Application/JSON; charset=utf-8"),
        Some("text/plain"),
        None,
    ] {
        assert_eq!(
            unpack(content_type, &pretty),
            [Ok(event.clone())],
            "{content_type:?}"
        );
    }
    let work = work_message(&event);
    assert_eq!(work.route, Route::Work);
    assert_eq!(unpack(Some(&work.content_type), &work.body), [Ok(event)]);
}

#[test]
fn one_bad_line_is_bad_alone() {
    let good = |number| serde_json::to_string(&envelope(EventType::Created, number, "")).unwrap();
    let mut body = format!("{}\r\n\n{{broken\n[1]\n", good(1)).into_bytes();
    body.extend_from_slice(b"\"\xff\"\n");
    body.extend_from_slice(good(2).as_bytes());
    for content_type in [Some(names::NDJSON), None] {
        let parsed = unpack(content_type, &Bytes::from(body.clone()));
        assert_eq!(parsed.len(), 5, "{parsed:?}");
        assert!(parsed[0].is_ok() && parsed[4].is_ok());
        let reasons: Vec<_> = parsed
            .iter()
            .filter_map(|event| Some(event.as_ref().err()?.reason))
            .collect();
        assert_eq!(
            reasons,
            [
                names::reason::NOT_JSON,
                names::reason::INVALID_ENVELOPE,
                names::reason::NOT_JSON
            ]
        );
        assert_eq!(&parsed[1].as_ref().unwrap_err().bytes[..], b"{broken");
    }
}

#[test]
fn says_what_is_wrong() {
    for (content_type, body) in [
        (None, &b""[..]),
        (Some(names::NDJSON), b"\n \n"),
        (Some(names::JSON), b"{\"a\":"),
        (None, b"not json at all"),
        (None, b"\xff\xfe"),
    ] {
        let bad = only_bad(content_type, body);
        assert_eq!(bad.reason, names::reason::NOT_JSON, "{body:?}");
        assert_eq!(&bad.bytes[..], body);
        assert!(!bad.detail.is_empty());
    }
    assert!(
        only_bad(None, b"ab\xff").detail.contains("byte 2"),
        "the place is named"
    );

    let mut incomplete = serde_json::to_value(envelope(EventType::Created, 1, "")).unwrap();
    incomplete["producer"].as_object_mut().unwrap().remove("service");
    incomplete["eventId"] = json!("no uuid");
    let body = Bytes::from(incomplete.to_string());
    let bad = unpack(None, &body).remove(0).unwrap_err();
    assert_eq!(bad.reason, names::reason::INVALID_ENVELOPE);
    assert!(
        bad.detail.contains("/producer/service") && bad.detail.contains("/eventId"),
        "each fault is named: {}",
        bad.detail
    );
}

#[test]
fn deep_nesting_is_refused_and_not_followed() {
    let deep = Bytes::from(format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)));
    let bad = unpack(Some(names::JSON), &deep).remove(0).unwrap_err();
    assert_eq!(bad.reason, names::reason::NOT_JSON);
    assert_eq!(bad.bytes, deep);
}

#[test]
fn a_control_message_reads_back() {
    let request = ControlMessage::Cancel {
        id: Uuid::from_u128(5),
        correlation_id: "c".to_owned(),
        requested_at: Timestamp::from_micros(5),
    };
    let message = control_message(&request);
    assert_eq!(message.route, Route::Control);
    assert_eq!(
        serde_json::from_slice::<ControlMessage>(&message.body).unwrap(),
        request
    );
    assert_eq!(message.message_id, control_message(&request).message_id);
}
