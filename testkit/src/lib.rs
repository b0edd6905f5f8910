//! What tests of several crates share: real servers in containers, faults between a role and a server, waiting for a
//! state, ports that nobody uses, and instances that clear up after themselves however the test ends. A development
//! dependency only.

#![expect(
    clippy::print_stderr,
    reason = "what a failing test shows goes to standard error"
)]

#[cfg(unix)]
pub mod browser;
mod container;
mod docker;
pub mod document;
mod faults;
pub mod gate;
mod images;
mod instance;
mod keeper;
mod ports;
mod project;
mod proxy;
pub mod pty;
mod run;
mod runtime;
pub mod servers;
mod specification;
mod tool;
mod wait;

#[cfg(unix)]
pub use browser::Browser;
pub use container::Container;
pub use images::Service;
pub use instance::{Instance, Output};
pub use ports::{free_port, free_port_offset};
pub use project::{Project, ProjectContainer};
pub use proxy::FaultProxy;
pub use pty::Pty;
pub use tool::{Ended, tool};
pub use wait::{wait_for, wait_until};
