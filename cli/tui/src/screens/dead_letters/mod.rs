//! Messages that no consumer could take: why, and back to their queue.

mod letter;
#[cfg(test)]
mod tests;

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, MouseEvent};
use odd_contracts::api::{DeadLetter, DeadLetterPage};
use odd_contracts::{EventEnvelope, EventType, Timestamp};
use odd_look::format;
use odd_look::sign::{Glyph, Tone};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use uuid::Uuid;

use super::list::{ListState, Pointed};
use super::{Confirm, Hint, Job, Screen, hint, outcome, plain};
use crate::effect::{Answer, Ask, Effect, Reply};
use crate::fit;
use crate::frame::region;
use crate::world::{Failure, World};
use letter::Letter;

/// Least time between two questions while messages are put aside.
const OFTEN: Duration = Duration::from_millis(500);
/// Time after which a question that failed is asked again.
const SELDOM: Duration = Duration::from_secs(2);
/// Most rows that are kept; what is older can be had by its id.
const MOST: usize = 10_000;
/// The next page is asked for when so few rows are left.
const AHEAD: usize = 10;

/// One dead letter, without its message.
#[derive(Clone)]
struct Row {
    id: Uuid,
    reason: String,
    detail: String,
    queue: String,
    size: u64,
    at: Timestamp,
    job: Option<Uuid>,
}

impl Row {
    fn new(letter: &DeadLetter) -> Self {
        Self {
            id: letter.id,
            reason: letter.reason.clone(),
            detail: fit::cut(&letter.detail, 300).into_owned(),
            queue: letter.queue.clone(),
            size: letter.size,
            at: letter.dead_lettered_at,
            job: letter.job_id,
        }
    }
}

/// The list of dead letters, newest first.
#[derive(Default)]
pub(crate) struct DeadLetters {
    rows: Vec<Row>,
    /// Asks for the page after those that are there.
    next: Option<String>,
    is_loaded: bool,
    failure: Option<Failure>,
    asked: Option<Timestamp>,
    is_asked: bool,
    is_wanted: bool,
    list: ListState,
}

impl DeadLetters {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    fn ask(&mut self, cursor: Option<String>, world: &World) -> Vec<Effect> {
        if self.is_asked {
            self.is_wanted |= cursor.is_none();
            return Vec::new();
        }
        self.is_asked = true;
        self.asked = Some(world.now);
        self.is_wanted &= cursor.is_some();
        vec![Effect::Ask(Ask::DeadLetters(cursor))]
    }

    /// Asks for the newest where something has happened or failed.
    fn ask_again(&mut self, world: &World) -> Vec<Effect> {
        let since = self.asked.map_or(Duration::MAX, |asked| world.now.since(asked));
        let due = self.is_wanted && since >= OFTEN || self.failure.is_some() && since >= SELDOM;
        if due { self.ask(None, world) } else { Vec::new() }
    }

    /// The next page, where it will be wanted soon.
    fn ask_further(&mut self, world: &World) -> Vec<Effect> {
        let is_near = self.list.row() + AHEAD >= self.rows.len() && self.rows.len() < MOST;
        match self.next.clone().filter(|_| is_near && self.failure.is_none()) {
            Some(cursor) => self.ask(Some(cursor), world),
            None => Vec::new(),
        }
    }

    /// Takes the newest, and keeps what is older of those that were there; or takes what follows.
    fn take(&mut self, cursor: Option<&String>, page: &DeadLetterPage) {
        let chosen = self.chosen().map(|row| row.id);
        let mut rows: Vec<Row> = page.dead_letters.iter().map(Row::new).collect();
        if cursor.is_some() {
            self.rows.append(&mut rows);
            self.next.clone_from(&page.next_cursor);
        } else {
            let last = rows.last().map(|row| row.id);
            let known = self.rows.iter().position(|row| Some(row.id) == last);
            match known {
                Some(at) => rows.extend(self.rows.drain(at + 1..)),
                None => self.next.clone_from(&page.next_cursor),
            }
            self.rows = rows;
        }
        self.rows.truncate(MOST);
        let place = self.rows.iter().position(|row| Some(row.id) == chosen);
        // Who looks at the newest goes on to do so.
        let is_newest = self.list.row() == 0;
        self.list.choose(place.filter(|_| !is_newest).unwrap_or(0));
        self.is_loaded = true;
        self.failure = None;
    }

    fn chosen(&self) -> Option<&Row> {
        self.rows.get(self.list.row())
    }

