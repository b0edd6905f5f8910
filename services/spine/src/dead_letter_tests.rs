use odd_contracts::schema::{self, Schema};
use serde_json::json;

use super::*;

fn producer() -> Producer {
    Producer {
        service: "processor".to_owned(),
        instance_id: "p-1".to_owned(),
        version: "0.1.0".to_owned(),
    }
}

fn request(bytes: impl Into<Bytes>) -> DeadLetterRequest {
    DeadLetterRequest {
        bytes: bytes.into(),
        headers: [("x-test".to_owned(), "1".to_owned())].into(),
        content_type: Some("application/json".to_owned()),
        queue: Queue::Work,
        reason: names::reason::INVALID_JOB,
        detail: "/payload: is no object".to_owned(),
        job_id: None,
    }
}

#[test]
fn the_message_is_the_original_with_reason_detail_and_queue() {
    let message = request(&b"\0\xff"[..]).message();
    assert_eq!(message.route, Route::DeadLetter);
    assert_eq!(&message.body[..], b"\0\xff");
    assert_eq!(message.message_id, ids::dead_letter_id(b"\0\xff"));
    assert_eq!(message.content_type, "application/json");
    assert_eq!(
        message.headers,
        [
            ("x-test", "1"),
            (names::HEADER_REASON, "invalid_job"),
            (names::HEADER_DETAIL, "/payload: is no object"),
            (names::HEADER_QUEUE, "jobs.created"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    );
}

#[test]
fn the_event_keeps_the_contract_and_tells_all_that_the_reader_shows() {
    let job = Uuid::from_u128(9);
    let bytes = json!({"id": job, "payload": 5}).to_string();
    let request = DeadLetterRequest {
        job_id: Some(job),
        ..request(bytes.clone())
    };
    let event = request.event(&producer());
    let document = serde_json::to_value(&event).unwrap();
    assert_eq!(schema::validate(Schema::EventEnvelope, &document), Ok(()));
    assert_eq!((event.job_id(), event.sequence), (Some(job), None));
    assert_eq!(event.idempotency_key, request.id().to_string());
    assert_eq!(event.event_id, request.event(&producer()).event_id);

    let shown = from_event(&event).unwrap();
    assert_eq!(
        shown,
        DeadLetter {
            id: request.id(),
            reason: "invalid_job".to_owned(),
            detail: request.detail.clone(),
            queue: "jobs.created".to_owned(),
            dead_lettered_at: event.occurred_at,
            job_id: Some(job),
            content_type: Some("application/json".to_owned()),
            headers: [("x-test".to_owned(), json!("1"))].into_iter().collect(),
            size: bytes.len() as u64,
            body_base64: BASE64.encode(&bytes),
            body_text: Some(bytes),
        }
    );
}

#[test]
fn the_event_is_bounded_and_the_dead_letter_is_not() {
    // Two bytes a character, and an odd start: the cut goes through a character.
    let text = format!("a{}", "ä".repeat(MAX_BODY));
    let request = DeadLetterRequest {
        detail: "ö".repeat(MAX_DETAIL),
        ..request(text.clone())
    };
    assert_eq!(request.message().body, text);
    let event = request.event(&producer());
    let shown = from_event(&event).unwrap();
    assert_eq!(shown.size, text.len() as u64);
    assert_eq!(BASE64.decode(&shown.body_base64).unwrap().len(), MAX_BODY);
    assert!(shown.detail.len() <= MAX_DETAIL && !shown.detail.is_empty());
    let shown_text = shown.body_text.expect("it is text");
    assert!(text.starts_with(&shown_text) && shown_text.len() == MAX_BODY - 1);
    assert_eq!(event.payload["truncated"], true);
}

#[test]
fn bytes_that_are_no_text_are_shown_as_none() {
    let event = request(&b"\xff\xfe\0"[..]).event(&producer());
    let shown = from_event(&event).unwrap();
    assert_eq!((shown.body_text, shown.body_base64.as_str()), (None, "//4A"));
    let other = EventEnvelope {
        event_type: EventType::Failed,
        ..event
    };
    assert_eq!(from_event(&other), None);
}

#[test]
fn correlates_where_a_valid_correlation_id_is_given() {
    let correlation = |headers: &[(&str, &str)], body: &str| {
        let mut request = request(body.to_owned());
        request.headers = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let event = request.event(&producer());
        (event.correlation_id, request.id().to_string())
    };
    assert_eq!(correlation(&[("x-correlation-id", "h")], "{}").0, "h");
    assert_eq!(correlation(&[], r#"{"correlationId":"b"}"#).0, "b");
    for body in [
        "broken",
        r#"{"correlationId":""}"#,
        "{\"correlationId\":\"a\\u0000\"}",
    ] {
        let (given, own) = correlation(&[], body);
        assert_eq!(given, own, "{body}");
    }
}

#[test]
fn guesses_the_job_of_a_broken_message() {
    let job = Uuid::from_u128(3);
    for body in [
        json!({"payload": {"id": job}, "idempotencyKey": "other"}),
        json!({"payload": [], "idempotencyKey": job}),
        json!({"id": job.to_string().to_uppercase(), "type": 5}),
    ] {
        assert_eq!(guess_job_id(body.to_string().as_bytes()), Some(job), "{body}");
    }
    for body in [&b"\xff"[..], b"", b"[]", br#"{"id": 5}"#, br#"{"id": "x"}"#] {
        assert_eq!(guess_job_id(body), None);
    }
}
