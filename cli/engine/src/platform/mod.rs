//! Everything that differs between operating systems: sessions, signals, processes. Nothing else in the command line or
//! the engines asks which system it runs on.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;

use std::io;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// What stands between two commands that somebody is to run one after the other, in the shell that is usual here: Windows PowerShell 5.1
/// knows no `&&` (about_Pipeline_Chain_Operators: since 7.0).
pub const THEN: &str = if cfg!(windows) { "; " } else { " && " };

/// Signals within this time are one request to end: `timeout` of GNU coreutils tells a process and then its group, and who passes signals on
/// does so beside a supervisor that tells everybody. Only somebody who asks again is in a hurry.
const TOGETHER: Duration = Duration::from_millis(500);

/// When a process was started, as its platform counts. Good for one comparison: equal or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StartTime(pub u64);

/// When a living process was started; none where there is none under this number. One that has ended and only
/// waits to be noticed by its parent does not live.
pub fn start_time(pid: u32) -> Option<StartTime> {
    system::start_time(pid)
}

/// Makes `command` start a process that survives this one's terminal, where that is decided by whoever starts it.
pub fn detach_on_spawn(command: &mut Command) {
    system::detach_on_spawn(command);
}

/// Makes the present process the head of a session of its own, where that is decided by the process itself.
///
/// # Errors
/// Where the system refuses: the process heads a group already.
pub fn enter_own_session() -> io::Result<()> {
    system::enter_own_session()
}

/// Asks a process to finish its work and end. `stop_file` is where a process looks for that on systems without signals.
///
/// # Errors
/// Where the system refuses: the process belongs to somebody else. That it has ended is no error.
pub fn request_stop(pid: u32, stop_file: &Path) -> io::Result<()> {
    system::request_stop(pid, stop_file)
}

/// Ends a process at once.
///
/// # Errors
/// Where the system refuses: the process belongs to somebody else. That it has ended is no error.
pub fn kill(pid: u32) -> io::Result<()> {
    system::kill(pid)
}

/// Waits until somebody asks the present process to stop through its stop file. Never, where signals do that.
pub async fn stop_requested(stop_file: &Path) {
    system::stop_requested(stop_file).await;
}

/// Waits for Ctrl-C, or for the system's request to end. What comes [together](TOGETHER) with the one that ended an earlier wait belongs to
/// that.
pub async fn interrupted() {
    static LAST: Mutex<Option<Instant>> = Mutex::new(None);
    let last = || LAST.lock().unwrap_or_else(PoisonError::into_inner);
    let earlier = *last();
    if let Some(earlier) = earlier {
        tokio::time::sleep_until(earlier + TOGETHER).await;
    }
    system::interrupted().await;
    *last() = Some(Instant::now());
}

/// Whether a browser that is started here would be seen by whoever started this: neither over SSH nor without a display.
pub fn has_display() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if set("SSH_CONNECTION") || set("SSH_TTY") {
        return false;
    }
    // Every desktop but that of the other systems tells where it is.
    cfg!(any(windows, target_os = "macos"))
        || ["DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"]
            .into_iter()
            .any(set)
}

/// Restricts a directory to its owner, where the system has modes.
///
/// # Errors
/// Where the system refuses.
pub fn make_private(directory: &Path) -> io::Result<()> {
    system::make_private(directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper() -> std::process::Child {
        let mut command = if cfg!(windows) {
            let mut command = Command::new("ping");
            command.args(["-n", "60", "127.0.0.1"]);
            command
        } else {
            let mut command = Command::new("sleep");
            command.arg("60");
            command
        };
        command.stdout(std::process::Stdio::null()).spawn().unwrap()
    }

    #[test]
    fn a_process_lives_until_it_is_killed_even_before_anybody_waits_for_it() {
        let mut child = sleeper();
        let started = start_time(child.id()).unwrap();
        assert_eq!(start_time(child.id()), Some(started));
        kill(child.id()).unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        while start_time(child.id()).is_some() {
            assert!(Instant::now() < deadline, "the killed process still lives");
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert!(kill(child.id()).is_ok(), "a process that has ended is no error");
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn signals_that_come_together_are_one_request() {
        use nix::sys::signal::{Signal, raise};
        let mut first = Box::pin(interrupted());
        // From here on a signal does not end the tests.
        assert!(futures::poll!(&mut first).is_pending());
        raise(Signal::SIGTERM).unwrap();
        first.await;

        let mut second = Box::pin(interrupted());
        assert!(futures::poll!(&mut second).is_pending());
        raise(Signal::SIGTERM).unwrap();
        raise(Signal::SIGINT).unwrap();
        let waited = tokio::time::timeout(TOGETHER * 2, &mut second).await;
        assert!(waited.is_err(), "the same request was taken for another one");

        raise(Signal::SIGINT).unwrap();
        second.await;
    }

    #[test]
    fn there_is_no_process_under_an_impossible_number() {
        assert_eq!(start_time(u32::MAX - 1), None);
    }
}
