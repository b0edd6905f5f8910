//! Messages that were put aside.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::job::JsonObject;
use crate::timestamp::Timestamp;

/// A message that was put aside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// Its identity: UUIDv5 of its bytes.
    pub id: Uuid,
    /// Why ([`crate::names::spine::reason`]).
    pub reason: String,
    /// What exactly was wrong.
    pub detail: String,
    /// Queue it was taken from.
    pub queue: String,
    /// When it was put aside.
    pub dead_lettered_at: Timestamp,
    /// The job it names, where one can be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<Uuid>,
    /// Its media type, as its publisher gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Its headers.
    #[schema(value_type = Object)]
    pub headers: JsonObject,
    /// Its size in bytes.
    pub size: u64,
    /// Its bytes in base64; the first 64 KiB of a longer one.
    pub body_base64: String,
    /// Its bytes as text, where they are UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_text: Option<String>,
}

/// A page of dead letters, newest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetterPage {
    /// The dead letters.
    pub dead_letters: Vec<DeadLetter>,
    /// Asks for the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}
