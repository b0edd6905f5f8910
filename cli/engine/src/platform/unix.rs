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
    read(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// None where the process has ended.
#[cfg(target_os = "linux")]
fn read(stat: &str) -> Option<StartTime> {
    // The second field is the name in parentheses, which may itself contain anything.
    let behind_name = stat.rsplit_once(')')?.1;
    let mut fields = behind_name.split_ascii_whitespace();
    // proc_pid_stat(5): `state` is field 3, num_threads field 20, starttime field 22.
    let state = fields.next()?;
    let threads: u32 = fields.nth(20 - 4)?.parse().ok()?;
    let start = fields.nth(22 - 21)?.parse().ok()?;
    // The first thread may end before the others, which hold files and locks of the process until they do.
    let has_ended = matches!(state, "X" | "x") || (state == "Z" && threads <= 1);
    (!has_ended).then_some(StartTime(start))
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

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// A line of `/proc/<pid>/stat` in this state, with so many threads, of a process started at 6684666.
    fn stat(state: &str, threads: u32) -> String {
        format!("7 (a) b) {state} 1 7 7 0 -1 4194304 100 0 1 0 0 0 0 0 20 0 {threads} 0 6684666 3133440 383")
    }

    #[test]
    fn a_process_has_ended_once_all_its_threads_have() {
        let start = Some(StartTime(6_684_666));
        for (state, threads) in [("S", 8), ("R", 1), ("Z", 8), ("Z", 2)] {
            assert_eq!(
                read(&stat(state, threads)),
                start,
                "{state} with {threads} threads"
            );
        }
        for (state, threads) in [("Z", 1), ("Z", 0), ("X", 1)] {
            assert_eq!(
                read(&stat(state, threads)),
                None,
                "{state} with {threads} threads"
            );
        }
        assert_eq!(read("7 (sleep"), None);
    }
}
