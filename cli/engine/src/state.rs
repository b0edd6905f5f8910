//! The process file: which process runs an instance, and where it listens.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use odd_contracts::{Role, Timestamp};
use serde::{Deserialize, Serialize};

use crate::platform::{self, StartTime};

/// What the process that runs an instance says of itself. Written by that process once it listens, removed when it ends well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProcessFile {
    /// Version of this shape.
    pub version: u32,
    /// The process.
    pub pid: u32,
    /// When it was started, as the platform counts: tells it from a later process under the same number.
    pub process_start: StartTime,
    /// Engine that it is.
    pub engine: String,
    /// Version of its build.
    pub release: String,
    /// When it began to listen.
    pub started_at: Timestamp,
    /// Address that its roles listen on.
    pub address: std::net::IpAddr,
    /// Port of each role it runs.
    pub ports: BTreeMap<Role, u16>,
}

impl ProcessFile {
    /// Version of the shape that this build writes.
    pub const VERSION: u32 = 1;

    /// Of the present process, listening at these ports.
    pub fn of_this_process(engine: &str, address: std::net::IpAddr, ports: BTreeMap<Role, u16>) -> Self {
        let pid = std::process::id();
        Self {
            version: Self::VERSION,
            pid,
            process_start: platform::start_time(pid).unwrap_or_default(),
            engine: engine.to_owned(),
            release: odd_contracts::VERSION.to_owned(),
            started_at: Timestamp::now(),
            address,
            ports,
        }
    }

    /// Reads the file; none where there is none. One that makes no sense counts as none: it was not
    /// written by a process that could be spoken to.
    ///
    /// # Errors
    /// Whatever reading fails with.
    pub fn read(path: &Path) -> io::Result<Option<Self>> {
        read_if_there(path)
    }

    /// Writes the file so that a reader sees all of it or none.
    ///
    /// # Errors
    /// Whatever writing fails with.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        write_atomically(path, &serde_json::to_vec_pretty(self)?)
    }

    /// Removes the file if it still speaks of this process.
    ///
    /// # Errors
    /// Whatever reading or removing fails with.
    pub fn remove(&self, path: &Path) -> io::Result<()> {
        match Self::read(path)? {
            Some(present) if present.pid == self.pid => remove_if_there(path),
            _ => Ok(()),
        }
    }

    /// Whether the process lives. A later process under the same number does not count.
    pub fn is_alive(&self) -> bool {
        platform::start_time(self.pid).is_some_and(|start| start == self.process_start)
    }

    /// Base address of a role; none where this process does not run it.
    pub fn url(&self, role: Role) -> Option<String> {
        let address = match self.address {
            // Listening everywhere includes this machine.
            std::net::IpAddr::V4(ip) if ip.is_unspecified() => std::net::Ipv4Addr::LOCALHOST.into(),
            std::net::IpAddr::V6(ip) if ip.is_unspecified() => std::net::Ipv6Addr::LOCALHOST.into(),
            other => other,
        };
        let port = *self.ports.get(&role)?;
        Some(format!("http://{}", std::net::SocketAddr::new(address, port)))
    }
}

/// Reads a JSON document; none where there is no file, or none that makes sense.
pub(crate) fn read_if_there<T: serde::de::DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes a file beside its place and moves it there.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_extension(format!("{}.tmp", std::process::id()));
    let written = std::fs::File::create(&beside)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&beside, path));
    if written.is_err() {
        // The error that counts is the one above.
        let _ = std::fs::remove_file(&beside);
    }
    written
}

/// Writes a file that only its owner can read, at no moment anybody else.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    // Made with mode 0600 where there are modes.
    let mut beside = tempfile::NamedTempFile::new_in(directory)?;
    beside.write_all(bytes)?;
    beside.as_file().sync_all()?;
    beside.persist(path).map(drop).map_err(|error| error.error)
}

/// Removes a file; that there is none is no error.
pub(crate) fn remove_if_there(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here() -> ProcessFile {
        let ports = BTreeMap::from([(Role::Gateway, 3000)]);
        ProcessFile::of_this_process("embedded", std::net::Ipv4Addr::UNSPECIFIED.into(), ports)
    }

    #[test]
    fn this_process_is_alive_and_an_earlier_one_under_its_number_is_not() {
        let mut file = here();
        assert!(file.is_alive());
        file.process_start = StartTime::default();
        assert!(!file.is_alive());
    }

    #[test]
    fn round_trips_and_is_removed_by_its_own_process_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("process.json");
        assert_eq!(ProcessFile::read(&path).unwrap(), None);
        let file = here();
        file.write(&path).unwrap();
        assert_eq!(ProcessFile::read(&path).unwrap().as_ref(), Some(&file));

        let stranger = ProcessFile {
            pid: 1,
            ..file.clone()
        };
        stranger.remove(&path).unwrap();
        assert!(path.exists());
        file.remove(&path).unwrap();
        assert!(!path.exists());
        assert_eq!(
            std::fs::read_dir(dir.path()).unwrap().count(),
            0,
            "nothing is left beside"
        );
    }

    #[test]
    fn garbage_counts_as_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("process.json");
        std::fs::write(&path, "{\"version\":1").unwrap();
        assert_eq!(ProcessFile::read(&path).unwrap(), None);
    }

    #[test]
    fn a_role_that_listens_everywhere_is_called_here() {
        assert_eq!(
            here().url(Role::Gateway).as_deref(),
            Some("http://127.0.0.1:3000")
        );
        assert_eq!(here().url(Role::ReadModel), None);
    }
}
