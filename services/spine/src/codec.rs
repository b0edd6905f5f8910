//! Envelopes and the messages that carry them.
//!
//! Lifecycle events travel in batches of one type, one envelope a line; work and control messages carry one
//! each. Every consumer takes both shapes, because third parties publish, too.

use bytes::Bytes;
use odd_contracts::control::ControlMessage;
use odd_contracts::names::spine as names;
use odd_contracts::schema::{self, Schema};
use odd_contracts::{EventEnvelope, EventHead, EventType, ids};
use serde::Serialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use uuid::Uuid;

use crate::port::{Delivery, Headers, Message, PublishError, Route, Spine};

/// Part of a message that is no event envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLine {
    /// Its bytes, unchanged.
    pub bytes: Bytes,
    /// Why it is none ([`names::reason`]).
    pub reason: &'static str,
    /// What exactly is wrong.
    pub detail: String,
}

/// The messages that carry these events: one type a message, at most [`names::MAX_ENVELOPES`] envelopes and
/// [`names::MAX_BATCH_BYTES`] bytes (a single larger envelope travels alone). Keeps the order within each type.
pub fn pack(events: &[EventEnvelope]) -> Vec<Message> {
    let mut packs = Vec::new();
    let mut open: Vec<Pack> = Vec::new();
    for event in events {
        let line = line(event);
        let place = match open.iter().position(|pack| pack.event_type == event.event_type) {
            Some(place) => place,
            None => {
                open.push(Pack::of(event));
                open.len() - 1
            }
        };
        let pack = &mut open[place];
        if !pack.takes(line.len()) {
            packs.push(std::mem::replace(pack, Pack::of(event)).into_message());
        }
        pack.count += 1;
        pack.lines.extend_from_slice(&line);
    }
    packs.extend(open.into_iter().map(Pack::into_message));
    packs
}

struct Pack {
    event_type: EventType,
    first: Uuid,
    count: usize,
    lines: Vec<u8>,
}

impl Pack {
    fn of(first: &EventEnvelope) -> Self {
        Self {
            event_type: first.event_type,
            first: first.event_id,
            count: 0,
            lines: Vec::new(),
        }
    }

    fn takes(&self, bytes: usize) -> bool {
        self.count == 0
            || (self.count < names::MAX_ENVELOPES && self.lines.len() + bytes <= names::MAX_BATCH_BYTES)
    }

    fn into_message(self) -> Message {
        Message {
            route: Route::Events(self.event_type),
            message_id: self.first,
            content_type: names::NDJSON.to_owned(),
            headers: Headers::new(),
            body: self.lines.into(),
        }
    }
}

fn line(event: &EventEnvelope) -> Vec<u8> {
    let mut line = json(event);
    line.push(b'\n');
    line
}

fn json<T: Serialize>(document: &T) -> Vec<u8> {
    serde_json::to_vec(document).expect("a document of plain values and texts as keys can be written")
}

/// Publishes events, packed, and waits until every pack is confirmed.
///
/// # Errors
/// The first [`PublishError`] of a pack; others may have arrived. Publishing all again is harmless.
pub async fn publish_events(spine: &dyn Spine, events: &[EventEnvelope]) -> Result<(), PublishError> {
    if events.is_empty() {
        return Ok(());
    }
    spine.publish(pack(events)).await.into_iter().collect()
}

/// The work message of a job: its `job.created` envelope.
pub fn work_message(created: &EventEnvelope) -> Message {
    Message {
        route: Route::Work,
        message_id: created.event_id,
        content_type: names::JSON.to_owned(),
        headers: Headers::new(),
        body: json(created).into(),
    }
}

/// A request to the processor.
pub fn control_message(request: &ControlMessage) -> Message {
    let body = json(request);
    Message {
        route: Route::Control,
        message_id: Uuid::new_v5(&ids::NAMESPACE, &body),
        content_type: names::JSON.to_owned(),
        headers: Headers::new(),
        body: body.into(),
    }
}

/// The envelopes of a delivery ([`unpack`]).
pub fn unpack_delivery(delivery: &Delivery) -> Vec<Result<EventEnvelope, BadLine>> {
    unpack(delivery.content_type.as_deref(), &delivery.body)
}

/// The envelopes of a message, in order; what is none is bad alone. Never empty: a message without any content is one bad line.
///
/// `application/json` is one envelope, `application/x-ndjson` one a line; anything else is guessed.
pub fn unpack(content_type: Option<&str>, body: &Bytes) -> Vec<Result<EventEnvelope, BadLine>> {
    texts(content_type, body)
        .into_iter()
        .map(|text| parse(body.slice_ref(text)))
        .collect()
}

