//! The dashboard: the system at a glance, and the jobs.

mod columns;
mod draw;
mod firing;
mod hints;
mod live;
mod panels;
mod table;
mod typed;

use crossterm::event::{KeyCode, KeyEvent, MouseButton, MouseEvent, MouseEventKind};
use odd_contracts::{EventEnvelope, Timestamp};
use ratatui::Frame;
use ratatui::layout::Rect;

use super::list::Pointed;
use super::{Confirm, Hint, Job, Screen, Step, outcome, plain};
use crate::effect::{Answer, Ask, Effect, Reply};
use crate::filter::{self, Filter};
use crate::pager::wheel;
use crate::world::{Failure, World};
use live::LiveList;
use table::Table;
use typed::{FilterLine, Typed};

/// How long the list is shown before it is asked for again, while events arrive.
const RENEW: std::time::Duration = std::time::Duration::from_secs(2);

/// A panel. Where there is room for one only, it is the one that is shown; else keys go to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pane {
    Jobs,
    /// Nothing in it can be chosen: beside the table keys do not go to it.
    System,
    Live,
}

/// The dashboard.
pub(crate) struct Dashboard {
    table: Table,
    /// The filter that holds.
    filter: String,
    /// The filter that is being typed.
    typing: Option<FilterLine>,
    failure: Option<Failure>,
    live: LiveList,
    pane: Pane,
    /// When the list was asked for, and whether something has happened since.
    asked: Option<Timestamp>,
    changed: bool,
    /// When it was last told.
    told: Option<Timestamp>,
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
            failure: None,
            live: LiveList::default(),
            pane: Pane::Jobs,
            asked: None,
            changed: false,
            told: None,
            counted: None,
            is_narrow: false,
            rows: Rect::default(),
        }
    }

    /// The panel that keys go to: what is not seen is not acted on.
    const fn focus(&self) -> Pane {
        match self.pane {
            Pane::System if !self.is_narrow => Pane::Jobs,
            pane => pane,
        }
    }

    const fn panes(&self) -> &'static [Pane] {
        if self.is_narrow {
            &[Pane::Jobs, Pane::System, Pane::Live]
        } else {
            &[Pane::Jobs, Pane::Live]
        }
    }

    fn turn_to(&mut self, pane: Pane) {
        if pane != self.focus() {
            self.live.follow();
        }
        self.pane = pane;
    }

    /// Turns to a panel beside this one; from the last to the first only where it goes round.
    fn turn_by(&mut self, by: isize, round: bool) {
        let (panes, focus) = (self.panes(), self.focus());
        let count = panes.len();
        let at = panes.iter().position(|pane| *pane == focus).unwrap_or(0);
        let to = if round {
            (at + count).saturating_add_signed(by) % count
        } else {
            at.saturating_add_signed(by).min(count - 1)
        };
        self.turn_to(panes[to]);
    }

    fn ask(&mut self, world: &World) -> Vec<Effect> {
        self.asked = Some(world.now);
        self.changed = false;
        self.counted = counted(world);
        vec![Effect::Ask(Ask::Jobs(self.table.first_page(world.now)))]
    }

    /// The next page, where it will be wanted soon.
    fn ask_further(&mut self, world: &World) -> Vec<Effect> {
        let next = self.table.next_page(world.now);
        next.map(|query| Effect::Ask(Ask::Jobs(query)))
            .into_iter()
            .collect()
    }

    fn want(&mut self, text: String, filter: Filter, world: &World) -> Vec<Effect> {
        self.filter = text;
        self.typing = None;
        self.failure = None;
        self.table.want(filter);
        self.ask(world)
    }

    fn key_of_filter(&mut self, mut typing: FilterLine, key: KeyEvent, world: &World) -> Vec<Effect> {
        match typing.key(key) {
            Typed::On => self.typing = Some(typing),
            Typed::Left => {}
            Typed::Wanted(text, filter) => return self.want(text, filter, world),
        }
        Vec::new()
    }

    /// What a key means in the table.
    fn key_of_table(&mut self, key: KeyEvent, world: &World) -> Option<Vec<Effect>> {
        if let Some(step) = Step::of(key) {
            self.table.step(step);
            return Some(self.ask_further(world));
        }
        if key.code == KeyCode::Enter {
            let job = self.table.chosen()?;
            return Some(vec![Effect::Push(Box::new(Job::new(job.id)))]);
        }
        self.key_of_job(plain(key)?, world)
    }

    /// What a key means in the live list.
    fn key_of_live(&mut self, key: KeyEvent, world: &World) -> Option<Vec<Effect>> {
        if self.live.key(key, world) {
            return Some(Vec::new());
        }
        let job = self.live.job(world)?;
        match (key.code, plain(key)) {
            (KeyCode::Enter, _) => Some(vec![Effect::Push(Box::new(Job::new(job)))]),
            (_, Some('y')) => Some(vec![Effect::Copy("the id", job.to_string())]),
            _ => None,
        }
    }

    /// What a key does to the chosen job.
    fn key_of_job(&self, letter: char, world: &World) -> Option<Vec<Effect>> {
        let job = self.table.chosen()?;
        let may = world.mode.changes_jobs();
        match letter {
            'y' => Some(vec![Effect::Copy("the id", job.id.to_string())]),
            'c' if may && !job.status.is_terminal() => Some(vec![Confirm::cancel(job.id)]),
            'r' if may && job.status.is_terminal() => Some(vec![Effect::Ask(Ask::Retry(job.id))]),
            _ => None,
        }
    }

    fn take(&mut self, ask: &Ask, answer: &Result<Answer, Failure>, world: &World) -> Vec<Effect> {
        match (ask, answer) {
            (Ask::Jobs(asked), Ok(Answer::Jobs(page))) => {
                self.failure = None;
                self.told = Some(world.now);
                self.table.take(asked, page.clone());
                Vec::new()
            }
            (Ask::Jobs(_), Err(failure)) => {
                self.table.missed();
                self.failure = Some(failure.clone());
                Vec::new()
            }
            (ask, answer) => {
                let mut effects = outcome::followed(ask, answer, world);
                if self.typing.is_some() {
                    // What is typed into the filter would be keys of another screen.
                    effects.retain(|effect| !matches!(effect, Effect::Push(_)));
                }
                if matches!(ask, Ask::Cancel(_)) {
                    effects.extend(self.ask(world));
                }
                effects
            }
        }
    }

    fn mouse_in_table(&mut self, event: MouseEvent, world: &World) -> Vec<Effect> {
        if let Some(turned) = wheel(event) {
            self.turn_to(Pane::Jobs);
            self.table.step(Step::Rows(turned));
            return self.ask_further(world);
        }
        if !self.rows.contains((event.column, event.row).into()) {
            return Vec::new();
        }
        let had_focus = self.focus() == Pane::Jobs;
        self.turn_to(Pane::Jobs);
        let before = self.table.row();
        let chosen = self.table.choose_line(usize::from(event.row - self.rows.y));
        // A click on the row that is chosen already opens it.
        match self.table.chosen() {
            Some(job) if had_focus && chosen && before == self.table.row() => {
                vec![Effect::Push(Box::new(Job::new(job.id)))]
            }
            _ => self.ask_further(world),
        }
    }

    fn mouse_in_live(&mut self, event: MouseEvent, world: &World) -> Vec<Effect> {
        let had_focus = self.focus() == Pane::Live;
        self.turn_to(Pane::Live);
        let pointed = self.live.mouse(event, world);
        let opened = self
            .live
            .job(world)
            .filter(|_| had_focus && pointed == Pointed::Opened);
        let opened = opened.map(|job| Effect::Push(Box::new(Job::new(job))));
        opened.into_iter().collect()
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
        self.draw_all(world, frame, area);
    }

    fn hints(&self, world: &World) -> Vec<Hint> {
        self.all_hints(world)
    }

    fn command(&self, _world: &World) -> String {
        match self.focus() {
            Pane::Jobs => format!("odd jobs list{}", filter::arguments(&self.filter)),
            Pane::System => "odd status".to_owned(),
            Pane::Live => "odd events --follow".to_owned(),
        }
    }

    fn opened(&mut self, world: &World) -> Vec<Effect> {
        self.ask(world)
    }

    fn key(&mut self, key: KeyEvent, world: &World) -> Option<Vec<Effect>> {
        if let Some(typing) = self.typing.take() {
            return Some(self.key_of_filter(typing, key, world));
        }
        match (key.code, plain(key)) {
            (KeyCode::Tab, _) => self.turn_by(1, true),
            (KeyCode::BackTab, _) => self.turn_by(-1, true),
            (KeyCode::Right, _) | (_, Some('l')) => self.turn_by(1, false),
            (KeyCode::Left, _) | (_, Some('h')) => self.turn_by(-1, false),
            (KeyCode::Esc, _) if self.focus() != Pane::Jobs => self.turn_to(Pane::Jobs),
            (KeyCode::Esc, _) if !self.filter.is_empty() => {
                return Some(self.want(String::new(), Filter::default(), world));
            }
            (_, Some('/')) => {
                self.typing = Some(FilterLine::new(&self.filter));
                self.turn_to(Pane::Jobs);
            }
            _ => {
                return match self.focus() {
                    Pane::Jobs => self.key_of_table(key, world),
                    Pane::System => None,
                    Pane::Live => self.key_of_live(key, world),
                };
            }
        }
        Some(Vec::new())
    }

    fn mouse(&mut self, event: MouseEvent, world: &World) -> Vec<Effect> {
        let (focus, in_live) = (self.focus(), self.live.is_at(event));
        let is_click = event.kind == MouseEventKind::Down(MouseButton::Left);
        let means_something = is_click || wheel(event).is_some();
        if !means_something || self.is_narrow && focus == Pane::System {
            Vec::new()
        } else if self.is_narrow && focus == Pane::Live || !self.is_narrow && in_live {
            self.mouse_in_live(event, world)
        } else {
            self.mouse_in_table(event, world)
        }
    }

    fn paste(&mut self, text: &str, _world: &World) {
        if let Some(typing) = &mut self.typing {
            typing.paste(text);
        }
    }

    fn reply(&mut self, reply: &Reply, world: &World) -> Vec<Effect> {
        match reply {
            Reply::Answer(ask, answer) => self.take(ask, answer, world),
            Reply::Printed(..) | Reply::Ended(..) => Vec::new(),
        }
    }

    fn events(&mut self, events: &[EventEnvelope], world: &World) -> Vec<Effect> {
        for event in events {
            self.table.event(event, world.now);
        }
        self.changed |= !events.is_empty();
        Vec::new()
    }

    /// Events say what has changed, the list how it is: it is asked for again while they arrive, and when it did not come.
    fn tick(&mut self, world: &World) -> Vec<Effect> {
        self.table.age(world.now);
        let due = self.asked.is_none_or(|asked| world.now.since(asked) >= RENEW);
        let wanted = self.changed
            || self.table.ripens()
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
