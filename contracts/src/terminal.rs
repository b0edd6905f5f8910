//! What a browser and the web terminal say to each other: [`ClientMessage`] and [`ServerMessage`], one JSON text a message of
//! the WebSocket `/ws` (subprotocol [`PROTOCOL`]). What the program writes travels as binary messages, byte by byte.
//!
//! ```text
//! client                                     server
//!   POST /terminal/ticket            ──▶
//!                                    ◀──     {"ticket": …, "expiresInMs": 30000}
//!   hello {ticket, columns, rows}    ──▶
//!                                    ◀──     ready {reconnect, readOnly, resumed, graceMs, idleMs}
//!   input, resize, ping              ──▶
//!                                    ◀──     output (binary), notice, pong
//!   ── the connection is lost; within graceMs, on a new one: ──
//!   hello {session: {reconnect}}     ──▶
//!                                    ◀──     ready {a new reconnect, resumed: true}, the whole screen (binary)
//!                                    ◀──     ended {reason, exitCode}, then the connection closes
//! ```
//!
//! A ticket is good once and for half a minute, `reconnect` once: until the client has said anything after the next `ready`, since
//! a page that is loaded anew may not have kept what it was told. Nothing secret stands in an address, since addresses are logged.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Name of the WebSocket's subprotocol.
pub const PROTOCOL: &str = "odd.terminal.v1";
/// Most bytes of a message to the server.
pub const MAX_MESSAGE_BYTES: usize = 64 * 1024;
/// Most columns, and most rows, that a client may name.
pub const MAX_SIZE: u16 = 1_000;
/// Most characters of a ticket or token.
pub const MAX_SECRET: usize = 256;
/// Most characters of one input.
pub const MAX_INPUT: usize = 65_536;

/// A ticket or token: on the wire a text, and never shown by `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct Key(pub String);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Answer to `POST /terminal/ticket`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ticket {
    /// What `hello` shows; good once.
    #[schema(value_type = String)]
    pub ticket: Key,
    /// Milliseconds that it is good for.
    pub expires_in_ms: u64,
}

/// The session to go on with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// Of its last `ready`.
    pub reconnect: Key,
}

/// What a browser says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", deny_unknown_fields)]
pub enum ClientMessage {
    /// Asks for a session: once, first. Exactly one of the three keys is given.
    Hello {
        /// Of `POST /terminal/ticket`, for a new session.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ticket: Option<Key>,
        /// The token that the role was set up with, for a new session.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<Key>,
        /// A session that is there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session: Option<Known>,
        /// Columns of the window.
        columns: u16,
        /// Rows of the window.
        rows: u16,
    },
    /// Keys, as a terminal sends them.
    Input {
        /// The characters.
        data: String,
    },
    /// The window has another size.
    Resize {
        /// Columns.
        columns: u16,
        /// Rows.
        rows: u16,
    },
    /// Answered by `pong`.
    Ping {},
}

impl ClientMessage {
    /// Reads a message, and judges it as its schema does.
    ///
    /// # Errors
    /// What is wrong with it, in words. They never repeat what was sent.
    pub fn parse(text: &str) -> Result<Self, String> {
        let message: Self = serde_json::from_str(text).map_err(|error| match error.classify() {
            serde_json::error::Category::Data => {
                "the message is none of hello, input, resize and ping with their fields".to_owned()
            }
            _ => format!("the message is no JSON (column {})", error.column()),
        })?;
        message.check()?;
        Ok(message)
    }

    fn check(&self) -> Result<(), String> {
        match self {
            Self::Hello {
                ticket,
                token,
                session,
                columns,
                rows,
            } => {
                let mut keys = [
                    ticket.as_ref(),
                    token.as_ref(),
                    session.as_ref().map(|known| &known.reconnect),
                ]
                .into_iter()
                .flatten();
                let is_well = |Key(key): &Key| (1..=MAX_SECRET).contains(&key.chars().count());
                if !(keys.next().is_some_and(is_well) && keys.next().is_none()) {
                    return Err("hello shows one of ticket, token and session".to_owned());
                }
                size(*columns, *rows)
            }
            Self::Resize { columns, rows } => size(*columns, *rows),
            Self::Input { data } if data.is_empty() || data.chars().count() > MAX_INPUT => {
                Err(format!("input has 1 to {MAX_INPUT} characters"))
            }
            Self::Input { .. } | Self::Ping {} => Ok(()),
        }
    }
}

fn size(columns: u16, rows: u16) -> Result<(), String> {
    if [columns, rows].iter().all(|size| (1..=MAX_SIZE).contains(size)) {
        Ok(())
    } else {
        Err(format!("a window has 1 to {MAX_SIZE} columns and rows"))
    }
}

