//! What this binary is built from, as its build script found it.

/// The commit, with `-changed` behind it where the checkout had changes.
pub const COMMIT: Option<&str> = option_env!("ODD_BUILD_COMMIT");
/// When that was committed, in UTC.
pub const COMMIT_DATE: Option<&str> = option_env!("ODD_BUILD_COMMIT_DATE");
/// The version of the compiler.
pub const RUSTC: Option<&str> = option_env!("ODD_BUILD_RUSTC");
/// What it was compiled for, such as `x86_64-unknown-linux-gnu`.
pub const TARGET: Option<&str> = option_env!("ODD_BUILD_TARGET");

/// Lets roles and the engine know the commit.
pub fn tell_commit() {
    if let Some(commit) = COMMIT {
        odd_contracts::build::set_commit(commit);
    }
}