    fn key_of_row(&self, key: KeyEvent, world: &World) -> Option<Vec<Effect>> {
        let row = self.chosen()?;
        match (key.code, plain(key)) {
            (KeyCode::Enter | KeyCode::Right, _) | (_, Some('l')) => {
                Some(vec![Effect::Push(Box::new(Letter::new(row.id)))])
            }
            (_, Some('y')) => Some(vec![Effect::Copy("the id", row.id.to_string())]),
            (_, Some('o')) => Some(vec![Effect::Push(Box::new(Job::new(row.job?)))]),
            (_, Some('e')) if world.mode.changes_jobs() => Some(vec![confirm(row.id, &row.queue, world)]),
            _ => None,
        }
    }

    fn draw_rows(&mut self, world: &World, frame: &mut Frame<'_>, area: Rect) {
        let theme = world.theme;
        let columns = Columns::of(usize::from(area.width));
        let [head, body] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(area);
        frame.render_widget(Paragraph::new(columns.head()).style(theme.muted()), head);
        let visible = self.list.visible(body, self.rows.len());
        let lines: Vec<Line<'_>> = visible
            .map(|at| columns.row(world, &self.rows[at], at == self.list.row()))
            .collect();
        frame.render_widget(Paragraph::new(lines), body);
    }

    /// What is said in place of rows.
    fn nothing(&self, world: &World, width: usize) -> Vec<Line<'static>> {
        let theme = world.theme;
        if let Some(failure) = &self.failure {
            let text = format!("{} {}", theme.glyph(Glyph::Bad), failure.text);
            let rows = fit::wrap(&text, width.saturating_sub(2)).into_iter();
            let rows = rows.map(|row| Line::styled(format!(" {row}"), theme.tone(Tone::Bad)));
            let again = Line::styled(" asked again every 2 s; R asks now", theme.muted());
            return rows.chain([again]).collect();
        }
        if !self.is_loaded {
            return vec![Line::styled(" asking for the dead letters", theme.muted())];
        }
        let means = "Every message could be taken. A message becomes a dead letter where it is no job, or where its id \
                     belongs to another job; it is kept byte by byte, with the reason, until it is put back.";
        let title = format!(" {} No dead letters", theme.glyph(Glyph::Ok));
        let mut lines = vec![Line::default(), Line::styled(title, theme.strong())];
        let rows = fit::wrap(means, width.saturating_sub(4).min(90)).into_iter();
        lines.extend(rows.map(|row| Line::styled(format!("   {row}"), theme.muted())));
        lines
    }

    fn heading(&self, world: &World) -> String {
        let more = if self.next.is_some() { "+" } else { "" };
        let mut heading = format!("Dead letters  {}{more}", format::count(self.rows.len() as u64));
        if let (Some(failure), true) = (&self.failure, self.is_loaded) {
            let at = self.asked.unwrap_or(world.now);
            let age = format::age(at, world.now);
            heading.push_str(&format!(
                "  {} {age}: {}",
                world.theme.glyph(Glyph::Bad),
                failure.text
            ));
        }
        heading
    }
}

/// The question before a message is put back. The log, which the list comes from, names those that were put back as well, and
/// cannot tell whether one of them was put aside again.
fn confirm(id: Uuid, queue: &str, world: &World) -> Effect {
    let short = format::short_id(id);
    let (question, consequence) = if world.requeued.contains(&id) {
        (
            format!("Put dead letter {short} back once more?"),
            "It was put back from here before. Where it was put aside again since, its bytes go to its queue once more; \
             else nothing happens."
                .to_owned(),
        )
    } else {
        let consequence = format!(
            "Its bytes go to {} unchanged. What made it a dead letter should be mended before, or it is back soon.",
            fit::cut(queue, 30)
        );
        (format!("Put dead letter {short} back?"), consequence)
    };
    let command = format!("odd dead-letters requeue {short}");
    let ask = vec![Effect::Ask(Ask::Requeue(id))];
    Effect::Push(Box::new(Confirm::new(question, consequence, command, ask)))
}

/// Widths of the columns that depend on the room.
struct Columns {
    queue: usize,
    detail: usize,
}

impl Columns {
    fn of(width: usize) -> Self {
        // Pointer, id, reason, size, age, job.
        let fixed = 3 + 9 + 19 + 10 + 14 + 9;
        let room = width.saturating_sub(fixed);
        let queue = if room >= 14 { 14 } else { 0 };
        Self {
            queue,
            detail: room.saturating_sub(queue + 1),
        }
    }

    fn head(&self) -> String {
        format!(
            "   {}{}{}{}  {}{}{}",
            fit::left("id", 9),
            fit::left("reason", 19),
            fit::left("queue", self.queue),
            fit::right("size", 8),
            fit::left("age", 14),
            fit::left("job", 9),
            fit::left("detail", self.detail),
        )
    }