/// What the web terminal says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub enum ServerMessage {
    /// The session is there; output follows. Once, first.
    Ready {
        /// Goes on with this session on another connection: good once, until the client says something after the next `ready`.
        reconnect: Key,
        /// Whether keys that change something are dropped.
        read_only: bool,
        /// Whether the session was there before.
        resumed: bool,
        /// Milliseconds that the session is kept without a connection.
        grace_ms: u64,
        /// Milliseconds without a key after which the session ends.
        idle_ms: u64,
    },
    /// Something to know; the session goes on. At most one a second.
    Notice {
        /// What it is about.
        code: NoticeCode,
        /// The same in words.
        message: String,
    },
    /// Answers `ping`.
    Pong {},
    /// The session is over; the connection closes with [`EndReason::close`].
    Ended {
        /// Why.
        reason: EndReason,
        /// Exit code of the program; absent where it was ended.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        exit_code: Option<u32>,
        /// The same in words.
        message: String,
    },
    /// The connection closes with [`ErrorCode::close`]; a session there was is kept for its grace.
    Error {
        /// What is wrong.
        code: ErrorCode,
        /// The same in words, with what to do.
        message: String,
    },
}

/// What a notice is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeCode {
    /// Input was dropped because the terminal is for looking only.
    ReadOnly,
    /// Input was dropped because the program does not take it.
    InputDropped,
    /// The session ends soon unless a key is pressed.
    IdleSoon,
}

impl NoticeCode {
    /// Every code.
    pub const ALL: [Self; 3] = [Self::ReadOnly, Self::InputDropped, Self::IdleSoon];
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The program ended.
    Exited,
    /// Nothing was pressed for too long.
    Idle,
    /// Nobody came back within the grace.
    Abandoned,
    /// The web role is stopping.
    Shutdown,
}

impl EndReason {
    /// Every reason.
    pub const ALL: [Self; 4] = [Self::Exited, Self::Idle, Self::Abandoned, Self::Shutdown];

    /// The reason as it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exited => "exited",
            Self::Idle => "idle",
            Self::Abandoned => "abandoned",
            Self::Shutdown => "shutdown",
        }
    }

    /// Code that the connection is closed with (RFC 6455, 7.4.1).
    pub const fn close(self) -> u16 {
        match self {
            Self::Shutdown => 1001,
            Self::Exited | Self::Idle | Self::Abandoned => 1000,
        }
    }
}

/// What is wrong with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// A message that breaks the contract.
    Malformed,
    /// A binary message.
    Unsupported,
    /// A message of more than [`MAX_MESSAGE_BYTES`].
    TooLarge,
    /// Something else than `hello` came first, or nothing within 5 s, or `hello` came again.
    HelloExpected,
    /// The ticket or token is wrong, used or too old.
    Unauthorized,
    /// No session has this reconnect token: it was used, or the session is over. A new ticket gives a new session.
    UnknownSession,
    /// As many sessions as there may be, in all or of one address.
    TooManySessions,
    /// Too many attempts of one address.
    TooManyAttempts,
    /// The session goes on over another connection.
    TakenOver,
    /// No terminal can be had.
    Unavailable,
    /// The client did not answer.
    Silent,
}

impl ErrorCode {
    /// Every code.
    pub const ALL: [Self; 11] = [
        Self::Malformed,
        Self::Unsupported,
        Self::TooLarge,
        Self::HelloExpected,
        Self::Unauthorized,
        Self::UnknownSession,
        Self::TooManySessions,
        Self::TooManyAttempts,
        Self::TakenOver,
        Self::Unavailable,
        Self::Silent,
    ];

    /// The code as it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Unsupported => "unsupported",
            Self::TooLarge => "too_large",
            Self::HelloExpected => "hello_expected",
            Self::Unauthorized => "unauthorized",
            Self::UnknownSession => "unknown_session",
            Self::TooManySessions => "too_many_sessions",
            Self::TooManyAttempts => "too_many_attempts",
            Self::TakenOver => "taken_over",
            Self::Unavailable => "unavailable",
            Self::Silent => "silent",
        }
    }

    /// Code that the connection is closed with: of RFC 6455, 7.4.1, and from 4000 on our own.
    pub const fn close(self) -> u16 {
        match self {
            Self::Unsupported => 1003,
            Self::Malformed | Self::HelloExpected | Self::Silent => 1008,
            Self::TooLarge => 1009,
            Self::Unavailable => 1011,
            Self::TooManySessions | Self::TooManyAttempts => 1013,
            Self::Unauthorized => 4001,
            Self::UnknownSession => 4004,
            Self::TakenOver => 4009,
        }
    }
}

#[cfg(test)]
mod tests;
