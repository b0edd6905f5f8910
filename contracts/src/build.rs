//! Which build of the product a process is.
//!
//! The binary tells its commit when it starts. Were it compiled into this crate, every commit would compile every other crate anew.

use std::sync::OnceLock;

static COMMIT: OnceLock<&'static str> = OnceLock::new();

/// Tells the commit that this process was built from; for the start of `main`. What was told first stays.
pub fn set_commit(commit: &'static str) {
    let _ = COMMIT.set(commit);
}

/// The commit that this process was built from; none where that is not known.
pub fn commit() -> Option<&'static str> {
    COMMIT.get().copied()
}
