//! One line of a log, as it is kept and shown.

use odd_contracts::JobId;
use odd_look::sign::{Glyph, Tone};
use odd_look::text;
use serde_json::{Map, Value};

/// Longest text of a line that is shown; the whole of it is in its document.
const LONGEST: usize = 4_000;
/// Fields that have a place of their own, or say nothing to a reader of one instance's log.
const PLACED: [&str; 7] = [
    "timestamp",
    "level",
    "service",
    "message",
    "target",
    "instance",
    "replica",
];

/// Fields that name a job.
const OF_JOB: [&str; 3] = ["job", "job_id", "jobId"];
/// Characters of an id.
const ID: usize = 36;

/// How much a line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Error,
    Warn,
    Info,
    Debug,
    /// Of a line that does not say.
    Unknown,
}

impl Level {
    fn of(name: &str) -> Self {
        match name.to_ascii_uppercase().as_str() {
            "ERROR" => Self::Error,
            "WARN" | "WARNING" => Self::Warn,
            "INFO" => Self::Info,
            "DEBUG" | "TRACE" => Self::Debug,
            _ => Self::Unknown,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Error => "ERROR",
            Self::Warn => "WARN",
            Self::Info => "INFO",
            Self::Debug => "DEBUG",
            Self::Unknown => "",
        }
    }

    pub(super) const fn sign(self) -> Option<Glyph> {
        match self {
            Self::Error => Some(Glyph::Bad),
            Self::Warn => Some(Glyph::Warn),
            Self::Info => Some(Glyph::Working),
            Self::Debug => Some(Glyph::Waiting),
            Self::Unknown => None,
        }
    }

    pub(super) const fn tone(self) -> Tone {
        match self {
            Self::Error => Tone::Bad,
            Self::Warn => Tone::Attention,
            Self::Info => Tone::Ok,
            Self::Debug | Self::Unknown => Tone::Muted,
        }
    }
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LogLine {
    /// Time of day, in milliseconds; empty where the line does not say.
    pub(super) at: String,
    pub(super) level: Level,
    /// The role or server that wrote it; empty where nobody knows.
    pub(super) role: String,
    /// Its container among several that run the role.
    pub(super) replica: u64,
    /// The job that it speaks of.
    pub(super) job: Option<JobId>,
    /// `message  key=value`, with nothing in it that steers the terminal.
    pub(super) text: String,
    /// The line as it was printed.
    pub(super) whole: String,
}

impl LogLine {
    /// Reads a line that `odd logs --output ndjson` printed. One that is no document is its own message.
    pub(super) fn new(printed: &str) -> Self {
        match serde_json::from_str::<Map<String, Value>>(printed) {
            Ok(document) => Self::of(&document, printed),
            Err(_) => Self {
                at: String::new(),
                level: Level::Unknown,
                role: String::new(),
                replica: 1,
                job: told_job(printed),
                text: shown(printed),
                whole: printed.to_owned(),
            },
        }
    }

    fn of(document: &Map<String, Value>, printed: &str) -> Self {
        let text = |name: &str| document.get(name).and_then(Value::as_str).unwrap_or_default();
        let mut said = text("message").to_owned();
        for (name, value) in document {
            if !PLACED.contains(&name.as_str()) {
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                said.push_str(&format!("  {name}={value}"));
            }
        }
        let mut named = OF_JOB.iter().map(|name| text(name));
        let clock = text("timestamp").split_once('T').map_or("", |(_, time)| time);
        Self {
            at: text::line(clock.get(..12).unwrap_or(clock)).into_owned(),
            level: Level::of(text("level")),
            role: text::line(text("service")).into_owned(),
            replica: document.get("replica").and_then(Value::as_u64).unwrap_or(1),
            job: named.find_map(id_in).or_else(|| told_job(text("message"))),
            text: shown(&said),
            whole: printed.to_owned(),
        }
    }

