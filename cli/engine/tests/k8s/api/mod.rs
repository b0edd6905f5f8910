//! Tests of the client of Kubernetes, on a real API server or on conversations with one that were recorded.
//!
//! - Without further ado a test runs on what `recorded/NAME.ndjson` holds.
//! - `ODD_TEST_KUBECONFIG=FILE`: on the API server that this kubeconfig's current context names.
//! - With `ODD_TEST_RECORD=1` too: on that server, and `recorded/NAME.ndjson` is written anew.
//!
//! Each conversation says on standard error which of the three it is, whether or not the output of a test is
//! shown. A test that is to be recorded gets all it knows of the server from [`Conversation`], and asks for
//! the same each time: its namespaces have fixed names, and what it applies has nothing random in it but data
//! of Secrets. A connection that is upgraded (`exec`, a forwarded port) cannot be recorded.

mod conversation;
mod exchange;
mod harness;
mod proxy;
mod record;
mod replay;
mod scrub;

pub(crate) use conversation::Conversation;
