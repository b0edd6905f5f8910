//! What `odd doctor` found.

use odd_look::sign::{Glyph, Tone};
use serde_json::Value;

use super::told::{Failed, list, text};

/// Beginnings of what can be typed as it stands.
const PROGRAMS: [&str; 8] = [
    "odd ",
    "sudo ",
    "docker ",
    "brew ",
    "winget ",
    "go ",
    "ODD_HOME=",
    "https://",
];

/// Whether a check passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Ok,
    Warning,
    Failed,
}

impl State {
    pub(super) const fn sign(self) -> (Glyph, Tone) {
        match self {
            Self::Ok => (Glyph::Ok, Tone::Ok),
            Self::Warning => (Glyph::Warn, Tone::Attention),
            Self::Failed => (Glyph::Bad, Tone::Bad),
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug)]
pub(super) struct Check {
    pub(super) name: String,
    pub(super) state: State,
    pub(super) detail: String,
    pub(super) consequence: Option<String>,
    pub(super) remedy: Option<String>,
}

/// How far the doctor is.
#[derive(Debug)]
pub(super) enum Doctor {
    /// Not asked.
    Idle,
    /// It looks.
    Looking,
    /// It found this.
    Found(Vec<Check>),
    /// It found nothing, for this reason.
    Away(Failed),
}

impl Doctor {
    /// From the answer of `odd doctor --output json`.
    pub(super) fn read(answer: &Value) -> Self {
        Self::Found(list(answer, "checks").filter_map(check).collect())
    }

    /// Checks that did not pass.
    pub(super) fn wrong(&self) -> Vec<&Check> {
        match self {
            Self::Found(checks) => checks.iter().filter(|c| c.state != State::Ok).collect(),
            _ => Vec::new(),
        }
    }
}

fn check(value: &Value) -> Option<Check> {
    Some(Check {
        name: text(value, "name")?,
        state: match value.get("state")?.as_str()? {
            "ok" => State::Ok,
            "warning" => State::Warning,
            _ => State::Failed,
        },
        detail: text(value, "detail").unwrap_or_default(),
        consequence: text(value, "consequence"),
        remedy: text(value, "try"),
    })
}

/// The first of a remedy that can be typed as it stands; the whole where nothing can.
pub(super) fn command(remedy: &str) -> &str {
    let parts = remedy
        .split(['(', ')', ';', '`'])
        .flat_map(|part| part.split(", or "))
        .flat_map(|part| part.split(": "));
    parts
        .map(|part| part.trim().trim_start_matches("or "))
        .find(|part| PROGRAMS.iter().any(|program| part.starts_with(program)))
        .unwrap_or(remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_found_in_what_to_try() {
        for (remedy, found) in [
            (
                "start it: sudo systemctl start docker (or: sudo service docker start), or do without Docker: odd up --engine embedded",
                "sudo systemctl start docker",
            ),
            (
                "sudo apt-get install docker.io && sudo usermod -aG docker \"$USER\"   (then log in anew)",
                "sudo apt-get install docker.io && sudo usermod -aG docker \"$USER\"",
            ),
            (
                "odd up --offline   (images built from Debian packages), or odd up --engine embedded",
                "odd up --offline",
            ),
            (
                "mend the cause and run `odd up --instance tc` again, which keeps what runs",
                "odd up --instance tc",
            ),
            (
                "give the engine more memory (Docker Desktop: Settings, Resources), or odd up --engine embedded",
                "odd up --engine embedded",
            ),
            (
                "https://docs.docker.com/engine/install/",
                "https://docs.docker.com/engine/install/",
            ),
            ("ask whoever keeps the machine", "ask whoever keeps the machine"),
        ] {
            assert_eq!(command(remedy), found);
        }
    }
}
