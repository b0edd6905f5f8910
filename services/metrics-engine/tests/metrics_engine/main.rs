//! The metrics-engine on real servers: its work, and what a process that ends within it leaves behind.

#![expect(clippy::unwrap_used, reason = "test code fails by panicking")]

mod crash;
mod faulty;
mod harness;
mod role;
mod watched;
