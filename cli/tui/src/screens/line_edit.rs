//! One line of text that is typed: the keys of a line editor, a cursor, and as much of the line as there is room for.

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::style::{Modifier, Style};
use ratatui::text::Span;
use unicode_segmentation::UnicodeSegmentation;

use super::{plain, with_control};
use crate::fit;

/// A line that is typed. Nothing in it steers the terminal or turns the direction of writing.
#[derive(Clone, Debug)]
pub(crate) struct LineEdit {
    text: String,
    /// Bytes before the cursor; it stands between two graphemes.
    cursor: usize,
    /// Most characters.
    longest: usize,
}

impl LineEdit {
    /// An empty line that takes at most this many characters.
    pub(crate) const fn new(longest: usize) -> Self {
        Self {
            text: String::new(),
            cursor: 0,
            longest,
        }
    }

    /// What was typed.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Another text, with the cursor at its end.
    pub(crate) fn set(&mut self, text: &str) {
        self.text.clear();
        self.cursor = 0;
        self.paste(text);
    }

    /// Takes a key. Whether it means anything in a line: Enter, Tab, Esc, up and down do not.
    pub(crate) fn key(&mut self, key: KeyEvent) -> bool {
        match (key.code, with_control(key)) {
            (KeyCode::Backspace, _) | (_, Some('h')) => self.remove(self.before(), self.cursor),
            (KeyCode::Delete, _) | (_, Some('d')) => self.remove(self.cursor, self.after()),
            (KeyCode::Left, _) | (_, Some('b')) => self.cursor = self.before(),
            (KeyCode::Right, _) | (_, Some('f')) => self.cursor = self.after(),
            (KeyCode::Home, _) | (_, Some('a')) => self.cursor = 0,
            (KeyCode::End, _) | (_, Some('e')) => self.cursor = self.text.len(),
            (_, Some('u')) => self.remove(0, self.cursor),
            (_, Some('k')) => self.remove(self.cursor, self.text.len()),
            (_, Some('w')) => self.remove(self.word(), self.cursor),
            _ => match plain(key) {
                Some(letter) => self.paste(letter.encode_utf8(&mut [0; 4])),
                None => return false,
            },
        }
        true
    }

    /// Takes text at the cursor, as much as there is room for: a line break or tab as a space, without what is not to be drawn.
    pub(crate) fn paste(&mut self, text: &str) {
        let room = self.longest.saturating_sub(self.text.chars().count());
        let one_line = text.trim_end_matches(['\r', '\n']).chars().map(|c| match c {
            '\n' | '\t' => ' ',
            c => c,
        });
        let taken: String = one_line.filter(|c| fit::is_harmless(*c)).take(room).collect();
        self.text.insert_str(self.cursor, &taken);
        self.cursor += taken.len();
    }

    /// The line in exactly so many columns: the part around the cursor, which is drawn as a reversed cell. Without a cursor, its
    /// beginning.
    pub(crate) fn spans(&self, columns: usize, style: Style, has_cursor: bool) -> Vec<Span<'static>> {
        if !has_cursor || columns == 0 {
            return vec![Span::styled(fit::left(&self.text, columns), style)];
        }
        let (before, after) = self.text.split_at(self.cursor);
        let under = after.graphemes(true).next().unwrap_or_default();
        let cell = match fit::width(under) {
            wide if (1..=columns).contains(&wide) => under,
            _ => " ",
        };
        // Where the line is reversed itself, the cursor is not.
        let cursor = if style.add_modifier.contains(Modifier::REVERSED) {
            style.remove_modifier(Modifier::REVERSED)
        } else {
            style.add_modifier(Modifier::REVERSED)
        };
        let room = columns - fit::width(cell);
        let before = end(before, room);
        let room = room - fit::width(before);
        let rest = beginning(&after[under.len()..], room);
        let gap = room - fit::width(rest);
        vec![
            Span::styled(before.to_owned(), style),
            Span::styled(cell.to_owned(), cursor),
            Span::styled(format!("{rest}{}", " ".repeat(gap)), style),
        ]
    }

    /// Columns that the line and its cursor take.
    pub(crate) fn width(&self) -> usize {
        fit::width(&self.text) + 1
    }

    fn remove(&mut self, from: usize, to: usize) {
        self.text.replace_range(from..to, "");
        self.cursor = from;
    }

    /// Where the grapheme before the cursor begins.
    fn before(&self) -> usize {
        let last = self.text[..self.cursor].graphemes(true).next_back();
        self.cursor - last.map_or(0, str::len)
    }

    /// Where the grapheme at the cursor ends.
    fn after(&self) -> usize {
        let next = self.text[self.cursor..].graphemes(true).next();
        self.cursor + next.map_or(0, str::len)
    }

    /// Where the word before the cursor begins.
    fn word(&self) -> usize {
        let before = self.text[..self.cursor].trim_end();
        before.rfind(' ').map_or(0, |space| space + 1)
    }
}

