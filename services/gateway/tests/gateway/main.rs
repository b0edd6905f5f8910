//! The gateway over real HTTP, on the embedded spine.

mod bad_input;
mod batch;
mod control;
mod duplicates;
mod gate;
mod harness;
mod retry;
mod role;
mod spine_away;
mod submit;
