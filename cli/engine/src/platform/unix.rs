//! Unix: sessions by `setsid`, stopping by signals.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use nix::errno::Errno;
use nix::sys::signal::{self, Signal};
use nix::unistd::{Pid, setsid};
use tokio::signal::unix::{SignalKind, signal as listen};

use super::StartTime;

/// Start time in clock ticks since boot, exactly as the kernel keeps it: unlike a calendar time computed from it,
/// it does not move when the clock is set.
#[cfg(target_os = "linux")]
pub(super) fn start_time(pid: u32) -> Option<StartTime> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the name in parentheses, which may itself contain anything.
    let behind_name = stat.rsplit_once(')')?.1;
    let mut fields = behind_name.split_ascii_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X" | "x") {
        return None;
    }
    // proc_pid_stat(5): starttime is field 22; `state`, taken above, is field 3.
    fields.nth(22 - 4)?.parse().ok().map(StartTime)
}

/// Start time in seconds since the Unix epoch.
#[cfg(not(target_os = "linux"))]
pub(super) fn start_time(pid: u32) -> Option<StartTime> {
    use sysinfo::{ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System};
    let pid = sysinfo::Pid::from_u32(pid);
    let mut system = System::new().ok()?;
    system.refresh_processes_specifics(
        ProcessesToUpdate::Some(&[pid]),
        true,
        ProcessRefreshKind::nothing(),
    );
    let process = system.process(pid)?;
    let ended = matches!(process.status(), ProcessStatus::Zombie | ProcessStatus::Dead);
    (!ended).then(|| StartTime(process.start_time()))
}

/// The started process does it itself ([`enter_own_session`]): doing it between `fork` and `exec` would need unsafe code.
pub(super) fn detach_on_spawn(_command: &mut Command) {}

pub(super) fn enter_own_session() -> io::Result<()> {
    setsid().map(drop).map_err(io::Error::from)
}

pub(super) fn request_stop(pid: u32, _stop_file: &Path) -> io::Result<()> {
    send(pid, Signal::SIGTERM)
}

pub(super) fn kill(pid: u32) -> io::Result<()> {
    send(pid, Signal::SIGKILL)
}

fn send(pid: u32, what: Signal) -> io::Result<()> {
    // 0 and negative numbers mean groups of processes.
    let pid = i32::try_from(pid)
        .ok()
        .filter(|pid| *pid > 0)
        .ok_or(io::ErrorKind::InvalidInput)?;
    match signal::kill(Pid::from_raw(pid), what) {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

pub(super) async fn stop_requested(_stop_file: &Path) {
    std::future::pending().await
}

pub(super) async fn interrupted() {
    let streams = (listen(SignalKind::interrupt()), listen(SignalKind::terminate()));
    let (Ok(mut interrupt), Ok(mut terminate)) = streams else {
        // Without handlers the signals end the process by themselves.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

pub(super) fn make_private(directory: &Path) -> io::Result<()> {
    std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o700))
}
