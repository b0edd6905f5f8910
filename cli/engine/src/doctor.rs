//! Whether this machine can run an observatory, and what mends it where not.

use std::fs::OpenOptions;
use std::net::Ipv4Addr;
use std::path::Path;

use odd_contracts::Role;
use serde::Serialize;

use crate::instance::Instance;
use crate::ports;
use crate::state::ProcessFile;

/// Least free disk space to start with, in bytes.
const DISK_FAIL: u64 = 64 * 1024 * 1024;
/// Free disk space that a longer use needs, in bytes.
const DISK_WARN: u64 = 1024 * 1024 * 1024;
/// Memory that all roles together need under load, in bytes.
const MEMORY_WARN: u64 = 256 * 1024 * 1024;

/// Whether a check passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckState {
    /// All is well.
    Ok,
    /// It will start, with a limit.
    Warning,
    /// It will not start.
    Failed,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at.
    pub name: String,
    /// Whether it passed.
    pub state: CheckState,
    /// What was found.
    pub detail: String,
    /// What follows from that, where it did not pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consequence: Option<String>,
    /// The command that mends it.
    #[serde(rename = "try", skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Check {
    fn ok(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            state: CheckState::Ok,
            detail: detail.into(),
            consequence: None,
            remedy: None,
        }
    }

    fn wrong(self, state: CheckState, consequence: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            state,
            consequence: Some(consequence.into()),
            remedy: Some(remedy.into()),
            ..self
        }
    }
}

/// Looks at everything that the embedded engine needs. Changes nothing but a file that it removes again.
pub fn check(instance: &Instance) -> Vec<Check> {
    let process = ProcessFile::read(&instance.process_file()).ok().flatten();
    let mut checks = vec![platform(), home(instance)];
    if checks.iter().all(|check| check.state != CheckState::Failed) {
        checks.push(locks(instance));
    }
    checks.extend([
        disk(instance.home.path()),
        memory(),
        running(instance, process.as_ref()),
    ]);
    let running = process.filter(ProcessFile::is_alive);
    checks.extend(instance.ports().into_iter().map(|(role, port)| {
        let own = running.as_ref().and_then(|p| p.ports.get(&role).copied());
        port_of(instance, role, port, own)
    }));
    checks
}

fn platform() -> Check {
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

fn home(instance: &Instance) -> Check {
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
fn locks(instance: &Instance) -> Check {
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

fn disk(home: &Path) -> Check {
    let disks = sysinfo::Disks::new_with_refreshed_list();
    let of_home = disks
        .iter()
        .flat_map(|disks| disks.iter())
        .filter(|disk| home.starts_with(disk.mount_point()))
        .max_by_key(|disk| disk.mount_point().as_os_str().len());
    let Some(disk) = of_home else {
        return Check::ok("disk", "the system does not tell how much is free");
    };
    let free = disk.available_space();
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

fn memory() -> Check {
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

fn mebibytes(bytes: u64) -> String {
    match bytes / 1024 / 1024 {
        many @ 10_240.. => format!("{} GiB", many / 1024),
        few => format!("{few} MiB"),
    }
}

fn running(instance: &Instance, process: Option<&ProcessFile>) -> Check {
    let name = format!("instance {}", instance.name);
    let Some(process) = process else {
        return Check::ok(name, "does not run");
    };
    if !process.is_alive() {
        let detail = format!("process {} ended without clearing up", process.pid);
        return Check::ok(name, detail).wrong(
            CheckState::Warning,
            "nothing is lost: the next start takes over where it stopped",
            format!("odd up --instance {}", instance.name),
        );
    }
    let check = Check::ok(
        name,
        format!("runs as process {}, version {}", process.pid, process.release),
    );
    if process.release == odd_contracts::VERSION {
        return check;
    }
    check.wrong(
        CheckState::Warning,
        format!("this is version {}", odd_contracts::VERSION),
        format!("odd down --instance {0} && odd up --instance {0}", instance.name),
    )
}

fn port_of(instance: &Instance, role: Role, port: u16, own: Option<u16>) -> Check {
    let name = format!("port of {role}");
    if let Some(own) = own {
        return Check::ok(name, format!("{own}, in use by this instance"));
    }
    if ports::is_free(Ipv4Addr::LOCALHOST.into(), port) {
        return Check::ok(name, format!("{port} is free"));
    }
    let holder = ports::holder(&instance.home, port);
    let holder = holder.map_or_else(|| "another process".to_owned(), |h| h.to_string());
    Check::ok(name, format!("{port} is taken by {holder}")).wrong(
        CheckState::Failed,
        format!("the {role} cannot listen"),
        match ports::free_offset(instance) {
            Some(offset) => format!("odd up --instance {} --port-offset {offset}", instance.name),
            None => "odd status   (and end what is not needed)".to_owned(),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instance::{Home, InstanceName};

    fn instance(home: &Path) -> Instance {
        Instance {
            name: InstanceName::default(),
            home: Home::at(home),
            port_offset: 41_000,
        }
    }

    #[test]
    fn a_usable_directory_passes_and_is_left_clean() {
        let dir = tempfile::tempdir().unwrap();
        let checks = check(&instance(dir.path()));
        let state = |name: &str| checks.iter().find(|c| c.name == name).unwrap().state;
        assert_eq!(state("home"), CheckState::Ok);
        assert_eq!(state("database"), CheckState::Ok);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_in_the_place_of_the_directory_fails_with_a_remedy() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, b"").unwrap();
        let checks = check(&instance(&file));
        let home = checks.iter().find(|c| c.name == "home").unwrap();
        assert_eq!(home.state, CheckState::Failed);
        assert!(home.remedy.as_ref().unwrap().contains("ODD_HOME"));
    }

    #[test]
    fn a_taken_port_names_its_holder() {
        let dir = tempfile::tempdir().unwrap();
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let check = port_of(&instance(dir.path()), Role::Gateway, port, None);
        assert_eq!(check.state, CheckState::Failed);
        assert!(
            check.detail.contains(&std::process::id().to_string()),
            "{}",
            check.detail
        );
    }
}
