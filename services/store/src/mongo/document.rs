//! Documents of the collection.
//!
//! | field | of | what |
//! |---|---|---|
//! | `_id` | all | identity: job, sequence and event id as 36 bytes; of an event that is in no history its event id as a text |
//! | `p` | all | position, a 64-bit integer |
//! | `t` | all | number of the event type |
//! | `c` | all | the correlation id, hashed to 64 bits |
//! | `x` | all | when it was recorded, by the clock of whoever recorded it |
//! | `e` | all | the envelope's text |
//! | `r` | all but the three most frequent types | type and position in one number, for a short index of the rare ones |
//! | `d` | dead letters that name a job | the job |
//! | `o` | `job.created` | when it happened, in microseconds |

use mongodb::bson::raw::{CStr, cstr};
use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, Bson, DateTime, RawBinaryRef, RawDocument, RawDocumentBuf};
use odd_contracts::{EventEnvelope, EventType, JobId, Timestamp};
use uuid::Uuid;

use crate::{LoggedEvent, Position, PositionedEvent, StoreError};

pub(super) type Raw = RawDocumentBuf;

/// Name of the collection.
pub(super) const COLLECTION: &str = "events";

const ID: &CStr = cstr!("_id");
const POSITION: &CStr = cstr!("p");
const TYPE: &CStr = cstr!("t");
const CORRELATION: &CStr = cstr!("c");
const RECORDED: &CStr = cstr!("x");
const ENVELOPE: &CStr = cstr!("e");
const RARE: &CStr = cstr!("r");
const DEAD_LETTER_OF: &CStr = cstr!("d");
const CREATED: &CStr = cstr!("o");

/// Bits of `r` below the type. Positions grow with every event and stay far below.
const POSITION_BITS: u32 = 59;
/// Length of the identity of an event that is part of a history.
const IN_HISTORY: usize = 36;

/// What makes two events the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Identity {
    /// Part of a job's history: job, sequence (big endian) and event id.
    InHistory([u8; IN_HISTORY]),
    /// Part of none: the event id. Written as a text, it stands apart from all histories in the index.
    Apart(Uuid),
}

impl Identity {
    pub(super) fn of(event: &LoggedEvent) -> Self {
        match (event.job_id, event.sequence) {
            (Some(job), Some(sequence)) => Self::at(job, sequence, event.event_id),
            _ => Self::Apart(event.event_id),
        }
    }

    pub(super) fn at(job: JobId, sequence: u32, event_id: Uuid) -> Self {
        let mut bytes = [0; IN_HISTORY];
        bytes[..16].copy_from_slice(job.as_bytes());
        bytes[16..20].copy_from_slice(&sequence.to_be_bytes());
        bytes[20..].copy_from_slice(event_id.as_bytes());
        Self::InHistory(bytes)
    }

    pub(super) fn to_bson(self) -> Bson {
        match self {
            Self::InHistory(bytes) => Bson::Binary(Binary {
                subtype: BinarySubtype::Generic,
                bytes: bytes.to_vec(),
            }),
            Self::Apart(event_id) => Bson::String(event_id.simple().to_string()),
        }
    }
}

/// First and last identity that a part of this job's history can have.
pub(super) fn history_bounds(job: JobId, sequences: std::ops::RangeInclusive<u32>) -> (Bson, Bson) {
    (
        Identity::at(job, *sequences.start(), Uuid::nil()).to_bson(),
        Identity::at(job, *sequences.end(), Uuid::max()).to_bson(),
    )
}

/// The document of an event.
pub(super) fn compose(event: &LoggedEvent, identity: Identity, position: i64, now: DateTime) -> Raw {
    let mut document = RawDocumentBuf::new();
    match identity {
        Identity::InHistory(bytes) => document.append(ID, generic(&bytes)),
        Identity::Apart(event_id) => {
            let mut text = Uuid::encode_buffer();
            document.append(ID, &*event_id.simple().encode_lower(&mut text));
        }
    }
    document.append(POSITION, position);
    document.append(TYPE, type_code(event.event_type));
    document.append(CORRELATION, correlation_hash(&event.correlation_id));
    document.append(RECORDED, now);
    if is_rare(event.event_type) {
        document.append(RARE, rare_key(event.event_type, position));
    }
    match event.event_type {
        EventType::DeadLettered => {
            if let Some(job) = event.job_id {
                document.append(DEAD_LETTER_OF, generic(job.as_bytes()));
            }
        }
        EventType::Created => document.append(CREATED, event.occurred_at.micros()),
        _ => {}
    }
    document.append(ENVELOPE, &*event.envelope);
    document
}

