//! Text of any length, laid out once for a width and drawn by the page: what is not visible costs nothing.

use crossterm::event::{KeyEvent, MouseEvent, MouseEventKind};
use odd_look::text;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use serde::Serialize;

use crate::fit::fitting;
use crate::frame::region;
use crate::screens::Step;
use crate::theme::Theme;
use crate::world::World;

/// Rows of one turn of the wheel.
const WHEEL: isize = 3;

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ink {
    /// A title within the text.
    Heading,
    /// Words, which are not broken where that can be avoided.
    Text,
    /// The same, less important.
    Muted,
    /// Why something failed.
    Bad,
    /// Anything of which every character counts: JSON, bytes, messages.
    Code,
}

impl Ink {
    fn style(self, theme: Theme) -> Style {
        match self {
            Self::Heading => theme.strong(),
            Self::Text | Self::Code => theme.text(),
            Self::Muted => theme.muted(),
            Self::Bad => theme.tone(odd_look::sign::Tone::Bad),
        }
    }
}

/// A line of the source: where it begins in the text, and what it is. It ends where the next one begins.
#[derive(Clone, Copy)]
struct Source {
    begin: u32,
    ink: Ink,
}

/// A row on the screen.
#[derive(Clone, Copy)]
struct Row {
    begin: u32,
    end: u32,
    ink: Ink,
    /// Whether a line begins with it.
    is_first: bool,
}

/// Text that can be scrolled.
#[derive(Default)]
pub(crate) struct Pager {
    text: String,
    lines: Vec<Source>,
    rows: Vec<Row>,
    /// Columns that the rows were laid out for; 0 before.
    width: usize,
    first: usize,
    page: usize,
}

impl Pager {
    /// Adds text, line by line; nothing in it steers the terminal.
    pub(crate) fn add(&mut self, ink: Ink, text: &str) {
        for line in text::lines(text) {
            let Ok(begin) = u32::try_from(self.text.len()) else {
                return;
            };
            self.lines.push(Source { begin, ink });
            self.text.push_str(&line);
        }
        self.width = 0;
    }

    /// Adds an empty line.
    pub(crate) fn gap(&mut self) {
        self.add(Ink::Text, "\n");
    }

    /// Adds a document, indented.
    pub(crate) fn add_json(&mut self, document: &impl Serialize) {
        match serde_json::to_string_pretty(document) {
            Ok(pretty) => self.add(Ink::Code, &pretty),
            Err(error) => self.add(Ink::Bad, &format!("this cannot be written as JSON: {error}")),
        }
    }

    /// A document alone.
    pub(crate) fn json(document: &impl Serialize) -> Self {
        let mut pager = Self::default();
        pager.add_json(document);
        pager
    }

    /// Stays at the same place of a text that was there before.
    pub(crate) fn at_place_of(mut self, before: &Self) -> Self {
        self.first = before.first;
        self
    }

    /// Scrolls. Whether the key means that.
    pub(crate) fn key(&mut self, key: KeyEvent) -> bool {
        let Some(step) = Step::of(key) else {
            return false;
        };
        self.first = step.from(self.first, self.last_first() + 1, self.page);
        true
    }

    /// Scrolls by the wheel.
    pub(crate) fn wheel(&mut self, event: MouseEvent) {
        if let Some(rows) = wheel(event) {
            self.first = Step::Rows(rows).from(self.first, self.last_first() + 1, self.page);
        }
    }

    /// Draws it into a region that says which part is visible.
    pub(crate) fn draw_titled(&mut self, world: &World, frame: &mut Frame<'_>, area: Rect, title: &str) {
        let inner = region(world, "").inner(area);
        self.lay(inner);
        let block = region(world, format!("{title}{}", self.place()));
        frame.render_widget(block, area);
        self.draw(world, frame, inner);
    }

    /// Draws what is visible.
    pub(crate) fn draw(&mut self, world: &World, frame: &mut Frame<'_>, area: Rect) {
        self.lay(area);
        let visible = self.rows.iter().skip(self.first).take(self.page);
        let lines: Vec<Line<'_>> = visible.map(|row| self.line(*row, world.theme)).collect();
        frame.render_widget(Paragraph::new(lines), area);
    }

    /// The text, as it can be copied.
    pub(crate) fn copied(&self) -> String {
        let ends = self.lines.iter().skip(1).map(|line| line.begin as usize);
        let ends = ends.chain([self.text.len()]);
        let lines = self.lines.iter().zip(ends);
        let lines: Vec<&str> = lines
            .map(|(line, end)| &self.text[line.begin as usize..end])
            .collect();
        lines.join("\n")
    }

    /// `  12–40 of 500` where not everything is visible.
    fn place(&self) -> String {
        if self.rows.len() <= self.page {
            return String::new();
        }
        let count = |number: usize| odd_look::format::count(number as u64);
        let last = (self.first + self.page).min(self.rows.len());
        format!(
            "  {}-{} of {}",
            count(self.first + 1),
            count(last),
            count(self.rows.len())
        )
    }

    const fn last_first(&self) -> usize {
        self.rows.len().saturating_sub(self.page)
    }

