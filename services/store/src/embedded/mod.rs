//! The embedded adapters: everything of one instance in one SQLite file.

mod counters;
pub mod database;
mod event_log;
mod job_store;
pub mod queue;
mod rows;

pub use counters::SqliteCounters;
pub use database::{Database, OpenError, Options, Synchronous};
pub use event_log::SqliteEventLog;
pub use job_store::SqliteJobStore;