fn generic(bytes: &[u8]) -> RawBinaryRef<'_> {
    RawBinaryRef {
        subtype: BinarySubtype::Generic,
        bytes,
    }
}

pub(super) fn job_binary(job: JobId) -> Binary {
    Binary {
        subtype: BinarySubtype::Generic,
        bytes: job.as_bytes().to_vec(),
    }
}

/// Types that a stretch of the log may lack altogether; every stretch has plenty of the others.
pub(super) const fn is_rare(event_type: EventType) -> bool {
    !matches!(
        event_type,
        EventType::Created | EventType::Validated | EventType::Executed
    )
}

/// Type and position in one number, so that one index of one field finds the events of a type in order.
pub(super) fn rare_key(event_type: EventType, position: i64) -> i64 {
    (i64::from(type_code(event_type)) << POSITION_BITS) | position
}

/// Largest position that the log can have.
pub(super) const LAST_POSITION: i64 = (1 << POSITION_BITS) - 1;

/// Number of an event type in documents. Never to change.
pub(super) const fn type_code(event_type: EventType) -> i32 {
    match event_type {
        EventType::Created => 0,
        EventType::Validated => 1,
        EventType::Scheduled => 2,
        EventType::Executed => 3,
        EventType::Retrying => 4,
        EventType::Completed => 5,
        EventType::Failed => 6,
        EventType::Cancelled => 7,
        EventType::DeadLettered => 8,
    }
}

/// What a correlation id is searched by. A collision is told apart by the envelope.
pub(super) fn correlation_hash(correlation_id: &str) -> i64 {
    let digest = Uuid::new_v5(&Uuid::NAMESPACE_OID, correlation_id.as_bytes());
    let (high, _) = digest.as_u64_pair();
    i64::from_be_bytes(high.to_be_bytes())
}

pub(super) fn envelope(document: &RawDocument) -> Result<EventEnvelope, StoreError> {
    let text = document.get_str("e").map_err(|e| damaged("an event", e))?;
    serde_json::from_str(text).map_err(|e| damaged("an event", e))
}

pub(super) fn positioned(document: &RawDocument) -> Result<PositionedEvent, StoreError> {
    Ok(PositionedEvent {
        position: Position(position(document)?),
        event: envelope(document)?,
    })
}

pub(super) fn position(document: &RawDocument) -> Result<i64, StoreError> {
    document.get_i64("p").map_err(|e| damaged("a position", e))
}

/// Identity of an event, to go on behind it.
pub(super) fn id(document: &RawDocument) -> Result<Bson, StoreError> {
    let id = document.get_binary("_id");
    let id = id.map_err(|e| damaged("an identity", e))?;
    Ok(Bson::Binary(id.to_binary()))
}

/// Job and sequence of a part of a history, and when the job was created where this is its `job.created`.
pub(super) fn place(document: &RawDocument) -> Result<(JobId, u32, Option<Timestamp>), StoreError> {
    let id = document
        .get_binary("_id")
        .map_err(|e| damaged("an identity", e))?;
    let (job, rest) = id.bytes.split_at_checked(16).ok_or_else(short)?;
    let sequence = rest.first_chunk().ok_or_else(short)?;
    let created = document.get("o").map_err(|e| damaged("an event", e))?;
    Ok((
        Uuid::from_slice(job).map_err(|e| damaged("an identity", e))?,
        u32::from_be_bytes(*sequence),
        created.and_then(|at| at.as_i64()).map(Timestamp::from_micros),
    ))
}

fn short() -> StoreError {
    StoreError::Damaged("an identity: too short".to_owned())
}

fn damaged(what: &str, error: impl std::fmt::Display) -> StoreError {
    StoreError::Damaged(format!("{what}: {error}"))
}
