//! The embedded adapters: everything of one instance in one SQLite file.

pub mod database;
mod rows;

pub use database::{Database, OpenError, Options, Synchronous};
