//! State: the job store, the event log and the counters.
//!
//! Three ports, each a small trait with one conformance suite that every adapter passes
//! ([`conformance`]). The embedded adapters ([`embedded`]) keep everything in one SQLite file; the SQL
//! of the embedded event spine stands there too, because SQL lives in this crate only.

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
pub mod counters;
pub mod embedded;
pub mod error;
pub mod event_log;
pub mod job_store;
pub mod lifecycle;
pub mod mongo;
pub mod postgres;
pub mod redis;

pub use counters::{CounterEvent, Counters, Generation};
pub use error::StoreError;
pub use event_log::{EventFilter, EventLog, LoggedEvent, NewEvents, Position, PositionedEvent};
pub use job_store::{
    CancelOutcome, CancelRequest, Claim, ClaimToken, Claimed, Commit, Committed, Due, JobCursor, JobFilter,
    JobStore, Poison, Renewal, StoredJob, Taken, Work, WorkMode,
};
