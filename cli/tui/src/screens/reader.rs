//! One text, to be read: whole, scrollable, and copied by a key.

use crossterm::event::{KeyEvent, MouseEvent};
use ratatui::Frame;
use ratatui::layout::Rect;

use super::{Hint, Screen, hint, plain};
use crate::effect::Effect;
use crate::pager::Pager;
use crate::world::World;

/// A text over the whole screen.
pub(crate) struct Reader {
    heading: String,
    text: Pager,
    command: String,
}

impl Reader {
    /// Shows `text` under `heading`; `command` is the command that shows the same.
    pub(crate) fn new(heading: impl Into<String>, text: Pager, command: impl Into<String>) -> Self {
        Self {
            heading: heading.into(),
            text,
            command: command.into(),
        }
    }
}

impl Screen for Reader {
    fn title(&self) -> &'static str {
        "text"
    }

    fn draw(&mut self, world: &World, frame: &mut Frame<'_>, area: Rect) {
        self.text.draw_titled(world, frame, area, &self.heading);
    }

    fn hints(&self, _world: &World) -> Vec<Hint> {
        vec![hint("Esc", "back"), hint("↑↓", "scroll"), hint("y", "copy it")]
    }

    fn command(&self, _world: &World) -> String {
        self.command.clone()
    }

    fn key(&mut self, key: KeyEvent, _world: &World) -> Option<Vec<Effect>> {
        if plain(key) == Some('y') {
            return Some(vec![Effect::Copy("the text", self.text.copied())]);
        }
        self.text.key(key).then(Vec::new)
    }

    fn mouse(&mut self, event: MouseEvent, _world: &World) -> Vec<Effect> {
        self.text.wheel(event);
        Vec::new()
    }
}
