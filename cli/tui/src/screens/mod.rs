//! The screens: one file each, over one state. A screen draws what is known, turns keys into effects, and takes what comes of
//! them. It neither reads nor writes anything itself.

mod alerts;
mod confirm;
mod dashboard;
mod dead_letters;
mod help;
mod interfaces;
mod job;
mod launcher;
pub(crate) mod line_edit;
pub(crate) mod list;
mod logs;
mod new_task;
pub(crate) mod outcome;
mod palette;
mod reader;
#[cfg(test)]
mod small;
mod splash;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseEvent};
use odd_contracts::EventEnvelope;
use ratatui::Frame;
use ratatui::layout::Rect;
use uuid::Uuid;

pub(crate) use alerts::Alerts;
pub(crate) use confirm::Confirm;
pub(crate) use dashboard::Dashboard;
pub(crate) use dead_letters::DeadLetters;
pub(crate) use help::Help;
pub(crate) use interfaces::Interfaces;
pub(crate) use job::Job;
pub(crate) use launcher::Launcher;
pub(crate) use logs::Logs;
pub(crate) use new_task::NewTask;
pub(crate) use palette::Palette;
pub(crate) use splash::Splash;

use crate::effect::{Effect, Reply};
use crate::world::World;

/// A key that works now, and what it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hint {
    /// The key, as it is shown, such as `↵`, `/` or `N`.
    pub(crate) key: &'static str,
    /// What it does, in one or two words.
    pub(crate) does: &'static str,
}

/// A hint.
pub(crate) const fn hint(key: &'static str, does: &'static str) -> Hint {
    Hint { key, does }
}

/// One screen.
pub(crate) trait Screen: Send {
    /// What it shows, in a word or two.
    fn title(&self) -> &'static str;

    /// Draws it into the area between header and footer.
    fn draw(&mut self, world: &World, frame: &mut Frame<'_>, area: Rect);

    /// The keys of its own that work now, the most important first.
    fn hints(&self, world: &World) -> Vec<Hint>;

    /// The command that shows or does the same.
    fn command(&self, world: &World) -> String;

    /// What it needs when it is opened, comes back to the top, or is asked for the same once more.
    fn opened(&mut self, _world: &World) -> Vec<Effect> {
        Vec::new()
    }

    /// Takes a key. None where it means nothing here, so that it may mean something everywhere.
    fn key(&mut self, key: KeyEvent, world: &World) -> Option<Vec<Effect>>;

    /// Takes a click or a turn of the wheel, in coordinates of the whole screen.
    fn mouse(&mut self, _event: MouseEvent, _world: &World) -> Vec<Effect> {
        Vec::new()
    }

    /// Takes pasted text.
    fn paste(&mut self, _text: &str, _world: &World) {}

    /// Takes what came of an effect.
    fn reply(&mut self, _reply: &Reply, _world: &World) -> Vec<Effect> {
        Vec::new()
    }

    /// Takes events that just happened, oldest first.
    fn events(&mut self, _events: &[EventEnvelope], _world: &World) -> Vec<Effect> {
        Vec::new()
    }

    /// Called a few times a second.
    fn tick(&mut self, _world: &World) -> Vec<Effect> {
        Vec::new()
    }

    /// Whether it lies over the screen below, which stays visible and whose effects it asks for.
    fn is_overlay(&self) -> bool {
        false
    }

    /// What it is about, where several of its kind may be open. Of any other there is one.
    fn subject(&self) -> Option<Uuid> {
        None
    }

    /// What would be broken off if everything ended now: a question, and what comes of a yes.
    fn unfinished(&self, _world: &World) -> Option<(String, String)> {
        None
    }

    /// Whether it takes text, so that no letter means anything else.
    fn takes_text(&self) -> bool {
        false
    }

    /// Whether something in it moves, so that it is drawn often.
    fn is_moving(&self) -> bool {
        false
    }
}

/// The letter or sign of a key that is pressed without Control or Alt.
pub(crate) fn plain(key: KeyEvent) -> Option<char> {
    let with = KeyModifiers::CONTROL | KeyModifiers::ALT;
    match key.code {
        KeyCode::Char(letter) if !key.modifiers.intersects(with) => Some(letter),
        _ => None,
    }
}

/// The letter of a key that is pressed with Control.
pub(crate) fn with_control(key: KeyEvent) -> Option<char> {
    match key.code {
        KeyCode::Char(letter) if key.modifiers.contains(KeyModifiers::CONTROL) => {
            Some(letter.to_ascii_lowercase())
        }
        _ => None,
    }
}

/// How far a key moves through a list. Arrows, `j` and `k`, pages, home and end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// So many rows, up where negative.
    Rows(isize),
    /// So many pages.
    Pages(isize),
    /// To the first row.
    First,
    /// To the last row.
    Last,
}

impl Step {
    /// The step that a key means in a list.
    pub(crate) fn of(key: KeyEvent) -> Option<Self> {
        Some(match key.code {
            KeyCode::Down => Self::Rows(1),
            KeyCode::Up => Self::Rows(-1),
            KeyCode::PageDown => Self::Pages(1),
            KeyCode::PageUp => Self::Pages(-1),
            KeyCode::Home => Self::First,
            KeyCode::End => Self::Last,
            _ => match plain(key)? {
                'j' => Self::Rows(1),
                'k' => Self::Rows(-1),
                'g' => Self::First,
                _ => return None,
            },
        })
    }

    /// Where it leads from a row, in a list of so many rows with so many on a page.
    pub(crate) fn from(self, row: usize, rows: usize, page: usize) -> usize {
        let last = rows.saturating_sub(1);
        let by = |rows: isize| row.saturating_add_signed(rows).min(last);
        match self {
            Self::Rows(rows) => by(rows),
            Self::Pages(pages) => by(pages.saturating_mul(isize::try_from(page.max(1)).unwrap_or(1))),
            Self::First => 0,
            Self::Last => last,
        }
    }
}

/// The first row to show so that `row` is among `page` rows, moving as little as possible from `first`.
pub(crate) fn scrolled(first: usize, row: usize, page: usize) -> usize {
    let lowest = (row + 1).saturating_sub(page.max(1));
    first.clamp(lowest, row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_stay_within_the_list() {
        assert_eq!(Step::Rows(1).from(9, 10, 5), 9);
        assert_eq!(Step::Rows(-1).from(0, 10, 5), 0);
        assert_eq!(Step::Pages(1).from(2, 10, 5), 7);
        assert_eq!(Step::Pages(-1).from(2, 10, 5), 0);
        assert_eq!(Step::Last.from(2, 10, 5), 9);
        assert_eq!(Step::Last.from(0, 0, 5), 0);
    }

    #[test]
    fn a_list_moves_as_little_as_it_must() {
        assert_eq!(scrolled(0, 4, 5), 0);
        assert_eq!(scrolled(0, 5, 5), 1);
        assert_eq!(scrolled(7, 3, 5), 3);
        assert_eq!(scrolled(3, 5, 0), 5);
    }
}
