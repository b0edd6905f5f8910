//! This machine: system, disk, memory.

use std::path::Path;

use super::{Check, CheckState};

/// Least free disk space to start with, in bytes.
const DISK_FAIL: u64 = 64 * 1024 * 1024;
/// Free disk space that a longer use needs, in bytes.
const DISK_WARN: u64 = 1024 * 1024 * 1024;
/// Memory that all roles together need under load, in bytes.
const MEMORY_WARN: u64 = 256 * 1024 * 1024;

pub(super) fn platform() -> Check {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    let check = Check::ok("platform", format!("{os} {arch}, {cores} cores"));
    if matches!(os, "linux" | "macos" | "windows") {
        check
    } else {
        check.wrong(
            CheckState::Warning,
            "the embedded engine is not tested on this system",
            "odd up",
        )
    }
}

pub(super) fn disk(home: &Path) -> Check {
    let Some(free) = free_space(home) else {
        return Check::ok("disk", "the system does not tell how much is free");
    };
    let check = Check::ok("disk", format!("{} free", mebibytes(free)));
    let state = match free {
        0..DISK_FAIL => CheckState::Failed,
        DISK_FAIL..DISK_WARN => CheckState::Warning,
        _ => return check,
    };
    check.wrong(
        state,
        "a full disk stops the spine: submissions are then refused with 503, nothing accepted is lost",
        "odd down --volumes   (removes this instance's data), or make room",
    )
}

/// Bytes that are free where a path is, or will be; none where the system does not tell.
pub(super) fn free_space(path: &Path) -> Option<u64> {
    let disks = sysinfo::Disks::new_with_refreshed_list().ok()?;
    let of_path = disks
        .iter()
        .filter(|disk| path.starts_with(disk.mount_point()))
        .max_by_key(|disk| disk.mount_point().as_os_str().len())?;
    Some(of_path.available_space())
}

pub(super) fn memory() -> Check {
    let Ok(mut system) = sysinfo::System::new() else {
        return Check::ok("memory", "the system does not tell how much is available");
    };
    system.refresh_memory();
    let available = system.available_memory();
    let check = Check::ok("memory", format!("{} available", mebibytes(available)));
    if available >= MEMORY_WARN {
        return check;
    }
    check.wrong(
        CheckState::Warning,
        "under load the system may end the process; what was accepted survives that",
        "odd up   (after closing something else)",
    )
}

pub(super) fn mebibytes(bytes: u64) -> String {
    match bytes / 1024 / 1024 {
        many @ 10_240.. => format!("{} GiB", many / 1024),
        few => format!("{few} MiB"),
    }
}
