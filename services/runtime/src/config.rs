//! Configuration: read without side effects from an injected source, all its errors reported at once.
//!
//! ```text
//! let mut reader = Reader::new(&source);
//! let address = reader.or(env::LISTEN_ADDRESS, IpAddr::from([127, 0, 0, 1]));
//! let path = reader.required::<PathBuf>(env::SQLITE_PATH);
//! let slots = reader.within(env::PROCESSOR_SLOTS, 16, 1..=1_000);
//! reader.build(|| Some(Config { address, path: path?, slots }))
//! ```

mod secret;
mod source;

use std::any::type_name;
use std::fmt::{self, Display};
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

pub use secret::Secret;
pub use source::Source;

/// Longest duration that a variable may name.
const MAX_SECONDS: f64 = 366.0 * 86_400.0;

/// Reads variables and collects what is wrong with them. A variable that is empty counts as absent, as
/// compose files set it so.
#[derive(Debug)]
pub struct Reader<'a> {
    source: &'a Source,
    errors: Vec<ConfigError>,
}

/// What is wrong with one variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Name of the variable.
    pub name: String,
    /// Its value; absent where it is not set or a secret.
    pub value: Option<String>,
    /// What is expected, and why the value is not that.
    pub problem: String,
}

impl Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{}={value:?}: {}", self.name, self.problem),
            None => write!(f, "{}: {}", self.name, self.problem),
        }
    }
}

/// Everything that is wrong with the configuration, one line a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration is invalid")?;
        self.0.iter().try_for_each(|error| write!(f, "\n  {error}"))
    }
}

impl std::error::Error for ConfigErrors {}

impl<'a> Reader<'a> {
    /// Reads from `source`.
    pub fn new(source: &'a Source) -> Self {
        Self {
            source,
            errors: Vec::new(),
        }
    }

    /// A variable that must be set. `None` means that an error was noted.
    pub fn required<T: FromStr<Err: Display>>(&mut self, name: &str) -> Option<T> {
        self.demand(name, false)
    }

    /// A secret that must be set; an error never shows its value.
    pub fn required_secret<T: FromStr<Err: Display>>(&mut self, name: &str) -> Option<Secret<T>> {
        self.demand(name, true).map(Secret::new)
    }

    /// A variable that may be absent.
    pub fn optional<T: FromStr<Err: Display>>(&mut self, name: &str) -> Option<T> {
        let text = self.text(name)?;
        self.parse(name, &text, false)
    }

    /// A secret that may be absent; an error never shows its value.
    pub fn optional_secret<T: FromStr<Err: Display>>(&mut self, name: &str) -> Option<Secret<T>> {
        let text = self.text(name)?;
        self.parse(name, &text, true).map(Secret::new)
    }

    /// A variable, or `default` where it is absent.
    pub fn or<T: FromStr<Err: Display>>(&mut self, name: &str, default: T) -> T {
        self.optional(name).unwrap_or(default)
    }

    /// The same within bounds; `default` is not checked against them.
    pub fn within<T>(&mut self, name: &str, default: T, bounds: RangeInclusive<T>) -> T
    where
        T: FromStr<Err: Display> + PartialOrd + Display,
    {
        let Some(value) = self.optional::<T>(name) else {
            return default;
        };
        if bounds.contains(&value) {
            return value;
        }
        let expected = format!("expected {} to {}", bounds.start(), bounds.end());
        self.note(name, Some(value.to_string()), expected);
        default
    }

    /// `true`, `yes`, `on` or `1`; `false`, `no`, `off` or `0`, in any case; `default` where absent.
    pub fn flag(&mut self, name: &str, default: bool) -> bool {
        let Some(text) = self.text(name) else {
            return default;
        };
        match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => true,
            "false" | "no" | "off" | "0" => false,
            _ => {
                self.note(name, Some(text), "expected true or false".to_owned());
                default
            }
        }
    }

    /// Values separated by commas; empty where absent. Blanks around values and empty values are left out.
    pub fn list<T: FromStr<Err: Display>>(&mut self, name: &str) -> Vec<T> {
        let text = self.text(name).unwrap_or_default();
        text.split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
            .filter_map(|item| self.parse(name, item, false))
            .collect()
    }

    /// Seconds, with a decimal point where wanted, from 0 to 366 days; `default` where absent.
    pub fn duration_seconds(&mut self, name: &str, default: Duration) -> Duration {
        let Some(text) = self.text(name) else {
            return default;
        };
        match text.parse::<f64>() {
            Ok(seconds) if (0.0..=MAX_SECONDS).contains(&seconds) => Duration::from_secs_f64(seconds),
            _ => {
                let expected = "expected a number of seconds, such as 2.5, of at most 366 days";
                self.note(name, Some(text), expected.to_owned());
                default
            }
        }
    }

    /// Notes an error that the role itself found, such as two settings that do not go together.
    pub fn reject(&mut self, name: &str, problem: impl Into<String>) {
        let value = self.text(name);
        self.note(name, value, problem.into());
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// Everything that was wrong.
    pub fn finish(self) -> Result<(), ConfigErrors> {
        if self.errors.is_empty() {
            Ok(())
        } else {
            Err(ConfigErrors(self.errors))
        }
    }

    /// Ends the reading and, if nothing was wrong, builds what was read; within `build`, `?` unwraps what was
    /// required (never what was optional: that leaves nothing to report).
    ///
    /// # Errors
    /// Everything that was wrong.
    pub fn build<C>(self, build: impl FnOnce() -> Option<C>) -> Result<C, ConfigErrors> {
        self.finish()?;
        build().ok_or_else(|| ConfigErrors(Vec::new()))
    }

    fn demand<T: FromStr<Err: Display>>(&mut self, name: &str, secret: bool) -> Option<T> {
        let Some(text) = self.text(name) else {
            let problem = match expectation::<T>() {
                Some(expected) => format!("not set; expected {expected}"),
                None => "not set".to_owned(),
            };
            self.note(name, None, problem);
            return None;
        };
        self.parse(name, &text, secret)
    }

    fn text(&self, name: &str) -> Option<String> {
        let text = self.source.get(name)?;
        let trimmed = text.trim();
        (!trimmed.is_empty()).then(|| trimmed.to_owned())
    }

    fn parse<T: FromStr<Err: Display>>(&mut self, name: &str, text: &str, secret: bool) -> Option<T> {
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                let problem = match (expectation::<T>(), secret) {
                    (Some(expected), true) => format!("expected {expected}"),
                    // The message of a parser may quote what it was given.
                    (None, true) => "not of the expected form".to_owned(),
                    (Some(expected), false) => format!("expected {expected} ({error})"),
                    (None, false) => error.to_string(),
                };
                self.note(name, (!secret).then(|| text.to_owned()), problem);
                None
            }
        }
    }

    fn note(&mut self, name: &str, value: Option<String>, problem: String) {
        self.errors.push(ConfigError {
            name: name.to_owned(),
            value,
            problem,
        });
    }
}

