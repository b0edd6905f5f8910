//! The suites that every adapter of a port passes, unchanged.
#![expect(clippy::unwrap_used, reason = "a suite is test code: it fails by panicking")]

pub mod counters;
pub mod event_log;
pub mod job_store;
pub mod sample;
