//! Settings of the web terminal.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use odd_contracts::names::env;
use odd_runtime::config::{Reader, Secret};

/// Settings of the web terminal. Each has a default.
#[derive(Clone, Debug)]
pub struct TerminalConfig {
    /// Whether there is one, and what it may do; there is by default.
    pub mode: TerminalMode,
    /// What runs in it; where absent, this very executable as `odd watch --server`.
    pub program: Option<Program>,
    /// Name of the instance, for the dashboard to show.
    pub instance: Option<String>,
    /// What is asked of everybody who wants a session. Where absent, nobody is asked for it.
    pub token: Option<Secret<AccessToken>>,
    /// Most sessions; 50 by default.
    pub sessions: usize,
    /// Most sessions of one client address, of IPv6 of one /64; 10 by default. Behind a proxy all clients are one address.
    pub sessions_per_address: usize,
    /// How many wrong tokens, tickets and keys one client address may show in quick succession, and two a second after that; 60 by
    /// default. Beyond, everything that it shows is looked at a second later only.
    pub attempts: u32,
    /// Time that a ticket is good for; 30 s by default.
    pub ticket: Duration,
    /// Longest wait for the first message of a connection; 5 s by default.
    pub hello: Duration,
    /// Time that a session is kept without a connection; 60 s by default.
    pub grace: Duration,
    /// Time without a key after which a session ends; 30 min by default.
    pub idle: Duration,
    /// How long before that the client is told; 1 min by default.
    pub idle_warning: Duration,
    /// Time between two questions whether the client is there; 15 s by default.
    pub ping: Duration,
    /// Longest silence of a client; 45 s by default.
    pub silence: Duration,
    /// Time that a program has to end after it was told to, before it is killed; 2 s by default.
    pub hang_up: Duration,
}

impl Default for TerminalConfig {
    fn default() -> Self {
        Self {
            mode: TerminalMode::On,
            program: None,
            instance: None,
            token: None,
            sessions: 50,
            sessions_per_address: 10,
            attempts: 60,
            ticket: Duration::from_secs(30),
            hello: Duration::from_secs(5),
            grace: Duration::from_secs(60),
            idle: Duration::from_secs(30 * 60),
            idle_warning: Duration::from_secs(60),
            ping: Duration::from_secs(15),
            silence: Duration::from_secs(45),
            hang_up: Duration::from_secs(2),
        }
    }
}

/// Longest grace and longest idle time that can be set.
const LONGEST: f64 = 7.0 * 86_400.0;

impl TerminalConfig {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Self {
        let default = Self::default();
        let sessions = reader.within(env::WEB_TERMINAL_SESSIONS, default.sessions, 1..=500);
        let per_address = env::WEB_TERMINAL_SESSIONS_PER_ADDRESS;
        Self {
            mode: reader.or(env::WEB_TERMINAL, default.mode),
            instance: reader.optional(env::INSTANCE),
            token: reader.optional_secret(env::WEB_TOKEN),
            sessions,
            sessions_per_address: reader.within(per_address, default.sessions_per_address, 1..=500),
            grace: seconds(reader, env::WEB_TERMINAL_GRACE_SECONDS, default.grace),
            idle: seconds(reader, env::WEB_TERMINAL_IDLE_SECONDS, default.idle),
            ..default
        }
    }

    /// Whether input is filtered.
    pub(crate) fn is_read_only(&self) -> bool {
        self.mode == TerminalMode::ReadOnly
    }
}

fn seconds(reader: &mut Reader<'_>, name: &str, default: Duration) -> Duration {
    let set = reader.within(name, default.as_secs_f64(), 1.0..=LONGEST);
    Duration::from_secs_f64(set)
}

/// Whether there is a web terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TerminalMode {
    /// With everything that `odd watch --server` can do.
    #[default]
    On,
    /// For looking only.
    ReadOnly,
    /// There is none.
    Off,
}

impl FromStr for TerminalMode {
    type Err = InvalidMode;

    fn from_str(text: &str) -> Result<Self, InvalidMode> {
        match text {
            "on" => Ok(Self::On),
            "read-only" => Ok(Self::ReadOnly),
            "off" => Ok(Self::Off),
            _ => Err(InvalidMode),
        }
    }
}

/// What is no mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidMode;

impl fmt::Display for InvalidMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected on, read-only or off")
    }
}

impl std::error::Error for InvalidMode {}

/// A program and its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Where it is, absolute.
    pub path: PathBuf,
    /// What it is given.
    pub arguments: Vec<String>,
}

/// A token long enough not to be guessed: 16 to 256 visible ASCII characters, so that it fits into a header.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessToken(String);

impl AccessToken {
    /// Its characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AccessToken {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        let is_well = (16..=256).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        is_well.then(|| Self(text.to_owned())).ok_or(InvalidToken)
    }
}

/// What is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidToken;

impl fmt::Display for InvalidToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected 16 to 256 visible ASCII characters")
    }
}

impl std::error::Error for InvalidToken {}