/// What a value of the type looks like, of types whose own parse errors do not say it.
fn expectation<T>() -> Option<&'static str> {
    Some(match type_name::<T>() {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" | "u64" | "usize" => "a whole number from 0 up",
        "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "bool" => "true or false",
        "core::net::ip_addr::IpAddr" => "an address such as 127.0.0.1",
        "odd_runtime::upstream::UpstreamUrl" => "an address such as http://127.0.0.1:9090",
        "odd_web::terminal::config::AccessToken" => "16 to 256 visible ASCII characters",
        "core::net::socket_addr::SocketAddr" => "an address and port such as 127.0.0.1:3000",
        "core::num::nonzero::NonZero<usize>"
        | "core::num::nonzero::NonZero<u32>"
        | "core::num::nonzero::NonZero<u64>" => "a whole number from 1 up",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, SocketAddr};

    #[test]
    fn every_bad_variable_is_reported_at_once() {
        let source = Source::from_map([
            ("PORT", "many"),
            ("SLOTS", "0"),
            ("PEERS", "127.0.0.1:1, nowhere"),
            ("VERBOSE", "maybe"),
            ("GRACE", "-1"),
            ("KEY", "hunter2"),
        ]);
        let mut reader = Reader::new(&source);
        reader.or("PORT", 1_u16);
        reader.within("SLOTS", 16, 1..=64);
        reader.list::<SocketAddr>("PEERS");
        reader.flag("VERBOSE", false);
        reader.duration_seconds("GRACE", Duration::ZERO);
        reader.required_secret::<u64>("KEY");
        reader.required::<IpAddr>("ADDRESS");
        let errors = reader.finish().unwrap_err();
        let text = errors.to_string();
        let lines: Vec<_> = text.lines().skip(1).map(str::trim).collect();
        assert_eq!(
            lines,
            [
                "PORT=\"many\": expected a whole number from 0 to 65535 (invalid digit found in string)",
                "SLOTS=\"0\": expected 1 to 64",
                "PEERS=\"nowhere\": expected an address and port such as 127.0.0.1:3000 \
                 (invalid socket address syntax)",
                "VERBOSE=\"maybe\": expected true or false",
                "GRACE=\"-1\": expected a number of seconds, such as 2.5, of at most 366 days",
                "KEY: expected a whole number from 0 up",
                "ADDRESS: not set; expected an address such as 127.0.0.1",
            ]
        );
        assert!(!format!("{errors:?}").contains("hunter2"));
    }

    #[test]
    fn good_variables_build_the_configuration() {
        let source = Source::from_map([
            ("PORT", " 3000 "),
            ("EMPTY", ""),
            ("PEERS", "127.0.0.1:1,127.0.0.1:2,"),
            ("VERBOSE", "On"),
            ("GRACE", "2.5"),
        ]);
        let mut reader = Reader::new(&source);
        let port = reader.required::<u16>("PORT");
        let empty = reader.or("EMPTY", 7);
        let peers = reader.list::<SocketAddr>("PEERS");
        let verbose = reader.flag("VERBOSE", false);
        let grace = reader.duration_seconds("GRACE", Duration::ZERO);
        let config = reader
            .build(|| Some((port?, empty, peers.len(), verbose, grace)))
            .unwrap();
        assert_eq!(config, (3000, 7, 2, true, Duration::from_millis(2_500)));
    }

    #[test]
    fn durations_that_are_no_numbers_are_errors() {
        for text in ["NaN", "inf", "1e300", "ten", "1s"] {
            let source = Source::from_map([("GRACE", text)]);
            let mut reader = Reader::new(&source);
            reader.duration_seconds("GRACE", Duration::ZERO);
            assert!(reader.finish().is_err(), "{text}");
        }
    }
}
