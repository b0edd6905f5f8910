//! Windows: detached processes, stopping by a file that the process looks for.

use std::io;
use std::os::windows::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};
use windows_sys::Win32::Foundation::{HANDLE_FLAG_INHERIT, SetHandleInformation};
use windows_sys::Win32::System::Console::{
    GetStdHandle, STD_ERROR_HANDLE, STD_INPUT_HANDLE, STD_OUTPUT_HANDLE,
};
use windows_sys::Win32::System::Threading::{CREATE_NEW_PROCESS_GROUP, DETACHED_PROCESS};

use super::StartTime;

/// How often a process looks for its stop file.
const POLL: Duration = Duration::from_millis(100);

fn with_process<T>(pid: u32, use_it: impl FnOnce(&sysinfo::Process) -> T) -> Option<T> {
    let pid = Pid::from_u32(pid);
    let mut system = System::new().ok()?;
    system.refresh_processes_specifics(
        ProcessesToUpdate::Some(&[pid]),
        true,
        ProcessRefreshKind::nothing(),
    );
    system.process(pid).map(use_it)
}

/// Start time in seconds since the Unix epoch.
pub(super) fn start_time(pid: u32) -> Option<StartTime> {
    with_process(pid, |process| StartTime(process.start_time()))
}

/// Without a console the process gets no Ctrl-C of ours; in a group of its own none of anybody's. Whoever reads our output through a pipe shall
/// not have to wait for its end as well.
pub(super) fn detach_on_spawn(command: &mut Command) {
    keep_standard_streams();
    command.creation_flags(DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP);
}

/// A new process gets every handle that may be inherited, whatever it is given as its own streams (rust-lang/rust#54760). Where a stream is
/// handed over by purpose, the standard library makes a copy that may be.
#[expect(unsafe_code, reason = "the standard library has no call for it")]
fn keep_standard_streams() {
    for which in [STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE] {
        // SAFETY: both take any value. Of a stream that is not there the second tells an error, and then there is nothing to keep.
        let _ = unsafe { SetHandleInformation(GetStdHandle(which), HANDLE_FLAG_INHERIT, 0) };
    }
}

/// Whoever started the process saw to it.
pub(super) fn enter_own_session() -> io::Result<()> {
    Ok(())
}

/// A process without a console can be sent no console event, and ending it from outside would not let it finish.
pub(super) fn request_stop(_pid: u32, stop_file: &Path) -> io::Result<()> {
    std::fs::write(stop_file, b"")
}

pub(super) fn kill(pid: u32) -> io::Result<()> {
    match with_process(pid, sysinfo::Process::kill) {
        Some(false) if start_time(pid).is_some() => Err(io::ErrorKind::PermissionDenied.into()),
        _ => Ok(()),
    }
}

pub(super) async fn stop_requested(stop_file: &Path) {
    while !stop_file.exists() {
        tokio::time::sleep(POLL).await;
    }
    // Left behind, it would stop the next process as well; starting removes it too.
    let _ = std::fs::remove_file(stop_file);
}

pub(super) async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Directories of a user are private by inheritance.
pub(super) fn make_private(_directory: &Path) -> io::Result<()> {
    Ok(())
}
