//! The filter while it is typed.

use crossterm::event::{KeyCode, KeyEvent};
use odd_look::sign::Tone;
use ratatui::text::{Line, Span};

use crate::filter::Filter;
use crate::fit;
use crate::screens::line_edit::LineEdit;
use crate::world::World;

/// Most characters of a filter.
const LONGEST: usize = 200;
/// What can be typed.
const HELP: &str = "type: status: since: until: id:   ↵ applies, Esc leaves";
/// The same in ASCII.
const ASCII_HELP: &str = "type: status: since: until: id:   Enter applies, Esc leaves";

/// What came of a key.
pub(super) enum Typed {
    /// It goes on.
    On,
    /// It is left as it was before.
    Left,
    /// This is wanted.
    Wanted(String, Filter),
}

/// The line.
pub(super) struct FilterLine {
    line: LineEdit,
    wrong: Option<String>,
}

impl FilterLine {
    pub(super) fn new(text: &str) -> Self {
        let mut line = LineEdit::new(LONGEST);
        line.set(text);
        Self { line, wrong: None }
    }

    pub(super) fn key(&mut self, key: KeyEvent) -> Typed {
        match key.code {
            KeyCode::Enter => match Filter::parse(self.line.text()) {
                Ok(filter) => return Typed::Wanted(self.line.text().trim().to_owned(), filter),
                Err(wrong) => self.wrong = Some(wrong),
            },
            KeyCode::Esc => return Typed::Left,
            _ => {
                self.line.key(key);
                self.look();
            }
        }
        Typed::On
    }

    pub(super) fn paste(&mut self, text: &str) {
        self.line.paste(text);
        self.look();
    }

    /// What is wrong is told while it is typed, but not of the word that is still open.
    fn look(&mut self) {
        let text = self.line.text();
        let whole = text.rsplit_once(' ').map_or("", |(whole, _)| whole);
        self.wrong = Filter::parse(whole).err();
    }

    pub(super) fn draw(&self, world: &World, width: usize) -> Line<'static> {
        let theme = world.theme;
        let (told, style) = match &self.wrong {
            Some(wrong) => (wrong.as_str(), theme.tone(Tone::Bad)),
            None if theme.unicode() => (HELP, theme.muted()),
            None => (ASCII_HELP, theme.muted()),
        };
        let room = width.saturating_sub(5);
        // What is typed comes first, but never takes all the room of what is wrong with it.
        let kept = self
            .wrong
            .as_ref()
            .map_or(0, |wrong| fit::width(wrong).min(room / 2));
        let columns = self.line.width().min(room - kept);
        let mut spans = vec![Span::styled(" /", theme.accent())];
        spans.extend(self.line.spans(columns, theme.strong(), true));
        spans.push(Span::styled(
            format!("   {}", fit::cut(told, room - columns)),
            style,
        ));
        Line::from(spans)
    }
}
