//! What can be clicked, and the wheel.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Margin, Position, Rect};
use ratatui::text::Line;

use super::choice::{Choice, Engine};
use super::{Launcher, Stage};
use crate::effect::Effect;
use crate::pager::wheel;
use crate::screens::Step;
use crate::world::World;

/// What can be clicked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Engine(Engine),
    Offline,
    Start,
    /// One of the checks that did not pass.
    Check(usize),
}

/// Lines, and what of them can be clicked.
pub(super) type Clickable<'a> = (Vec<Line<'a>>, Vec<(Rect, Target)>);

impl Launcher {
    /// Takes a click or a turn of the wheel.
    pub(super) fn pointed(&mut self, event: MouseEvent, world: &World) -> Vec<Effect> {
        if let Some(rows) = wheel(event) {
            self.turn(rows);
        }
        if event.kind == MouseEventKind::Down(MouseButton::Left) {
            return self.click(Position::new(event.column, event.row), world);
        }
        Vec::new()
    }

    fn click(&mut self, at: Position, world: &World) -> Vec<Effect> {
        let hit = self.targets.iter().find(|(area, _)| area.contains(at));
        match hit.map(|(_, target)| *target) {
            None => Vec::new(),
            Some(Target::Engine(engine)) => self.choose(|choice| choice.engine = engine),
            Some(Target::Offline) => self.choose(Choice::toggle_offline),
            Some(Target::Start) => self.launch(world),
            Some(Target::Check(check)) => {
                self.chosen = check;
                Vec::new()
            }
        }
    }

    fn turn(&mut self, rows: isize) {
        if matches!(self.stage, Stage::Choosing) {
            // One after the other: each of them is several rows high.
            let step = Step::Rows(rows.signum());
            self.chosen = step.from(self.chosen, self.doctor.wrong().len(), 5);
        } else {
            self.scroll = Step::Rows(rows).from(self.scroll, self.rows(), 5);
        }
    }
}

/// What can be clicked, given by line and column of a box, at its place on the screen; without what has no room there.
pub(super) fn placed(targets: &mut Vec<(Rect, Target)>, area: Rect) {
    let inside = area.inner(Margin::new(2, 1));
    for (target, _) in targets.iter_mut() {
        target.x = target.x.saturating_add(inside.x);
        target.y = target.y.saturating_add(inside.y);
        *target = target.intersection(inside);
    }
    targets.retain(|(target, _)| !target.is_empty());
}

/// A target on one line of a box.
pub(super) fn target(column: usize, line: usize, width: usize, target: Target) -> (Rect, Target) {
    let [x, y, width] = [column, line, width].map(|at| u16::try_from(at).unwrap_or(u16::MAX));
    (Rect::new(x, y, width, 1), target)
}
