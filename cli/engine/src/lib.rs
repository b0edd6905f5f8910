//! Plans, starts, watches and stops an observatory. Prints nothing: progress is a stream of typed events, and
//! every failure a typed error that names its cause and what mends it.

pub mod compose;
pub mod docker;
pub mod doctor;
pub mod embedded;
pub mod error;
pub mod export;
pub mod instance;
pub mod kubernetes;
pub mod ledger;
pub mod lock;
pub mod platform;
pub mod ports;
pub mod state;
pub mod web_token;

pub use error::EngineError;
pub use instance::{Home, Instance, InstanceName};
pub use ports::PortHolder;
pub use state::ProcessFile;