    fn row(&self, world: &World, row: &Row, is_chosen: bool) -> Line<'static> {
        let theme = world.theme;
        let is_back = world.requeued.contains(&row.id);
        let ink = |style| {
            if world.away().is_some() {
                theme.stale()
            } else {
                style
            }
        };
        let pointer = if is_chosen { theme.pointer() } else { " " };
        let (glyph, tone) = if is_back {
            (Glyph::Retrying, Tone::Muted)
        } else {
            (Glyph::Bad, Tone::Bad)
        };
        let reason = if is_back { "requeued" } else { &row.reason };
        let reason = format!("{} {}", theme.glyph(glyph), fit::cut(reason, 16));
        let job = row.job.map(format::short_id).unwrap_or_default();
        let detail = fit::left(&row.detail, self.detail);
        let line = Line::from(vec![
            Span::styled(format!(" {pointer} "), theme.accent()),
            Span::styled(fit::left(&format::short_id(row.id), 9), ink(theme.text())),
            Span::styled(fit::left(&reason, 19), ink(theme.tone(tone))),
            Span::styled(fit::left(&row.queue, self.queue), ink(theme.text())),
            Span::styled(
                format!("{}  ", fit::right(&format::bytes(row.size), 8)),
                ink(theme.text()),
            ),
            Span::styled(fit::left(&format::age(row.at, world.now), 14), ink(theme.muted())),
            Span::styled(fit::left(&job, 9), ink(theme.accent())),
            Span::styled(detail, ink(theme.muted())),
        ]);
        if is_chosen {
            line.style(theme.chosen())
        } else {
            line
        }
    }
}

impl Screen for DeadLetters {
    fn title(&self) -> &'static str {
        "dead letters"
    }

    fn draw(&mut self, world: &World, frame: &mut Frame<'_>, area: Rect) {
        let heading = self.heading(world);
        let heading = fit::cut(&heading, usize::from(area.width).saturating_sub(4)).into_owned();
        let block = region(world, heading);
        let inner = block.inner(area);
        frame.render_widget(block, area);
        if self.rows.is_empty() {
            let lines = self.nothing(world, usize::from(inner.width));
            frame.render_widget(Paragraph::new(lines), inner);
        } else {
            self.draw_rows(world, frame, inner);
        }
    }

    fn hints(&self, world: &World) -> Vec<Hint> {
        let mut hints = vec![hint("Esc", "back")];
        let Some(row) = self.chosen() else {
            return hints;
        };
        hints.push(hint("↵", "open"));
        if world.mode.changes_jobs() && !world.requeued.contains(&row.id) {
            hints.push(hint("e", "requeue"));
        }
        if row.job.is_some() {
            hints.push(hint("o", "its job"));
        }
        hints.push(hint("y", "copy id"));
        hints
    }

    fn command(&self, _world: &World) -> String {
        "odd dead-letters list".to_owned()
    }

    fn opened(&mut self, world: &World) -> Vec<Effect> {
        self.ask(None, world)
    }

    fn key(&mut self, key: KeyEvent, world: &World) -> Option<Vec<Effect>> {
        if plain(key) == Some('D') {
            return Some(Vec::new());
        }
        if self.list.key(key, self.rows.len()) {
            return Some(self.ask_further(world));
        }
        self.key_of_row(key, world)
    }

    fn mouse(&mut self, event: MouseEvent, world: &World) -> Vec<Effect> {
        match (self.list.mouse(event, self.rows.len()), self.chosen()) {
            (Pointed::Opened, Some(row)) => vec![Effect::Push(Box::new(Letter::new(row.id)))],
            _ => self.ask_further(world),
        }
    }

    fn reply(&mut self, reply: &Reply, world: &World) -> Vec<Effect> {
        let Reply::Answer(ask, answer) = reply else {
            return Vec::new();
        };
        match (ask, answer) {
            (Ask::DeadLetters(cursor), Ok(Answer::DeadLetters(page))) => {
                self.is_asked = false;
                self.take(cursor.as_ref(), page);
                self.ask_further(world)
            }
            (Ask::DeadLetters(_), Err(failure)) => {
                self.is_asked = false;
                self.failure = Some(failure.clone());
                Vec::new()
            }
            (ask, answer) => {
                let told = outcome::of(ask, answer, world);
                told.into_iter().chain(self.ask(None, world)).collect()
            }
        }
    }

    fn events(&mut self, events: &[EventEnvelope], world: &World) -> Vec<Effect> {
        self.is_wanted |= events
            .iter()
            .any(|event| event.event_type == EventType::DeadLettered);
        self.ask_again(world)
    }

    fn tick(&mut self, world: &World) -> Vec<Effect> {
        self.ask_again(world)
    }
}
