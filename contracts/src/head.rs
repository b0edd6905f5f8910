//! The head of an event: what recording, counting and routing need of an envelope, read from its text
//! without building the whole.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use uuid::Uuid;

use crate::event::{EventEnvelope, EventType};
use crate::ids::{self, JobId};
use crate::timestamp::Timestamp;

/// What is needed of an envelope to record, count and route it. Borrows from the envelope or its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventHead<'a> {
    /// What happened.
    pub event_type: EventType,
    /// Identity of the event.
    pub event_id: Uuid,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// Shared by everything that follows from one submission.
    pub correlation_id: Cow<'a, str>,
    /// The idempotency key, where it is an identifier.
    pub key: Option<Uuid>,
    /// The job that the event is about: `payload.id`.
    pub job_id: Option<JobId>,
    /// Type of that job: `payload.type`.
    pub job_type: Option<Cow<'a, str>>,
    /// Place in the job's history, as the producer gave it.
    pub given_sequence: Option<u32>,
    /// `payload.attempt`.
    pub attempt: Option<u64>,
}

impl<'a> EventHead<'a> {
    /// The head of an envelope.
    pub fn of(envelope: &'a EventEnvelope) -> Self {
        Self {
            event_type: envelope.event_type,
            event_id: envelope.event_id,
            occurred_at: envelope.occurred_at,
            correlation_id: Cow::Borrowed(&envelope.correlation_id),
            key: envelope.idempotency_key.parse().ok(),
            job_id: envelope.job_id(),
            job_type: envelope.job_type().map(Cow::Borrowed),
            given_sequence: envelope.sequence,
            attempt: envelope
                .payload
                .get("attempt")
                .and_then(serde_json::Value::as_u64),
        }
    }

    /// Reads the head from an envelope's text.
    ///
    /// What it takes can be read as an [`EventEnvelope`] with this head. None where the text is no envelope, and
    /// for a few unusual ones: only reading the whole can tell.
    pub fn read(text: &'a str) -> Option<Self> {
        let wire: WireHead<'a> = serde_json::from_str(text).ok()?;
        Some(Self {
            event_type: wire.event_type,
            event_id: wire.event_id,
            occurred_at: wire.occurred_at,
            correlation_id: wire.correlation_id,
            key: wire.idempotency_key.parse().ok(),
            job_id: wire.payload.id.and_then(|id| id.parse().ok()),
            job_type: wire.payload.job_type,
            given_sequence: wire.sequence,
            attempt: wire.payload.attempt,
        })
    }

    /// The same head, borrowing nothing.
    pub fn into_owned(self) -> EventHead<'static> {
        EventHead {
            correlation_id: Cow::Owned(self.correlation_id.into_owned()),
            job_type: self.job_type.map(|job_type| Cow::Owned(job_type.into_owned())),
            ..self
        }
    }

    /// Place in the job's history that follows from the event's type and attempt.
    pub fn implied_sequence(&self) -> Option<u32> {
        ids::sequence(self.event_type, u32::try_from(self.attempt.unwrap_or(0)).ok()?)
    }
}

/// An [`EventEnvelope`] of which only the head is kept. Its fields are read as strictly.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireHead<'a> {
    #[serde(rename = "contractVersion")]
    _contract_version: Text,
    event_type: EventType,
    event_id: Uuid,
    occurred_at: Timestamp,
    #[serde(rename = "producer")]
    _producer: ProducerHead,
    #[serde(borrow)]
    correlation_id: Cow<'a, str>,
    #[serde(borrow)]
    idempotency_key: Cow<'a, str>,
    #[serde(borrow)]
    payload: PayloadHead<'a>,
    #[serde(default, deserialize_with = "crate::number::optional_whole")]
    sequence: Option<u32>,
    #[serde(default, rename = "causationId")]
    _causation_id: Option<Uuid>,
    #[serde(default, rename = "traceparent")]
    _traceparent: Option<Text>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProducerHead {
    #[serde(rename = "service")]
    _service: Text,
    #[serde(rename = "instanceId")]
    _instance_id: Text,
    #[serde(rename = "version")]
    _version: Text,
}

/// A text that is read and not kept.
struct Text;

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl Visitor<'_> for TextVisitor {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E: Error>(self, _: &str) -> Result<Text, E> {
                Ok(Text)
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

/// What is kept of a payload. Of a key that comes twice the last value holds.
#[derive(Default)]
struct PayloadHead<'a> {
    id: Option<Cow<'a, str>>,
    job_type: Option<Cow<'a, str>>,
    attempt: Option<u64>,
}

impl<'de: 'a, 'a> Deserialize<'de> for PayloadHead<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PayloadVisitor)
    }
}

struct PayloadVisitor;

impl<'de> Visitor<'de> for PayloadVisitor {
    type Value = PayloadHead<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut head = PayloadHead::default();
        while let Some(key) = map.next_key_seed(Key)? {
            match key {
                Kept::Id => head.id = map.next_value_seed(Walk)?.into_text(),
                Kept::Type => head.job_type = map.next_value_seed(Walk)?.into_text(),
                Kept::Attempt => head.attempt = map.next_value_seed(Walk)?.into_number(),
                Kept::Nothing => {
                    map.next_value_seed(Walk)?;
                }
            }
        }
        Ok(head)
    }
}

/// Which part of a payload a key names.
enum Kept {
    Id,
    Type,
    Attempt,
    Nothing,
}

struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Kept;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Kept, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key {
    type Value = Kept;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Kept, E> {
        match key {
            "id" => Ok(Kept::Id),
            "type" => Ok(Kept::Type),
            "attempt" => Ok(Kept::Attempt),
            // serde_json takes an object that begins with such a key for something else.
            _ if key.starts_with("$serde_json::") => Err(E::custom("a key that has a meaning of its own")),
            _ => Ok(Kept::Nothing),
        }
    }
}

