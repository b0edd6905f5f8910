//! A whole processor over the embedded spine and store.

mod bed;
mod gates;
mod outages;
mod outcomes;
mod poison;
mod recovery;
