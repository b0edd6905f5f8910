//! The log of the embedded engine: one file.

use std::collections::BTreeSet;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::Duration;

use odd_contracts::Role;
use odd_engine::embedded;
use serde_json::{Map, Value};

use super::{Args, line};
use crate::context::Context;
use crate::error::{Error, of_instance};
use crate::exit::ExitCode;

/// How often the log is looked at again.
const POLL: Duration = Duration::from_millis(100);
/// Lines to begin with.
const TAIL: usize = 100;

/// Prints the end of the log, and follows it.
pub(super) async fn run(context: &Context, args: Args) -> Result<ExitCode, Error> {
    let roles = roles(&args.services)?;
    let path = context.instance.log_file();
    let failed = |e: io::Error| Error::new(format!("read the log {}", path.display()), e);
    if !path.exists() && !args.follow {
        let name = context.instance_name();
        let reason = format!("the instance {name} has none: it was never started");
        return Err(Error::because("show the log", reason)
            .code(ExitCode::Prerequisite)
            .hint(format!("odd up{}", of_instance(name))));
    }
    let tail = args.tail.unwrap_or(TAIL);
    // The length is taken first: a line written meanwhile is then shown twice at worst, never lost.
    let mut position = std::fs::metadata(&path).map_or(0, |m| m.len());
    let wanted = if roles.is_empty() { tail } else { usize::MAX };
    let lines = embedded::tail(&path, wanted).map_err(failed)?;
    let lines: Vec<_> = lines.iter().filter(|line| is_of(line, &roles)).collect();
    for line in &lines[lines.len().saturating_sub(tail)..] {
        line::print(&context.printer, line);
    }
    let mut rest = Vec::new();
    while args.follow && !context.printer.is_closed() {
        position = read_on(&path, position, &mut rest).map_err(failed)?;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            if is_of(line.trim_end(), &roles) {
                line::print(&context.printer, line.trim_end());
            }
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(ExitCode::Ok)
}

/// Appends what was written behind `position`, and tells the new position. A shorter file is a new one.
fn read_on(path: &Path, position: u64, rest: &mut Vec<u8>) -> io::Result<u64> {
    let mut file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let from = if file.metadata()?.len() < position {
        0
    } else {
        position
    };
    file.seek(SeekFrom::Start(from))?;
    let read = file.read_to_end(rest)?;
    Ok(from + u64::try_from(read).unwrap_or_default())
}

/// The roles that are named.
fn roles(names: &[String]) -> Result<BTreeSet<&'static str>, Error> {
    let named = names.iter().map(|name| name.parse::<Role>().map(Role::name));
    named
        .collect::<Result<_, _>>()
        .map_err(|e| Error::new("show the log", e).code(ExitCode::Usage))
}

/// Whether a line is of one of these roles; any line is where there are none.
fn is_of(line: &str, roles: &BTreeSet<&str>) -> bool {
    if roles.is_empty() {
        return true;
    }
    let document: Option<Map<String, Value>> = serde_json::from_str(line).ok();
    let service = document.as_ref().and_then(|d| d.get("service")?.as_str());
    service.is_some_and(|service| roles.contains(service))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_of_the_roles_asked_for_pass() {
        let roles = BTreeSet::from(["gateway"]);
        assert!(is_of(r#"{"service":"gateway"}"#, &roles));
        assert!(!is_of(r#"{"service":"processor"}"#, &roles));
        assert!(!is_of("panicked", &roles));
        assert!(is_of("panicked", &BTreeSet::new()));
    }

    #[test]
    fn a_log_that_was_put_aside_is_read_from_its_new_beginning() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("odd.log");
        std::fs::write(&path, "first line\n").unwrap();
        let mut rest = Vec::new();
        let position = read_on(&path, 6, &mut rest).unwrap();
        assert_eq!((position, rest.as_slice()), (11, b"line\n".as_slice()));
        std::fs::write(&path, "new\n").unwrap();
        rest.clear();
        assert_eq!(read_on(&path, position, &mut rest).unwrap(), 4);
        assert_eq!(rest, b"new\n");
    }
}
