//! What changed between two versions of a JSON Schema, and whether its version says so.
//!
//! | change | needs |
//! |---|---|
//! | a field removed; a type changed; an enum narrowed; a field made required; a range, length, pattern or format tightened; an object closed | a major version |
//! | an optional field added; an enum widened; anything relaxed | a minor version |
//! | titles, descriptions, examples, defaults | nothing |

use std::fmt;

use serde::Serialize;
use serde_json::Value;

mod bounds;
mod reading;
#[cfg(test)]
mod tests;
mod walk;

/// One difference between two versions of a schema.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Name of the rule that judges it, such as `field-removed`.
    pub rule: &'static str,
    /// JSON Pointer to the place in the schema. A change in a definition that both versions refer to is
    /// reported once, at the definition.
    pub path: String,
    /// What changed, in words.
    pub detail: String,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() { "/" } else { &self.path };
        write!(f, "{} at {path}: {}", self.rule, self.detail)
    }
}

/// By how much a version must rise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Bump {
    /// Not at all.
    None,
    /// The third number: the texts of the schema differ.
    Patch,
    /// The second number: more is possible than before.
    Minor,
    /// The first number: documents or programs of old may fail.
    Major,
}

/// The difference between two versions of a schema, and the judgement on their version numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CompatReport {
    /// Changes that need a major version.
    pub breaking: Vec<Change>,
    /// Changes that need at least a minor version.
    pub additive: Vec<Change>,
    /// `$version` of the old schema, where it has one.
    pub old_version: Option<String>,
    /// `$version` of the new schema, where it has one.
    pub new_version: Option<String>,
    /// The rise that the changes ask for. [`Bump::Patch`] is advice, not a condition.
    pub needs: Bump,
    /// Whether the version rose as the changes ask for, and did not fall.
    pub ok: bool,
    /// Why `ok` is what it is, in one line.
    pub verdict: String,
}

/// Compares two versions of a JSON Schema (2020-12).
///
/// Where it cannot be decided whether a change breaks anything (patterns, formats, `not`, `if`), it counts
/// as breaking. References within a schema are followed; those to other documents are compared by their text.
pub fn compare(old: &Value, new: &Value) -> CompatReport {
    let (breaking, additive) = walk::changes(old, new);
    let needs = if !breaking.is_empty() {
        Bump::Major
    } else if !additive.is_empty() {
        Bump::Minor
    } else if without_version(old) != without_version(new) {
        Bump::Patch
    } else {
        Bump::None
    };
    let (old_version, new_version) = (version_text(old), version_text(new));
    let (ok, verdict) = judge(needs, old_version.as_deref(), new_version.as_deref());
    CompatReport {
        breaking,
        additive,
        old_version,
        new_version,
        needs,
        ok,
        verdict,
    }
}

fn judge(needs: Bump, old: Option<&str>, new: Option<&str>) -> (bool, String) {
    let (old_text, new_text) = (old.unwrap_or("none"), new.unwrap_or("none"));
    let versions = format!("{old_text} → {new_text}");
    let (Some(old), Some(new)) = (old.and_then(Version::parse), new.and_then(Version::parse)) else {
        return (
            false,
            format!("both schemas need a $version of the form 1.2.3 ({versions})"),
        );
    };
    if new < old {
        return (false, format!("the version fell ({versions})"));
    }
    let major = new.major > old.major;
    let minor = major || new.minor > old.minor;
    match needs {
        Bump::Major if !major => (
            false,
            format!("a breaking change needs a major version ({versions})"),
        ),
        Bump::Minor if !minor => (
            false,
            format!("an additive change needs at least a minor version ({versions})"),
        ),
        Bump::Major => (true, format!("breaking, and the version says so ({versions})")),
        Bump::Minor => (true, format!("additive, and the version says so ({versions})")),
        Bump::Patch => (true, format!("only texts changed ({versions})")),
        Bump::None => (true, format!("nothing changed ({versions})")),
    }
}

fn version_text(schema: &Value) -> Option<String> {
    schema.get("$version")?.as_str().map(str::to_owned)
}

fn without_version(schema: &Value) -> Value {
    let mut schema = schema.clone();
    if let Some(object) = schema.as_object_mut() {
        object.remove("$version");
    }
    schema
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Version {
    major: u64,
    minor: u64,
    patch: u64,
}

impl Version {
    fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split('.').map(|number| {
            let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| number.parse().ok()).flatten()
        });
        let version = Self {
            major: numbers.next()??,
            minor: numbers.next()??,
            patch: numbers.next()??,
        };
        numbers.next().is_none().then_some(version)
    }
}
