//! Unpacking of live messages and writing of stream frames, without ever building a whole envelope.

use std::borrow::Cow;

use bytes::Bytes;
use odd_contracts::{EventEnvelope, EventType, JobId, Timestamp};
use serde::Deserialize;
use uuid::Uuid;

/// What the read-model needs of an envelope before anybody asks for the whole.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Head<'a> {
    /// What happened.
    pub(crate) event_type: EventType,
    /// Identity of the event.
    pub(crate) event_id: Uuid,
    /// When it happened.
    pub(crate) occurred_at: Timestamp,
    #[serde(borrow)]
    payload: PayloadHead<'a>,
}

#[derive(Debug, Deserialize)]
struct PayloadHead<'a> {
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
}

impl Head<'_> {
    /// The job that the event is about.
    pub(crate) fn job_id(&self) -> Option<JobId> {
        self.payload.id.as_deref()?.parse().ok()
    }
}

/// The lines of a message of `odd.events`, one envelope each.
///
/// Batches have one envelope a line. A single envelope of a third party may be written over several
/// lines; it is written anew on one.
pub(crate) fn lines(body: &Bytes) -> Vec<Bytes> {
    let lines: Vec<Bytes> = body
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.is_empty())
        .map(|line| body.slice_ref(line))
        .collect();
    let is_one_document = lines.len() > 1 && head(&lines[0]).is_none();
    if is_one_document && let Some(line) = on_one_line(body) {
        return vec![line];
    }
    lines
}

fn on_one_line(body: &[u8]) -> Option<Bytes> {
    let envelope: EventEnvelope = serde_json::from_slice(body).ok()?;
    serde_json::to_vec(&envelope).ok().map(Bytes::from)
}

/// Reads the head of an envelope; none where the line is no envelope.
pub(crate) fn head(line: &[u8]) -> Option<Head<'_>> {
    serde_json::from_slice(line).ok()
}

/// A frame of the stream: the event's type as the event's name, its id, and the envelope as data.
pub(crate) fn frame(head: &Head<'_>, line: &[u8]) -> Bytes {
    let name = head.event_type.name();
    let mut id = [0_u8; uuid::fmt::Hyphenated::LENGTH];
    let id = head.event_id.hyphenated().encode_lower(&mut id);
    let mut frame = Vec::with_capacity(name.len() + id.len() + line.len() + 24);
    for part in [
        b"event: ".as_slice(),
        name.as_bytes(),
        b"\nid: ",
        id.as_bytes(),
        b"\ndata: ",
    ] {
        frame.extend_from_slice(part);
    }
    // A carriage return would end a line of the stream; within JSON it can only stand between tokens.
    frame.extend(line.iter().map(|byte| if *byte == b'\r' { b' ' } else { *byte }));
    frame.extend_from_slice(b"\n\n");
    frame.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = r#"{"contractVersion":"1.1.0","eventType":"job.failed","eventId":"00000000-0000-0000-0000-000000000001","occurredAt":"2026-01-31T12:00:00Z","producer":{"service":"s","instanceId":"i","version":"1"},"correlationId":"c","idempotencyKey":"k","payload":{"type":"t","id":"00000000-0000-0000-0000-000000000002"}}"#;

    #[test]
    fn a_batch_has_one_envelope_a_line() {
        let body = Bytes::from(format!("{EVENT}\n{EVENT}\r\n\n"));
        let lines = lines(&body);
        assert_eq!(lines, [EVENT, EVENT]);
        let head = head(&lines[0]).unwrap();
        assert_eq!(head.event_type, EventType::Failed);
        assert_eq!(head.job_id(), Some(Uuid::from_u128(2)));
    }

    #[test]
    fn an_envelope_over_several_lines_is_put_on_one() {
        let value: serde_json::Value = serde_json::from_str(EVENT).unwrap();
        let body = Bytes::from(serde_json::to_string_pretty(&value).unwrap());
        let lines = lines(&body);
        assert_eq!(lines.len(), 1);
        assert!(!lines[0].contains(&b'\n'));
        assert_eq!(head(&lines[0]).unwrap().event_id, Uuid::from_u128(1));
    }

    #[test]
    fn one_bad_line_does_not_spoil_its_neighbours() {
        let body = Bytes::from(format!("garbage\n{EVENT}"));
        let heads: Vec<_> = lines(&body).iter().map(|line| head(line).is_some()).collect();
        assert_eq!(heads, [false, true]);
    }

    #[test]
    fn a_frame_names_type_id_and_envelope() {
        let frame = frame(&head(EVENT.as_bytes()).unwrap(), EVENT.as_bytes());
        let wanted = format!("event: job.failed\nid: {}\ndata: {EVENT}\n\n", Uuid::from_u128(1));
        assert_eq!(frame, wanted);
    }
}
