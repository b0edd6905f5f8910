//! The read-model over real servers and real HTTP.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod alerts;
mod exports;
mod jobs;
mod log;
mod stream;
mod support;
mod system;
