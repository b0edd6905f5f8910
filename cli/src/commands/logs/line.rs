//! One line of a log, for people.

use serde_json::{Map, Value};

use crate::output::{Printer, Tone};

/// Fields that have a place of their own, or say nothing to a reader of one instance's log.
const PLACED: [&str; 6] = ["timestamp", "level", "service", "message", "target", "instance"];
/// Width of the column of services.
const WIDTH: usize = 14;

/// Prints a line of a role's log as it is for programs, and readable for people.
pub(super) fn print(printer: &Printer, line: &str) {
    if printer.is_json() {
        printer.line(line);
        return;
    }
    match serde_json::from_str::<Map<String, Value>>(line) {
        Ok(document) => printer.line(&pretty(printer, &document, None)),
        Err(_) => printer.line(line),
    }
}

/// `12:04:31.204 WARN  processor  message  key=value`. The service may be given, where several containers run it.
pub(super) fn pretty(printer: &Printer, document: &Map<String, Value>, service: Option<&str>) -> String {
    let text = |name: &str| document.get(name).and_then(Value::as_str).unwrap_or_default();
    let level = text("level");
    let tone = match level {
        "ERROR" => Tone::Bad,
        "WARN" => Tone::Attention,
        "INFO" => Tone::Ok,
        _ => Tone::Muted,
    };
    let mut line = format!(
        "{} {} {} {}",
        printer.paint(Tone::Muted, clock(text("timestamp"))),
        printer.paint(tone, &format!("{level:<5}")),
        printer.paint_name(&format!("{:<WIDTH$}", service.unwrap_or(text("service")))),
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

/// A line that is no document, in the same columns.
pub(super) fn plain(printer: &Printer, at: &str, service: &str, text: &str) -> String {
    format!(
        "{} {:<5} {} {text}",
        printer.paint(Tone::Muted, &format!("{:<12}", clock(at))),
        "",
        printer.paint_name(&format!("{service:<WIDTH$}")),
    )
}

/// The time of day of an instant, in milliseconds.
fn clock(timestamp: &str) -> &str {
    let time = timestamp.split_once('T').map_or("", |(_, time)| time);
    time.get(..12).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Global;

    fn printer() -> Printer {
        Printer::new(&Global {
            no_color: true,
            ..Global::default()
        })
    }

    #[test]
    fn a_log_line_reads_as_one_line() {
        let line = r#"{"timestamp":"2026-01-31T12:04:31.204567Z","level":"WARN","service":"processor",
            "target":"odd_processor","instance":"i","message":"took long","seconds":3,"job":"9f31c2ab"}"#;
        let document = serde_json::from_str(line).unwrap();
        assert_eq!(
            pretty(&printer(), &document, None),
            "12:04:31.204 WARN  processor      took long  job=9f31c2ab  seconds=3"
        );
        assert_eq!(
            pretty(&printer(), &document, Some("processor 2")),
            "12:04:31.204 WARN  processor 2    took long  job=9f31c2ab  seconds=3"
        );
    }

    #[test]
    fn a_line_of_a_server_stands_in_the_same_columns() {
        assert_eq!(
            plain(&printer(), "2026-01-31T12:04:31.204567Z", "postgres", "ready"),
            "12:04:31.204       postgres       ready"
        );
    }
}