    fn lay(&mut self, area: Rect) {
        let width = usize::from(area.width).max(1);
        if width != self.width {
            self.rows = self.laid(width);
            self.width = width;
        }
        self.page = usize::from(area.height);
        self.first = self.first.min(self.last_first());
    }

    fn laid(&self, width: usize) -> Vec<Row> {
        let mut rows = Vec::with_capacity(self.lines.len());
        for (at, line) in self.lines.iter().enumerate() {
            let begin = line.begin as usize;
            let end = self
                .lines
                .get(at + 1)
                .map_or(self.text.len(), |next| next.begin as usize);
            let mut from = begin;
            loop {
                let length = fitting(&self.text[from..end], width, line.ink != Ink::Code);
                rows.push(Row {
                    begin: from as u32,
                    end: (from + length) as u32,
                    ink: line.ink,
                    is_first: from == begin,
                });
                from += length;
                if from >= end {
                    break;
                }
            }
        }
        rows
    }

    fn line(&self, row: Row, theme: Theme) -> Line<'_> {
        let text = self.text[row.begin as usize..row.end as usize].trim_end();
        let style = row.ink.style(theme);
        match key_of(text).filter(|_| row.is_first && row.ink == Ink::Code) {
            Some(end) => Line::from(vec![
                Span::styled(&text[..end], theme.muted()),
                Span::styled(&text[end..], style),
            ]),
            None => Line::styled(text, style),
        }
    }
}

/// How many rows a turn of the wheel moves.
pub(crate) const fn wheel(event: MouseEvent) -> Option<isize> {
    match event.kind {
        MouseEventKind::ScrollDown => Some(WHEEL),
        MouseEventKind::ScrollUp => Some(-WHEEL),
        _ => None,
    }
}

/// Where the key of a member ends, in a line of an indented document.
fn key_of(line: &str) -> Option<usize> {
    let name = line.trim_start().strip_prefix('"')?;
    let begin = line.len() - name.len();
    let mut escaped = false;
    for (at, byte) in name.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return name[at..].starts_with("\":").then_some(begin + at + 2),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {

    use crossterm::event::{KeyCode, KeyModifiers};
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use serde_json::json;

    use super::*;
    use crate::bed;
    use crate::fit;

    fn shown(pager: &mut Pager, (width, height): (u16, u16)) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal
            .draw(|frame| pager.draw(&bed::empty(), frame, frame.area()))
            .unwrap();
        let lines = terminal.backend().to_string();
        let lines = lines.lines().map(|line| line.trim_matches('"').trim_end());
        lines.collect::<Vec<_>>().join("\n")
    }

    fn press(pager: &mut Pager, code: KeyCode) {
        assert!(pager.key(KeyEvent::new(code, KeyModifiers::NONE)));
    }

    #[test]
    fn a_character_that_is_wider_than_the_row_ends_all_the_same() {
        assert_eq!(fit::wrap("日本", 1), ["日", "本"]);
        assert_eq!(fit::wrap("", 3), Vec::<String>::new());
    }

    #[test]
    fn it_scrolls_within_its_text_and_stays_where_it_was() {
        let mut pager = Pager::default();
        pager.add(Ink::Text, &(1..=9).map(|n| format!("{n}\n")).collect::<String>());
        assert_eq!(shown(&mut pager, (4, 3)), "1\n2\n3");
        press(&mut pager, KeyCode::Down);
        press(&mut pager, KeyCode::PageDown);
        assert_eq!(shown(&mut pager, (4, 3)), "5\n6\n7");
        assert_eq!(pager.place(), "  5-7 of 9");
        press(&mut pager, KeyCode::End);
        assert_eq!(shown(&mut pager, (4, 3)), "7\n8\n9");
        let mut shorter = Pager::default();
        shorter.add(Ink::Text, "1\n2\n3\n4");
        let mut shorter = shorter.at_place_of(&pager);
        assert_eq!(shown(&mut shorter, (4, 3)), "2\n3\n4");
        assert_eq!(shorter.copied(), "1\n2\n3\n4");
    }

    #[test]
    fn nothing_in_the_text_steers_the_terminal() {
        let mut pager = Pager::json(&json!({ "a\"b": "\u{1b}[2J\u{9b}31m\u{202e}" }));
        let text = shown(&mut pager, (40, 3));
        assert!(!text.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{text:?}");
        assert_eq!(key_of(r#"  "a\"b": 1"#), Some(9));
        assert_eq!(key_of(r#"  "just text""#), None);
    }

    #[test]
    fn a_payload_of_a_megabyte_scrolls_to_its_end() {
        let numbers: Vec<u32> = (0..150_000).collect();
        let mut pager = Pager::json(&json!({ "numbers": numbers, "long": "x".repeat(500_000) }));
        shown(&mut pager, (120, 40));
        for _ in 0..100 {
            press(&mut pager, KeyCode::PageDown);
            shown(&mut pager, (120, 40));
        }
        press(&mut pager, KeyCode::End);
        assert!(shown(&mut pager, (120, 40)).ends_with('}'));
    }

    #[test]
    fn code_fills_the_row() {
        let mut pager = Pager::default();
        pager.add(Ink::Code, "one two three");
        assert_eq!(shown(&mut pager, (6, 3)), "one tw\no thre\ne");
    }
}
