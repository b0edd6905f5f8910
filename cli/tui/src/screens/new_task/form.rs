//! The fields of the form, and what is wrong with them.

use std::time::Duration;

use odd_contracts::schema::{Schema, validate};
use odd_contracts::{FieldError, Timestamp};
use odd_look::{duration, format};
use serde_json::{Map, Value, json};

use super::payload::Payload;
use crate::screens::line_edit::LineEdit;

/// Most jobs at once.
pub(super) const MOST_JOBS: u32 = 100_000;
/// Most bytes that the payloads of all jobs may have together.
const MOST_BYTES: u64 = 256 << 20;
/// Largest body that a gateway takes.
const BODY: usize = 1 << 20;
/// Longest text of a field.
const LONGEST: usize = 60;
/// Longest payload that is part of the command that is shown.
const IN_COMMAND: usize = 200;

/// A field, in the order of Tab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Type,
    Payload,
    Attempts,
    Backoff,
    Timeout,
    /// Not before: a time to wait, or an instant.
    Start,
    Count,
    Submit,
}

impl Field {
    pub(super) const ALL: [Self; 8] = [
        Self::Type,
        Self::Payload,
        Self::Attempts,
        Self::Backoff,
        Self::Timeout,
        Self::Start,
        Self::Count,
        Self::Submit,
    ];

    /// The next field, or the one before, round and round.
    pub(super) fn step(self, by: usize) -> Self {
        let at = Self::ALL.iter().position(|field| *field == self).unwrap_or(0);
        Self::ALL[(at + by) % Self::ALL.len()]
    }

    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::Payload => "payload",
            Self::Attempts => "attempts",
            Self::Backoff => "backoff",
            Self::Timeout => "time limit",
            Self::Start => "delay / at",
            Self::Count => "count",
            Self::Submit => "submit",
        }
    }

    /// What an empty field means.
    pub(super) const fn default(self) -> &'static str {
        match self {
            Self::Attempts => "3",
            Self::Backoff => "500ms",
            Self::Timeout => "30s",
            Self::Start => "at once",
            Self::Count => "1",
            Self::Type | Self::Payload | Self::Submit => "",
        }
    }

    /// The flag of `odd submit`, and the name in a submission.
    const fn names(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Attempts => Some(("--max-attempts", "maxAttempts")),
            Self::Backoff => Some(("--backoff", "backoffMs")),
            Self::Timeout => Some(("--job-timeout", "timeoutMs")),
            Self::Type | Self::Payload | Self::Start | Self::Count | Self::Submit => None,
        }
    }
}

/// What was typed.
pub(super) struct Form {
    lines: [LineEdit; Field::ALL.len()],
    pub(super) payload: Payload,
}

/// A submission that nothing is wrong with, and how many of it.
pub(super) type Order = (Value, u32);

impl Form {
    pub(super) fn new(job_type: &str) -> Self {
        let mut form = Self {
            lines: std::array::from_fn(|_| LineEdit::new(LONGEST)),
            payload: Payload::new("{}"),
        };
        form.set(Field::Type, job_type);
        form
    }

    pub(super) fn text(&self, field: Field) -> &str {
        self.line(field).text()
    }

    pub(super) fn set(&mut self, field: Field, text: &str) {
        self.line_mut(field).set(text);
    }

    /// The line of a field, with its cursor.
    pub(super) const fn line(&self, field: Field) -> &LineEdit {
        &self.lines[field as usize]
    }

    pub(super) const fn line_mut(&mut self, field: Field) -> &mut LineEdit {
        &mut self.lines[field as usize]
    }

    /// When it is to begin, where that is not at once.
    fn start(&self) -> Result<Option<Start>, FieldError> {
        let text = self.text(Field::Start).trim();
        if text.is_empty() {
            return Ok(None);
        }
        if is_instant(text) {
            let wrong = "must be a time such as 2026-01-31T12:00:00Z, or a time to wait such as 5m";
            let at = |_| at("/options/runAt", wrong.to_owned());
            return text.parse().map(|time| Some(Start::At(time))).map_err(at);
        }
        let wait = duration::parse(text).map_err(|message| {
            let message = format!("{message}; or a time such as 2026-01-31T12:00:00Z");
            at("/options/delayMs", message)
        })?;
        Ok(Some(Start::After(wait)))
    }

    /// How many jobs.
    pub(super) fn count(&self) -> Result<u32, String> {
        let text = self.text(Field::Count).trim();
        if text.is_empty() {
            return Ok(1);
        }
        let count = text.replace(',', "").parse().ok();
        count
            .filter(|count| (1..=MOST_JOBS).contains(count))
            .ok_or_else(|| {
                format!(
                    "must be a number from 1 to {}",
                    format::count(u64::from(MOST_JOBS))
                )
            })
    }

