//! The HTTP server of a role over a real listener.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod builtin;
mod drain;
mod limits;
mod problems;
mod support;
