//! Logs: one line an event, to stderr. JSON lines carry the fields of the spans around them at the top level.

mod json;

use std::fmt;
use std::io::IsTerminal;
use std::str::FromStr;

use odd_contracts::Role;
use tracing::instrument::Instrumented;
use tracing::{Instrument, Span};
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{EnvFilter, Layer, fmt::layer};

pub use json::JsonLines;

/// Form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line, for programs.
    Json,
    /// For people.
    Text,
}

impl LogFormat {
    /// Text on a terminal, JSON elsewhere.
    pub fn for_stderr() -> Self {
        if std::io::stderr().is_terminal() {
            Self::Text
        } else {
            Self::Json
        }
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Json => "json",
            Self::Text => "text",
        })
    }
}

impl FromStr for LogFormat {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "json" => Ok(Self::Json),
            "text" => Ok(Self::Text),
            _ => Err("expected json or text"),
        }
    }
}

/// Why logging did not start.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter is no filter.
    #[error("{filter:?} is no log filter; expected one such as info or warn,odd_processor=debug")]
    Filter {
        /// The filter.
        filter: String,
        /// Why it is none.
        #[source]
        source: ParseError,
    },
    /// Somebody started it before.
    #[error("logging was started before")]
    AlreadyStarted(#[source] TryInitError),
}

/// Starts logging to stderr for the whole process. Only `main` calls this.
///
/// # Errors
/// When the filter is none, or logging was started before.
pub fn init(format: LogFormat, filter: &str) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(filter).map_err(|source| TelemetryError::Filter {
        filter: filter.to_owned(),
        source,
    })?;
    let lines = match format {
        LogFormat::Json => JsonLines::new(std::io::stderr).boxed(),
        LogFormat::Text => layer().with_ansi(false).with_writer(std::io::stderr).boxed(),
    };
    tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .try_init()
        .map_err(TelemetryError::AlreadyStarted)
}

/// The span of a role: lines within it carry `service`. It passes every filter.
pub fn role_span(role: Role) -> Span {
    tracing::error_span!("role", service = role.name())
}

/// Runs a role's future in its span. Tasks of [`crate::Tasks`] inherit it.
pub fn in_role<F: Future>(role: Role, future: F) -> Instrumented<F> {
    future.instrument(role_span(role))
}
