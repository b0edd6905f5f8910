//! Putting aside what no consumer can take, so that it is neither lost nor in the way.
//!
//! A dead letter is the message itself, byte for byte, on the queue `jobs.dead-letter`, and an event
//! `job.dead_lettered` that the event log keeps and people see.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use odd_contracts::api::DeadLetter;
use odd_contracts::names::{header, spine as names};
use odd_contracts::{
    CONTRACT_VERSION, EventEnvelope, EventType, JobId, JsonObject, Producer, Timestamp, ids,
};
use serde_json::Value;
use uuid::Uuid;

use crate::codec::{self, BadLine};
use crate::port::{Delivery, Headers, Message, PublishError, Queue, Route, Spine};

/// Most bytes of a detail; a longer one is cut.
pub const MAX_DETAIL: usize = 1024;
/// Most bytes of a body that the event carries. The dead letter itself has all of them.
pub const MAX_BODY: usize = 64 * 1024;
/// Most headers that the event carries, and most bytes of each one's value.
const MAX_HEADERS: usize = 64;
/// Longest correlation id that an envelope may have.
const MAX_CORRELATION_ID: usize = 128;

/// Media type of a message that gave none.
const UNKNOWN: &str = "application/octet-stream";

/// A message, or a line of one, that is to be put aside.
#[derive(Clone, Debug)]
pub struct DeadLetterRequest {
    /// What it says, unchanged.
    pub bytes: Bytes,
    /// Its headers.
    pub headers: Headers,
    /// Its media type, as its publisher gave it.
    pub content_type: Option<String>,
    /// The queue it was taken from.
    pub queue: Queue,
    /// Why it is put aside ([`names::reason`]).
    pub reason: &'static str,
    /// What exactly is wrong.
    pub detail: String,
    /// The job it names, where that can be read.
    pub job_id: Option<JobId>,
}

impl DeadLetterRequest {
    /// A whole delivery is to be put aside.
    pub fn of_delivery(delivery: &Delivery, reason: &'static str, detail: impl Into<String>) -> Self {
        Self {
            bytes: delivery.body.clone(),
            headers: delivery.headers.clone(),
            content_type: delivery.content_type.clone(),
            queue: delivery.queue,
            reason,
            detail: detail.into(),
            job_id: guess_job_id(&delivery.body),
        }
    }

    /// A line of a delivery is to be put aside.
    pub fn of_line(delivery: &Delivery, line: BadLine) -> Self {
        Self {
            job_id: guess_job_id(&line.bytes),
            bytes: line.bytes,
            headers: delivery.headers.clone(),
            content_type: delivery.content_type.clone(),
            queue: delivery.queue,
            reason: line.reason,
            detail: line.detail,
        }
    }

    /// Identity of the dead letter.
    pub fn id(&self) -> Uuid {
        ids::dead_letter_id(&self.bytes)
    }

    fn message(&self) -> Message {
        let mut headers = self.headers.clone();
        headers.insert(names::HEADER_REASON.to_owned(), self.reason.to_owned());
        headers.insert(
            names::HEADER_DETAIL.to_owned(),
            cut(&self.detail, MAX_DETAIL).to_owned(),
        );
        headers.insert(names::HEADER_QUEUE.to_owned(), self.queue.name().to_owned());
        Message {
            route: Route::DeadLetter,
            message_id: self.id(),
            content_type: self.content_type.clone().unwrap_or_else(|| UNKNOWN.to_owned()),
            headers,
            body: self.bytes.clone(),
        }
    }

    fn event(&self, producer: &Producer) -> EventEnvelope {
        let id = self.id();
        EventEnvelope {
            contract_version: CONTRACT_VERSION.to_owned(),
            event_type: EventType::DeadLettered,
            event_id: ids::event_id(id, EventType::DeadLettered, 0),
            occurred_at: Timestamp::now(),
            producer: producer.clone(),
            correlation_id: self.correlation_id().unwrap_or_else(|| id.to_string()),
            idempotency_key: id.to_string(),
            payload: self.payload(id),
            sequence: None,
            causation_id: None,
            traceparent: None,
        }
    }