/// An envelope's head and its text.
pub type HeadAndText<'a> = (EventHead<'a>, &'a str);

/// The heads of a delivery's envelopes with their texts: takes and refuses the same as [`unpack_delivery`], for
/// much less, because no envelope is built.
pub fn read_delivery(delivery: &Delivery) -> impl Iterator<Item = Result<HeadAndText<'_>, BadLine>> {
    texts(delivery.content_type.as_deref(), &delivery.body)
        .into_iter()
        .map(|bytes| read(&delivery.body, bytes))
}

fn read<'a>(body: &Bytes, bytes: &'a [u8]) -> Result<HeadAndText<'a>, BadLine> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Err(not_utf8(body.slice_ref(bytes)));
    };
    match EventHead::read(text) {
        Some(head) => Ok((head, text)),
        None => {
            let envelope = parse(body.slice_ref(bytes))?;
            Ok((EventHead::of(&envelope).into_owned(), text))
        }
    }
}

/// The parts of a body that are each to be one envelope.
fn texts<'a>(content_type: Option<&str>, body: &'a Bytes) -> Vec<&'a [u8]> {
    let has_lines = match shape(content_type) {
        Some(Shape::Lines) => true,
        Some(Shape::Single) => false,
        None => looks_like_lines(body),
    };
    let lines: Vec<_> = if has_lines {
        split_lines(body).collect()
    } else {
        Vec::new()
    };
    if lines.is_empty() { vec![body] } else { lines }
}

enum Shape {
    Single,
    Lines,
}

fn shape(content_type: Option<&str>) -> Option<Shape> {
    let essence = content_type?.split(';').next()?.trim();
    if essence.eq_ignore_ascii_case(names::JSON) {
        Some(Shape::Single)
    } else if essence.eq_ignore_ascii_case(names::NDJSON) {
        Some(Shape::Lines)
    } else {
        None
    }
}

/// Whether the body is rather one document a line than one document over several lines: it is no
/// single document, and at least one of its lines is a whole object.
fn looks_like_lines(body: &[u8]) -> bool {
    let is_object = |line: &[u8]| {
        line.trim_ascii_start().first() == Some(&b'{') && serde_json::from_slice::<IgnoredAny>(line).is_ok()
    };
    split_lines(body).nth(1).is_some()
        && serde_json::from_slice::<IgnoredAny>(body).is_err()
        && split_lines(body).any(is_object)
}

/// The lines that are not blank, without their ends.
fn split_lines(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    body.split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .filter(|line| !line.trim_ascii().is_empty())
}

fn parse(bytes: Bytes) -> Result<EventEnvelope, BadLine> {
    let Ok(text) = std::str::from_utf8(&bytes) else {
        return Err(not_utf8(bytes));
    };
    match serde_json::from_str(text) {
        Ok(envelope) => Ok(envelope),
        Err(error) => {
            let (reason, detail) = explain(text, &error);
            Err(bad(bytes, reason, detail))
        }
    }
}

fn not_utf8(bytes: Bytes) -> BadLine {
    let valid = bytes.utf8_chunks().next().map_or(0, |chunk| chunk.valid().len());
    bad(
        bytes,
        names::reason::NOT_JSON,
        format!("not UTF-8 from byte {valid} on"),
    )
}

fn bad(bytes: Bytes, reason: &'static str, detail: String) -> BadLine {
    BadLine {
        bytes,
        reason,
        detail,
    }
}

/// Why a text is no envelope: what the schema says of it, else what the type says.
fn explain(text: &str, error: &serde_json::Error) -> (&'static str, String) {
    let document: Value = match serde_json::from_str(text) {
        Ok(document) => document,
        Err(error) => return (names::reason::NOT_JSON, error.to_string()),
    };
    let detail = match schema::validate(Schema::EventEnvelope, &document) {
        Err(errors) if !errors.is_empty() => errors
            .iter()
            .map(|error| match error.path.as_str() {
                "" => error.message.clone(),
                path => format!("{path}: {}", error.message),
            })
            .collect::<Vec<_>>()
            .join("; "),
        _ => error.to_string(),
    };
    (names::reason::INVALID_ENVELOPE, detail)
}

#[cfg(test)]
#[path = "codec_tests.rs"]
mod tests;
