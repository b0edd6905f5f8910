//! The keys that work, on this screen and everywhere.

use crossterm::event::{KeyEvent, MouseEvent};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::{Hint, Screen, Step, hint};
use crate::effect::Effect;
use crate::fit;
use crate::frame::{overlay, region};
use crate::options::Mode;
use crate::pager::wheel;
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
        hint("↑ ↓ j k", "up and down; PgUp, PgDn, Home, End, the wheel"),
        hint("← → h l", "between tabs, panels and choices"),
        hint("Q Ctrl+C", "quit; the stack goes on"),
    ]);
    hints
}

/// The keys, over the screen that they belong to.
pub(crate) struct Help {
    /// The screen below, and its keys.
    below: &'static str,
    own: Vec<Hint>,
    /// Lines, the first that is visible, and how many are.
    rows: usize,
    first: usize,
    page: usize,
}

impl Help {
    /// The keys of a screen, and those that work everywhere.
    pub(crate) fn of(screen: &dyn Screen, world: &World) -> Self {
        Self {
            below: screen.title(),
            own: screen.hints(world),
            ..Self::everywhere()
        }
    }

    /// Only those that work everywhere.
    pub(crate) fn everywhere() -> Self {
        Self {
            below: "",
            own: Vec::new(),
            rows: 0,
            first: 0,
            page: 0,
        }
    }

    /// Whether there is more than is visible.
    const fn scrolls(&self) -> bool {
        self.rows > self.page
    }

    fn scroll(&mut self, step: Step) {
        self.first = step.from(self.first, self.rows.saturating_sub(self.page) + 1, self.page);
    }

    fn lines(&self, world: &World) -> Vec<Line<'static>> {
        let theme = world.theme;
        let line = |hint: &Hint| {
            Line::from(vec![
                Span::styled(format!(" {} ", fit::left(hint.key, KEY)), theme.accent()),
                Span::styled(hint.does, theme.text()),
            ])
        };
        let everywhere = everywhere(world.mode);
        let is_own = |hint: &&Hint| everywhere.iter().all(|other| other.key != hint.key);
        let own: Vec<_> = self.own.iter().filter(is_own).map(line).collect();
        let mut lines = Vec::new();
        if !own.is_empty() {
            lines.push(Line::styled(format!(" Here: {}", self.below), theme.muted()));
            lines.extend(own);
            lines.push(Line::default());
        }
        lines.push(Line::styled(" Everywhere", theme.muted()));
        lines.extend(everywhere.iter().map(line));
        lines
    }
}

impl Screen for Help {
    fn title(&self) -> &'static str {
        "help"
    }

    fn draw(&mut self, world: &World, frame: &mut Frame<'_>, area: Rect) {
        let lines = self.lines(world);
        let height = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX);
        let area = overlay(frame, world, area, WIDTH, height);
        self.rows = lines.len();
        self.page = usize::from(area.height.saturating_sub(2));
        self.first = self.first.min(self.rows.saturating_sub(self.page));
        let place = if self.scrolls() {
            format!("  {}-{} of {}", self.first + 1, self.first + self.page, self.rows)
        } else {
            String::new()
        };
        let visible: Vec<_> = lines.into_iter().skip(self.first).take(self.page).collect();
        let block = region(world, format!("Keys{place}"));
        frame.render_widget(Paragraph::new(visible).block(block), area);
    }

    fn hints(&self, _world: &World) -> Vec<Hint> {
        let mut hints = vec![hint("Esc", "close")];
        if self.scrolls() {
            hints.push(hint("↑↓", "scroll"));
        }
        hints
    }

    fn command(&self, _world: &World) -> String {
        "odd watch --help".to_owned()
    }

    /// Any key closes it but those that scroll, where there is more than is visible.
    fn key(&mut self, key: KeyEvent, _world: &World) -> Option<Vec<Effect>> {
        match Step::of(key).filter(|_| self.scrolls()) {
            Some(step) => self.scroll(step),
            None => return Some(vec![Effect::Back]),
        }
        Some(Vec::new())
    }

    fn mouse(&mut self, event: MouseEvent, _world: &World) -> Vec<Effect> {
        if let Some(rows) = wheel(event) {
            self.scroll(Step::Rows(rows));
        }
        Vec::new()
    }

    fn is_overlay(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use crossterm::event::KeyCode;

    use super::*;
    use crate::bed::{self, SIZES, drawn, press, press_key};
    use crate::screens::Dashboard;

    #[test]
    fn the_keys_of_the_screen_below_come_first() {
        let world = bed::world();
        for size in SIZES {
            let mut help = Help::of(&Dashboard::new(), &world);
            insta::assert_snapshot!(format!("help_{}", size.0), drawn(&mut help, &world, size));
        }
    }

    #[test]
    fn what_is_not_permitted_is_not_told() {
        let mut world = bed::world();
        world.mode = Mode::ServerReadOnly;
        let shown = drawn(&mut Help::everywhere(), &world, (80, 24));
        for absent in ["new task", "launcher", "Ctrl+Q"] {
            assert!(!shown.contains(absent), "{shown}");
        }
    }

    #[test]
    fn any_key_closes_it_but_those_that_scroll_what_is_longer() {
        let world = bed::world();
        let mut help = Help::everywhere();
        drawn(&mut help, &world, (80, 24));
        assert!(matches!(press(&mut help, &world, 'j')[..], [Effect::Back]));
        let shown = drawn(&mut help, &world, (80, 8));
        assert!(
            shown.contains("Keys  1-6 of") && !shown.contains("the stack goes on"),
            "{shown}"
        );
        bed::turn(&mut help, &world, true);
        assert!(drawn(&mut help, &world, (80, 8)).contains("Keys  4-9 of"));
        assert!(press_key(&mut help, &world, KeyCode::End).is_empty());
        assert!(drawn(&mut help, &world, (80, 8)).contains("the stack goes on"));
        assert!(bed::click(&mut help, &world, 0, 0).is_empty());
        assert!(matches!(press(&mut help, &world, 'x')[..], [Effect::Back]));
    }
}
