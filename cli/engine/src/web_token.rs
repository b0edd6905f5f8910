//! The token of the web terminal that an instance was started with, kept for whoever opens its page later.

use std::io;
use std::path::PathBuf;

use crate::error::{EngineError, IoContext};
use crate::instance::Instance;
use crate::platform;
use crate::state::{remove_if_there, write_private};

fn file(instance: &Instance) -> PathBuf {
    instance.directory().join("web-token")
}

/// Keeps it where only the owner of the instance can read it, or forgets the one of an earlier start.
///
/// # Errors
/// [`EngineError::Io`].
pub fn remember(instance: &Instance, token: Option<&str>) -> Result<(), EngineError> {
    let path = file(instance);
    let Some(token) = token else {
        return remove_if_there(&path).context("remove", &path);
    };
    let directory = instance.directory();
    std::fs::create_dir_all(&directory).context("create the directory", &directory)?;
    platform::make_private(&directory).context("restrict the directory", &directory)?;
    write_private(&path, token.as_bytes()).context("write", &path)
}

/// The token; none where the instance was started without.
///
/// # Errors
/// [`EngineError::Io`] where the file cannot be read.
pub fn recall(instance: &Instance) -> Result<Option<String>, EngineError> {
    let path = file(instance);
    match std::fs::read_to_string(&path) {
        Ok(token) => Ok(Some(token)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).context("read", &path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instance::{Home, InstanceName};

    #[test]
    fn it_is_kept_for_its_owner_and_forgotten_by_a_start_without() {
        let home = tempfile::tempdir().unwrap();
        let instance = Instance {
            home: Home::at(home.path()),
            name: InstanceName::default(),
            port_offset: 0,
        };
        assert_eq!(recall(&instance).unwrap(), None);
        remember(&instance, None).unwrap();
        remember(&instance, Some("0123456789abcdef")).unwrap();
        assert_eq!(recall(&instance).unwrap().as_deref(), Some("0123456789abcdef"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(file(&instance)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        remember(&instance, None).unwrap();
        assert_eq!(recall(&instance).unwrap(), None);
    }
}
