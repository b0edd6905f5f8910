//! In the making.

use crossterm::event::KeyEvent;
use ratatui::Frame;
use ratatui::layout::Rect;

use super::{Hint, Screen};
use crate::effect::Effect;
use crate::world::World;

pub(crate) struct Job;

impl Job {
    pub(crate) fn new(_id: odd_contracts::JobId) -> Self {
        Self
    }
}

impl Screen for Job {
    fn title(&self) -> &'static str {
        "job"
    }

    fn draw(&mut self, _world: &World, _frame: &mut Frame<'_>, _area: Rect) {}

    fn hints(&self, _world: &World) -> Vec<Hint> {
        Vec::new()
    }

    fn command(&self, _world: &World) -> String {
        String::new()
    }

    fn key(&mut self, _key: KeyEvent, _world: &World) -> Option<Vec<Effect>> {
        None
    }
}
