//! What a command of `odd` told, and why it failed where it did.

use std::collections::VecDeque;

use serde_json::Value;

use crate::effect::Printed;

/// Most bytes of an answer that are kept.
const MOST_BYTES: usize = 1 << 20;
/// Most lines of standard error that are kept, the newest.
const MOST_LINES: usize = 100;

/// What a run printed, as far as it is kept.
#[derive(Clone, Debug, Default)]
pub(in crate::screens) struct Told {
    out: String,
    /// Lines of standard error.
    pub(in crate::screens) said: VecDeque<String>,
}

impl Told {
    /// Takes lines as they come.
    pub(in crate::screens) fn take(&mut self, lines: &[Printed]) {
        for line in lines {
            if line.to_stderr {
                self.say(line.text.clone());
            } else if self.out.len() + line.text.len() < MOST_BYTES {
                self.out.push_str(&line.text);
                self.out.push('\n');
            }
        }
    }

    /// Takes a line of standard error.
    pub(in crate::screens) fn say(&mut self, line: String) {
        if self.said.len() >= MOST_LINES {
            self.said.pop_front();
        }
        self.said.push_back(line);
    }

    /// The answer, where the whole of standard output is one document.
    pub(in crate::screens) fn answer(&self) -> Option<Value> {
        serde_json::from_str(&self.out).ok()
    }

    /// Why it failed, in the command's own words where it had any.
    pub(in crate::screens) fn failure(&self, ended: &Result<i32, String>) -> Failed {
        let error = self.said.iter().rev().find_map(|line| Failed::read(line));
        error.unwrap_or_else(|| match ended {
            Err(why) => Failed::of("odd was not run", why.clone()),
            Ok(code) => {
                let said: Vec<&str> = self.said.iter().map(String::as_str).collect();
                Failed::of(format!("odd ended with exit code {code}"), said.join("\n"))
            }
        })
    }
}

/// Why a command failed: what, why, what to try.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::screens) struct Failed {
    /// What was to be done.
    pub(in crate::screens) what: String,
    /// The chain of causes.
    pub(in crate::screens) why: String,
    /// What to try.
    pub(in crate::screens) remedy: Option<String>,
    /// Lines that explain it further.
    pub(in crate::screens) details: Vec<String>,
}

impl Failed {
    fn of(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            why: why.into(),
            ..Self::default()
        }
    }

    /// From the line that commands print with `--output json`.
    fn read(line: &str) -> Option<Self> {
        let document: Value = serde_json::from_str(line).ok()?;
        let error = document.get("error")?;
        Some(Self {
            what: text(error, "message")?,
            why: texts(error, "causes").join(": "),
            remedy: text(error, "try"),
            details: texts(error, "details"),
        })
    }
}

/// A field of text.
pub(in crate::screens) fn text(of: &Value, name: &str) -> Option<String> {
    of.get(name)?.as_str().map(str::to_owned)
}

/// Fields of text in a list.
pub(super) fn texts(of: &Value, name: &str) -> Vec<String> {
    let list = of.get(name).and_then(Value::as_array);
    let each = list.into_iter().flatten().filter_map(Value::as_str);
    each.map(str::to_owned).collect()
}

/// Objects in a list.
pub(in crate::screens) fn list<'a>(of: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    of.get(name).and_then(Value::as_array).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(lines: &[(bool, &str)]) -> Told {
        let mut told = Told::default();
        let line = |(to_stderr, text): &(bool, &str)| Printed {
            to_stderr: *to_stderr,
            text: (*text).to_owned(),
        };
        told.take(&lines.iter().map(line).collect::<Vec<_>>());
        told
    }

    #[test]
    fn an_error_is_read_in_the_words_of_the_command() {
        let line = include_str!("recorded/up-port-taken.ndjson")
            .lines()
            .last()
            .unwrap();
        let failed =
            told(&[(true, "  engine     embedded: one process, SQLite"), (true, line)]).failure(&Ok(3));
        assert_eq!(failed.what, "failed to start the instance tc");
        assert_eq!(
            failed.why,
            "port 16000 of the gateway is taken by python3 (process 17554)"
        );
        assert_eq!(
            failed.remedy.as_deref(),
            Some("odd up --instance tc --port-offset 13100   (or end that process)")
        );
    }

    #[test]
    fn what_says_nothing_still_failed_with_a_code() {
        let failed = told(&[(true, "Killed")]).failure(&Ok(-1));
        assert_eq!(
            (failed.what.as_str(), failed.why.as_str()),
            ("odd ended with exit code -1", "Killed")
        );
        let failed = Told::default().failure(&Err("odd cannot be run: no such file".to_owned()));
        assert_eq!(failed.why, "odd cannot be run: no such file");
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut told = Told::default();
        let line = |to_stderr| Printed {
            to_stderr,
            text: "x".repeat(60_000),
        };
        for _ in 0..200 {
            told.take(&[line(false), line(true)]);
        }
        assert!(told.out.len() <= MOST_BYTES && told.said.len() == MOST_LINES);
    }
}
