//! The contracts of the Distributed Task Observatory.
//!
//! `schemas/*.json` is the authority on every document that crosses a process boundary; this crate is
//! the Rust that speaks it: types, compiled validators, deterministic identifiers, and the one list of
//! every name that two parts of the system must agree on (roles, queues, routing keys, metrics,
//! environment variables).

pub mod alert;
pub mod alertmanager;
pub mod api;
pub mod build;
pub mod compat;
pub mod control;
pub mod event;
pub mod head;
pub mod history;
pub mod ids;
pub mod job;
pub mod names;
mod number;
pub mod problem;
pub mod role;
pub mod schema;
pub mod terminal;
pub mod timestamp;
pub mod ui;

pub use alert::{Alert, AlertState, Severity};
pub use event::{CONTRACT_VERSION, EventEnvelope, EventType, Producer};
pub use head::EventHead;
pub use ids::JobId;
pub use job::{
    AttemptOutcome, Job, JobAccepted, JobAttempt, JobOptions, JobRecord, JobStatus, JobSubmission, JobType,
    JsonObject,
};
pub use problem::{FieldError, Problem, ProblemCode};
pub use role::Role;
pub use schema::Schema;
pub use timestamp::Timestamp;

/// Version of this build of the product, as every role reports it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
