//! Instances: their names, directories and ports.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use odd_contracts::Role;

/// Name of an instance: 1–32 of `a-z`, `0-9` and `-`, a letter or digit at both ends. Safe as a directory, a host name, a label.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InstanceName(String);

/// A text that is no instance name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no instance name: it is 1 to 32 characters of a-z, 0-9 and '-', with a letter or digit at both ends"
)]
pub struct InvalidInstanceName(pub String);

impl InstanceName {
    /// Name where none is given.
    pub const DEFAULT: &str = "observatory";
    /// Longest name, in characters.
    pub const MAX_LENGTH: usize = 32;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for InstanceName {
    fn default() -> Self {
        Self(Self::DEFAULT.to_owned())
    }
}

impl fmt::Display for InstanceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for InstanceName {
    type Err = InvalidInstanceName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let bytes = text.as_bytes();
        let fits = (1..=Self::MAX_LENGTH).contains(&bytes.len())
            && bytes.iter().all(|b| inner(*b) || *b == b'-')
            && bytes.first().copied().is_some_and(inner)
            && bytes.last().copied().is_some_and(inner);
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidInstanceName(text.to_owned()))
        }
    }
}

/// The directory of everything that `odd` keeps on this machine (`ODD_HOME`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home(PathBuf);

impl Home {
    /// At this path, which need not exist.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self(std::path::absolute(&path).unwrap_or(path))
    }

    /// Where the platform keeps data of applications; none where it does not say.
    pub fn of_platform() -> Option<Self> {
        directories::ProjectDirs::from("", "", "odd").map(|dirs| Self(dirs.data_dir().to_owned()))
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    fn instances(&self) -> PathBuf {
        self.0.join("instances")
    }

    /// Names of the instances that have a directory here, sorted.
    pub fn instance_names(&self) -> Vec<InstanceName> {
        let Ok(entries) = std::fs::read_dir(self.instances()) else {
            return Vec::new();
        };
        let mut names: Vec<InstanceName> = entries
            .filter_map(Result::ok)
            .filter(|entry| entry.path().is_dir())
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .collect();
        names.sort();
        names
    }
}

/// One instance: an own directory and own ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Its name.
    pub name: InstanceName,
    /// Where its directory stands.
    pub home: Home,
    /// Added to the default port of each role.
    pub port_offset: u16,
}

impl Instance {
    /// Largest offset under which every role still has a port.
    pub const MAX_PORT_OFFSET: u16 = 50_000;

    /// Its directory: everything of it but the lock.
    pub fn directory(&self) -> PathBuf {
        self.home.instances().join(self.name.as_str())
    }

    /// The file that tells which process runs it.
    pub fn process_file(&self) -> PathBuf {
        self.directory().join("process.json")
    }

    /// The file that tells which containers run it.
    pub fn stack_file(&self) -> PathBuf {
        self.directory().join("stack.json")
    }

    /// The file that tells which cluster runs it.
    pub fn cluster_file(&self) -> PathBuf {
        self.directory().join("cluster.json")
    }

    /// The file that tells which process forwards ports to it.
    pub fn forward_file(&self) -> PathBuf {
        self.directory().join("forward.json")
    }

    /// The file that whoever starts or stops it holds a lock on. Outside its directory, so that the directory can be removed under the lock.
    pub fn lock_file(&self) -> PathBuf {
        self.home.instances().join(format!("{}.lock", self.name))
    }

    /// Where its process asks to be stopped, on platforms without signals.
    pub fn stop_file(&self) -> PathBuf {
        self.directory().join("stop-requested")
    }

    /// Its log: one JSON document a line.
    pub fn log_file(&self) -> PathBuf {
        self.directory().join("odd.log")
    }

    /// The log before the present one.
    pub fn previous_log_file(&self) -> PathBuf {
        self.directory().join("odd.log.1")
    }

    /// SQLite file of its stores and spine.
    pub fn database(&self) -> PathBuf {
        self.directory().join("odd.sqlite")
    }

    /// Ids of the jobs that it accepted from this machine's `odd`.
    pub fn ledger(&self) -> PathBuf {
        self.directory().join("ledger")
    }

    /// Port of a role.
    pub fn port(&self, role: Role) -> u16 {
        role.default_port().saturating_add(self.port_offset)
    }

    /// Port of each role.
    pub fn ports(&self) -> Vec<(Role, u16)> {
        Role::ALL
            .into_iter()
            .map(|role| (role, self.port(role)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_as_directories_and_labels() {
        for good in ["a", "observatory", "demo-2", "0", "a".repeat(32).as_str()] {
            assert_eq!(good.parse::<InstanceName>().unwrap().as_str(), good);
        }
        for bad in [
            "",
            "-a",
            "a-",
            "A",
            "a b",
            "../x",
            "a.b",
            "ä",
            "a".repeat(33).as_str(),
        ] {
            assert!(bad.parse::<InstanceName>().is_err(), "{bad:?} must be refused");
        }
    }

    #[test]
    fn ports_move_together_and_never_leave_the_range() {
        let instance = Instance {
            name: InstanceName::default(),
            home: Home::at("/nowhere"),
            port_offset: Instance::MAX_PORT_OFFSET,
        };
        let ports = instance.ports();
        assert_eq!(ports.len(), Role::ALL.len());
        for (role, port) in ports {
            assert_eq!(
                u32::from(port),
                u32::from(role.default_port()) + u32::from(Instance::MAX_PORT_OFFSET)
            );
        }
    }
}
