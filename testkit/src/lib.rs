//! What tests of several crates share: waiting for a state, ports that nobody uses, and instances that clear up after
//! themselves however the test ends. A development dependency only.

#![expect(
    clippy::print_stderr,
    reason = "what a failing test shows goes to standard error"
)]

mod instance;
mod ports;
mod wait;

pub use instance::{Instance, Output};
pub use ports::{free_port, free_port_offset};
pub use wait::wait_for;