/// A value that was walked through.
enum Walked<'a> {
    Text(Cow<'a, str>),
    Number(u64),
    Other,
}

impl<'a> Walked<'a> {
    fn into_text(self) -> Option<Cow<'a, str>> {
        match self {
            Self::Text(text) => Some(text),
            Self::Number(_) | Self::Other => None,
        }
    }

    fn into_number(self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(number),
            Self::Text(_) | Self::Other => None,
        }
    }
}

/// Walks through a value as strictly as reading it would be (bounded depth, numbers in range, whole characters), and
/// builds nothing. [`serde::de::IgnoredAny`] is more lenient, and what it passes could not be read later.
struct Walk;

impl<'de> DeserializeSeed<'de> for Walk {
    type Value = Walked<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk {
    type Value = Walked<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Walked::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Walked::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Walked::Number(number))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Walked::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Walked::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Walked::Other)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Walked::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        while items.next_element_seed(Walk)?.is_some() {}
        Ok(Walked::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        while entries.next_key_seed(Key)?.is_some() {
            entries.next_value_seed(Walk)?;
        }
        Ok(Walked::Other)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn envelope() -> Value {
        json!({
            "contractVersion": "1.1.0",
            "eventType": "job.executed",
            "eventId": "00000000-0000-0000-0000-000000000001",
            "occurredAt": "2026-01-31T12:00:00+01:00",
            "producer": {"service": "s", "instanceId": "i", "version": "1"},
            "correlationId": "c \" \\ \u{1f980}",
            "idempotencyKey": "00000000-0000-0000-0000-000000000002",
            "payload": {"id": "00000000-0000-0000-0000-000000000003", "type": "t", "attempt": 4, "deep": [{"id": 1}, -2, 3.5, null, true]},
            "sequence": 41.0,
            "causationId": "00000000-0000-0000-0000-000000000004",
            "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "unknown": {"fields": ["are passed over"]},
        })
    }

    /// The head as the whole envelope has it, if the text is one.
    fn agrees(text: &str) -> bool {
        let head = EventHead::read(text);
        let whole: Result<EventEnvelope, _> = serde_json::from_str(text);
        if let Some(head) = &head {
            let whole = whole.as_ref().expect("what has a head can be read whole");
            assert_eq!(head, &EventHead::of(whole), "{text}");
        }
        head.is_some() == whole.is_ok()
    }

    #[test]
    fn a_head_is_that_of_the_whole_envelope() {
        let text = envelope().to_string();
        let head = EventHead::read(&text).unwrap();
        assert_eq!(head.job_id, Some(Uuid::from_u128(3)));
        assert_eq!(
            (head.given_sequence, head.implied_sequence()),
            (Some(41), Some(41))
        );
        assert!(agrees(&text));
        assert!(agrees(&serde_json::to_string_pretty(&envelope()).unwrap()));
    }

    /// Every field left out, and every field of every other kind.
    #[test]
    fn what_is_no_envelope_has_no_head() {
        let strange = [
            json!(null),
            json!(1),
            json!(-1),
            json!(2.5),
            json!(true),
            json!("x"),
            json!([]),
            json!({}),
            json!({"id": 5, "type": null, "attempt": "3"}),
            json!({"id": "x", "attempt": -1}),
            json!({"attempt": 1e30}),
        ];
        let whole = envelope();
        for field in whole.as_object().unwrap().keys() {
            let mut without = whole.clone();
            without.as_object_mut().unwrap().remove(field);
            assert!(agrees(&without.to_string()), "without {field}");
            for value in &strange {
                let mut other = whole.clone();
                other[field] = value.clone();
                assert!(agrees(&other.to_string()), "{field}: {value}");
            }
        }
        for field in ["service", "instanceId", "version"] {
            let mut without = whole.clone();
            without["producer"].as_object_mut().unwrap().remove(field);
            assert!(agrees(&without.to_string()), "without producer.{field}");
        }
    }

    /// Of what a lenient reader passes over, nothing may get a head.
    #[test]
    fn a_payload_is_read_as_strictly_as_the_whole() {
        let text = envelope().to_string();
        let with = |payload: &str| text.replace(r#"[{"id":1},-2,3.5,null,true]"#, payload);
        for (payload, is_envelope) in [
            ("\"\\ud800\"", false),
            ("\"\\ud83e\\udd80\"", true),
            ("1e999", false),
            ("18446744073709551616", true),
            ("\"\u{1}\"", false),
            ("01", false),
            ("[1,]", false),
            ("{\"a\":1,\"a\":2}", true),
            ("1,\"id\":\"00000000-0000-0000-0000-000000000009\"", true),
            (&format!("{}{}", "[".repeat(100), "]".repeat(100)), true),
            (&format!("{}{}", "[".repeat(200), "]".repeat(200)), false),
        ] {
            let text = with(payload);
            assert_ne!(text, envelope().to_string());
            assert!(agrees(&text), "{payload}");
            assert_eq!(EventHead::read(&text).is_some(), is_envelope, "{payload}");
        }
        // Only the whole can tell.
        assert_eq!(
            EventHead::read(&with(r#"{"$serde_json::private::RawValue":"{"}"#)),
            None
        );
    }

    #[test]
    fn a_field_that_comes_twice_and_what_follows_the_end_are_refused() {
        let text = envelope().to_string();
        let twice = text.replacen('{', r#"{"correlationId":"x","#, 1);
        assert!(agrees(&twice) && EventHead::read(&twice).is_none());
        let more = format!("{text} {{}}");
        assert!(agrees(&more) && EventHead::read(&more).is_none());
    }
}
