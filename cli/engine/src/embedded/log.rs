//! The log of a process in the background: where it is written, its end, and what that probably means.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use crate::error::{EngineError, IoContext};
use crate::instance::Instance;

/// How far back from its end a log is looked at.
const WINDOW: u64 = 256 * 1024;
/// A log longer than this is put aside at the next start.
const LONGEST_LOG: u64 = 16 * 1024 * 1024;

/// Opens the log of an instance to be written to, and tells its length. One that is too long is put aside.
pub(crate) fn open_log(instance: &Instance) -> Result<(File, u64), EngineError> {
    let path = instance.log_file();
    if std::fs::metadata(&path).is_ok_and(|m| m.len() > LONGEST_LOG) {
        let previous = instance.previous_log_file();
        std::fs::rename(&path, &previous).context("put aside the log", &path)?;
    }
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .context("open the log", &path)?;
    let length = log.metadata().context("read the log", &path)?.len();
    Ok((log, length))
}

/// The last `lines` lines of a file; none where there is no file.
///
/// # Errors
/// Whatever reading fails with.
pub fn tail(path: &Path, lines: usize) -> io::Result<Vec<String>> {
    tail_from(path, 0, lines)
}

/// The same, of what was written behind the first `skip` bytes.
pub(crate) fn tail_from(path: &Path, skip: u64, lines: usize) -> io::Result<Vec<String>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let length = file.metadata()?.len();
    let mut window = WINDOW.max(u64::try_from(lines).unwrap_or(u64::MAX).saturating_mul(1_024));
    loop {
        let start = length.saturating_sub(window).max(skip.min(length));
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        file.by_ref().take(length - start).read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes);
        let whole = start <= skip;
        // The first line of a window may be cut.
        let found: Vec<&str> = text.lines().skip(usize::from(!whole)).collect();
        if whole || found.len() >= lines {
            let from = found.len().saturating_sub(lines);
            return Ok(found[from..].iter().map(|line| (*line).to_owned()).collect());
        }
        window = window.saturating_mul(4);
    }
}

/// What the last lines of a log say of why the process ended: the latest error, else a panic, else the last line.
pub fn likely_cause(lines: &[String]) -> Option<String> {
    let error = (0..lines.len())
        .rev()
        .find_map(|at| logged_error(&lines[at]).or_else(|| reported_error(&lines[at..])));
    let panic = || {
        lines
            .iter()
            .rev()
            .find(|line| line.contains("panicked at"))
            .cloned()
    };
    let last = || lines.iter().rev().find(|line| !line.trim().is_empty()).cloned();
    error.or_else(panic).or_else(last)
}

/// The message of a JSON log line at level ERROR.
fn logged_error(line: &str) -> Option<String> {
    let document: serde_json::Value = serde_json::from_str(line).ok()?;
    if document["level"] != "ERROR" {
        return None;
    }
    let message = document["message"].as_str()?;
    let cause = document["error"].as_str();
    Some(cause.map_or_else(|| message.to_owned(), |cause| format!("{message}: {cause}")))
}

/// A command's own report, which these lines begin with: what failed, and the chain of causes under it.
fn reported_error(lines: &[String]) -> Option<String> {
    let what = lines.first()?.strip_prefix("error: ")?;
    let causes = lines[1..]
        .iter()
        .map_while(|line| line.trim_start().strip_prefix("because: "));
    Some(std::iter::once(what).chain(causes).collect::<Vec<_>>().join(": "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_is_whole_lines_however_long_the_log() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("odd.log");
        assert!(tail(&path, 3).unwrap().is_empty());
        let long = "x".repeat(100);
        let text: String = (0..20_000).map(|n| format!("{n} {long}\n")).collect();
        std::fs::write(&path, &text).unwrap();
        let lines = tail(&path, 2).unwrap();
        assert_eq!(lines, [format!("19998 {long}"), format!("19999 {long}")]);
        assert_eq!(tail(&path, 30_000).unwrap().len(), 20_000);
        let skip = u64::try_from(text.len() - lines[1].len() - 1).unwrap();
        assert_eq!(tail_from(&path, skip, 10).unwrap(), lines[1..]);
    }

    #[test]
    fn the_latest_error_is_the_likely_cause() {
        let lines = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
        let log = lines(&[
            r#"{"level":"INFO","message":"starting"}"#,
            r#"{"level":"ERROR","message":"failed to open the database","error":"disk full"}"#,
            r#"{"level":"INFO","message":"stopped"}"#,
        ]);
        assert_eq!(
            likely_cause(&log).as_deref(),
            Some("failed to open the database: disk full")
        );
        let own = lines(&[
            "error: failed to serve",
            "  because: no",
            "  because: full",
            "  try: this",
        ]);
        assert_eq!(likely_cause(&own).as_deref(), Some("failed to serve: no: full"));
        let plain = lines(&["thread 'main' panicked at src/x.rs:1", "note: run with"]);
        assert!(likely_cause(&plain).unwrap().contains("panicked"));
        assert_eq!(likely_cause(&[]), None);
    }
}
