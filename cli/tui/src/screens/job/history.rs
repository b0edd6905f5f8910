//! The events of a job as the event log has them; each can be opened.

use crossterm::event::{KeyCode, KeyEvent, MouseEvent};
use odd_contracts::api::Timeline;
use odd_contracts::{EventEnvelope, EventType, JobId, Timestamp};
use odd_look::format;
use odd_look::sign::of_event;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use uuid::Uuid;

use super::super::list::{ListState, Pointed};
use super::super::reader::Reader;
use crate::effect::Effect;
use crate::fit;
use crate::frame::region;
use crate::pager::{Ink, Pager};
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
    list: ListState,
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
            list: before.map_or_else(ListState::default, |before| before.list),
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
        let [top, body] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(inner);
        frame.render_widget(Paragraph::new(head).style(theme.muted()), top);
        let visible = self.list.visible(body, self.rows.len());
        let mut lines: Vec<_> = visible
            .map(|at| self.line(world, at, usize::from(inner.width)))
            .collect();
        if self.rows.is_empty() {
            lines.push(Line::styled("   Nothing is recorded yet.", theme.muted()));
        }
        frame.render_widget(Paragraph::new(lines), body);
    }

    fn line(&self, world: &World, at: usize, width: usize) -> Line<'static> {
        let theme = world.theme;
        let row = &self.rows[at];
        let is_chosen = at == self.list.row();
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
        self.list.key(key, self.rows.len()).then(Vec::new)
    }

    fn open(&self, job: JobId) -> Option<Effect> {
        let row = self.rows.get(self.list.row())?;
        let mut text = Pager::default();
        text.add(Ink::Code, &row.text);
        let heading = format!("{} of {}", row.event_type, format::short_id(job));
        let command = format!("odd events --job {} --output json", format::short_id(job));
        Some(Effect::Push(Box::new(Reader::new(heading, text, command))))
    }

    pub(super) fn mouse(&mut self, event: MouseEvent, job: JobId) -> Vec<Effect> {
        match self.list.mouse(event, self.rows.len()) {
            Pointed::Opened => self.open(job).into_iter().collect(),
            Pointed::Nothing | Pointed::Chosen => Vec::new(),
        }
    }
}
