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

/// An answer of several parts, some of them from outside: line breaks and tabs stay, and what chooses colours where there are any
/// (`coloured`; else it is left out). Anything else is as in [`line`].
pub fn answer(text: &str, coloured: bool) -> Cow<'_, str> {
    let stays = |c: char| is_harmless(c) || matches!(c, '\n' | '\t');
    if text.chars().all(stays) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = match colour(rest) {
            Some(length) => {
                shown.push_str(if coloured { &rest[..length] } else { "" });
                length
            }
            None => {
                shown.push(if stays(c) { c } else { UNSHOWN });
                c.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    Cow::Owned(shown)
}

/// Length of a sequence at the beginning of a text that chooses colours (SGR, ECMA-48 8.3.117).
fn colour(text: &str) -> Option<usize> {
    const BEGIN: &str = "\u{1b}[";
    let parameters = text.strip_prefix(BEGIN)?;
    let end = parameters.find(|c: char| !matches!(c, '0'..='9' | ';' | ':'))?;
    parameters[end..]
        .starts_with('m')
        .then_some(BEGIN.len() + end + 1)
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

    #[test]
    fn an_answer_keeps_its_lines_and_its_colours_and_nothing_else() {
        let text = "\u{1b}[1;32mok\u{1b}[0m\tx\n\u{1b}]0;title\u{7}\u{1b}[2J\u{1b}[";
        let rest = "\tx\n\u{fffd}]0;title\u{fffd}\u{fffd}[2J\u{fffd}[";
        assert_eq!(answer(text, true), format!("\u{1b}[1;32mok\u{1b}[0m{rest}"));
        assert_eq!(answer(text, false), format!("ok{rest}"));
        assert!(matches!(answer("a\n\tb ✓", false), Cow::Borrowed(_)));
    }
}
