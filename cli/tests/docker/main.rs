//! The observatory on a Docker engine, driven by the built binary as a user does: from images that are built offline, so
//! that no registry is needed.
//!
//! Tests that only look share one stack ([`bed::shared`]), which is started by the first of them; tests that change
//! something have a stack of their own. Whatever happens, nothing is left: see [`bed`].
#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]
#![expect(
    clippy::print_stderr,
    reason = "what a failing test shows goes to standard error"
)]

mod bed;
mod compose_v2;
mod gate;
mod lifecycle;
mod looking;
mod observability;
mod projects;
mod readme;
mod trouble;
