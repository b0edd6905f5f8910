//! The dashboard: the system at a glance, and the jobs.

mod columns;
mod panels;
mod table;

use crossterm::event::{KeyCode, KeyEvent, MouseButton, MouseEvent, MouseEventKind};
use odd_contracts::{EventEnvelope, Timestamp};
use odd_look::format;
use odd_look::sign::Tone;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::{Confirm, Hint, Job, Screen, Step, hint, plain};
use crate::effect::{Answer, Ask, Effect, Reply};
use crate::filter;
use crate::fit;
use crate::frame::region;
use crate::world::{Failure, World};
use columns::Columns;
use table::Table;

/// Least width at which the side column stands beside the table.
const WIDE: u16 = 110;
/// Width of the side column.
const SIDE: u16 = 42;
/// Width of the counters beside the charts: three groups of digits in both columns.
const COUNTERS: u16 = 40;
/// Height of counters and charts.
const TOP: u16 = 5;
/// How long the list is shown before it is asked for again, while events arrive.
const RENEW: std::time::Duration = std::time::Duration::from_secs(2);
/// Rows of one turn of the wheel.
const WHEEL: isize = 3;
/// Most characters of a filter.
const LONGEST_FILTER: usize = 200;

/// What is shown below the counters where there is room for one thing only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pane {
    Jobs,
    System,
    Live,
}

impl Pane {
    const fn next(self) -> Self {
        match self {
            Self::Jobs => Self::System,
            Self::System => Self::Live,
            Self::Live => Self::Jobs,
        }
    }
}

/// The dashboard.
pub(crate) struct Dashboard {
    table: Table,
    /// The filter that holds.
    filter: String,
    /// The filter that is being typed.
    typing: Option<String>,
    wrong: Option<String>,
    failure: Option<Failure>,
    pane: Pane,
    /// When the list was asked for, and whether something has happened since.
    asked: Option<Timestamp>,
    changed: bool,
    /// How many jobs there were then, and when the last thing happened. Events that are missed, as before the stream is
    /// connected, show in these.
    counted: Counted,
    is_narrow: bool,
    /// Where the rows were drawn.
    rows: Rect,
}

impl Dashboard {
    pub(crate) fn new() -> Self {
        Self {
            table: Table::default(),
            filter: String::new(),
            typing: None,
            wrong: None,
            failure: None,
            pane: Pane::Jobs,
            asked: None,
            changed: false,
            counted: None,
            is_narrow: false,
            rows: Rect::default(),
        }
    }

    /// Whether the table can be seen: what cannot must not be acted on.
    fn shows_jobs(&self) -> bool {
        !self.is_narrow || self.pane == Pane::Jobs
    }

    fn ask(&mut self, world: &World) -> Vec<Effect> {
        self.asked = Some(world.now);
        self.changed = false;
        self.counted = counted(world);
        vec![Effect::Ask(Ask::Jobs(self.table.first_page()))]
    }

    /// The next page, where it will be wanted soon.
    fn ask_further(&mut self) -> Vec<Effect> {
        let next = self.table.next_page();
        next.map(|query| Effect::Ask(Ask::Jobs(query)))
            .into_iter()
            .collect()
    }

    fn want(&mut self, filter: String, world: &World) -> Vec<Effect> {
        match filter::parse(&filter, world.now) {
            Ok(query) => {
                self.filter = filter.trim().to_owned();
                self.typing = None;
                self.wrong = None;
                self.failure = None;
                self.table.want(query);
                self.ask(world)
            }
            Err(wrong) => {
                self.wrong = Some(wrong);
                Vec::new()
            }
        }
    }

    fn type_filter(&mut self, mut text: String, key: KeyEvent, world: &World) -> Vec<Effect> {
        self.wrong = None;
        match key.code {
            KeyCode::Enter => {
                self.typing = Some(text.clone());
                return self.want(text, world);
            }
            KeyCode::Esc => {
                self.typing = None;
                return Vec::new();
            }
            KeyCode::Backspace => {
                text.pop();
            }
            _ => {
                if let Some(letter) = plain(key)
                    && text.chars().count() < LONGEST_FILTER
                {
                    text.push(letter);
                }
            }
        }
        // Told while it is typed, but not of the word that is still open.
        let whole = text.rsplit_once(' ').map_or("", |(whole, _)| whole);
        self.wrong = filter::parse(whole, world.now).err();
        self.typing = Some(text);
        Vec::new()
    }

    /// What a key does to the chosen job.
    fn key_of_job(&self, letter: char, world: &World) -> Option<Vec<Effect>> {
        let job = self.table.chosen()?;
        let may = world.mode.changes_jobs();
        match letter {
            'y' => Some(vec![Effect::Copy("the id", job.id.to_string())]),
            'c' if may && !job.status.is_terminal() => Some(vec![Effect::Push(Box::new(Confirm::new(
                format!("Cancel job {}?", format::short_id(job.id)),
                "The processor decides: work that runs is told to end.",
                format!("odd jobs cancel {}", job.id),
                vec![Effect::Ask(Ask::Cancel(job.id))],
            )))]),
            'r' if may && job.status.is_terminal() => Some(vec![Effect::Ask(Ask::Retry(job.id))]),
            _ => None,
        }
    }

