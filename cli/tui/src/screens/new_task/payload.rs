//! The payload while it is typed: an editor for what a person writes, and a plain text for what is too long to be edited here.

use crossterm::event::{KeyCode, KeyEvent};
use odd_look::format;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::{Block, Paragraph};
use ratatui_textarea::{CursorMove, TextArea};
use serde_json::Value;

use crate::fit;
use crate::world::World;

/// Longest text that is edited: what is longer is kept as it is, so that every key stays quick.
const EDITED: usize = 32 * 1024;
/// Longest line that is edited.
const EDITED_LINE: usize = 4 * 1024;
/// Longest text that is kept: no gateway takes as much.
pub(super) const LONGEST: usize = 4 << 20;
/// What is shown of a text that is not edited: lines, and characters of each.
const SHOWN: (usize, usize) = (100, 400);

/// The payload.
pub(super) struct Payload {
    editor: TextArea<'static>,
    /// A text too long to be edited, and its beginning as it is shown.
    held: Option<(String, Vec<String>)>,
    /// Whether it was changed by hand.
    pub(super) touched: bool,
    /// Whether something was too long to be taken.
    pub(super) overflowed: bool,
    /// Whether the text is newer than what was read.
    unsettled: bool,
    read: Result<Value, String>,
}

impl Payload {
    pub(super) fn new(text: &str) -> Self {
        let mut payload = Self {
            editor: TextArea::default(),
            held: None,
            touched: false,
            overflowed: false,
            unsettled: false,
            read: Ok(Value::Null),
        };
        payload.set(text);
        payload
    }

    /// Another text, as if nothing had been typed.
    pub(super) fn set(&mut self, text: &str) {
        self.held = None;
        self.editor = TextArea::new(text.split('\n').map(str::to_owned).collect());
        self.editor.set_max_histories(50);
        self.editor.move_cursor(CursorMove::Bottom);
        self.editor.move_cursor(CursorMove::End);
        self.changed();
        self.touched = false;
    }

    /// What it reads as; else what is wrong with it, with line and column.
    pub(super) const fn read(&self) -> &Result<Value, String> {
        &self.read
    }

    /// Bytes of the text.
    pub(super) fn len(&self) -> usize {
        match &self.held {
            Some((text, _)) => text.len(),
            None => self.editor.lines().iter().map(|line| line.len() + 1).sum(),
        }
    }

    /// Takes a key. A text that is not edited is removed by backspace and takes letters at its end.
    pub(super) fn key(&mut self, key: KeyEvent) {
        if let KeyCode::Char(letter) = key.code
            && !fit::is_harmless(letter)
        {
            self.paste(letter.encode_utf8(&mut [0; 4]));
            return;
        }
        if self.held.is_none() {
            let before = self.len();
            if self.editor.input(key) {
                self.touched = true;
                let after = self.len();
                if after > EDITED && after > before {
                    self.hold(self.editor.lines().join("\n"));
                }
                self.changed();
            }
            return;
        }
        match key.code {
            KeyCode::Backspace | KeyCode::Delete => self.set(""),
            KeyCode::Char(letter) => self.append(letter.encode_utf8(&mut [0; 4])),
            KeyCode::Enter => self.append("\n"),
            _ => {}
        }
        self.touched = true;
    }

    /// Takes pasted text. What would steer the terminal or turn the direction of writing is written as JSON writes it.
    pub(super) fn paste(&mut self, text: &str) {
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let text = harmless(&text);
        self.touched = true;
        let long = self.len() + text.len() > EDITED || text.lines().any(|line| line.len() > EDITED_LINE);
        if self.held.is_some() {
            self.append(&text);
            return;
        }
        if long {
            let whole = self.editor.lines().join("\n");
            // A text as long as this is meant to be the payload, not a part of what stands there as an example.
            let whole = if whole.trim() == "{}" {
                String::new()
            } else {
                whole
            };
            if whole.len() + text.len() > LONGEST {
                self.overflowed = true;
                return;
            }
            self.hold(format!("{whole}{text}"));
        } else {
            if self.text_is_example() {
                self.set("");
                self.touched = true;
            }
            self.editor.insert_str(text);
        }
        self.changed();
    }

    fn text_is_example(&self) -> bool {
        matches!(self.editor.lines(), [only] if only.trim() == "{}")
    }

    fn append(&mut self, more: &str) {
        if let Some((text, _)) = &mut self.held {
            if text.len() + more.len() > LONGEST {
                self.overflowed = true;
                return;
            }
            text.push_str(more);
        }
        self.unsettled = true;
    }

    fn hold(&mut self, text: String) {
        let (lines, characters) = SHOWN;
        let cut = |line: &str| line.chars().take(characters).collect();
        let shown = text.lines().take(lines).map(cut).collect();
        self.held = Some((text, shown));
        self.editor = TextArea::default();
    }

