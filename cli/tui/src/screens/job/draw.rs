//! How one job is drawn: its title, its timeline, and one of the tabs.

use odd_look::sign::{Glyph, Tone};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

use super::{Job, Known, Tab, title};
use crate::fit;
use crate::frame::region;
use crate::world::World;

/// Least height at which the timeline stays visible above the other tabs.
const TALL: u16 = 28;

impl Job {
    /// The timeline stays above the other tabs where there is room.
    pub(super) fn draw_known(&mut self, world: &World, frame: &mut Frame<'_>, area: Rect) {
        let Some(known) = &mut self.known else { return };
        let width = usize::from(area.width);
        let lines = title::lines(world, known, self.failure.as_ref(), width);
        let above = if area.height >= TALL && self.tab != Tab::Way {
            known.way.height().min(area.height * 2 / 5) + 2
        } else {
            0
        };
        let [title, way, bar, pane] = Layout::vertical([
            Constraint::Length(u16::try_from(lines.len()).unwrap_or(2)),
            Constraint::Length(above),
            Constraint::Length(1),
            Constraint::Fill(1),
        ])
        .areas(area);
        frame.render_widget(Paragraph::new(lines), title);
        if above > 0 {
            let block = region(world, "timeline");
            let inner = block.inner(way);
            frame.render_widget(block, way);
            known.way.draw_short(world, frame, inner);
        }
        self.tabs = draw_tabs(world, frame, bar, self.tab, known);
        match self.tab {
            Tab::Way => known.way.draw(world, frame, pane, &known.record),
            Tab::Attempts => known.attempts.draw_titled(world, frame, pane, "attempts"),
            Tab::Payload => known.payload.draw_titled(world, frame, pane, "payload"),
            Tab::Result => known.result.draw_titled(world, frame, pane, "result"),
            Tab::Events => known.history.draw(world, frame, pane),
        }
    }

    /// What is said while nothing is known.
    pub(super) fn draw_unknown(&self, world: &World, frame: &mut Frame<'_>, area: Rect) {
        let theme = world.theme;
        let id = Line::styled(format!(" {}", self.id), theme.strong());
        let lines = match &self.failure {
            None => vec![id, Line::styled(" asking for the job", theme.muted())],
            Some(failure) if failure.not_found => vec![
                id,
                Line::styled(
                    format!(
                        " {} There is no such job, or not yet.",
                        theme.glyph(Glyph::Waiting)
                    ),
                    theme.tone(Tone::Attention),
                ),
                Line::styled(
                    " A job that was accepted a moment ago appears when it is recorded; this asks again every 2 s.",
                    theme.muted(),
                ),
            ],
            Some(failure) => {
                let text = format!("{} {}", theme.glyph(Glyph::Bad), failure.text);
                let rows = fit::wrap(&text, usize::from(area.width).saturating_sub(2));
                let rows = rows
                    .into_iter()
                    .map(|row| Line::styled(format!(" {row}"), theme.tone(Tone::Bad)));
                let again = Line::styled(" asked again every 2 s; R asks now", theme.muted());
                [id].into_iter().chain(rows).chain([again]).collect()
            }
        };
        let text = Paragraph::new(lines).wrap(Wrap { trim: false });
        frame.render_widget(text, area);
    }
}

/// The names of the tabs. Returns where each was drawn.
fn draw_tabs(
    world: &World,
    frame: &mut Frame<'_>,
    area: Rect,
    chosen: Tab,
    known: &Known,
) -> Vec<(Rect, Tab)> {
    let theme = world.theme;
    let mut spans = vec![Span::raw(" ")];
    let mut drawn = Vec::new();
    let mut at = area.x + 1;
    for tab in Tab::ALL {
        let count = match tab {
            Tab::Attempts => Some(known.count_of_attempts),
            Tab::Events => Some(known.history.len()),
            _ => None,
        };
        let count = count.map(|count| format!(" {count}")).unwrap_or_default();
        let text = format!(" {}{count} ", tab.name());
        let width = u16::try_from(text.len()).unwrap_or(u16::MAX);
        drawn.push((Rect { x: at, width, ..area }, tab));
        at = at.saturating_add(width + 1);
        let style = if tab == chosen {
            theme.accent().patch(theme.chosen())
        } else {
            theme.muted()
        };
        spans.push(Span::styled(text, style));
        spans.push(Span::raw(" "));
    }
    frame.render_widget(Paragraph::new(Line::from(spans)), area);
    drawn
}
