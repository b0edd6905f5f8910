//! Identifiers. Those of events and dead letters are computed, so that publishing again is harmless.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::event::EventType;

/// Identity of a job and its idempotency key.
pub type JobId = Uuid;

/// Namespace of every computed identifier; drawn at random once, and never to change.
pub const NAMESPACE: Uuid = Uuid::from_u128(0x9f2c_37cb_2d3a_5c4e_8a55_27c5_6d1b_70e4);

/// Distance between the sequence numbers of two attempts.
pub const SEQUENCE_STRIDE: u32 = 10;

/// Identity of the event `event_type` of attempt `attempt` of a job (attempt 0: before the first).
/// UUIDv5 over job id, event type and attempt: whoever publishes the event again gives it the same identity.
pub fn event_id(job: JobId, event_type: EventType, attempt: u32) -> Uuid {
    let mut name = [0_u8; 16 + 4 + 32];
    name[..16].copy_from_slice(job.as_bytes());
    name[16..20].copy_from_slice(&attempt.to_be_bytes());
    let text = event_type.name().as_bytes();
    name[20..20 + text.len()].copy_from_slice(text);
    Uuid::new_v5(&NAMESPACE, &name[..20 + text.len()])
}

/// Place of an event in its job's history: `10 · attempt + k`, where `k` follows the order in which
/// the events of one attempt can happen. Histories sort by this number, never by a clock.
///
/// `job.dead_lettered` is no part of a job's history and has none.
pub fn sequence(event_type: EventType, attempt: u32) -> Option<u32> {
    let k = match event_type {
        EventType::Created => 0,
        EventType::Validated | EventType::Executed => 1,
        EventType::Scheduled | EventType::Retrying => 2,
        EventType::Completed => 3,
        EventType::Failed => 4,
        EventType::Cancelled => 5,
        EventType::DeadLettered => return None,
    };
    Some(attempt.saturating_mul(SEQUENCE_STRIDE).saturating_add(k))
}

/// Identity of a dead letter: UUIDv5 of the message's original bytes, so that the same message
/// dead-lettered twice is one dead letter.
pub fn dead_letter_id(bytes: &[u8]) -> Uuid {
    Uuid::new_v5(&NAMESPACE, bytes)
}

/// SHA-256 over what a job is asked to do. Two submissions under one id are the same job exactly
/// when their digests are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PayloadDigest(pub [u8; 32]);

impl PayloadDigest {
    /// Digest of a job's type and payload. Independent of the order of object keys.
    pub fn of(job_type: &str, payload: &crate::job::JsonObject) -> Self {
        let mut hash = Sha256::new();
        hash.update(job_type.as_bytes());
        hash.update([0]);
        hash_object(payload, &mut hash);
        Self(hash.finalize().into())
    }
}

fn hash_object(object: &crate::job::JsonObject, hash: &mut Sha256) {
    // serde_json keeps keys sorted only while nobody turns on `preserve_order`.
    let mut entries: Vec<_> = object.iter().collect();
    entries.sort_unstable_by_key(|(key, _)| *key);
    hash.update(b"{");
    for (key, value) in entries {
        hash_text(key, hash);
        hash_value(value, hash);
    }
    hash.update(b"}");
}

fn hash_text(text: &str, hash: &mut Sha256) {
    hash.update((text.len() as u64).to_be_bytes());
    hash.update(text.as_bytes());
}

fn hash_value(value: &serde_json::Value, hash: &mut Sha256) {
    use serde_json::Value;
    match value {
        Value::Object(object) => hash_object(object, hash),
        Value::Array(items) => {
            hash.update(b"[");
            items.iter().for_each(|item| hash_value(item, hash));
            hash.update(b"]");
        }
        Value::String(text) => {
            hash.update(b"s");
            hash_text(text, hash);
        }
        Value::Number(number) => {
            hash.update(b"n");
            hash_text(&number.to_string(), hash);
        }
        Value::Bool(true) => hash.update(b"t"),
        Value::Bool(false) => hash.update(b"f"),
        Value::Null => hash.update(b"0"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_ids_depend_on_each_of_their_parts_and_nothing_else() {
        let job = Uuid::from_u128(7);
        let id = event_id(job, EventType::Completed, 2);
        assert_eq!(id, event_id(job, EventType::Completed, 2));
        assert_ne!(id, event_id(job, EventType::Completed, 1));
        assert_ne!(id, event_id(job, EventType::Failed, 2));
        assert_ne!(id, event_id(Uuid::from_u128(8), EventType::Completed, 2));
        assert_eq!(id.get_version_num(), 5);
    }

    #[test]
    fn digests_ignore_the_order_of_keys_and_nothing_else() {
        let digest = |text: &str| PayloadDigest::of("t", &serde_json::from_str(text).unwrap());
        assert_eq!(
            digest(r#"{"a":1,"b":{"c":2,"d":3}}"#),
            digest(r#"{"b":{"d":3,"c":2},"a":1}"#)
        );
        assert_ne!(digest(r#"{"a":1}"#), digest(r#"{"a":"1"}"#));
        assert_ne!(digest(r#"{"a":[1,2]}"#), digest(r#"{"a":[2,1]}"#));
        assert_ne!(digest(r#"{"a":"","b":""}"#), digest(r#"{"a":"b"}"#));
        assert_ne!(
            PayloadDigest::of("t", &Default::default()),
            PayloadDigest::of("u", &Default::default())
        );
    }

    #[test]
    fn terminal_events_come_last_in_their_attempt() {
        let at = |event| sequence(event, 3).unwrap();
        assert_eq!(at(EventType::Executed), 31);
        for terminal in [EventType::Completed, EventType::Failed, EventType::Cancelled] {
            assert!(at(terminal) > at(EventType::Retrying) && at(terminal) < 40);
        }
        assert_eq!(sequence(EventType::Created, 0), Some(0));
        assert_eq!(sequence(EventType::Validated, 0), Some(1));
    }
}
