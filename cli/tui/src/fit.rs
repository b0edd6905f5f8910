//! Text in so many columns. Widths are those of Unicode Standard Annex 11, as terminals have them.

use std::borrow::Cow;

use odd_look::text;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Columns that the text takes.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// Whether the character can be drawn as it is: it neither steers the terminal nor turns the direction of writing.
pub(crate) fn is_harmless(c: char) -> bool {
    let mut bytes = [0; 4];
    let text: &str = c.encode_utf8(&mut bytes);
    text::line(text) == text
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

/// Text in rows of so many columns, broken between words where possible.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut rows = Vec::new();
    for line in text::lines(text) {
        let mut rest: &str = &line;
        loop {
            let (row, after) = rest.split_at(fitting(rest, width.max(1), true));
            rows.push(row.trim_end().to_owned());
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
    }
    rows
}

/// The first rows of a text, and whether there is more. What lies far behind them is not looked at, however long the text is.
pub(crate) fn wrap_first(text: &str, width: usize, most: usize) -> (Vec<String>, bool) {
    // A row may hold more characters than columns: those that are drawn over the one before. Twice as many will mostly do.
    let enough = most
        .saturating_add(1)
        .saturating_mul(width.max(1) + 1)
        .saturating_mul(2);
    let end = text.char_indices().nth(enough).map_or(text.len(), |(at, _)| at);
    let mut rows = wrap(&text[..end], width);
    let has_more = rows.len() > most || end < text.len();
    rows.truncate(most);
    (rows, has_more)
}

/// Bytes of a line that fit into so many columns; at least one grapheme, so that there is always an end.
pub(crate) fn fitting(line: &str, width: usize, by_words: bool) -> usize {
    let length = columns(line, width);
    if !by_words || length == line.len() {
        return length;
    }
    // The space that the row is broken at stays at its end, where it is not seen.
    if line.as_bytes()[length] == b' ' {
        return length + 1;
    }
    match line[..length].rfind(' ') {
        Some(space) if space > 0 && !line[..space].trim().is_empty() => space + 1,
        _ => length,
    }
}

fn columns(line: &str, width: usize) -> usize {
    let bytes = line.as_bytes();
    // A byte more than fits, because what follows could belong to the last one.
    if bytes[..bytes.len().min(width + 1)].is_ascii() {
        return bytes.len().min(width);
    }
    let mut taken = 0;
    let mut length = 0;
    for grapheme in line.graphemes(true) {
        taken += grapheme.width();
        if taken > width && length > 0 {
            break;
        }
        length += grapheme.len();
    }
    length
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

    #[test]
    fn of_a_long_text_only_the_beginning_is_wrapped() {
        assert_eq!(wrap_first("one two", 8, 2), (vec!["one two".to_owned()], false));
        assert_eq!(
            wrap_first("one two three four", 8, 2),
            (vec!["one two".to_owned(), "three".to_owned()], true)
        );
        for text in [
            "x".repeat(1 << 20),
            "日\n".repeat(1 << 18),
            "\u{301}".repeat(1 << 19),
        ] {
            let (rows, has_more) = wrap_first(&text, 10, 3);
            assert!(has_more && rows.len() <= 3);
            assert!(
                rows.iter().map(String::len).sum::<usize>() < 1_000,
                "it is not copied"
            );
        }
    }

    #[test]
    fn words_stay_whole_where_they_fit() {
        assert_eq!(
            wrap("one two three, seventeen", 8),
            ["one two", "three,", "seventee", "n"]
        );
        assert_eq!(wrap("日本語 text", 5), ["日本", "語", "text"]);
        assert_eq!(wrap("a\n\nb", 5), ["a", "", "b"]);
    }
}
