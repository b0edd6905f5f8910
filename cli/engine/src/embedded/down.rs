//! Stopping the background process.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::error::{EngineError, IoContext};
use crate::instance::Instance;
use crate::lock::InstanceLock;
use crate::platform;
use crate::state::{ProcessFile, remove_if_there};

/// How to stop.
#[derive(Clone, Debug)]
pub struct DownOptions {
    /// Time for work in hand to be finished or given back; then the process is killed. Nothing accepted is lost by that.
    pub deadline: Duration,
    /// Also remove the instance's data.
    pub volumes: bool,
}

/// What happens while an instance stops.
#[derive(Clone, Debug)]
pub enum DownEvent {
    /// Another command starts or stops the instance: it is waited for.
    WaitingForOther,
    /// The process was asked to stop.
    Stopping {
        /// The process.
        pid: u32,
    },
    /// The process did not end in time and is killed.
    Killing {
        /// The process.
        pid: u32,
    },
}

/// What stopping came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// The process that ended; none where none ran.
    pub pid: Option<u32>,
    /// Whether it had to be killed.
    pub killed: bool,
    /// Time it took.
    pub took: Duration,
    /// The directory that was removed.
    pub removed: Option<PathBuf>,
}

/// How often a process is looked at that shall end.
const POLL: Duration = Duration::from_millis(10);
/// Time that a killed process may take to vanish.
const KILL_PATIENCE: Duration = Duration::from_secs(5);
/// Time that another command may take.
const LOCK_PATIENCE: Duration = Duration::from_secs(60);

/// Stops the instance if it runs. Doing it again changes nothing.
///
/// # Errors
/// Any [`EngineError`].
pub async fn down(
    instance: &Instance,
    options: &DownOptions,
    mut progress: impl FnMut(DownEvent),
) -> Result<Stopped, EngineError> {
    let begin = Instant::now();
    let _lock = InstanceLock::take(instance, LOCK_PATIENCE, || progress(DownEvent::WaitingForOther)).await?;
    let path = instance.process_file();
    let file = ProcessFile::read(&path).context("read the process file", &path)?;
    let (mut pid, mut killed) = (None, false);
    if let Some(process) = file.filter(ProcessFile::is_alive) {
        pid = Some(process.pid);
        killed = stop(instance, &process, options.deadline, &mut progress).await?;
    }
    remove_if_there(&path).context("remove the process file", &path)?;
    let removed = if options.volumes {
        remove_data(instance)?
    } else {
        None
    };
    Ok(Stopped {
        pid,
        killed,
        took: begin.elapsed(),
        removed,
    })
}

/// Removes the instance's directory; none where there was none. The caller holds its lock and has stopped it.
///
/// # Errors
/// [`EngineError::Io`].
pub fn remove_data(instance: &Instance) -> Result<Option<PathBuf>, EngineError> {
    let directory = instance.directory();
    match std::fs::remove_dir_all(&directory) {
        Ok(()) => Ok(Some(directory)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).context("remove the directory", &directory),
    }
}

/// Asks, waits, and kills where that did not help. Tells whether it had to kill.
async fn stop(
    instance: &Instance,
    process: &ProcessFile,
    deadline: Duration,
    progress: &mut impl FnMut(DownEvent),
) -> Result<bool, EngineError> {
    let pid = process.pid;
    progress(DownEvent::Stopping { pid });
    let stop_file = instance.stop_file();
    platform::request_stop(pid, &stop_file).context("stop the process of", &instance.directory())?;
    if has_ended(process, deadline).await {
        return Ok(false);
    }
    progress(DownEvent::Killing { pid });
    platform::kill(pid).context("kill the process of", &instance.directory())?;
    if has_ended(process, KILL_PATIENCE).await {
        Ok(true)
    } else {
        Err(EngineError::Unstoppable { pid })
    }
}

pub(super) async fn has_ended(process: &ProcessFile, patience: Duration) -> bool {
    let deadline = Instant::now() + patience;
    while process.is_alive() {
        if Instant::now() >= deadline {
            return false;
        }
        tokio::time::sleep(POLL).await;
    }
    true
}
