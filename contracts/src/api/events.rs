//! Pages of events.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::event::EventEnvelope;

/// A page of events.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventPage {
    /// The events, newest first (oldest first where `after` was given).
    pub events: Vec<EventEnvelope>,
    /// Asks for the next page, as `cursor`; absent on the last, and where `after` was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// Asks, as `after`, for what is recorded later than everything on this page. Absent while the log is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follow_cursor: Option<String>,
}
