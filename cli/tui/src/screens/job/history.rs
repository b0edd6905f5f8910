//! The events of a job as the event log has them; each can be opened.

use crossterm::event::{KeyCode, KeyEvent, MouseEvent};
use odd_contracts::api::Timeline;
use odd_contracts::{EventEnvelope, EventType, JobId, Timestamp};
use odd_look::format;
use odd_look::sign::of_event;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use uuid::Uuid;

use super::super::reader::Reader;
use super::super::{Step, scrolled};
use crate::effect::Effect;
use crate::fit;
use crate::frame::region;
use crate::pager::{Ink, Pager, wheel};
use crate::world::World;

/// One event. Of its document only the text is kept, which is small beside what it is written from.
#[derive(Clone)]
struct Row {
    id: Uuid,
    sequence: Option<u32>,
    event_type: EventType,
    at: Timestamp,
    producer: String,
    text: std::sync::Arc<str>,
}

impl Row {
    fn new(event: &EventEnvelope) -> Self {
        let text = serde_json::to_string_pretty(event).unwrap_or_else(|error| error.to_string());
        Self {
            id: event.event_id,
            sequence: event.sequence,
            event_type: event.event_type,
            at: event.occurred_at,
            producer: format!("{} {}", event.producer.service, event.producer.instance_id),
            text: text.into(),
        }
    }
}

/// Every event of the job.
pub(super) struct History {
    rows: Vec<Row>,
    is_complete: bool,
    chosen: usize,
    first: usize,
    page: usize,
}

impl History {
    /// The events of `timeline`; what was written before is not written again.
    pub(super) fn new(timeline: &Timeline, before: Option<&Self>) -> Self {
        let known = |event: &EventEnvelope| {
            let rows = &before?.rows;
            rows.iter().find(|row| row.id == event.event_id).cloned()
        };
        let events = timeline.events.iter();
        Self {
            rows: events
                .map(|event| known(event).unwrap_or_else(|| Row::new(event)))
                .collect(),
            is_complete: timeline.complete,
            chosen: before.map_or(0, |before| before.chosen),
            first: before.map_or(0, |before| before.first),
            page: before.map_or(0, |before| before.page),
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn draw(&mut self, world: &World, frame: &mut Frame<'_>, area: Rect) {
        let theme = world.theme;
        let complete = if self.is_complete {
            "complete"
        } else {
            "not (yet) complete"
        };
        let block = region(world, format!("events as recorded, {complete}"));
        let inner = block.inner(area);
        frame.render_widget(block, area);
        let head = format!(
            "   {}  {}{}{}",
            fit::right("seq", 4),
            fit::left("type", 20),
            fit::left("time", 15),
            "producer"
        );
        self.page = usize::from(inner.height).saturating_sub(1);
        self.chosen = self.chosen.min(self.rows.len().saturating_sub(1));
        self.first = scrolled(self.first, self.chosen, self.page);
        let mut lines = vec![Line::styled(head, theme.muted())];
        let visible = self.rows.iter().enumerate().skip(self.first).take(self.page);
        lines.extend(visible.map(|(at, row)| self.line(world, row, at, usize::from(inner.width))));
        if self.rows.is_empty() {
            lines.push(Line::styled("   Nothing is recorded yet.", theme.muted()));
        }
        frame.render_widget(Paragraph::new(lines), inner);
    }

    fn line(&self, world: &World, row: &Row, at: usize, width: usize) -> Line<'static> {
        let theme = world.theme;
        let is_chosen = at == self.chosen;
        let pointer = if is_chosen { theme.pointer() } else { " " };
        let sequence = row.sequence.map(|number| number.to_string()).unwrap_or_default();
        let line = Line::from(vec![
            Span::styled(format!(" {pointer} "), theme.accent()),
            Span::styled(format!("{}  ", fit::right(&sequence, 4)), theme.text()),
            Span::styled(
                fit::left(row.event_type.name(), 20),
                theme.tone(of_event(row.event_type)),
            ),
            Span::styled(fit::left(&format::clock(row.at), 15), theme.text()),
            Span::styled(
                fit::cut(&row.producer, width.saturating_sub(44)).into_owned(),
                theme.muted(),
            ),
        ]);
        if is_chosen {
            line.style(theme.chosen())
        } else {
            line
        }
    }

    pub(super) fn key(&mut self, key: KeyEvent, job: JobId) -> Option<Vec<Effect>> {
        if key.code == KeyCode::Enter {
            return Some(self.open(job).into_iter().collect());
        }
        let step = Step::of(key)?;
        self.chosen = step.from(self.chosen, self.rows.len(), self.page);
        Some(Vec::new())
    }

    fn open(&self, job: JobId) -> Option<Effect> {
        let row = self.rows.get(self.chosen)?;
        let mut text = Pager::default();
        text.add(Ink::Code, &row.text);
        let heading = format!("{} of {}", row.event_type, format::short_id(job));
        let command = format!("odd events --job {} --output json", format::short_id(job));
        Some(Effect::Push(Box::new(Reader::new(heading, text, command))))
    }

    pub(super) fn wheel(&mut self, event: MouseEvent) {
        if let Some(rows) = wheel(event) {
            self.chosen = Step::Rows(rows).from(self.chosen, self.rows.len(), self.page);
        }
    }
}