    fn take(&mut self, ask: &Ask, answer: &Result<Answer, Failure>, world: &World) -> Vec<Effect> {
        match (ask, answer) {
            (Ask::Jobs(asked), Ok(Answer::Jobs(page))) => {
                self.failure = None;
                self.table.take(asked, page.clone());
                Vec::new()
            }
            (Ask::Jobs(_), Err(failure)) => {
                self.table.missed();
                self.failure = Some(failure.clone());
                Vec::new()
            }
            (Ask::Retry(_), Ok(Answer::Retried(job))) => vec![Effect::Push(Box::new(Job::new(job.job_id)))],
            (Ask::Cancel(_), Ok(_)) => {
                let mut effects = vec![Effect::Notice(
                    Tone::Ok,
                    "the request to cancel is on its way".to_owned(),
                )];
                effects.extend(self.ask(world));
                effects
            }
            (_, Err(failure)) => vec![Effect::Notice(Tone::Bad, failure.text.clone())],
            _ => Vec::new(),
        }
    }

    fn title_of_table(&self) -> String {
        let count = self.table.len();
        let more = if self.table.has_more() { "+" } else { "" };
        let count = format!("{}{more}", format::count(count as u64));
        if self.filter.is_empty() {
            format!("Jobs  {count}")
        } else {
            format!("Jobs  {count}  /{}", fit::cut(&self.filter, 40))
        }
    }

    fn draw_jobs(&mut self, world: &World, frame: &mut Frame<'_>, area: Rect) {
        let mut title = self.title_of_table();
        if let Some((_, Some(age))) = world.away() {
            title.push_str(&format!(", {} old", format::duration(age)));
        }
        let block = region(world, title);
        let inner = block.inner(area);
        frame.render_widget(block, area);
        let [head, body, foot] = Layout::vertical([
            Constraint::Length(1),
            Constraint::Fill(1),
            Constraint::Length(u16::from(self.typing.is_some() || self.wrong.is_some())),
        ])
        .areas(inner);
        self.rows = body;
        let columns = Columns::of(usize::from(inner.width));
        frame.render_widget(Paragraph::new(columns.head()).style(world.theme.muted()), head);
        self.draw_filter(world, frame, foot);
        if self.table.len() == 0 {
            frame.render_widget(Paragraph::new(self.nothing(world)), body);
            return;
        }
        let (jobs, chosen) = self.table.visible(usize::from(body.height));
        let lines: Vec<Line<'_>> = jobs
            .enumerate()
            .map(|(at, job)| columns.row(world, job, at == chosen))
            .collect();
        frame.render_widget(Paragraph::new(lines), body);
    }

    fn draw_filter(&self, world: &World, frame: &mut Frame<'_>, area: Rect) {
        let theme = world.theme;
        let typed = self.typing.as_deref().unwrap_or(&self.filter);
        let wrong = self
            .wrong
            .as_deref()
            .unwrap_or("type: status: since: until: id:   ↵ applies, Esc leaves");
        let style = if self.wrong.is_some() {
            theme.tone(Tone::Bad)
        } else {
            theme.muted()
        };
        let line = Line::from(vec![
            Span::styled(" /", theme.accent()),
            Span::styled(fit::cut(typed, 60).into_owned(), theme.strong()),
            Span::styled(format!("   {wrong}"), style),
        ]);
        frame.render_widget(Paragraph::new(line), area);
    }

    /// What is said in place of rows.
    fn nothing(&self, world: &World) -> Vec<Line<'static>> {
        let theme = world.theme;
        if let Some(failure) = &self.failure {
            return vec![Line::styled(format!("  {}", failure.text), theme.tone(Tone::Bad))];
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

type Counted = Option<(u64, Option<Timestamp>)>;

fn counted(world: &World) -> Counted {
    let counters = &world.stats.value.as_ref()?.counters;
    Some((counters.total, counters.last_event_at))
}

impl Screen for Dashboard {
    fn title(&self) -> &'static str {
        "dashboard"
    }

    fn draw(&mut self, world: &World, frame: &mut Frame<'_>, area: Rect) {
        self.is_narrow = area.width < WIDE;
        let [top, below] = Layout::vertical([Constraint::Length(TOP), Constraint::Fill(1)]).areas(area);
        if self.is_narrow {
            let [counters, charts] =
                Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).areas(top);
            panels::counters(frame, world, counters);
            panels::charts(frame, world, charts);
            match self.pane {
                Pane::Jobs => self.draw_jobs(world, frame, below),
                Pane::System => {
                    let [system, alerts] =
                        Layout::vertical([Constraint::Fill(1), Constraint::Fill(1)]).areas(below);
                    panels::system(frame, world, system);
                    panels::alerts(frame, world, alerts);
                }
                Pane::Live => panels::live(frame, world, below),
            }
            return;
        }
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
        panels::alerts(frame, world, alerts);
        panels::live(frame, world, live);
    }

