//! A whole processor over the embedded spine and store.

mod bed;
mod outcomes;
mod poison;
mod recovery;
