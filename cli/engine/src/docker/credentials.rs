//! The passwords and tokens of an instance: random, kept in a file that only its owner can read.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rand::TryRng;
use rand::rngs::SysRng;
use serde::{Deserialize, Serialize};

use crate::error::{EngineError, IoContext};
use crate::instance::Instance;
use crate::platform;

/// Characters of a secret: letters and digits only, since it stands in addresses, arguments and configuration files. 190 bits.
const LENGTH: usize = 32;
const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Secrets of an instance by the name of their variable in the compose files. `Debug` shows the names only.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    /// Version of this shape.
    version: u32,
    /// The secrets.
    variables: BTreeMap<String, String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.variables.keys()).finish()
    }
}

impl Credentials {
    /// Version of the shape that this build writes.
    pub const VERSION: u32 = 1;

    /// The file of an instance.
    pub fn file(instance: &Instance) -> PathBuf {
        instance.directory().join("credentials.json")
    }

    /// Whether a variable of the compose files is a secret: its name ends in `_PASSWORD` or `_TOKEN`.
    pub fn is_secret(variable: &str) -> bool {
        variable.ends_with("_PASSWORD") || variable.ends_with("_TOKEN")
    }

    /// Those of an instance; none where it has none.
    ///
    /// # Errors
    /// [`EngineError::Io`] where the file cannot be read or makes no sense.
    pub fn load(instance: &Instance) -> Result<Option<Self>, EngineError> {
        let path = Self::file(instance);
        match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(io::Error::from)
                .context("understand", &path)
                .map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).context("read", &path),
        }
    }

    /// The secret of a variable.
    pub fn get(&self, variable: &str) -> Option<&str> {
        self.variables.get(variable).map(String::as_str)
    }

    /// Every secret by its variable.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables
            .iter()
            .map(|(name, secret)| (name.as_str(), secret.as_str()))
    }

    /// Takes this secret for a variable.
    pub(super) fn put(&mut self, variable: &str, secret: &str) {
        self.variables.insert(variable.to_owned(), secret.to_owned());
    }

    /// Adds a random secret for each of these variables that has none. Tells whether there was any.
    ///
    /// # Errors
    /// [`EngineError::Io`] where the system has no randomness.
    pub(super) fn complete<'a>(
        &mut self,
        variables: impl IntoIterator<Item = &'a str>,
    ) -> Result<bool, EngineError> {
        let mut added = false;
        for variable in variables {
            if !self.variables.contains_key(variable) {
                self.put(variable, &random()?);
                added = true;
            }
        }
        Ok(added)
    }

    /// Writes the file so that a reader sees all of it or none, and nobody but its owner can read it.
    ///
    /// # Errors
    /// [`EngineError::Io`].
    pub(super) fn save(&mut self, instance: &Instance) -> Result<(), EngineError> {
        self.version = Self::VERSION;
        let (directory, path) = (instance.directory(), Self::file(instance));
        std::fs::create_dir_all(&directory).context("create the directory", &directory)?;
        platform::make_private(&directory).context("restrict the directory", &directory)?;
        let bytes = serde_json::to_vec_pretty(self)
            .map_err(io::Error::from)
            .context("write", &path)?;
        write_private(&path, &bytes).context("write", &path)
    }
}

/// Writes a file that only its owner can read, at no moment anybody else.
fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    // Made with mode 0600 where there are modes.
    let mut beside = tempfile::NamedTempFile::new_in(directory)?;
    beside.write_all(bytes)?;
    beside.as_file().sync_all()?;
    beside.persist(path).map(drop).map_err(|error| error.error)
}

/// A random secret from the system's own source.
fn random() -> Result<String, EngineError> {
    // The largest multiple of 62 in a byte: what lies beyond would make the first characters likelier.
    const FAIR: u8 = 248;
    let mut secret = String::with_capacity(LENGTH);
    while secret.len() < LENGTH {
        let mut bytes = [0_u8; LENGTH];
        SysRng
            .try_fill_bytes(&mut bytes)
            .map_err(io::Error::other)
            .context("take randomness from", Path::new("the system"))?;
        let fair = bytes.iter().filter(|byte| **byte < FAIR);
        secret.extend(
            fair.take(LENGTH - secret.len())
                .map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()])),
        );
    }
    Ok(secret)
}
