//! Where the other pages are, for the links of the page.

use odd_contracts::ui::{self, UiEntry};
use serde::Serialize;
use utoipa::ToSchema;

/// Every user interface that there can be, and what a page needs to make addresses of them.
///
/// A page adds `portOffset`, and the difference between the port that it was opened on and `port`, to the port of an
/// entry: where a container publishes its port under another number, the others are shifted alike.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Interfaces {
    /// Version of this shape: 1.
    version: u32,
    /// Port that the web role listens on.
    port: u16,
    /// Added to the port of every role already.
    port_offset: u16,
    /// The user interfaces, those of other engines among them.
    entries: &'static [UiEntry],
}

impl Interfaces {
    /// Of a web role that listens on this port.
    pub(crate) fn new(port: u16, port_offset: u16) -> Self {
        Self {
            version: 1,
            port,
            port_offset,
            entries: &ui::registry().entries,
        }
    }
}
