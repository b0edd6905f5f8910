//! One job: the whole of its way, and everything that is known of it.

mod draw;
mod history;
mod named;
#[cfg(test)]
mod tests;
mod texts;
mod title;
mod way;

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, MouseButton, MouseEvent, MouseEventKind};
use odd_contracts::api::{JobDetail, Timeline};
use odd_contracts::{EventEnvelope, JobId, JobRecord, JobStatus, Timestamp};
use odd_look::format;
use ratatui::Frame;
use ratatui::layout::{Position, Rect};

use super::{Confirm, Hint, Screen, hint, outcome, plain};
use crate::effect::{Answer, Ask, Effect, Reply};
use crate::pager::Pager;
use crate::world::{Failure, World, concerns};
use history::History;
use named::Named;
use way::Way;

/// Least time between two questions: events arrive faster.
const OFTEN: Duration = Duration::from_millis(500);
/// The same while nothing happens, but something is still to come.
const SELDOM: Duration = Duration::from_secs(2);

/// What is shown below the title.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tab {
    Way,
    Attempts,
    Payload,
    Result,
    Events,
}

impl Tab {
    const ALL: [Self; 5] = [
        Self::Way,
        Self::Attempts,
        Self::Payload,
        Self::Result,
        Self::Events,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Way => "timeline",
            Self::Attempts => "attempts",
            Self::Payload => "payload",
            Self::Result => "result",
            Self::Events => "events",
        }
    }

    fn by(self, places: isize) -> Self {
        let count = Self::ALL.len();
        let at = Self::ALL.iter().position(|tab| *tab == self).unwrap_or(0);
        let at = (at + count).saturating_add_signed(places) % count;
        Self::ALL[at]
    }
}

/// What was answered, prepared for being drawn.
struct Known {
    /// Without payload and result, which are texts by now.
    record: JobRecord,
    way: Way,
    attempts: Pager,
    payload: Pager,
    result: Pager,
    history: History,
    count_of_attempts: usize,
    at: Timestamp,
}

/// One job.
pub(crate) struct Job {
    id: JobId,
    known: Option<Known>,
    /// Why the last question was not answered.
    failure: Option<Failure>,
    tab: Tab,
    /// When it was last asked for, whether that is still unanswered, and whether something has happened since.
    asked: Option<Timestamp>,
    is_asked: bool,
    is_wanted: bool,
    /// Where the tabs were drawn.
    tabs: Vec<(Rect, Tab)>,
}

impl Job {
    pub(crate) fn new(id: JobId) -> Self {
        Self {
            id,
            known: None,
            failure: None,
            tab: Tab::Way,
            asked: None,
            is_asked: false,
            is_wanted: false,
            tabs: Vec::new(),
        }
    }

    /// The job of this id, or the one whose id begins so.
    ///
    /// # Errors
    /// Where no id begins so.
    pub(crate) fn named(text: &str) -> Result<Box<dyn Screen>, String> {
        Ok(match text.parse() {
            Ok(id) => Box::new(Self::new(id)),
            Err(_) => Box::new(Named::new(text)?),
        })
    }

    fn ask(&mut self, world: &World) -> Vec<Effect> {
        self.asked = Some(world.now);
        self.is_asked = true;
        self.is_wanted = false;
        vec![Effect::Ask(Ask::Job(self.id))]
    }

    /// Asks where it is time to.
    fn ask_again(&mut self, world: &World) -> Vec<Effect> {
        let since = self.asked.map_or(Duration::MAX, |asked| world.now.since(asked));
        let due = self.is_wanted && since >= OFTEN || self.is_open() && since >= SELDOM;
        if due && !self.is_asked {
            self.ask(world)
        } else {
            Vec::new()
        }
    }

    /// Whether there is more to come: it has not ended, or not everything of it is recorded or known.
    fn is_open(&self) -> bool {
        let all = |known: &Known| known.record.job.status.is_terminal() && known.way.is_complete();
        self.failure.is_some() || !self.known.as_ref().is_some_and(all)
    }

    fn status(&self) -> Option<JobStatus> {
        self.known.as_ref().map(|known| known.record.job.status)
    }

    fn take(&mut self, detail: &JobDetail, timeline: &Timeline, world: &World) {
        let before = self.known.take();
        let history = History::new(timeline, before.as_ref().map(|known| &known.history));
        let attempts = texts::attempts(detail, world.theme);
        let record = texts::bare(&detail.record);
        let way = Way::new(detail, timeline);
        // Its payload never changes, its result only with its state: large ones are formatted once.
        let (way, payload, result, attempts) = match before {
            None => (
                way,
                texts::payload(&detail.record),
                texts::result(&detail.record),
                attempts,
            ),
            Some(known) => {
                let is_same =
                    known.record.job.status == record.job.status && known.record.error == record.error;
                let result = if is_same {
                    known.result
                } else {
                    texts::result(&detail.record)
                };
                (
                    way.at_place_of(&known.way),
                    known.payload,
                    result,
                    attempts.at_place_of(&known.attempts),
                )
            }
        };
        self.known = Some(Known {
            way,
            record,
            attempts,
            payload,
            result,
            history,
            count_of_attempts: detail.attempts.len(),
            at: world.now,
        });
        self.failure = None;
    }