    fn hints(&self, world: &World) -> Vec<Hint> {
        if self.typing.is_some() {
            return vec![hint("↵", "apply"), hint("Esc", "leave")];
        }
        let mut hints = vec![hint("↵", "open"), hint("/", "filter")];
        if self.is_narrow {
            hints.push(hint("Tab", "next panel"));
        }
        if world.mode.changes_jobs() {
            hints.push(hint("N", "new task"));
            match self.table.chosen() {
                Some(job) if job.status.is_terminal() => hints.push(hint("r", "retry")),
                Some(_) => hints.push(hint("c", "cancel")),
                None => {}
            }
        }
        hints.extend([
            hint("D", "dead letters"),
            hint("G", "logs"),
            hint("U", "interfaces"),
        ]);
        if !self.filter.is_empty() {
            hints.insert(1, hint("Esc", "all jobs"));
        }
        hints
    }

    fn command(&self, _world: &World) -> String {
        format!("odd jobs list{}", filter::arguments(&self.filter))
    }

    fn opened(&mut self, world: &World) -> Vec<Effect> {
        self.ask(world)
    }

    fn key(&mut self, key: KeyEvent, world: &World) -> Option<Vec<Effect>> {
        if let Some(text) = self.typing.clone() {
            return Some(self.type_filter(text, key, world));
        }
        if let Some(step) = Step::of(key)
            && self.shows_jobs()
        {
            self.table.step(step);
            return Some(self.ask_further());
        }
        match (key.code, plain(key)) {
            (KeyCode::Enter, _) | (_, Some('l')) if self.shows_jobs() => {
                let job = self.table.chosen()?;
                Some(vec![Effect::Push(Box::new(Job::new(job.id)))])
            }
            (KeyCode::Tab, _) => {
                self.pane = self.pane.next();
                Some(Vec::new())
            }
            (KeyCode::Esc, _) if !self.filter.is_empty() => Some(self.want(String::new(), world)),
            (_, Some('/')) => {
                self.typing = Some(self.filter.clone());
                self.pane = Pane::Jobs;
                Some(Vec::new())
            }
            (_, Some(letter)) if self.shows_jobs() => self.key_of_job(letter, world),
            _ => None,
        }
    }

    fn mouse(&mut self, event: MouseEvent, _world: &World) -> Vec<Effect> {
        if !self.shows_jobs() {
            return Vec::new();
        }
        match event.kind {
            MouseEventKind::ScrollDown => self.table.step(Step::Rows(WHEEL)),
            MouseEventKind::ScrollUp => self.table.step(Step::Rows(-WHEEL)),
            MouseEventKind::Down(MouseButton::Left)
                if self.rows.contains((event.column, event.row).into()) =>
            {
                let before = self.table.row();
                let chosen = self.table.choose_line(usize::from(event.row - self.rows.y));
                // A click on the row that is chosen already opens it.
                if chosen
                    && before == self.table.row()
                    && let Some(job) = self.table.chosen()
                {
                    return vec![Effect::Push(Box::new(Job::new(job.id)))];
                }
            }
            _ => return Vec::new(),
        }
        self.ask_further()
    }

    fn paste(&mut self, text: &str, _world: &World) {
        if let Some(typing) = &mut self.typing {
            let room = LONGEST_FILTER.saturating_sub(typing.chars().count());
            typing.extend(text.chars().filter(|c| !c.is_control()).take(room));
        }
    }

    fn reply(&mut self, reply: &Reply, world: &World) -> Vec<Effect> {
        match reply {
            Reply::Answer(ask, answer) => self.take(ask, answer, world),
            Reply::Printed(..) | Reply::Ended(..) => Vec::new(),
        }
    }

    fn events(&mut self, events: &[EventEnvelope], _world: &World) -> Vec<Effect> {
        for event in events {
            self.table.event(event);
        }
        self.changed |= !events.is_empty();
        Vec::new()
    }

    /// Events say what has changed, the list how it is: it is asked for again while they arrive, and when it did not come.
    fn tick(&mut self, world: &World) -> Vec<Effect> {
        let due = self.asked.is_none_or(|asked| world.now.since(asked) >= RENEW);
        let wanted = self.changed
            || self.counted != counted(world)
            || self.failure.is_some()
            || world.away().is_some();
        if due && wanted {
            self.ask(world)
        } else {
            Vec::new()
        }
    }

    fn takes_text(&self) -> bool {
        self.typing.is_some()
    }
}

#[cfg(test)]
mod tests;
