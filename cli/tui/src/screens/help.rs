//! The keys that work, on this screen and everywhere.

use crossterm::event::KeyEvent;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::{Hint, Screen, hint};
use crate::effect::Effect;
use crate::fit;
use crate::frame::{overlay, region};
use crate::options::Mode;
use crate::world::World;

const WIDTH: u16 = 62;
/// Columns of a key.
const KEY: usize = 10;

/// Keys of every screen.
pub(super) fn everywhere(mode: Mode) -> Vec<Hint> {
    let mut hints = vec![
        hint("?", "these keys"),
        hint(":", "a command by its name, such as :job 9f31c2ab"),
        hint("Esc", "back"),
        hint("R", "ask once more, now"),
        hint("D", "dead letters"),
        hint("A", "alerts"),
        hint("G", "logs"),
        hint("U", "user interfaces"),
    ];
    if mode.changes_jobs() {
        hints.push(hint("N", "new task"));
    }
    if mode.has_machine() {
        hints.push(hint("L", "launcher: what is needed, start, stop"));
    }
    if mode.changes_stack() {
        hints.push(hint("Ctrl+Q", "stop the stack (asks)"));
    }
    hints.extend([
        hint("↑ ↓ j k", "up and down; PgUp, PgDn, Home, End"),
        hint("Q Ctrl+C", "quit; the stack goes on"),
    ]);
    hints
}

/// The keys, over the screen that they belong to.
pub(crate) struct Help {
    /// The screen below, and its keys.
    below: &'static str,
    own: Vec<Hint>,
}

impl Help {
    /// The keys of a screen, and those that work everywhere.
    pub(crate) fn of(screen: &dyn Screen, world: &World) -> Self {
        Self {
            below: screen.title(),
            own: screen.hints(world),
        }
    }

    /// Only those that work everywhere.
    pub(crate) fn everywhere() -> Self {
        Self {
            below: "",
            own: Vec::new(),
        }
    }
}

impl Screen for Help {
    fn title(&self) -> &'static str {
        "help"
    }

    fn draw(&mut self, world: &World, frame: &mut Frame<'_>, area: Rect) {
        let theme = world.theme;
        let line = |hint: &Hint| {
            Line::from(vec![
                Span::styled(format!(" {} ", fit::left(hint.key, KEY)), theme.accent()),
                Span::styled(hint.does, theme.text()),
            ])
        };
        let mut lines = Vec::new();
        if !self.own.is_empty() {
            lines.push(Line::styled(format!(" Here: {}", self.below), theme.muted()));
            lines.extend(self.own.iter().map(line));
            lines.push(Line::default());
        }
        lines.push(Line::styled(" Everywhere", theme.muted()));
        lines.extend(everywhere(world.mode).iter().map(line));
        let height = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX);
        let area = overlay(frame, world, area, WIDTH, height);
        frame.render_widget(Paragraph::new(lines).block(region(world, "Keys")), area);
    }

    fn hints(&self, _world: &World) -> Vec<Hint> {
        vec![hint("Esc", "close")]
    }

    fn command(&self, _world: &World) -> String {
        "odd watch --help".to_owned()
    }

    /// Any key closes it; only those of the whole program keep their meaning.
    fn key(&mut self, _key: KeyEvent, _world: &World) -> Option<Vec<Effect>> {
        Some(vec![Effect::Back])
    }

    fn is_overlay(&self) -> bool {
        true
    }
}
