//! Stacks on a real Docker engine: small projects of shell loops on the base image of the offline images.
//!
//! Each test has its own instance, home and compose files, and removes everything that it made, also when it fails.

// Sockets, symbolic links and users are those of Unix; what is tried is the same engine everywhere.
#![cfg(unix)]

mod bed;

mod create;
mod earlier;
mod images;
mod interrupted;
mod lifecycle;
mod logs;
mod registry;
mod trouble;
mod unreachable;
mod workshop;
