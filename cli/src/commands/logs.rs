//! `odd logs`

use std::collections::BTreeSet;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::Duration;

use odd_contracts::Role;
use odd_engine::embedded;
use serde_json::{Map, Value};

use crate::context::Context;
use crate::error::{Error, of_instance};
use crate::exit::ExitCode;
use crate::output::{Printer, Tone};

/// Show what the observatory logs.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only lines of these roles
    #[arg(value_name = "ROLE")]
    roles: Vec<Role>,
    /// Go on with what is logged from now on
    #[arg(long, short = 'f')]
    follow: bool,
    /// Lines to begin with
    #[arg(long, short = 'n', value_name = "LINES", default_value_t = 100)]
    tail: usize,
}

/// How often the log is looked at again.
const POLL: Duration = Duration::from_millis(100);

/// Prints the end of the log, and follows it.
pub async fn run(context: &Context, args: Args) -> Result<ExitCode, Error> {
    let path = context.instance.log_file();
    let failed = |e: io::Error| Error::new(format!("read the log {}", path.display()), e);
    if !path.exists() && !args.follow {
        let name = context.instance_name();
        let reason = format!("the instance {name} has none: it was never started");
        return Err(Error::because("show the log", reason)
            .code(ExitCode::Prerequisite)
            .hint(format!("odd up{}", of_instance(name))));
    }
    let roles: BTreeSet<&str> = args.roles.iter().map(|role| role.name()).collect();
    // The length is taken first: a line written meanwhile is then shown twice at worst, never lost.
    let mut position = std::fs::metadata(&path).map_or(0, |m| m.len());
    let wanted = if roles.is_empty() { args.tail } else { usize::MAX };
    let lines = embedded::tail(&path, wanted).map_err(failed)?;
    let lines: Vec<_> = lines.iter().filter(|line| is_of(line, &roles)).collect();
    for line in &lines[lines.len().saturating_sub(args.tail)..] {
        print(&context.printer, line);
    }
    let mut rest = Vec::new();
    while args.follow && !context.printer.is_closed() {
        position = read_on(&path, position, &mut rest).map_err(failed)?;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            if is_of(line.trim_end(), &roles) {
                print(&context.printer, line.trim_end());
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

/// Whether a line is of one of these roles; any line is where there are none.
fn is_of(line: &str, roles: &BTreeSet<&str>) -> bool {
    if roles.is_empty() {
        return true;
    }
    let document: Option<Map<String, Value>> = serde_json::from_str(line).ok();
    let service = document.as_ref().and_then(|d| d.get("service")?.as_str());
    service.is_some_and(|service| roles.contains(service))
}

fn print(printer: &Printer, line: &str) {
    if printer.is_json() {
        printer.line(line);
        return;
    }
    match serde_json::from_str::<Map<String, Value>>(line) {
        Ok(document) => printer.line(&pretty(printer, &document)),
        Err(_) => printer.line(line),
    }
}

/// Fields that have a place of their own, or say nothing to a reader of one instance's log.
const PLACED: [&str; 6] = ["timestamp", "level", "service", "message", "target", "instance"];

/// `12:04:31.204 WARN  processor  message  key=value`
fn pretty(printer: &Printer, document: &Map<String, Value>) -> String {
    let text = |name: &str| document.get(name).and_then(Value::as_str).unwrap_or_default();
    let level = text("level");
    let tone = match level {
        "ERROR" => Tone::Bad,
        "WARN" => Tone::Attention,
        "INFO" => Tone::Ok,
        _ => Tone::Muted,
    };
    let time = text("timestamp").split_once('T').map_or("", |(_, time)| time);
    let time = time.get(..12).unwrap_or(time);
    let mut line = format!(
        "{} {} {:<14} {}",
        printer.paint(Tone::Muted, time),
        printer.paint(tone, &format!("{level:<5}")),
        text("service"),
        text("message"),
    );
    for (name, value) in document
        .iter()
        .filter(|(name, _)| !PLACED.contains(&name.as_str()))
    {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        line.push_str(&format!(
            "  {}",
            printer.paint(Tone::Muted, &format!("{name}={value}"))
        ));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Global;

    #[test]
    fn a_log_line_reads_as_one_line() {
        let printer = Printer::new(&Global {
            no_color: true,
            ..Global::default()
        });
        let line = r#"{"timestamp":"2026-01-31T12:04:31.204567Z","level":"WARN","service":"processor",
            "target":"odd_processor","instance":"i","message":"took long","seconds":3,"job":"9f31c2ab"}"#;
        assert_eq!(
            pretty(&printer, &serde_json::from_str(line).unwrap()),
            "12:04:31.204 WARN  processor      took long  job=9f31c2ab  seconds=3"
        );
    }

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
