//! Colours and glyphs: state and nothing else. Each state has both, so that it can be read without colour.

use odd_contracts::JobStatus;
use owo_colors::{OwoColorize, Style};

/// What a colour says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Names, links, what to do next.
    Accent,
    /// Well.
    Ok,
    /// At work.
    Working,
    /// Waiting.
    Waiting,
    /// To be looked at.
    Attention,
    /// Bad.
    Bad,
    /// Ended on request.
    Cancelled,
    /// Less important.
    Muted,
}

impl Tone {
    const fn style(self) -> Style {
        let style = Style::new();
        match self {
            Self::Accent => style.blue(),
            Self::Ok => style.green(),
            Self::Working => style.cyan(),
            Self::Waiting => style.white(),
            Self::Attention => style.yellow(),
            Self::Bad => style.red(),
            Self::Cancelled => style.magenta(),
            Self::Muted => style.bright_black(),
        }
    }
}

/// A sign for a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Glyph {
    /// Well.
    Ok,
    /// At work.
    Working,
    /// Waiting.
    Waiting,
    /// Once more.
    Retrying,
    /// Bad.
    Bad,
    /// Ended on request.
    Cancelled,
    /// To be looked at.
    Warn,
}

impl Glyph {
    /// The sign, where wanted in ASCII.
    pub const fn text(self, unicode: bool) -> &'static str {
        match (self, unicode) {
            (Self::Ok, true) => "✓",
            (Self::Ok, false) => "+",
            (Self::Working, true) => "●",
            (Self::Working, false) => "*",
            (Self::Waiting, true) => "◌",
            (Self::Waiting, false) => ".",
            (Self::Retrying, true) => "↻",
            (Self::Retrying, false) => "~",
            (Self::Bad, true) => "✗",
            (Self::Bad, false) => "x",
            (Self::Cancelled, true) => "⊘",
            (Self::Cancelled, false) => "-",
            (Self::Warn, true) => "⚠",
            (Self::Warn, false) => "!",
        }
    }
}

/// Sign and colour of a job status.
pub(super) const fn of_status(status: JobStatus) -> (Glyph, Tone) {
    match status {
        JobStatus::Completed => (Glyph::Ok, Tone::Ok),
        JobStatus::Executing | JobStatus::Validated => (Glyph::Working, Tone::Working),
        JobStatus::Pending | JobStatus::Scheduled => (Glyph::Waiting, Tone::Waiting),
        JobStatus::Retrying => (Glyph::Retrying, Tone::Attention),
        JobStatus::Failed => (Glyph::Bad, Tone::Bad),
        JobStatus::Cancelled => (Glyph::Cancelled, Tone::Cancelled),
    }
}

pub(super) fn paint(colours: bool, tone: Tone, text: &str) -> String {
    if colours {
        text.style(tone.style()).to_string()
    } else {
        text.to_owned()
    }
}

/// Colours that tell names apart; none of them says that something is wrong.
const NAMES: [Style; 8] = [
    Style::new().cyan(),
    Style::new().magenta(),
    Style::new().blue(),
    Style::new().green(),
    Style::new().bright_cyan(),
    Style::new().bright_magenta(),
    Style::new().bright_blue(),
    Style::new().bright_green(),
];

/// The colour of a name depends on nothing but the name (without the number of a replica).
pub(super) fn paint_name(colours: bool, name: &str) -> String {
    if !colours {
        return name.to_owned();
    }
    let letters = name.bytes().filter(u8::is_ascii_alphabetic);
    let sum = letters.fold(0_usize, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(usize::from(byte))
    });
    name.style(NAMES[sum % NAMES.len()]).to_string()
}

/// Whether colours are wanted where the output is a terminal.
pub(super) fn colours_wanted(refused: bool) -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !refused && !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Whether the locale can show more than ASCII. The first variable that is set decides (POSIX, Base Definitions 8.2).
pub(super) fn unicode_wanted() -> bool {
    if cfg!(windows) {
        return true;
    }
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .filter_map(|name| std::env::var(name).ok())
        .find(|value| !value.is_empty())
        .unwrap_or_default()
        .to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}
