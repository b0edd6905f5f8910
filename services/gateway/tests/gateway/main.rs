//! The gateway over real HTTP, on a real broker.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers, too"
)]

mod bad_input;
mod batch;
mod control;
mod duplicates;
mod gate;
mod harness;
mod proxy;
mod retry;
mod role;
mod spine_away;
mod submit;
