//! The way of a job: every hop on one scale of time, each gap by its name, and what else is to know.

use crossterm::event::{KeyEvent, MouseEvent};
use odd_contracts::api::{JobDetail, Timeline, TimelineSpan};
use odd_contracts::{JobOptions, JobRecord};
use odd_look::format;
use odd_look::sign::{Glyph, Tone};
use odd_look::waterfall::{self, Bar};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::super::Step;
use crate::fit;
use crate::frame::region;
use crate::pager::wheel;
use crate::world::World;

/// Columns of what a bar or fact is called.
const LABEL: usize = 14;
/// Columns of how long a bar took.
const TIME: usize = 17;
/// Columns of a bar at least.
const LEAST: usize = 8;
/// Most rows of an error among the facts; the whole of it is with the result.
const ERROR: usize = 4;
/// Most columns of an error beside a bar: wider than any terminal.
const VERDICT: usize = 400;

/// The way of a job.
pub(super) struct Way {
    spans: Vec<TimelineSpan>,
    /// Columns of the widest verdict beside a bar.
    verdict: usize,
    accepted: String,
    events: usize,
    is_complete: bool,
    total_ms: f64,
    first: usize,
    page: usize,
    rows: usize,
}

impl Way {
    pub(super) fn new(detail: &JobDetail, timeline: &Timeline) -> Self {
        let record = &detail.record;
        let waited = record.submitted_at.since(record.job.created_at);
        let waited = if waited.is_zero() {
            String::new()
        } else {
            format!("{}  ", format::duration(waited))
        };
        let by = &record.submitted_by;
        let spans: Vec<_> = timeline.spans.iter().map(short).collect();
        let bars = waterfall::draw(&spans, 0, true);
        let verdicts = bars.iter().filter_map(|bar| bar.verdict.as_ref());
        Self {
            verdict: verdicts
                .map(|(_, _, text)| fit::width(text) + 3)
                .max()
                .unwrap_or(0),
            spans,
            accepted: format!("{waited}{} {} → spine", by.service, by.instance_id),
            events: timeline.events.len(),
            is_complete: timeline.complete,
            total_ms: timeline.total_ms,
            first: 0,
            page: 0,
            rows: 0,
        }
    }

    /// Whether everything that happened is recorded.
    pub(super) const fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// Bytes of the errors that are drawn with every frame.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        let errors = self.spans.iter().filter_map(|span| span.error.as_ref());
        errors.map(String::len).sum()
    }

    /// Rows of the bars alone, with the hops before and after them.
    pub(super) fn height(&self) -> u16 {
        u16::try_from(self.spans.len() + 2).unwrap_or(u16::MAX)
    }

    /// The bars alone, as many as there is room for.
    pub(super) fn draw_short(&self, world: &World, frame: &mut Frame<'_>, area: Rect) {
        let mut lines = self.bars(world, usize::from(area.width));
        let room = usize::from(area.height);
        if lines.len() > room {
            let more = lines.len() + 1 - room;
            lines.truncate(room.saturating_sub(1));
            let text = format!(" and {more} more: the first tab shows all");
            lines.push(Line::styled(text, world.theme.muted()));
        }
        frame.render_widget(Paragraph::new(lines), area);
    }

    /// The bars, and what else is to know of the job.
    pub(super) fn draw(&mut self, world: &World, frame: &mut Frame<'_>, area: Rect, record: &JobRecord) {
        let inner = region(world, "").inner(area);
        let width = usize::from(inner.width);
        let mut lines = self.bars(world, width);
        lines.push(Line::default());
        lines.extend(facts(world, record, width));
        self.rows = lines.len();
        self.page = usize::from(inner.height);
        self.first = self.first.min(self.rows.saturating_sub(self.page));
        let more = if self.rows > self.page {
            let last = self.first + self.page;
            format!("  {}-{last} of {}", self.first + 1, self.rows)
        } else {
            String::new()
        };
        let total = format::millis(self.total_ms);
        let so_far = if record.job.status.is_terminal() {
            ""
        } else {
            " so far"
        };
        let block = region(world, format!("timeline  {total}{so_far}{more}"));
        frame.render_widget(block, area);
        let visible: Vec<_> = lines.into_iter().skip(self.first).take(self.page).collect();
        frame.render_widget(Paragraph::new(visible), inner);
    }

    pub(super) fn key(&mut self, key: KeyEvent) -> bool {
        Step::of(key).map(|step| self.go(step)).is_some()
    }

    pub(super) fn wheel(&mut self, event: MouseEvent) {
        if let Some(rows) = wheel(event) {
            self.go(Step::Rows(rows));
        }
    }

    /// Stays where the way before it was.
    pub(super) fn at_place_of(mut self, before: &Self) -> Self {
        (self.first, self.page, self.rows) = (before.first, before.page, before.rows);
        self
    }

    fn go(&mut self, step: Step) {
        self.first = step.from(self.first, self.rows.saturating_sub(self.page) + 1, self.page);
    }

    fn bars(&self, world: &World, width: usize) -> Vec<Line<'static>> {
        let theme = world.theme;
        let arrow = if theme.unicode() {
            self.accepted.clone()
        } else {
            self.accepted.replace('→', "->")
        };
        let mut lines = vec![fact(world, "accepted", &arrow, width)];
        // Bars and their times have two thirds of the room at least.
        let verdict = self.verdict.min(width / 3);
        let scale = width.saturating_sub(LABEL + TIME + verdict + 3).max(LEAST);
        let bars = waterfall::draw(&self.spans, scale, theme.unicode());
        lines.extend(bars.iter().map(|bar| line(world, bar, width)));
        let (glyph, tone, text) = if self.is_complete {
            (Glyph::Ok, Tone::Ok, "complete")
        } else {
            (
                Glyph::Waiting,
                Tone::Waiting,
                "the event log has not (yet) everything",
            )
        };
        let events = if self.events == 1 { "event" } else { "events" };
        lines.push(Line::from(vec![
            Span::styled(format!(" {}", fit::left("recorded", LABEL - 1)), theme.muted()),
            Span::styled(format!("{} {events}  ", self.events), theme.text()),
            Span::styled(format!("{} {text}", theme.glyph(glyph)), theme.tone(tone)),
        ]));
        lines
    }
}

