//! The passwords and tokens of an instance: random, kept in a file that only its owner can read.

pub(super) mod secrets;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rand::TryRng;
use rand::rngs::SysRng;
use serde::{Deserialize, Serialize};

use crate::error::{EngineError, IoContext};
use crate::instance::Instance;
use crate::platform;
use crate::state::write_private;

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

    /// Makes the file the one that was used last: by that it is told which engine an instance was on. None is as well.
    pub(in crate::docker) fn touch(instance: &Instance) -> Result<(), EngineError> {
        let path = Self::file(instance);
        match std::fs::File::options().append(true).open(&path) {
            Ok(file) => file
                .set_modified(std::time::SystemTime::now())
                .context("touch", &path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error).context("touch", &path),
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
    pub(in crate::docker) fn put(&mut self, variable: &str, secret: &str) {
        self.variables.insert(variable.to_owned(), secret.to_owned());
    }

    /// Adds a random secret for each of these variables that has none. Tells whether there was any.
    ///
    /// # Errors
    /// [`EngineError::Io`] where the system has no randomness.
    pub(in crate::docker) fn complete<'a>(
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
    pub(in crate::docker) fn save(&mut self, instance: &Instance) -> Result<(), EngineError> {
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

/// A random secret from the system's own source.
pub(crate) fn random() -> Result<String, EngineError> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instance::Home;

    fn instance(home: &Path) -> Instance {
        Instance {
            name: "t".parse().unwrap(),
            home: Home::at(home),
            port_offset: 0,
        }
    }

    #[test]
    fn secrets_are_long_random_and_never_shown() {
        let mut credentials = Credentials::default();
        assert!(credentials.complete(["A_PASSWORD", "B_TOKEN"]).unwrap());
        let (a, b) = (
            credentials.get("A_PASSWORD").unwrap(),
            credentials.get("B_TOKEN").unwrap(),
        );
        assert!(
            a.len() == LENGTH && a.bytes().all(|byte| ALPHABET.contains(&byte)),
            "{a}"
        );
        assert_ne!(a, b);
        assert_eq!(format!("{credentials:?}"), r#"{"A_PASSWORD", "B_TOKEN"}"#);
        let before = credentials.clone();
        assert!(!credentials.complete(["A_PASSWORD"]).unwrap());
        assert_eq!(credentials, before, "what is there stays");
    }

    #[test]
    fn the_file_is_read_back_and_one_that_makes_no_sense_is_an_error() {
        let home = tempfile::tempdir().unwrap();
        let instance = instance(home.path());
        assert_eq!(Credentials::load(&instance).unwrap(), None);
        let mut credentials = Credentials::default();
        credentials.complete(["A_PASSWORD"]).unwrap();
        credentials.save(&instance).unwrap();
        assert_eq!(Credentials::load(&instance).unwrap().as_ref(), Some(&credentials));
        // Taking new ones in place of those would lock everybody out of the data.
        std::fs::write(Credentials::file(&instance), "{").unwrap();
        assert!(Credentials::load(&instance).is_err());
    }

    #[test]
    fn names_tell_what_is_a_secret() {
        assert!(Credentials::is_secret("REDIS_PASSWORD") && Credentials::is_secret("ALERT_WEBHOOK_TOKEN"));
        assert!(!Credentials::is_secret("POSTGRES_USER") && !Credentials::is_secret("ODD_IMAGE"));
    }
}
