//! The embedded engine: one background process with every role, and one SQLite file.

mod down;
mod log;
mod status;
mod up;

pub use down::{DownEvent, DownOptions, Stopped, down, remove_data};
pub use log::{likely_cause, tail};
pub(crate) use log::{open_log, tail_from};
pub use status::{InstanceState, RoleState, RoleStatus, Status, readiness, status};
pub use up::{Running, UpEvent, UpOptions, up};

/// Name of this engine.
pub const NAME: &str = "embedded";