/// The span with as much of its error as may be drawn: it is drawn again and again, and may have a megabyte.
fn short(span: &TimelineSpan) -> TimelineSpan {
    let error = span.error.as_deref();
    let line = error.and_then(|error| error.lines().next());
    let error = line.map(|line| line.chars().take(VERDICT).collect());
    // Without the error, which is not to be copied whole.
    TimelineSpan {
        label: span.label.clone(),
        error,
        ..*span
    }
}

fn line(world: &World, bar: &Bar, width: usize) -> Line<'static> {
    let theme = world.theme;
    let mut spans = vec![
        Span::styled(format!(" {}", fit::left(&bar.label, LABEL - 1)), theme.muted()),
        Span::raw(" ".repeat(bar.offset)),
        Span::styled(bar.bar.clone(), theme.tone(bar.tone)),
        Span::styled(format!(" {}", bar.time), theme.text()),
    ];
    if let Some((glyph, tone, text)) = &bar.verdict {
        let taken: usize = spans.iter().map(Span::width).sum();
        let sign = theme.glyph(*glyph);
        let room = width.saturating_sub(taken + 4);
        let text = format!("  {sign} {}", fit::cut(text, room));
        spans.push(Span::styled(text, theme.tone(*tone)));
    }
    Line::from(spans)
}

fn fact(world: &World, name: &str, value: &str, width: usize) -> Line<'static> {
    Line::from(vec![
        Span::styled(format!(" {}", fit::left(name, LABEL - 1)), world.theme.muted()),
        Span::styled(
            fit::cut(value, width.saturating_sub(LABEL)).into_owned(),
            world.theme.text(),
        ),
    ])
}

fn facts(world: &World, record: &JobRecord, width: usize) -> Vec<Line<'static>> {
    let job = &record.job;
    let mut facts = vec![
        ("id", job.id.to_string()),
        ("correlation", record.correlation_id.clone()),
        ("submitted", format::date_and_clock(record.submitted_at)),
    ];
    if let Some(at) = record.finished_at {
        facts.push(("ended", format::date_and_clock(at)));
    }
    if let Some(at) = record.scheduled_for {
        facts.push(("runs at", format::date_and_clock(at)));
    }
    if let Some(old) = job.retry_of {
        facts.push(("repeats", old.to_string()));
    }
    if job.options != JobOptions::default() {
        facts.push(("options", serde_json::to_string(&job.options).unwrap_or_default()));
    }
    if record.takes > record.attempt {
        facts.push((
            "takes",
            format!("{}: a processor was lost meanwhile", record.takes),
        ));
    }
    let mut lines: Vec<_> = facts
        .iter()
        .map(|(name, value)| fact(world, name, value, width))
        .collect();
    if let Some(error) = &record.error {
        lines.extend(error_lines(world, error, width));
    }
    lines
}

fn error_lines(world: &World, error: &str, width: usize) -> Vec<Line<'static>> {
    let theme = world.theme;
    let (mut rows, has_more) = fit::wrap_first(error, width.saturating_sub(LABEL), ERROR);
    if has_more {
        rows.truncate(ERROR - 1);
        rows.push("the whole of it is with the result".to_owned());
    }
    let names = std::iter::once("error").chain(std::iter::repeat(""));
    names
        .zip(rows)
        .map(|(name, row)| {
            Line::from(vec![
                Span::styled(format!(" {}", fit::left(name, LABEL - 1)), theme.muted()),
                Span::styled(row, theme.tone(Tone::Bad)),
            ])
        })
        .collect()
}
