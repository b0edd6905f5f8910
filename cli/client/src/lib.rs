//! Typed client of the gateway and the read-model, over plain HTTP.
//!
//! Every answer is one of the types of `odd-contracts`; everything that can go wrong is one [`ClientError`].
//! A client is cheap to clone and shares its connections.

mod error;
mod gateway;
mod http;
mod ndjson;
mod raw;
mod read_model;

pub use error::ClientError;
pub use gateway::Gateway;
pub use http::{DEFAULT_TIMEOUT, HttpOptions, Readiness, RoleClient};
pub use raw::{RawAnswer, RawRequest};
pub use read_model::{EventQuery, JobQuery, Live, ReadModel, SILENCE};
