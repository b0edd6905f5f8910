//! Text in so many columns. Widths are those of Unicode Standard Annex 11, as terminals have them.

use std::borrow::Cow;

use odd_look::text;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Columns that the text takes.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// One line of at most this many columns, with nothing in it that steers the terminal; what is cut ends with `…`.
pub(crate) fn cut(text: &str, columns: usize) -> Cow<'_, str> {
    let line = text::line(text);
    if line.width() <= columns {
        return line;
    }
    let Some(room) = columns.checked_sub(1) else {
        return Cow::Borrowed("");
    };
    let mut taken = 0;
    let mut kept = String::new();
    for grapheme in line.graphemes(true) {
        taken += grapheme.width();
        if taken > room {
            break;
        }
        kept.push_str(grapheme);
    }
    kept.push('…');
    Cow::Owned(kept)
}

/// The same, filled with spaces on the right to exactly this many columns.
pub(crate) fn left(text: &str, columns: usize) -> String {
    let cut = cut(text, columns);
    let gap = columns.saturating_sub(cut.width());
    format!("{cut}{}", " ".repeat(gap))
}

/// The same, filled on the left.
pub(crate) fn right(text: &str, columns: usize) -> String {
    let cut = cut(text, columns);
    let gap = columns.saturating_sub(cut.width());
    format!("{}{cut}", " ".repeat(gap))
}

/// The text in lines of at most this many columns, broken between words where there are such, with nothing in it that steers the
/// terminal.
pub(crate) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines = Vec::new();
    for line in text::lines(text) {
        let mut current = String::new();
        for word in line.split(' ') {
            let gap = usize::from(!current.is_empty());
            if current.width() + gap + word.width() <= columns {
                current.extend(std::iter::repeat_n(' ', gap));
                current.push_str(word);
                continue;
            }
            if !current.is_empty() {
                lines.push(std::mem::take(&mut current));
            }
            for grapheme in word.graphemes(true) {
                if !current.is_empty() && current.width() + grapheme.width() > columns {
                    lines.push(std::mem::take(&mut current));
                }
                current.push_str(grapheme);
            }
        }
        lines.push(current);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_by_columns_and_not_by_characters() {
        assert_eq!(cut("resize", 6), "resize");
        assert_eq!(cut("resize", 5), "resi…");
        assert_eq!(cut("日本語", 5), "日本…");
        assert_eq!(cut("日本語", 4), "日…");
        assert_eq!(cut("resize", 0), "");
        assert_eq!(cut("\u{1b}[2J", 10), "\u{fffd}[2J");
        assert_eq!(width("日本"), 4);
    }

    #[test]
    fn columns_are_filled() {
        assert_eq!(left("ab", 4), "ab  ");
        assert_eq!(right("ab", 4), "  ab");
        assert_eq!(left("日本", 3), "日…");
        assert_eq!(right("日", 4), "  日");
    }

    #[test]
    fn text_is_broken_between_words() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("abcdefgh ij", 3), ["abc", "def", "gh", "ij"]);
        assert_eq!(wrap("a\nb \u{1b}[2J", 9), ["a", "b \u{fffd}[2J"]);
        assert_eq!(wrap("日本語", 4), ["日本", "語"]);
        assert_eq!(wrap("x", 0), ["x"]);
    }
}
