//! One text, to be read: whole, scrollable, and copied by a key.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crossterm::event::{KeyEvent, MouseEvent};
use ratatui::Frame;
use ratatui::layout::Rect;
use uuid::Uuid;

use super::{Hint, Screen, hint, plain};
use crate::effect::Effect;
use crate::pager::Pager;
use crate::world::World;

/// A text over the whole screen.
pub(crate) struct Reader {
    heading: String,
    text: Pager,
    command: String,
    subject: Uuid,
}

impl Reader {
    /// Shows `text` under `heading`; `command` is the command that shows the same.
    pub(crate) fn new(heading: impl Into<String>, text: Pager, command: impl Into<String>) -> Self {
        let heading = heading.into();
        let mut hash = DefaultHasher::new();
        (&heading, text.copied()).hash(&mut hash);
        Self {
            heading,
            text,
            command: command.into(),
            subject: Uuid::from_u128(hash.finish().into()),
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

    /// Another text is another screen.
    fn subject(&self) -> Option<Uuid> {
        Some(self.subject)
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

#[cfg(test)]
mod tests {
    use crossterm::event::KeyCode;

    use super::*;
    use crate::bed::{self, SIZES, drawn, press, press_key};

    #[test]
    fn a_text_is_read_from_end_to_end_and_copied_whole() {
        let world = bed::world();
        let numbers: Vec<u32> = (1..=100).collect();
        let text = Pager::json(&serde_json::json!({ "type": "resize", "numbers": numbers }));
        let mut reader = Reader::new(
            "job.executed of 9f31c2ab",
            text,
            "odd events --job 9f31c2ab --output json",
        );
        for size in SIZES {
            insta::assert_snapshot!(format!("reader_{}", size.0), drawn(&mut reader, &world, size));
        }
        drawn(&mut reader, &world, (80, 24));
        press_key(&mut reader, &world, KeyCode::End);
        assert!(drawn(&mut reader, &world, (80, 24)).contains("100"));
        bed::turn(&mut reader, &world, false);
        assert!(drawn(&mut reader, &world, (80, 24)).contains("81-102 of 105"));
        let copied = press(&mut reader, &world, 'y');
        assert!(matches!(&copied[..], [Effect::Copy(_, text)] if text.lines().count() == 105));
    }
}
