//! The JSON Schemas and their compiled validators.
//!
//! The files in `schemas/` are the authority on every document that crosses a process boundary; this
//! module carries them, compiles each at its first use, and says in plain words what is wrong with a
//! document.

use std::fmt;
use std::str::FromStr;
use std::sync::{LazyLock, OnceLock};

use jsonschema::{PatternOptions, Validator};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::problem::FieldError;
use crate::timestamp::Timestamp;

mod message;

/// Most errors that [`validate`] reports of one document.
pub const MAX_ERRORS: usize = 20;

/// A contract: one file of `schemas/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Schema {
    /// [`crate::Job`]; unknown fields are tolerated.
    Job,
    /// [`crate::JobAttempt`].
    JobAttempt,
    /// [`crate::JobSubmission`]; unknown fields are refused.
    JobSubmission,
    /// [`crate::JobAccepted`].
    JobAccepted,
    /// [`crate::EventEnvelope`]; unknown fields are tolerated. Says nothing about the payload but that it is an object.
    EventEnvelope,
    /// [`crate::Alert`].
    Alert,
    /// [`crate::Problem`].
    Problem,
    /// [`crate::ui::UiRegistry`].
    UiRegistry,
    /// [`crate::terminal::ClientMessage`]; unknown fields are refused.
    TerminalClient,
    /// [`crate::terminal::ServerMessage`]; unknown fields are refused.
    TerminalServer,
}

static PARSED: LazyLock<[Value; Schema::ALL.len()]> = LazyLock::new(|| {
    Schema::ALL
        .map(|schema| serde_json::from_str(schema.source()).expect("schemas are JSON, as the tests prove"))
});

static COMPILED: [OnceLock<Validator>; Schema::ALL.len()] = [const { OnceLock::new() }; Schema::ALL.len()];

impl Schema {
    /// Every schema.
    pub const ALL: [Self; 10] = [
        Self::Job,
        Self::JobAttempt,
        Self::JobSubmission,
        Self::JobAccepted,
        Self::EventEnvelope,
        Self::Alert,
        Self::Problem,
        Self::UiRegistry,
        Self::TerminalClient,
        Self::TerminalServer,
    ];

    /// Name of the schema: that of its file, and the end of its `$id`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Job => "job",
            Self::JobAttempt => "job-attempt",
            Self::JobSubmission => "job-submission",
            Self::JobAccepted => "job-accepted",
            Self::EventEnvelope => "event-envelope",
            Self::Alert => "alert",
            Self::Problem => "problem",
            Self::UiRegistry => "ui-registry",
            Self::TerminalClient => "terminal-client",
            Self::TerminalServer => "terminal-server",
        }
    }

    /// Text of the schema's file.
    pub const fn source(self) -> &'static str {
        match self {
            Self::Job => include_str!("../schemas/job.json"),
            Self::JobAttempt => include_str!("../schemas/job-attempt.json"),
            Self::JobSubmission => include_str!("../schemas/job-submission.json"),
            Self::JobAccepted => include_str!("../schemas/job-accepted.json"),
            Self::EventEnvelope => include_str!("../schemas/event-envelope.json"),
            Self::Alert => include_str!("../schemas/alert.json"),
            Self::Problem => include_str!("../schemas/problem.json"),
            Self::UiRegistry => include_str!("../schemas/ui-registry.json"),
            Self::TerminalClient => include_str!("../schemas/terminal-client.json"),
            Self::TerminalServer => include_str!("../schemas/terminal-server.json"),
        }
    }

    /// The schema as a document.
    pub fn document(self) -> &'static Value {
        &PARSED[self as usize]
    }

    /// Its `$version`, SemVer.
    pub fn version(self) -> &'static str {
        self.document()
            .get("$version")
            .and_then(Value::as_str)
            .expect("every schema has a $version, as the tests prove")
    }

    /// Whether the document keeps the contract. Costs a few microseconds for a small document.
    pub fn is_valid(self, document: &Value) -> bool {
        self.validator().is_valid(document)
    }

    /// Guesses by its shape which contract a document is meant to keep, whether or not it keeps it.
    ///
    /// A document that could be a job as well as a submission (it has id, status and createdAt) counts as a job. Messages of
    /// the web terminal are never guessed: they are told from others by where they travel, and `{"type": "ping"}` is a
    /// submission as well.
    pub fn detect(document: &Value) -> Option<Self> {
        let fields = document.as_object()?;
        let any = |names: &[&str]| names.iter().any(|name| fields.contains_key(*name));
        let all = |names: &[&str]| names.iter().all(|name| fields.contains_key(*name));
        if any(&["eventType", "contractVersion"]) {
            Some(Self::EventEnvelope)
        } else if any(&["code"]) && any(&["title", "status", "detail"]) {
            Some(Self::Problem)
        } else if any(&["entries"]) {
            Some(Self::UiRegistry)
        } else if any(&["severity", "runbook"]) {
            Some(Self::Alert)
        } else if any(&["executor", "take"]) {
            Some(Self::JobAttempt)
        } else if all(&["jobId", "eventId"]) {
            Some(Self::JobAccepted)
        } else if all(&["id", "status", "createdAt"]) || any(&["retryOf"]) {
            Some(Self::Job)
        } else if any(&["type", "payload"]) {
            Some(Self::JobSubmission)
        } else {
            None
        }
    }

    fn validator(self) -> &'static Validator {
        COMPILED[self as usize].get_or_init(|| compile(self.document()))
    }
}

fn compile(schema: &Value) -> Validator {
    jsonschema::options()
        .should_validate_formats(true)
        // The same judge as that of the Rust types: what the schema lets pass can be read.
        .with_format("date-time", |text: &str| text.parse::<Timestamp>().is_ok())
        // Linear in the length of the text, whatever the pattern.
        .with_pattern_options(PatternOptions::regex())
        .build(schema)
        .expect("schemas are valid, as the tests prove")
}

/// Checks a document against its contract.
///
/// # Errors
/// Each place that breaks the contract, at most [`MAX_ERRORS`]. A missing property is reported at the
/// place where it should be.
pub fn validate(schema: Schema, document: &Value) -> Result<(), Vec<FieldError>> {
    let validator = schema.validator();
    if validator.is_valid(document) {
        return Ok(());
    }
    let errors: Vec<_> = validator
        .iter_errors(document)
        .flat_map(|error| message::field_errors(schema.document(), &error))
        .take(MAX_ERRORS)
        .collect();
    Err(errors)
}

/// Checks a document against its contract and reads it as the Rust type that speaks it.
///
/// # Errors
/// As [`validate`]. Where the document keeps the contract and the type yet cannot hold it, one error
/// without a path.
pub fn decode<T: DeserializeOwned>(schema: Schema, document: Value) -> Result<T, Vec<FieldError>> {
    validate(schema, &document)?;
    serde_json::from_value(document).map_err(|error| {
        vec![FieldError {
            path: String::new(),
            message: error.to_string(),
        }]
    })
}

impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that belongs to no schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown schema {0:?}; schemas are job, job-attempt, job-submission, job-accepted, event-envelope, alert, problem, ui-registry, terminal-client and terminal-server"
)]
pub struct UnknownSchema(pub String);

impl FromStr for Schema {
    type Err = UnknownSchema;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|schema| schema.name() == name)
            .ok_or_else(|| UnknownSchema(name.to_owned()))
    }
}
