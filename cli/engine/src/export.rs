//! Files that are handed over to somebody: to a directory, where nothing of his is lost, or as an archive.

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A file of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Path below the directory, with `/` between its parts.
    pub path: String,
    /// Its bytes.
    pub content: Cow<'static, [u8]>,
    /// Who may do what with it.
    pub access: Access,
}

/// Who may do what with a file, on systems that tell users apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody may read it.
    Public,
    /// Only its owner may read it: it has or may get secrets.
    Private,
    /// Everybody may run it.
    Program,
}

impl Access {
    const fn mode(self) -> u32 {
        match self {
            Self::Public => 0o644,
            Self::Private => 0o600,
            Self::Program => 0o755,
        }
    }
}

impl File {
    /// One that everybody may read.
    pub fn new(path: impl Into<String>, content: impl Into<Cow<'static, [u8]>>) -> Self {
        Self {
            path: path.into(),
            content: content.into(),
            access: Access::Public,
        }
    }

    /// The same with another access.
    #[must_use]
    pub fn of(mut self, access: Access) -> Self {
        self.access = access;
        self
    }
}

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was not there and is now.
    Created,
    /// Another was there and is lost.
    Replaced,
    /// The same was there already.
    Unchanged,
}

/// Why an export was not written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// Other files are there already. Nothing was written.
    #[error("{} there already, with other content: {}", if files.len() == 1 { "a file is" } else { "files are" }, shown(files))]
    Exists {
        /// Their paths below the directory.
        files: Vec<String>,
    },
    /// The file system refused something.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// How many files an error names.
const SHOWN: usize = 5;

fn shown(files: &[String]) -> String {
    let named = files.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match files.len().saturating_sub(SHOWN) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

/// Writes files below a directory, which is made where it is missing. A file that is there and differs is only replaced with `force`. Each is
/// there as a whole or not at all.
///
/// # Errors
/// Files that would be replaced, before anything is written; whatever the file system refuses. What was written before that stays.
pub fn write(files: &[File], directory: &Path, force: bool) -> Result<Vec<Fate>, ExportError> {
    let fates = files
        .iter()
        .map(|file| fate(file, &directory.join(&file.path)))
        .collect::<Result<Vec<Fate>, _>>()?;
    let lost = files
        .iter()
        .zip(&fates)
        .filter(|(_, fate)| **fate == Fate::Replaced);
    let lost: Vec<String> = lost.map(|(file, _)| file.path.clone()).collect();
    if !force && !lost.is_empty() {
        return Err(ExportError::Exists { files: lost });
    }
    for (file, fate) in files.iter().zip(&fates) {
        if *fate != Fate::Unchanged {
            put(file, &directory.join(&file.path), *fate)?;
        }
    }
    Ok(fates)
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ExportError {
    let path = path.to_owned();
    move |source| ExportError::Io { action, path, source }
}

/// What becomes of a file. A link that leads nowhere is something that is there.
fn fate(file: &File, path: &Path) -> Result<Fate, ExportError> {
    let there = match path.symlink_metadata() {
        Ok(there) => there,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Fate::Created),
        Err(error) => return Err(failed("look at", path)(error)),
    };
    let same_length = there.is_file() && there.len() == file.content.len() as u64;
    let same = same_length && std::fs::read(path).map_err(failed("read", path))? == *file.content;
    Ok(if same { Fate::Unchanged } else { Fate::Replaced })
}

/// By way of a file beside it.
fn put(file: &File, path: &Path, fate: Fate) -> Result<(), ExportError> {
    let parent = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent).map_err(failed("make the directory", parent))?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".odd-export-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(file.access.mode()));
    let mut beside = builder.tempfile_in(parent).map_err(failed("write", path))?;
    io::Write::write_all(&mut beside, &file.content).map_err(failed("write", path))?;
    // Somebody may have been faster: what was not there when it was looked at is not replaced.
    let kept = match fate {
        Fate::Replaced => beside.persist(path),
        Fate::Created | Fate::Unchanged => beside.persist_noclobber(path),
    };
    kept.map(drop).map_err(|error| failed("write", path)(error.error))
}