/// The longest end of a text that fits.
fn end(text: &str, room: usize) -> &str {
    let mut taken = 0;
    let mut from = text.len();
    for (at, grapheme) in text.grapheme_indices(true).rev() {
        taken += fit::width(grapheme);
        if taken > room {
            break;
        }
        from = at;
    }
    &text[from..]
}

/// The longest beginning of a text that fits.
fn beginning(text: &str, room: usize) -> &str {
    let mut taken = 0;
    let mut to = 0;
    for (at, grapheme) in text.grapheme_indices(true) {
        taken += fit::width(grapheme);
        if taken > room {
            break;
        }
        to = at + grapheme.len();
    }
    &text[..to]
}

#[cfg(test)]
mod tests {
    use crossterm::event::KeyModifiers;

    use super::*;

    fn line(text: &str) -> LineEdit {
        let mut line = LineEdit::new(40);
        line.set(text);
        line
    }

    fn press(line: &mut LineEdit, codes: &[KeyCode]) {
        for code in codes {
            assert!(line.key(KeyEvent::new(*code, KeyModifiers::NONE)), "{code:?}");
        }
    }

    fn control(line: &mut LineEdit, letters: &str) {
        for letter in letters.chars() {
            assert!(line.key(KeyEvent::new(KeyCode::Char(letter), KeyModifiers::CONTROL)));
        }
    }

    #[test]
    fn text_is_changed_where_the_cursor_stands() {
        let mut line = line("tpe");
        press(&mut line, &[KeyCode::Home, KeyCode::Right, KeyCode::Char('y')]);
        press(&mut line, &[KeyCode::End, KeyCode::Char(':'), KeyCode::Char('x')]);
        assert_eq!(line.text(), "type:x");
        press(
            &mut line,
            &[
                KeyCode::Backspace,
                KeyCode::Left,
                KeyCode::Delete,
                KeyCode::Delete,
            ],
        );
        assert_eq!(line.text(), "type");
        press(
            &mut line,
            &[KeyCode::Right, KeyCode::Home, KeyCode::Left, KeyCode::Backspace],
        );
        assert_eq!(line.text(), "type", "there is nothing beyond its ends");
        for key in [
            KeyCode::Enter,
            KeyCode::Tab,
            KeyCode::Esc,
            KeyCode::Up,
            KeyCode::F(2),
        ] {
            assert!(!line.key(KeyEvent::new(key, KeyModifiers::NONE)), "{key:?}");
        }
    }

    #[test]
    fn the_keys_of_line_editors_work() {
        let mut line = line("status:failed  since:10m");
        control(&mut line, "w");
        assert_eq!(line.text(), "status:failed  ");
        control(&mut line, "w");
        assert_eq!(line.text(), "");
        line.set("one two three");
        control(&mut line, "affffu");
        assert_eq!(line.text(), "two three");
        control(&mut line, "eb");
        control(&mut line, "dh");
        assert_eq!(line.text(), "two thr");
        control(&mut line, "afk");
        assert_eq!(line.text(), "t");
    }

    #[test]
    fn what_is_seen_as_one_character_is_one() {
        let mut line = line("日👩‍👩‍👧‍👦é");
        press(&mut line, &[KeyCode::Left, KeyCode::Backspace]);
        assert_eq!(line.text(), "日é");
        press(&mut line, &[KeyCode::Home, KeyCode::Delete]);
        assert_eq!(line.text(), "é");
    }

    #[test]
    fn what_is_pasted_is_one_line_of_harmless_text_and_no_longer_than_allowed() {
        let mut line = line("ab");
        press(&mut line, &[KeyCode::Left]);
        line.paste("1\r\n2\t3\u{1b}[2J\u{202e}\u{9b}\r\n");
        assert_eq!(line.text(), "a1 2 3[2Jb");
        line.paste(&"x".repeat(100));
        assert_eq!(
            (line.text().chars().count(), line.text().chars().last()),
            (40, Some('b'))
        );
    }

    #[test]
    fn the_cursor_is_always_in_sight_and_the_room_is_filled() {
        let mut line = line("job 日本語 the quick brown fox");
        for columns in 0..40 {
            press(&mut line, &[KeyCode::Home]);
            for _ in 0..40 {
                let spans = line.spans(columns, Style::new(), true);
                let width: usize = spans.iter().map(Span::width).sum();
                assert_eq!(width, columns, "{spans:?}");
                let cells = spans
                    .iter()
                    .filter(|span| span.style.add_modifier == Modifier::REVERSED);
                assert_eq!(cells.count(), usize::from(columns > 0));
                press(&mut line, &[KeyCode::Right]);
            }
        }
        let text: String = line
            .spans(10, Style::new(), true)
            .iter()
            .map(|span| &*span.content)
            .collect();
        assert_eq!(text, "brown fox ");
        let reversed = line.spans(9, Style::new().add_modifier(Modifier::REVERSED), true);
        assert!(!reversed[1].style.add_modifier.contains(Modifier::REVERSED));
        press(&mut line, &[KeyCode::Home]);
        let text: String = line
            .spans(9, Style::new(), true)
            .iter()
            .map(|span| &*span.content)
            .collect();
        assert_eq!(text, "job 日本 ");
    }
}
