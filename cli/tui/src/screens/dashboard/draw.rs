//! How the dashboard is laid out, and the table drawn.

use std::time::Duration;

use odd_look::sign::{Glyph, Tone};
use odd_look::{format, text};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

use super::columns::Columns;
use super::{Dashboard, Pane, firing, panels};
use crate::fit;
use crate::frame::focusable;
use crate::world::World;

/// Least width at which the side column stands beside the table.
const WIDE: u16 = 110;
/// Width of the side column.
const SIDE: u16 = 42;
/// Width of the counters beside the charts: three groups of digits in both columns.
const COUNTERS: u16 = 40;
/// Height of counters and charts.
const TOP: u16 = 5;

impl Dashboard {
    pub(super) fn draw_all(&mut self, world: &World, frame: &mut Frame<'_>, area: Rect) {
        self.is_narrow = area.width < WIDE;
        if self.is_narrow {
            self.draw_narrow(world, frame, area);
            return;
        }
        let focus = self.focus();
        let columns = [Constraint::Fill(1), Constraint::Length(SIDE)];
        let [left, right] = Layout::horizontal(columns).areas(area);
        let [top, jobs] = Layout::vertical([Constraint::Length(TOP), Constraint::Fill(1)]).areas(left);
        let [counters, charts] =
            Layout::horizontal([Constraint::Length(COUNTERS), Constraint::Fill(1)]).areas(top);
        panels::counters(frame, world, counters);
        panels::charts(frame, world, charts);
        self.draw_jobs(world, frame, jobs);
        let side = [Constraint::Length(9), Constraint::Length(6), Constraint::Fill(1)];
        let [system, alerts, live] = Layout::vertical(side).areas(right);
        panels::system(frame, world, system);
        firing::draw(frame, world, alerts);
        self.live.draw(frame, world, live, focus == Pane::Live);
    }

    /// One panel below the counters.
    fn draw_narrow(&mut self, world: &World, frame: &mut Frame<'_>, area: Rect) {
        let [top, below] = Layout::vertical([Constraint::Length(TOP), Constraint::Fill(1)]).areas(area);
        let halves = [Constraint::Fill(1), Constraint::Fill(1)];
        let [counters, charts] = Layout::horizontal(halves).areas(top);
        panels::counters(frame, world, counters);
        panels::charts(frame, world, charts);
        match self.focus() {
            Pane::Jobs => self.draw_jobs(world, frame, below),
            Pane::System => {
                let [system, alerts] = Layout::vertical(halves).areas(below);
                panels::system(frame, world, system);
                firing::draw(frame, world, alerts);
            }
            Pane::Live => self.live.draw(frame, world, below, true),
        }
    }

    /// Whether the list is no longer certain, and how old it is then.
    fn stale(&self, world: &World) -> Option<Option<Duration>> {
        match world.away() {
            Some((_, age)) => Some(age),
            None if self.failure.is_some() => Some(self.told.map(|told| world.now.since(told))),
            None => None,
        }
    }

    fn title_of_table(&self, world: &World) -> String {
        let count = self.table.len();
        let more = if self.table.has_more() { "+" } else { "" };
        let mut title = format!("Jobs  {}{more}", format::count(count as u64));
        if !self.filter.is_empty() {
            title.push_str(&format!("  /{}", fit::cut(&self.filter, 40)));
        }
        if let Some(Some(age)) = self.stale(world) {
            title.push_str(&format!(", {} old", format::duration(age)));
        }
        title
    }

    fn draw_jobs(&mut self, world: &World, frame: &mut Frame<'_>, area: Rect) {
        let block = focusable(world, self.title_of_table(world), self.focus() == Pane::Jobs);
        let inner = block.inner(area);
        frame.render_widget(block, area);
        let width = usize::from(inner.width);
        let foot = self.foot(world, width);
        let [head, body, below] = Layout::vertical([
            Constraint::Length(1),
            Constraint::Fill(1),
            Constraint::Length(u16::from(foot.is_some())),
        ])
        .areas(inner);
        self.rows = body;
        let columns = Columns::of(width);
        frame.render_widget(Paragraph::new(columns.head()).style(world.theme.muted()), head);
        frame.render_widget(Paragraph::new(foot.unwrap_or_default()), below);
        if self.table.len() == 0 {
            frame.render_widget(Paragraph::new(self.nothing(world)), body);
            return;
        }
        let is_stale = self.stale(world).is_some();
        let (jobs, chosen) = self.table.visible(usize::from(body.height));
        let lines: Vec<Line<'_>> = jobs
            .enumerate()
            .map(|(at, job)| columns.row(world, job, at == chosen, is_stale))
            .collect();
        frame.render_widget(Paragraph::new(lines), body);
    }

    /// The filter while it is typed, or why the list is old.
    fn foot(&self, world: &World, width: usize) -> Option<Line<'static>> {
        if let Some(typing) = &self.typing {
            return Some(typing.draw(world, width));
        }
        let failure = self.failure.as_ref().filter(|_| self.table.len() > 0)?;
        let text = format!(" {} {}", world.theme.glyph(Glyph::Bad), failure.text);
        let text = fit::cut(&text, width).into_owned();
        Some(Line::styled(text, world.theme.tone(Tone::Bad)))
    }

    /// What is said in place of rows.
    fn nothing(&self, world: &World) -> Vec<Line<'static>> {
        let theme = world.theme;
        if let Some(failure) = &self.failure {
            return vec![Line::styled(
                format!("  {}", text::line(&failure.text)),
                theme.tone(Tone::Bad),
            )];
        }
        if !self.table.is_loaded() {
            return vec![Line::styled("  asking for the jobs", theme.muted())];
        }
        if !self.filter.is_empty() {
            return vec![Line::styled(
                "  No job is like that.  Esc shows all.",
                theme.muted(),
            )];
        }
        let next = if world.mode.changes_jobs() {
            ", or N here"
        } else {
            ""
        };
        vec![
            Line::default(),
            Line::styled("  No jobs yet", theme.strong()),
            Line::styled(format!("  odd submit hello{next}"), theme.muted()),
        ]
    }
}
