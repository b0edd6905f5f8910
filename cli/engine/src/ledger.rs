//! The ledger: ids of the jobs that a gateway answered 202 for, as this machine's commands saw it.
//!
//! Append-only, one line a job: its id and the microseconds since the Unix epoch at which the answer
//! arrived. `odd verify` compares it with what the system knows, so that a loss cannot hide in the system itself.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use odd_contracts::{JobId, Timestamp};

/// Writes accepted ids. Buffered: call [`LedgerWriter::flush`] before the command reports success. Dropping flushes too.
#[derive(Debug)]
pub struct LedgerWriter {
    file: BufWriter<File>,
}

impl LedgerWriter {
    /// Opens the ledger for appending, and makes it where it is missing.
    ///
    /// # Errors
    /// Whatever the file system fails with.
    pub fn open(path: &Path) -> io::Result<Self> {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)?;
        if !ends_with_a_line(&mut file)? {
            writeln!(file, "{CUT_SHORT}")?;
        }
        Ok(Self {
            // A multiple of whole lines where possible: two commands that append at once then do not cut each other's lines.
            file: BufWriter::with_capacity(LINES_AT_ONCE * LINE, file),
        })
    }

    /// Notes that a job was accepted.
    ///
    /// # Errors
    /// Whatever the file system fails with.
    pub fn accepted(&mut self, id: JobId, at: Timestamp) -> io::Result<()> {
        let line = format!("{id} {}\n", at.micros());
        if self.file.buffer().len() + line.len() > self.file.capacity() {
            self.file.flush()?;
        }
        self.file.write_all(line.as_bytes())
    }

    /// Writes what is buffered.
    ///
    /// # Errors
    /// Whatever the file system fails with.
    pub fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Closes a line that a killed command or a full disk left unfinished.
const CUT_SHORT: &str = " # cut short";

fn ends_with_a_line(file: &mut File) -> io::Result<bool> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(true);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

/// Length of a line: id, space, sixteen digits, line feed.
const LINE: usize = 36 + 1 + 16 + 1;
/// Lines that one write carries at most.
const LINES_AT_ONCE: usize = 512;

/// One line of a ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerEntry {
    /// The job.
    pub id: JobId,
    /// When the acceptance arrived.
    pub accepted_at: Timestamp,
}

/// Why a ledger cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The file system refused.
    #[error("cannot read the ledger")]
    Io(#[from] io::Error),
    /// A line is no entry.
    #[error("line {line} of the ledger is no entry: {text:?}")]
    Malformed {
        /// Number of the line, from 1.
        line: usize,
        /// The start of it.
        text: String,
    },
}

/// Reads a whole ledger; empty where there is none. A last line without its end is left out: the command that
/// wrote it was killed, and had not reported the acceptance.
///
/// # Errors
/// [`LedgerError`].
pub fn read(path: &Path) -> Result<Vec<LedgerEntry>, LedgerError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut reader = BufReader::new(file);
    let mut entries = Vec::new();
    let mut line = String::new();
    for number in 1.. {
        line.clear();
        if reader.read_line(&mut line)? == 0 || !line.ends_with('\n') {
            break;
        }
        if let Some(entry) = parse(line.trim(), number)? {
            entries.push(entry);
        }
    }
    Ok(entries)
}

/// An entry may come as the id alone, so that a list of ids from elsewhere is a ledger too.
fn parse(line: &str, number: usize) -> Result<Option<LedgerEntry>, LedgerError> {
    if line.is_empty() || line.starts_with('#') || line.ends_with(CUT_SHORT) {
        return Ok(None);
    }
    let malformed = || LedgerError::Malformed {
        line: number,
        text: line.chars().take(60).collect(),
    };
    let (id, micros) = line.split_once(' ').unwrap_or((line, "0"));
    Ok(Some(LedgerEntry {
        id: id.parse().map_err(|_| malformed())?,
        accepted_at: Timestamp::from_micros(micros.trim().parse().map_err(|_| malformed())?),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u128) -> JobId {
        JobId::from_u128(n)
    }

    #[test]
    fn what_was_noted_is_read_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new/ledger");
        assert!(read(&path).unwrap().is_empty());
        for round in 0..2_u128 {
            let mut writer = LedgerWriter::open(&path).unwrap();
            for n in 0..1_000 {
                writer
                    .accepted(id(round * 1_000 + n), Timestamp::from_micros(5))
                    .unwrap();
            }
            writer.flush().unwrap();
        }
        let ids: Vec<_> = read(&path).unwrap().into_iter().map(|e| e.id).collect();
        assert_eq!(ids, (0..2_000).map(id).collect::<Vec<_>>());
    }

    #[test]
    fn a_cut_last_line_is_left_out_and_a_wrong_one_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger");
        std::fs::write(
            &path,
            format!("{} 7\n{}\n{}", id(1), id(2), &id(3).to_string()[..9]),
        )
        .unwrap();
        let entries = read(&path).unwrap();
        assert_eq!(entries.iter().map(|e| e.id).collect::<Vec<_>>(), [id(1), id(2)]);
        assert_eq!(entries[0].accepted_at.micros(), 7);

        let mut writer = LedgerWriter::open(&path).unwrap();
        writer.accepted(id(4), Timestamp::from_micros(9)).unwrap();
        drop(writer);
        let ids: Vec<_> = read(&path).unwrap().into_iter().map(|e| e.id).collect();
        assert_eq!(ids, [id(1), id(2), id(4)], "the cut line spoils none behind it");

        std::fs::write(&path, format!("{} 7\nnonsense\n", id(1))).unwrap();
        assert!(matches!(read(&path), Err(LedgerError::Malformed { line: 2, .. })));
    }
}