/// The files as a tar archive.
///
/// # Errors
/// A path that such an archive cannot hold.
pub fn archive(files: &[File]) -> io::Result<Vec<u8>> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let mut archive = tar::Builder::new(Vec::new());
    for file in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(file.content.len() as u64);
        header.set_mode(file.access.mode());
        header.set_mtime(now.as_ref().map_or(0, |time| time.as_secs()));
        archive.append_data(&mut header, &file.path, &*file.content)?;
    }
    archive.into_inner()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> Vec<File> {
        vec![
            File::new("a/b.txt", &b"one"[..]),
            File::new("c.env", &b"two"[..]).of(Access::Private),
            File::new("d.sh", &b"three"[..]).of(Access::Program),
        ]
    }

    fn read(directory: &Path, path: &str) -> String {
        std::fs::read_to_string(directory.join(path)).unwrap()
    }

    #[test]
    fn what_is_there_is_only_replaced_where_that_is_asked_for() {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("x/y");
        assert_eq!(write(&files(), &directory, false).unwrap(), [Fate::Created; 3]);
        assert_eq!(write(&files(), &directory, false).unwrap(), [Fate::Unchanged; 3]);
        std::fs::write(directory.join("c.env"), "mine").unwrap();
        std::fs::remove_file(directory.join("d.sh")).unwrap();
        let error = write(&files(), &directory, false).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a file is there already, with other content: c.env"
        );
        assert_eq!(read(&directory, "c.env"), "mine");
        assert!(!directory.join("d.sh").exists(), "nothing is written at all");
        let fates = write(&files(), &directory, true).unwrap();
        assert_eq!(fates, [Fate::Unchanged, Fate::Replaced, Fate::Created]);
        assert_eq!(read(&directory, "c.env"), "two");
        let left: Vec<_> = std::fs::read_dir(&directory).unwrap().collect();
        assert_eq!(left.len(), 3, "nothing is left over: {left:?}");
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_told() {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("a"), "a file").unwrap();
        let error = write(&files(), home.path(), true).unwrap_err();
        // Which of the two is refused, the directory or what is to be in it, is the system's.
        let path = home.path().join("a").display().to_string();
        assert!(error.to_string().contains(&path), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn secrets_are_for_their_owner_and_links_are_not_followed() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().unwrap();
        let elsewhere = home.path().join("elsewhere");
        let directory = home.path().join("x");
        std::fs::create_dir(&directory).unwrap();
        std::os::unix::fs::symlink(&elsewhere, directory.join("c.env")).unwrap();
        assert!(write(&files(), &directory, false).is_err());
        write(&files(), &directory, true).unwrap();
        assert!(!elsewhere.exists());
        let mode = |path: &str| {
            std::fs::metadata(directory.join(path))
                .unwrap()
                .permissions()
                .mode()
        };
        assert_eq!(mode("c.env") & 0o777, 0o600);
        assert_eq!(mode("d.sh") & 0o700, 0o700);
    }

    #[test]
    fn an_archive_holds_every_file() {
        let bytes = archive(&files()).unwrap();
        let mut archive = tar::Archive::new(&bytes[..]);
        let entries = archive.entries().unwrap();
        let found: Vec<(String, u32)> = entries
            .map(|entry| {
                let entry = entry.unwrap();
                let path = entry.path().unwrap().to_string_lossy().into_owned();
                (path, entry.header().mode().unwrap())
            })
            .collect();
        let expected = [("a/b.txt", 0o644), ("c.env", 0o600), ("d.sh", 0o755)];
        assert_eq!(found, expected.map(|(path, mode)| (path.to_owned(), mode)));
    }
}