    /// Reads it again where that was put off, because letters come one by one into a long text. Returns whether it was.
    pub(super) fn settle(&mut self) -> bool {
        let unsettled = std::mem::take(&mut self.unsettled);
        if unsettled {
            self.changed();
        }
        unsettled
    }

    fn changed(&mut self) {
        self.overflowed = false;
        self.read = match &self.held {
            Some((text, _)) => read(text),
            None => read(&self.editor.lines().join("\n")),
        };
    }

    /// Draws it.
    pub(super) fn draw(
        &mut self,
        focus: bool,
        world: &World,
        block: Block<'_>,
        frame: &mut Frame<'_>,
        area: Rect,
    ) {
        let theme = world.theme;
        let inner = block.inner(area);
        frame.render_widget(block, area);
        if let Some((text, shown)) = &self.held {
            let size = format::bytes(u64::try_from(text.len()).unwrap_or(u64::MAX));
            let title = format!("{size}, too long to be edited here; Backspace removes it");
            let mut lines = vec![Line::styled(title, theme.accent())];
            let columns = usize::from(inner.width);
            lines.extend(
                shown
                    .iter()
                    .take(usize::from(inner.height))
                    .map(|line| Line::styled(fit::cut(line, columns).into_owned(), theme.muted())),
            );
            frame.render_widget(Paragraph::new(lines), inner);
            return;
        }
        self.editor.set_style(theme.text());
        self.editor.set_cursor_line_style(Style::new());
        self.editor.set_line_number_style(theme.muted());
        self.editor
            .set_cursor_style(if focus { theme.chosen() } else { Style::new() });
        frame.render_widget(&self.editor, inner);
    }
}

fn read(text: &str) -> Result<Value, String> {
    if text.trim().is_empty() {
        return Ok(Value::Object(serde_json::Map::new()));
    }
    serde_json::from_str(text).map_err(|error| {
        let text = error.to_string();
        let what = text.split(" at line ").next().unwrap_or_default();
        format!("line {}, column {}: {what}", error.line(), error.column())
    })
}

/// The text with `\u` escapes, as JSON has them, for every character that is not to be drawn. Within strings they mean the same.
fn harmless(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        let mut unit = [0; 2];
        match c {
            '\n' | '\t' => safe.push(c),
            c if fit::is_harmless(c) => safe.push(c),
            c => {
                for unit in c.encode_utf16(&mut unit) {
                    safe.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    safe
}

#[cfg(test)]
mod tests {

    use crossterm::event::KeyModifiers;

    use super::*;

    fn press(payload: &mut Payload, code: KeyCode) {
        payload.key(KeyEvent::new(code, KeyModifiers::NONE));
    }

    #[test]
    fn an_error_has_its_line_and_column() {
        let mut payload = Payload::new("");
        payload.paste("{\n  \"rounds\": 1,\n}");
        let told = payload.read().clone().unwrap_err();
        assert_eq!(told, "line 3, column 1: trailing comma");
        assert!(Payload::new("").read().is_ok(), "nothing means an empty object");
    }

    #[test]
    fn nothing_that_steers_the_terminal_is_kept_as_it_is_and_its_meaning_is() {
        let mut payload = Payload::new("{}");
        payload.paste("{\"a\":\"x\u{202e}y\u{1b}[2J\"}");
        assert!(payload.editor.lines()[0].is_ascii());
        assert_eq!(payload.read().as_ref().unwrap()["a"], "x\u{202e}y\u{1b}[2J");
    }

    #[test]
    fn a_megabyte_is_taken_at_once_and_not_edited() {
        let mut payload = Payload::new("{}");
        let text = format!("{{\"text\":\"{}\"}}", "é".repeat(500_000));
        payload.paste(&text);
        for _ in 0..1_000 {
            press(&mut payload, KeyCode::Char(' '));
        }
        payload.settle();
        assert!(payload.read().is_ok());
        assert_eq!(payload.len(), text.len() + 1_000);
        press(&mut payload, KeyCode::Backspace);
        assert_eq!(payload.len(), 1);
    }

    #[test]
    fn letters_that_come_one_by_one_are_all_kept() {
        let mut payload = Payload::new("");
        payload.paste(&format!("\"{}", "x\n".repeat(EDITED / 2 - 10)));
        for _ in 0..100 {
            press(&mut payload, KeyCode::Char('y'));
        }
        assert!(payload.held.is_some());
        assert_eq!(payload.held.as_ref().unwrap().0.matches('y').count(), 100);
    }

    #[test]
    fn what_no_gateway_takes_is_not_kept() {
        let mut payload = Payload::new("{}");
        payload.paste(&"x".repeat(LONGEST + 1));
        assert!(payload.overflowed && payload.len() < 10);
    }
}
