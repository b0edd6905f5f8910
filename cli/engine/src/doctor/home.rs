//! The directory of everything that is kept.

use std::fs::OpenOptions;
use std::path::Path;

use super::{Check, CheckState};
use crate::instance::Instance;

pub(super) fn home(instance: &Instance) -> Check {
    let path = instance.home.path();
    let check = Check::ok("home", path.display().to_string());
    match probe(path) {
        Ok(()) => check,
        Err(error) => Check {
            detail: format!("{}: {error}", path.display()),
            ..check
        }
        .wrong(
            CheckState::Failed,
            "nothing can be started: state, database and log have no place",
            "ODD_HOME=~/odd odd up   (or any directory that you can write to)",
        ),
    }
}

/// Writes a file and removes it again.
fn probe(directory: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(directory)?;
    let file = directory.join(format!(".probe-{}", std::process::id()));
    std::fs::write(&file, b"probe")?;
    std::fs::remove_file(&file)
}

/// SQLite and the instance lock need locks, which some network file systems do not have.
pub(super) fn locks(instance: &Instance) -> Check {
    let file = instance.home.path().join(format!(".lock-{}", std::process::id()));
    let locked = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&file)
        .and_then(|handle| handle.try_lock().map_err(std::io::Error::from));
    // Whether it was made at all is what was asked.
    let _ = std::fs::remove_file(&file);
    match locked {
        Ok(()) => Check::ok("database", "the file system has file locks"),
        Err(error) => Check::ok("database", format!("no file lock: {error}")).wrong(
            CheckState::Failed,
            "SQLite cannot keep the database safe here",
            "ODD_HOME=~/odd odd up   (a directory on a local disk)",
        ),
    }
}
