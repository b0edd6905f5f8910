//! The few words of the servers' own protocols that the testkit speaks. The drivers have their home elsewhere, and a
//! guard must clear up without the adapter under test.

pub(crate) mod bson;
pub(crate) mod mongo;
pub(crate) mod postgres;
pub(crate) mod redis;
pub(crate) mod scram;