    /// Keys of what is shown in the tab.
    fn key_of_tab(&mut self, key: KeyEvent) -> Option<Vec<Effect>> {
        let known = self.known.as_mut()?;
        let taken = match self.tab {
            Tab::Way => known.way.key(key),
            Tab::Attempts => known.attempts.key(key),
            Tab::Payload => known.payload.key(key),
            Tab::Result => known.result.key(key),
            Tab::Events => return known.history.key(key, self.id),
        };
        taken.then(Vec::new)
    }
}

impl Screen for Job {
    fn title(&self) -> &'static str {
        "job"
    }

    fn subject(&self) -> Option<uuid::Uuid> {
        Some(self.id)
    }

    fn draw(&mut self, world: &World, frame: &mut Frame<'_>, area: Rect) {
        if self.known.is_some() {
            self.draw_known(world, frame, area);
        } else {
            self.draw_unknown(world, frame, area);
        }
    }

    fn hints(&self, world: &World) -> Vec<Hint> {
        let mut hints = vec![hint("Esc", "back")];
        if self.known.is_some() {
            hints.push(hint("Tab", "next tab"));
        }
        if self.tab == Tab::Events && self.known.is_some() {
            hints.push(hint("↵", "whole event"));
        }
        match self.status().filter(|_| world.mode.changes_jobs()) {
            Some(status) if status.is_terminal() => hints.push(hint("r", "retry")),
            Some(_) => hints.push(hint("c", "cancel")),
            None => {}
        }
        hints.push(hint("y", "copy id"));
        hints
    }

    fn command(&self, _world: &World) -> String {
        format!("odd jobs get {} --timeline", format::short_id(self.id))
    }

    fn opened(&mut self, world: &World) -> Vec<Effect> {
        if self.is_asked {
            return Vec::new();
        }
        self.ask(world)
    }

    fn key(&mut self, key: KeyEvent, world: &World) -> Option<Vec<Effect>> {
        let to = |tab: Tab| Some((tab, Vec::new()));
        let may = world.mode.changes_jobs();
        let ended = self.status().map(JobStatus::is_terminal);
        let moved = match (key.code, plain(key)) {
            (KeyCode::Tab | KeyCode::Right, _) | (_, Some('l')) => to(self.tab.by(1)),
            (KeyCode::BackTab | KeyCode::Left, _) | (_, Some('h')) => to(self.tab.by(-1)),
            (_, Some('y')) => return Some(vec![Effect::Copy("the id", self.id.to_string())]),
            (_, Some('c')) if may && ended == Some(false) => return Some(vec![Confirm::cancel(self.id)]),
            (_, Some('r')) if may && ended == Some(true) => {
                return Some(vec![Effect::Ask(Ask::Retry(self.id))]);
            }
            _ => None,
        };
        match moved {
            Some((tab, effects)) => {
                self.tab = tab;
                Some(effects)
            }
            None => self.key_of_tab(key),
        }
    }

    fn mouse(&mut self, event: MouseEvent, _world: &World) -> Vec<Effect> {
        if event.kind == MouseEventKind::Down(MouseButton::Left) {
            let at = Position::new(event.column, event.row);
            if let Some((_, tab)) = self.tabs.iter().find(|(area, _)| area.contains(at)) {
                self.tab = *tab;
            }
        }
        if let Some(known) = &mut self.known {
            match self.tab {
                Tab::Way => known.way.wheel(event),
                Tab::Attempts => known.attempts.wheel(event),
                Tab::Payload => known.payload.wheel(event),
                Tab::Result => known.result.wheel(event),
                Tab::Events => return known.history.mouse(event, self.id),
            }
        }
        Vec::new()
    }

    fn reply(&mut self, reply: &Reply, world: &World) -> Vec<Effect> {
        let Reply::Answer(ask, answer) = reply else {
            return Vec::new();
        };
        match (ask, answer) {
            (Ask::Job(_), Ok(Answer::Job(answer))) => {
                self.is_asked = false;
                self.take(&answer.0, &answer.1, world);
                Vec::new()
            }
            (Ask::Job(_), Err(failure)) => {
                self.is_asked = false;
                self.failure = Some(failure.clone());
                Vec::new()
            }
            (ask, answer) => {
                self.is_wanted |= matches!(ask, Ask::Cancel(_));
                outcome::followed(ask, answer, world)
            }
        }
    }

    fn events(&mut self, events: &[EventEnvelope], world: &World) -> Vec<Effect> {
        self.is_wanted |= events.iter().any(|event| concerns(event, self.id));
        self.ask_again(world)
    }

    fn tick(&mut self, world: &World) -> Vec<Effect> {
        self.ask_again(world)
    }
}