    fn correlation_id(&self) -> Option<String> {
        let given = self.headers.get(header::CORRELATION_ID).cloned().or_else(|| {
            let document: Value = serde_json::from_slice(&self.bytes).ok()?;
            Some(document.get("correlationId")?.as_str()?.to_owned())
        })?;
        let valid =
            (1..=MAX_CORRELATION_ID).contains(&given.len()) && !given.chars().any(|c| c.is_ascii_control());
        valid.then_some(given)
    }

    fn payload(&self, id: Uuid) -> JsonObject {
        let shown = &self.bytes[..self.bytes.len().min(MAX_BODY)];
        let headers: JsonObject = self
            .headers
            .iter()
            .take(MAX_HEADERS)
            .map(|(name, value)| (name.clone(), cut(value, MAX_DETAIL).into()))
            .collect();
        let mut payload = JsonObject::new();
        let mut put = |key: &str, value: Value| payload.insert(key.to_owned(), value);
        if let Some(job) = self.job_id {
            put("id", job.to_string().into());
        }
        if let Some(content_type) = &self.content_type {
            put("contentType", content_type.as_str().into());
        }
        put("messageId", id.to_string().into());
        put("reason", self.reason.into());
        put("detail", cut(&self.detail, MAX_DETAIL).into());
        put("queue", self.queue.name().into());
        put("headers", headers.into());
        put("size", self.bytes.len().into());
        put("bodyBase64", BASE64.encode(shown).into());
        put("truncated", (shown.len() < self.bytes.len()).into());
        payload
    }
}

/// Puts messages aside: publishes each to the dead-letter queue together with an event about it, and waits for
/// every confirm. The same bytes put aside twice are one dead letter and one event.
///
/// # Errors
/// The first [`PublishError`]: do not acknowledge what was to be put aside, and try again.
pub async fn put_aside(
    spine: &dyn Spine,
    producer: &Producer,
    requests: Vec<DeadLetterRequest>,
) -> Result<(), PublishError> {
    if requests.is_empty() {
        return Ok(());
    }
    let events: Vec<_> = requests.iter().map(|request| request.event(producer)).collect();
    let mut messages: Vec<_> = requests.iter().map(DeadLetterRequest::message).collect();
    messages.extend(codec::pack(&events));
    spine.publish(messages).await.into_iter().collect()
}

/// The dead letter that an event reports; none of an event that reports something else.
pub fn from_event(event: &EventEnvelope) -> Option<DeadLetter> {
    if event.event_type != EventType::DeadLettered {
        return None;
    }
    let text = |key: &str| event.payload.get(key).and_then(Value::as_str);
    let owned = |key: &str| text(key).unwrap_or_default().to_owned();
    let body_base64 = owned("bodyBase64");
    let truncated = event.payload.get("truncated").and_then(Value::as_bool);
    Some(DeadLetter {
        id: text("messageId")?.parse().ok()?,
        reason: owned("reason"),
        detail: owned("detail"),
        queue: owned("queue"),
        dead_lettered_at: event.occurred_at,
        job_id: event.job_id(),
        content_type: text("contentType").map(str::to_owned),
        headers: event
            .payload
            .get("headers")
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default(),
        size: event
            .payload
            .get("size")
            .and_then(Value::as_u64)
            .unwrap_or_default(),
        body_text: body_text(&body_base64, truncated.unwrap_or(false)),
        body_base64,
    })
}

/// The body as text, where it is one. A cut may go through a character, which is then left out.
fn body_text(base64: &str, truncated: bool) -> Option<String> {
    let mut bytes = BASE64.decode(base64).ok()?;
    if truncated
        && let Err(error) = std::str::from_utf8(&bytes)
        && error.error_len().is_none()
    {
        bytes.truncate(error.valid_up_to());
    }
    String::from_utf8(bytes).ok()
}

/// The job that a broken message names, as far as one can tell: `payload.id`, `idempotencyKey` or `id` of a JSON document.
pub fn guess_job_id(bytes: &[u8]) -> Option<JobId> {
    let document: Value = serde_json::from_slice(bytes).ok()?;
    ["/payload/id", "/idempotencyKey", "/id"]
        .into_iter()
        .find_map(|path| document.pointer(path)?.as_str()?.parse().ok())
}

/// The text, cut to so many bytes at a character's end.
fn cut(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}

#[cfg(test)]
#[path = "dead_letter_tests.rs"]
mod tests;