    /// The submission, where nothing is wrong; else each place where something is.
    pub(super) fn order(&self) -> Result<Order, Vec<FieldError>> {
        let mut errors = Vec::new();
        let options = self.options(&mut errors);
        let count = self.count().unwrap_or_else(|message| {
            errors.push(at("count", message));
            1
        });
        let payload = self.payload.read().clone().unwrap_or_else(|message| {
            errors.push(at("/payload", message));
            json!({})
        });
        let mut submission = json!({ "type": self.text(Field::Type).trim(), "payload": payload });
        if !options.is_empty() {
            submission["options"] = Value::Object(options);
        }
        if let Err(more) = validate(Schema::JobSubmission, &submission) {
            errors.extend(more);
        }
        errors.extend(self.too_much(count));
        if errors.is_empty() {
            Ok((submission, count))
        } else {
            Err(errors)
        }
    }

    fn too_much(&self, count: u32) -> Option<FieldError> {
        let bytes = self.payload.len();
        let size = |bytes: usize| format::bytes(u64::try_from(bytes).unwrap_or(u64::MAX));
        if self.payload.overflowed {
            let text = format!("what was pasted is longer than {}", size(super::payload::LONGEST));
            return Some(at("/payload", text));
        }
        if bytes > BODY {
            let text = format!("{} are more than the gateway takes ({})", size(bytes), size(BODY));
            return Some(at("/payload", text));
        }
        let all = u64::try_from(bytes)
            .unwrap_or(u64::MAX)
            .saturating_mul(u64::from(count));
        (all > MOST_BYTES).then(|| {
            let text = format!(
                "so many payloads are {} together; from here at most {}",
                format::bytes(all),
                format::bytes(MOST_BYTES)
            );
            at("count", text)
        })
    }

    fn options(&self, errors: &mut Vec<FieldError>) -> Map<String, Value> {
        let mut options = Map::new();
        match self.start() {
            Ok(None) => {}
            Ok(Some(Start::After(wait))) => drop(options.insert("delayMs".to_owned(), millis(wait))),
            Ok(Some(Start::At(time))) => drop(options.insert("runAt".to_owned(), json!(time))),
            Err(error) => errors.push(error),
        }
        for field in Field::ALL {
            let (Some((_, name)), text) = (field.names(), self.text(field).trim()) else {
                continue;
            };
            if text.is_empty() {
                continue;
            }
            let read = if field == Field::Attempts {
                let number = text.parse::<i64>();
                number
                    .map(Value::from)
                    .map_err(|_| "must be a whole number".to_owned())
            } else {
                duration::parse(text).map(millis)
            };
            match read {
                Ok(value) => drop(options.insert(name.to_owned(), value)),
                Err(message) => errors.push(at(&format!("/options/{name}"), message)),
            }
        }
        options
    }

    /// The command that submits the same.
    pub(super) fn command(&self) -> String {
        let mut command = format!("odd submit {}", quoted(self.text(Field::Type).trim()));
        match self.payload.read() {
            Ok(Value::Object(payload)) if payload.is_empty() => {}
            Ok(payload) if self.payload.len() <= IN_COMMAND => {
                command.push_str(&format!(" --payload {}", quoted(&payload.to_string())));
            }
            _ => command.push_str(" --payload @payload.json"),
        }
        for field in Field::ALL {
            if let (Some((flag, _)), text) = (field.names(), self.text(field).trim())
                && !text.is_empty()
            {
                command.push_str(&format!(" {flag} {}", quoted(text)));
            }
        }
        match self.text(Field::Start).trim() {
            "" => {}
            time if is_instant(time) => command.push_str(&format!(" --at {}", quoted(time))),
            wait => command.push_str(&format!(" --delay {}", quoted(wait))),
        }
        match self.count() {
            Ok(1) | Err(_) => {}
            Ok(count) => command.push_str(&format!(" --count {count}")),
        }
        command
    }

    /// Whether anything was typed.
    pub(super) fn is_touched(&self) -> bool {
        let typed = |field: &Field| *field != Field::Type && !self.text(*field).is_empty();
        self.payload.touched || Field::ALL.iter().any(typed)
    }
}

/// When a job is to begin.
enum Start {
    After(Duration),
    At(Timestamp),
}

/// Whether a text is meant as an instant, and not as a time to wait.
fn is_instant(text: &str) -> bool {
    text.contains(['-', ':', 'T'])
}

fn millis(time: Duration) -> Value {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).into()
}

fn at(path: &str, message: String) -> FieldError {
    FieldError {
        path: path.to_owned(),
        message,
    }
}

/// As a shell takes it for one word.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/:+".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests;
