//! Colours of a line-oriented terminal, and whether they and more than ASCII are wanted.

use odd_look::sign::Tone;
use owo_colors::{OwoColorize, Style};

const fn style(tone: Tone) -> Style {
    let style = Style::new();
    match tone {
        Tone::Accent => style.blue(),
        Tone::Ok => style.green(),
        Tone::Working => style.cyan(),
        Tone::Waiting => style.white(),
        Tone::Attention => style.yellow(),
        Tone::Bad => style.red(),
        Tone::Cancelled => style.magenta(),
        Tone::Muted => style.bright_black(),
    }
}

pub(super) fn paint(colours: bool, tone: Tone, text: &str) -> String {
    if colours {
        text.style(style(tone)).to_string()
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
