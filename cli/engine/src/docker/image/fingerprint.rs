//! The hash of a program, remembered while its size and the time of its last change stay: reading it takes longer than the rest of an `up` that
//! finds everything as it shall be.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::elf::LibraryVersion;
use crate::compose::model::hex;
use crate::instance::Home;

/// Name of the file that remembers, in the home directory.
const FILE: &str = "programs.json";
/// How many programs are remembered.
const REMEMBERED: usize = 32;
/// Bytes that are read at a time.
const PIECE: usize = 1024 * 1024;

/// What is to be known of a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Fingerprint {
    /// SHA-256 of the file, in hexadecimal digits.
    pub(super) sha256: String,
    /// Newest version of the C library that it names: the number behind `2.`.
    pub(super) library: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Remembered {
    size: u64,
    /// Nanoseconds since 1970.
    modified: u64,
    #[serde(flatten)]
    fingerprint: Fingerprint,
}

/// The fingerprint of a program.
pub(super) fn of(home: &Home, program: &Path) -> io::Result<Fingerprint> {
    let metadata = std::fs::metadata(program)?;
    let since = metadata
        .modified()?
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let (size, modified) = (
        metadata.len(),
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX),
    );
    let memory = home.path().join(FILE);
    let key = program.display().to_string();
    let mut all = recall(&memory);
    if let Some(known) = all
        .get(&key)
        .filter(|known| known.size == size && known.modified == modified)
    {
        return Ok(known.fingerprint.clone());
    }
    let fingerprint = read(program)?;
    all.retain(|path, _| Path::new(path).exists());
    while all.len() >= REMEMBERED {
        all.pop_first();
    }
    all.insert(
        key,
        Remembered {
            size,
            modified,
            fingerprint: fingerprint.clone(),
        },
    );
    // Not to remember costs time only.
    let _ = remember(&memory, &all);
    Ok(fingerprint)
}

fn recall(memory: &PathBuf) -> BTreeMap<String, Remembered> {
    std::fs::read(memory)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default()
}

fn remember(memory: &Path, all: &BTreeMap<String, Remembered>) -> io::Result<()> {
    let folder = memory.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let file = tempfile::NamedTempFile::new_in(folder)?;
    serde_json::to_writer(&file, all)?;
    file.persist(memory)?;
    Ok(())
}

fn read(program: &Path) -> io::Result<Fingerprint> {
    let mut file = File::open(program)?;
    let mut hash = Sha256::new();
    let mut library = LibraryVersion::default();
    let mut piece = vec![0_u8; PIECE];
    loop {
        let length = match file.read(&mut piece) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hash.update(&piece[..length]);
        library.read(&piece[..length]);
    }
    Ok(Fingerprint {
        sha256: hex(&hash.finalize()),
        library: library.newest(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_did_not_change_is_not_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let (home, program) = (Home::at(folder.path().join("home")), folder.path().join("odd"));
        std::fs::write(&program, "GLIBC_2.34 first").unwrap();
        let first = of(&home, &program).unwrap();
        assert_eq!(first.library, 34);
        assert_eq!(first.sha256, hex(&Sha256::digest("GLIBC_2.34 first")));

        // A memory that says otherwise is believed while size and time are the same …
        let memory = home.path().join(FILE);
        let text = std::fs::read_to_string(&memory)
            .unwrap()
            .replace(&first.sha256, "remembered");
        std::fs::write(&memory, text).unwrap();
        assert_eq!(of(&home, &program).unwrap().sha256, "remembered");

        // … and no longer when they are not, or when it is damaged.
        std::fs::write(&program, "other size").unwrap();
        assert_eq!(
            of(&home, &program).unwrap().sha256,
            hex(&Sha256::digest("other size"))
        );
        std::fs::write(&memory, "no JSON").unwrap();
        assert_eq!(
            of(&home, &program).unwrap().sha256,
            hex(&Sha256::digest("other size"))
        );
    }

    #[test]
    fn a_home_that_cannot_be_written_costs_time_only() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "x").unwrap();
        assert_eq!(
            of(&Home::at(file.join("home")), &file).unwrap().sha256,
            hex(&Sha256::digest("x"))
        );
        assert!(of(&Home::at(folder.path()), &folder.path().join("nothing")).is_err());
    }
}
