//! Drives the built binary as a user does. One test binary, one module a subject; every test has a home and ports of its own.

mod bad_input;
mod client;
mod cluster;
mod compose_files;
mod config;
mod contracts;
mod crash;
mod documents;
mod example;
mod export;
mod frame;
mod full_disk;
mod gate;
mod healthcheck;
mod jobs;
mod lifecycle;
mod parity;
#[cfg(unix)]
mod readme;
mod reference;
mod scripts;
mod serve;
mod submit;
mod trouble;
#[cfg(unix)]
mod watch;
mod web;
mod workspace;

use odd_testkit::Instance;

/// A home and ports for the binary under test.
fn instance() -> Instance {
    Instance::new(env!("CARGO_BIN_EXE_odd"))
}