    /// Bytes that it takes.
    pub(super) const fn size(&self) -> usize {
        self.at.len() + self.role.len() + self.text.len() + self.whole.len()
    }
}

/// The first id in a text, such as that in `Some(…)`.
fn id_in(text: &str) -> Option<JobId> {
    let last = text.len().checked_sub(ID)?;
    (0..=last).find_map(|at| text.get(at..at + ID)?.parse().ok())
}

/// The job that is told of as `job ID` or `job=ID`: an id alone may be that of anything.
fn told_job(text: &str) -> Option<JobId> {
    let text = text.get(..LONGEST).unwrap_or(text);
    let mut from = 0;
    while let Some(at) = find(text, "job", from) {
        from = at + "job".len();
        let id = text.get(from + 1..from + 1 + ID).filter(|_| {
            let after = text.as_bytes()[from];
            after == b' ' || after == b'='
        });
        if let Some(id) = id.and_then(|id| id.parse().ok()) {
            return Some(id);
        }
    }
    None
}

fn shown(said: &str) -> String {
    let end = said.char_indices().nth(LONGEST).map_or(said.len(), |(at, _)| at);
    text::line(said[..end].trim_end()).into_owned()
}

/// Where `needle` is in `text` from `from` on, whatever the case of its ASCII letters.
pub(super) fn find(text: &str, needle: &str, from: usize) -> Option<usize> {
    let (text, needle) = (text.as_bytes(), needle.as_bytes());
    if needle.is_empty() {
        return None;
    }
    let last = text.len().checked_sub(needle.len())?;
    (from..=last).find(|at| text[*at..at + needle.len()].eq_ignore_ascii_case(needle))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_role_reads_as_one_line() {
        let line = LogLine::new(
            r#"{"timestamp":"2026-01-31T12:04:31.204567Z","level":"WARN","service":"processor","target":"odd_processor",
            "instance":"i","message":"took long","seconds":3,"job":"9f31c2ab","replica":2}"#,
        );
        assert_eq!(
            (line.at.as_str(), line.level, line.role.as_str(), line.replica),
            ("12:04:31.204", Level::Warn, "processor", 2)
        );
        assert_eq!(line.text, "took long  job=9f31c2ab  seconds=3");
    }

    #[test]
    fn a_line_that_is_no_document_is_shown_harmlessly() {
        let line = LogLine::new("thread 'main' panicked\u{1b}[31m");
        assert_eq!(line.text, "thread 'main' panicked\u{fffd}[31m");
        assert_eq!((line.level, line.role.as_str()), (Level::Unknown, ""));
        let long = LogLine::new(&"日".repeat(LONGEST * 2));
        assert_eq!(long.text.chars().count(), LONGEST);
        let hostile = LogLine::new(r#"{"timestamp":"T\u001b[2J","service":"\u202ex","message":"\u0007"}"#);
        assert!(
            !format!("{}{}{}", hostile.at, hostile.role, hostile.text)
                .contains(['\u{1b}', '\u{202e}', '\u{7}'])
        );
    }

    #[test]
    fn the_job_of_a_line_is_known_by_its_field_or_by_its_words() {
        let id = "9f31c2ab-0000-4000-8000-000000000000";
        let other = "11111111-0000-4000-8000-000000000000";
        for (printed, has_job) in [
            (format!(r#"{{"message":"late","job":"{id}"}}"#), true),
            (format!(r#"{{"message":"put aside","job":"Some({id})"}}"#), true),
            (format!(r#"{{"message":"event {other}","jobId":"{id}"}}"#), true),
            (format!(r#"{{"message":"Job {id} failed"}}"#), true),
            (format!("panicked at job={id}"), true),
            (
                format!(r#"{{"message":"event {id}","correlation":"{id}"}}"#),
                false,
            ),
            (format!("the jobs {id}"), false),
            (r#"{"message":"job","job":"9f31c2ab"}"#.to_owned(), false),
            (format!("job {}", &id[..35]), false),
            ("job 日本語日本語日本語日本語日本語".to_owned(), false),
        ] {
            let job = LogLine::new(&printed).job.map(|job| job.to_string());
            assert_eq!(job.as_deref(), has_job.then_some(id), "{printed}");
        }
    }

    #[test]
    fn text_is_found_whatever_its_case() {
        assert_eq!(find("Connection Refused", "refused", 0), Some(11));
        assert_eq!(find("aXax", "ax", 1), Some(2));
        assert_eq!(find("für", "ü", 0), Some(1));
        assert_eq!(
            (find("ab", "abc", 0), find("ab", "", 0), find("ab", "a", 7)),
            (None, None, None)
        );
    }
}
