//! The stack file: what was started for an instance, and where it listens. Written before the first container is made and
//! again when all are healthy, removed when the stack is down.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use odd_contracts::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::{EngineError, IoContext};
use crate::instance::Instance;
use crate::platform;
use crate::state::{read_if_there, remove_if_there, write_atomically};

/// What a stack is made of, as far as other commands need to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StackFile {
    /// Version of this shape.
    pub version: u32,
    /// Engine that it runs on: `docker`.
    pub engine: String,
    /// Name of the compose project.
    pub project: String,
    /// The Docker host that it was started on, as `DOCKER_HOST` would name it.
    pub host: String,
    /// Version of the build that started it.
    pub release: String,
    /// When it was started.
    pub started_at: Timestamp,
    /// Whether the images are those built from Debian packages.
    pub offline: bool,
    /// Compose profiles that were asked for.
    pub profiles: Vec<String>,
    /// Numbers of containers that were asked for.
    pub scale: BTreeMap<String, u32>,
    /// Port on this machine by service, where it publishes one.
    pub ports: BTreeMap<String, u16>,
    /// Containers that were made. One that is not there later was removed by somebody else.
    #[serde(default)]
    pub containers: Vec<String>,
}

impl StackFile {
    /// Version of the shape that this build writes.
    pub const VERSION: u32 = 1;

    /// Reads the file ([`crate::Instance::stack_file`]); none where there is none. One that makes no sense counts as none: containers
    /// are found by their labels.
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

    /// That of an instance.
    pub(super) fn of(instance: &Instance) -> Result<Option<Self>, EngineError> {
        let path = instance.stack_file();
        Self::read(&path).context("read the stack file", &path)
    }

    /// Makes this the one of an instance.
    pub(super) fn save(&self, instance: &Instance) -> Result<(), EngineError> {
        let (directory, path) = (instance.directory(), instance.stack_file());
        std::fs::create_dir_all(&directory).context("create the directory", &directory)?;
        platform::make_private(&directory).context("restrict the directory", &directory)?;
        self.write(&path).context("write the stack file", &path)
    }

    /// Removes the file of an instance.
    pub(super) fn remove(instance: &Instance) -> Result<(), EngineError> {
        let path = instance.stack_file();
        remove_if_there(&path).context("remove the stack file", &path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instance::{Home, InstanceName};

    #[test]
    fn is_written_read_and_removed() {
        let home = tempfile::tempdir().unwrap();
        let instance = Instance {
            name: InstanceName::default(),
            home: Home::at(home.path()),
            port_offset: 0,
        };
        assert_eq!(StackFile::of(&instance).unwrap(), None);
        let stack = StackFile {
            version: StackFile::VERSION,
            engine: crate::docker::NAME.to_owned(),
            project: "odd-observatory".to_owned(),
            host: "unix:///var/run/docker.sock".to_owned(),
            release: "0.1.0".to_owned(),
            started_at: Timestamp::now(),
            offline: true,
            profiles: vec!["tools".to_owned()],
            scale: BTreeMap::from([("processor".to_owned(), 2)]),
            ports: BTreeMap::from([("gateway".to_owned(), 3000)]),
            containers: vec!["odd-observatory-gateway-1".to_owned()],
        };
        stack.save(&instance).unwrap();
        assert_eq!(StackFile::of(&instance).unwrap(), Some(stack));
        std::fs::write(instance.stack_file(), "{").unwrap();
        assert_eq!(StackFile::of(&instance).unwrap(), None, "garbage counts as none");
        StackFile::remove(&instance).unwrap();
        StackFile::remove(&instance).unwrap();
    }
}
