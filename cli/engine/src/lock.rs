//! One command at a time starts or stops an instance.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::error::{EngineError, IoContext};
use crate::instance::Instance;

/// The right to start or stop an instance. Given back when dropped, and by the system when the process ends.
#[derive(Debug)]
pub struct InstanceLock {
    _file: File,
}

/// How often a lock that somebody holds is asked for again.
const POLL: Duration = Duration::from_millis(25);

impl InstanceLock {
    /// Takes the lock, waiting up to `patience` for whoever has it; `waiting` is called once if there is somebody.
    ///
    /// # Errors
    /// [`EngineError::Busy`] where it was not to be had in time, [`EngineError::Io`] where the file cannot be made.
    pub async fn take(
        instance: &Instance,
        patience: Duration,
        waiting: impl FnOnce(),
    ) -> Result<Self, EngineError> {
        let held = take(&instance.lock_file(), patience, waiting).await?;
        let file = held.ok_or_else(|| EngineError::Busy {
            instance: instance.name.clone(),
        })?;
        Ok(Self { _file: file })
    }
}

/// Locks a file until what is returned is dropped, waiting up to `patience` for whoever has it. None where it was not to be had in time.
///
/// # Errors
/// [`EngineError::Io`] where the file cannot be made.
pub(crate) async fn take(
    path: &Path,
    patience: Duration,
    waiting: impl FnOnce(),
) -> Result<Option<File>, EngineError> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).context("create the directory", parent)?;
    }
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .context("open the lock file", path)?;
    let deadline = Instant::now() + patience;
    let mut waiting = Some(waiting);
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::Error(error)) => return Err(error).context("lock", path),
            Err(TryLockError::WouldBlock) => {}
        }
        if let Some(waiting) = waiting.take() {
            waiting();
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        tokio::time::sleep(POLL).await;
    }
}
