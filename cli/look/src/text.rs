//! Text from outside, made fit for a terminal: nothing in it can steer the terminal or change the order of what stands around it.

use std::borrow::Cow;

/// What stands for a character that is not shown.
const UNSHOWN: char = '\u{fffd}';

/// The text as one line. A line break or tab becomes a space; any other control character, and what changes the direction of
/// writing (Unicode Standard Annex 9, explicit formatting characters), becomes U+FFFD.
pub fn line(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_harmless) {
        return Cow::Borrowed(text);
    }
    let shown = |c: char| match c {
        '\n' | '\t' => Some(' '),
        '\r' => None,
        c if is_harmless(c) => Some(c),
        _ => Some(UNSHOWN),
    };
    Cow::Owned(text.chars().filter_map(shown).collect())
}

/// The text line by line, each as [`line`] makes it.
pub fn lines(text: &str) -> impl Iterator<Item = Cow<'_, str>> {
    text.lines().map(line)
}

fn is_harmless(c: char) -> bool {
    !c.is_control() && !turns(c)
}

/// Whether the character changes the direction of writing.
const fn turns(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harmless_text_is_not_copied() {
        assert!(matches!(line("héllo ✓ 日本 עברית"), Cow::Borrowed(_)));
    }

    #[test]
    fn nothing_steers_the_terminal() {
        assert_eq!(line("\u{1b}[2Jgone\u{7}"), "\u{fffd}[2Jgone\u{fffd}");
        assert_eq!(line("\u{9b}31mred"), "\u{fffd}31mred");
        assert_eq!(line("safe\u{202e}exe.txt"), "safe\u{fffd}exe.txt");
        assert_eq!(line("a\r\nb\tc"), "a b c");
        assert_eq!(lines("a\u{0}\nb").collect::<Vec<_>>(), ["a\u{fffd}", "b"]);
    }
}
