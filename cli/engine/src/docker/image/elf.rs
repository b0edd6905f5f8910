//! What kind of program a file is: whether it runs on Linux, on which processors, and whether it needs shared libraries.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// A Linux program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Program {
    /// Architecture, as Docker names it.
    pub(super) architecture: &'static str,
    /// Whether the system has to load shared libraries for it.
    pub(super) dynamic: bool,
}

/// Length of the header of a 64-bit program.
const HEADER: usize = 64;
/// Kind of a program header that names who loads the program.
const INTERPRETER: u32 = 3;
/// Systems whose programs run on Linux: none in particular, and GNU.
const SYSTEMS: [u8; 2] = [0, 3];

/// Tells what a file is; none where it is no 64-bit Linux program of an architecture that Docker engines run on.
pub(super) fn inspect(path: &Path) -> io::Result<Option<Program>> {
    let mut file = File::open(path)?;
    let mut header = [0_u8; HEADER];
    match file.read_exact(&mut header) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    // Magic, 64 bit, little-endian.
    if header[..6] != [0x7f, b'E', b'L', b'F', 2, 1] || !SYSTEMS.contains(&header[7]) {
        return Ok(None);
    }
    let number = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
    let architecture = match number(18) {
        0x3e => "amd64",
        0xb7 => "arm64",
        0xf3 => "riscv64",
        _ => return Ok(None),
    };
    let mut offset = [0_u8; 8];
    offset.copy_from_slice(&header[32..40]);
    let (size, count) = (usize::from(number(54)), usize::from(number(56)));
    let dynamic = has_interpreter(&mut file, u64::from_le_bytes(offset), size, count)?;
    Ok(dynamic.map(|dynamic| Program {
        architecture,
        dynamic,
    }))
}

/// Whether the program headers name who loads the program; none where they are not in the file.
fn has_interpreter(file: &mut File, offset: u64, size: usize, count: usize) -> io::Result<Option<bool>> {
    let length = (size * count) as u64;
    if offset
        .checked_add(length)
        .is_none_or(|end| end > file.metadata().map_or(0, |data| data.len()))
    {
        return Ok(None);
    }
    let mut table = Vec::new();
    file.seek(SeekFrom::Start(offset))?;
    file.take(length).read_to_end(&mut table)?;
    let kind = |entry: &[u8]| entry.first_chunk().map(|kind| u32::from_le_bytes(*kind));
    Ok(Some(
        table
            .chunks(size.max(4))
            .any(|entry| kind(entry) == Some(INTERPRETER)),
    ))
}

/// Finds the newest version of the C library that a program names, as the number behind `GLIBC_2.`, in pieces of the program.
#[derive(Clone, Debug, Default)]
pub(super) struct LibraryVersion {
    newest: u32,
    /// The end of what was read, since a name may be cut.
    tail: Vec<u8>,
}

impl LibraryVersion {
    const NAME: &[u8] = b"GLIBC_2.";
    /// Longest name: with three digits.
    const LONGEST: usize = Self::NAME.len() + 3;

    /// Reads the next piece.
    pub(super) fn read(&mut self, piece: &[u8]) {
        let mut all = std::mem::take(&mut self.tail);
        all.extend_from_slice(&piece[..piece.len().min(Self::LONGEST)]);
        self.scan(&all);
        self.scan(piece);
        all.extend_from_slice(&piece[piece.len().min(Self::LONGEST)..]);
        self.tail = all.split_off(all.len().saturating_sub(Self::LONGEST));
    }

    fn scan(&mut self, bytes: &[u8]) {
        for at in memchr::memmem::find_iter(bytes, Self::NAME) {
            let digits = bytes[at + Self::NAME.len()..]
                .iter()
                .take(3)
                .take_while(|b| b.is_ascii_digit());
            let minor = digits.fold(0, |number, digit| number * 10 + u32::from(digit - b'0'));
            self.newest = self.newest.max(minor);
        }
    }

    /// What was found; zero where nothing was.
    pub(super) fn newest(&self) -> u32 {
        self.newest
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn program(machine: u8, kind: u8) -> Vec<u8> {
        let mut bytes = vec![0_u8; HEADER + 56];
        bytes[..6].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1]);
        bytes[18] = machine;
        bytes[32] = HEADER as u8;
        bytes[54] = 56;
        bytes[56] = 1;
        bytes[HEADER] = kind;
        bytes
    }

    fn of(bytes: &[u8]) -> Option<Program> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        inspect(file.path()).unwrap()
    }

    #[test]
    fn programs_of_linux_are_told_by_their_header() {
        let expected = |architecture, dynamic| {
            Some(Program {
                architecture,
                dynamic,
            })
        };
        assert_eq!(of(&program(0x3e, 1)), expected("amd64", false));
        assert_eq!(of(&program(0x3e, 3)), expected("amd64", true));
        assert_eq!(of(&program(0xb7, 3)), expected("arm64", true));
        assert_eq!(of(&program(0x08, 1)), None, "another processor");
        assert_eq!(of(b"MZ"), None, "too short");
        assert_eq!(of(&[0xcf; 200]), None, "macOS");
        let mut cut = program(0x3e, 1);
        cut[39] = 1;
        assert_eq!(of(&cut), None, "its headers are beyond its end");
        let mut other = program(0x3e, 1);
        other[7] = 9;
        assert_eq!(of(&other), None, "FreeBSD");
    }

    #[test]
    fn this_test_is_itself_a_program_of_the_platform() {
        let found = inspect(&std::env::current_exe().unwrap()).unwrap();
        assert_eq!(found.is_some(), cfg!(target_os = "linux"));
    }

    proptest! {
        #[test]
        fn no_file_is_too_odd(mut bytes in prop::collection::vec(any::<u8>(), 0..300), magic in any::<bool>()) {
            if magic && bytes.len() >= 20 {
                bytes[..6].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1]);
                bytes[7] = 0;
                bytes[18] = 0x3e;
                bytes[19] = 0;
            }
            let _ = of(&bytes);
        }

        #[test]
        fn names_of_the_library_are_found_wherever_they_are_cut(before in 0_usize..40, after in 0_usize..40, cut in 1_usize..30, minor in 1_u32..100) {
            let mut bytes = vec![b'x'; before];
            bytes.extend_from_slice(format!("GLIBC_2.{minor}\0GLIBC_2.0").as_bytes());
            bytes.extend(vec![0; after]);
            let mut version = LibraryVersion::default();
            for piece in bytes.chunks(cut) {
                version.read(piece);
            }
            prop_assert_eq!(version.newest(), minor);
        }
    }
}
