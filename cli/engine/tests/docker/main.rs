//! Stacks on a real Docker engine: small projects of shell loops on the base image of the offline images.
//!
//! Each test has its own instance, home and compose files, and removes everything that it made, also when it fails.

mod bed;

mod create;
mod interrupted;
mod lifecycle;
mod logs;
mod trouble;
mod unreachable;
