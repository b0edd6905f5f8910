//! One file a command: its arguments, and `run`.

pub mod bench;
pub mod completions;
pub mod config;
pub mod contracts;
pub mod dead_letters;
pub mod doctor;
pub mod down;
pub mod events;
pub mod export;
pub mod forward;
pub mod healthcheck;
pub mod jobs;
pub mod logs;
pub mod man;
pub mod open;
pub mod restart;
pub mod serve;
pub mod status;
pub mod submit;
pub mod test;
pub mod up;
pub mod urls;
pub mod verify;
pub mod version;
pub mod watch;
