//! The promise on real servers, under faults: under a load of jobs one part is killed, restarted, paused or cut off;
//! afterwards every job that was answered with 202 ended exactly once, its history is complete and without doubles, the
//! counters agree, and `odd verify` says so too.
//!
//! The faults run one after the other, on servers that this binary has for itself. `ODD_SOAK_SEEDS` repeats each with
//! so many seeds (`make soak`).
#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]
#![expect(
    clippy::print_stdout,
    reason = "the table of faults is what a soak is run for"
)]
#![expect(
    clippy::print_stderr,
    reason = "what a failing test shows goes to standard error"
)]

mod bed;
mod load;
mod messages;
mod network;
mod process;
mod proof;
mod replicas;
mod roles;
mod servers;

/// Seeds that each fault is tried with.
fn seeds() -> std::ops::Range<u64> {
    let wanted = std::env::var("ODD_SOAK_SEEDS").ok();
    let count = wanted.map_or(1, |n| n.parse().expect("ODD_SOAK_SEEDS is a number"));
    1..count + 1
}
