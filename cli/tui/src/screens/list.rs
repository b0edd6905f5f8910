//! A list of which one row is chosen: moved through by keys, the wheel and clicks, and scrolled no further than it must be.

use std::ops::Range;

use crossterm::event::{KeyEvent, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};

use super::{Step, scrolled};
use crate::pager::wheel;

/// What a click or a turn of the wheel did to a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pointed {
    /// Nothing: it was elsewhere.
    Nothing,
    /// A row is chosen, perhaps another than before.
    Chosen,
    /// The row that was chosen already was clicked: it is to be opened.
    Opened,
}

/// Which row is chosen, and which are visible. How many rows there are is told each time: lists change.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ListState {
    row: usize,
    first: usize,
    /// Where the rows were drawn.
    area: Rect,
}

impl ListState {
    /// The chosen row. Where the list has become shorter since the last drawing, it may lie behind the end.
    pub(crate) const fn row(&self) -> usize {
        self.row
    }

    /// Chooses a row.
    pub(crate) const fn choose(&mut self, row: usize) {
        self.row = row;
    }

    /// The rows that are visible in this area, which they are about to be drawn in, one line each.
    pub(crate) fn visible(&mut self, area: Rect, rows: usize) -> Range<usize> {
        let page = usize::from(area.height);
        self.area = area;
        self.row = self.row.min(rows.saturating_sub(1));
        self.first = scrolled(self.first.min(rows.saturating_sub(page)), self.row, page);
        self.first..rows.min(self.first + page)
    }

    /// Moves as a key means it. Whether it means that.
    pub(crate) fn key(&mut self, key: KeyEvent, rows: usize) -> bool {
        let step = Step::of(key);
        if let Some(step) = step {
            self.step(step, rows);
        }
        step.is_some()
    }

    /// Moves.
    pub(crate) fn step(&mut self, step: Step, rows: usize) {
        self.row = step.from(self.row, rows, usize::from(self.area.height));
    }

    /// Chooses by a click, moves by the wheel.
    pub(crate) fn mouse(&mut self, event: MouseEvent, rows: usize) -> Pointed {
        if let Some(turned) = wheel(event) {
            self.step(Step::Rows(turned), rows);
            return Pointed::Chosen;
        }
        let at = Position::new(event.column, event.row);
        if event.kind != MouseEventKind::Down(MouseButton::Left) || !self.area.contains(at) {
            return Pointed::Nothing;
        }
        match self.first + usize::from(event.row - self.area.y) {
            row if row >= rows => Pointed::Nothing,
            row if row == self.row => Pointed::Opened,
            row => {
                self.row = row;
                Pointed::Chosen
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crossterm::event::{KeyCode, KeyModifiers};

    use super::*;

    const AREA: Rect = Rect::new(10, 5, 20, 4);

    fn pointed(list: &mut ListState, kind: MouseEventKind, column: u16, row: u16) -> Pointed {
        let modifiers = KeyModifiers::NONE;
        let event = MouseEvent {
            kind,
            column,
            row,
            modifiers,
        };
        list.mouse(event, 10)
    }

    #[test]
    fn keys_move_and_the_view_follows() {
        let mut list = ListState::default();
        assert_eq!(list.visible(AREA, 10), 0..4);
        let press = |list: &mut ListState, code| list.key(KeyEvent::new(code, KeyModifiers::NONE), 10);
        assert!(press(&mut list, KeyCode::PageDown));
        assert_eq!((list.row(), list.visible(AREA, 10)), (4, 1..5));
        assert!(press(&mut list, KeyCode::End));
        assert_eq!((list.row(), list.visible(AREA, 10)), (9, 6..10));
        assert!(!press(&mut list, KeyCode::Enter));
        assert_eq!(
            (list.visible(AREA, 2), list.row()),
            (0..2, 1),
            "it became shorter"
        );
        assert_eq!(list.visible(AREA, 0), 0..0);
    }

    #[test]
    fn a_click_chooses_a_second_opens_and_elsewhere_does_nothing() {
        let mut list = ListState::default();
        list.choose(5);
        assert_eq!(list.visible(AREA, 10), 2..6);
        let click = MouseEventKind::Down(MouseButton::Left);
        assert_eq!(pointed(&mut list, click, 10, 6), Pointed::Chosen);
        assert_eq!(list.row(), 3);
        assert_eq!(pointed(&mut list, click, 29, 6), Pointed::Opened);
        for (column, row) in [(9, 6), (30, 6), (10, 4), (10, 9)] {
            assert_eq!(pointed(&mut list, click, column, row), Pointed::Nothing);
        }
        assert_eq!(
            pointed(&mut list, MouseEventKind::ScrollDown, 0, 0),
            Pointed::Chosen
        );
        assert_eq!(list.row(), 6);
    }

    #[test]
    fn below_the_last_row_there_is_nothing_to_choose() {
        let mut list = ListState::default();
        assert_eq!(list.visible(Rect::new(0, 0, 5, 12), 10), 0..10);
        let click = MouseEventKind::Down(MouseButton::Left);
        assert_eq!(pointed(&mut list, click, 0, 10), Pointed::Nothing);
        assert_eq!(list.row(), 0);
    }
}
