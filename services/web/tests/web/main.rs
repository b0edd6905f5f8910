//! The web role over real connections, before servers that stand for the roles behind and answer as each test wants.
//! (Roles do not meet in their own tests: with the real ones it is tried where the whole system runs.)

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers, too"
)]

mod harness;
mod hosts;
mod page;
mod passing;
mod refusals;
mod streams;
#[cfg(unix)]
mod terminal;
#[cfg(unix)]
mod terminal_bed;
#[cfg(unix)]
mod terminal_flow;
#[cfg(unix)]
mod terminal_life;
#[cfg(unix)]
mod terminal_refusals;
#[cfg(unix)]
mod terminal_token;
mod trouble;
