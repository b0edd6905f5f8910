//! Alerts: what fires, what did, and what to do about it.

mod draw;
#[cfg(test)]
mod tests;

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, MouseEvent};
use odd_contracts::{Alert, AlertState, Timestamp};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::widgets::Paragraph;

use super::list::ListState;
use super::{Hint, Screen, hint, plain};
use crate::effect::{Answer, Ask, Effect, Reply};
use crate::fit;
use crate::frame::region;
use crate::world::{Failure, World};
use draw::{about, source_line};

/// How often the history is asked for while it is shown.
const OFTEN: Duration = Duration::from_secs(5);

/// Alerts that fire or did lately, or all that are remembered.
#[derive(Default)]
pub(crate) struct Alerts {
    is_history: bool,
    history: Option<Vec<Alert>>,
    failure: Option<Failure>,
    asked: Option<Timestamp>,
    is_asked: bool,
    list: ListState,
}

impl Alerts {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Shows the history, or what fires.
    fn show(&mut self, history: bool) {
        if self.is_history != history {
            self.is_history = history;
            self.list = ListState::default();
        }
    }

    fn ask(&mut self, world: &World) -> Vec<Effect> {
        if self.is_asked {
            return Vec::new();
        }
        self.is_asked = true;
        self.asked = Some(world.now);
        vec![Effect::Ask(Ask::AlertHistory)]
    }

    /// What is listed: the worst first, those that fire before those that do no more; the history as it was told.
    fn listed<'a>(&'a self, world: &'a World) -> Vec<&'a Alert> {
        if self.is_history {
            return self.history.iter().flatten().collect();
        }
        let told = world.alerts.value.as_ref().map(|list| &list.alerts[..]);
        let mut alerts: Vec<&Alert> = told.unwrap_or_default().iter().collect();
        alerts.sort_by_key(|alert| {
            (
                rank(alert.state),
                std::cmp::Reverse(alert.severity),
                std::cmp::Reverse(alert.since),
            )
        });
        alerts
    }

    fn chosen<'a>(&'a self, world: &'a World) -> Option<&'a Alert> {
        let listed = self.listed(world);
        listed
            .get(self.list.row().min(listed.len().saturating_sub(1)))
            .copied()
    }
}

/// Those that fire first, those that are over last.
const fn rank(state: AlertState) -> u8 {
    match state {
        AlertState::Firing => 0,
        AlertState::Pending => 1,
        AlertState::Resolved => 2,
    }
}

impl Screen for Alerts {
    fn title(&self) -> &'static str {
        "alerts"
    }

    fn draw(&mut self, world: &World, frame: &mut Frame<'_>, area: Rect) {
        let width = usize::from(area.width).saturating_sub(2);
        let chosen = self.chosen(world);
        let about = chosen.map(|alert| (alert.name.clone(), about(world, alert, width)));
        let below = about.as_ref().map_or(0, |(_, lines)| lines.len() + 2);
        // The list keeps three rows at least, the text what it needs.
        let below = u16::try_from(below)
            .unwrap_or(u16::MAX)
            .min(area.height.saturating_sub(7));
        let [source, list, text] = Layout::vertical([
            Constraint::Length(1),
            Constraint::Fill(1),
            Constraint::Length(below),
        ])
        .areas(area);
        frame.render_widget(
            Paragraph::new(source_line(world, usize::from(area.width))),
            source,
        );
        self.draw_list(world, frame, list);
        if let Some((name, lines)) = about {
            let name = fit::cut(&name, 40).into_owned();
            frame.render_widget(Paragraph::new(lines).block(region(world, name)), text);
        }
    }

    fn hints(&self, world: &World) -> Vec<Hint> {
        let other = if self.is_history {
            "what fires"
        } else {
            "those of before"
        };
        let mut hints = vec![hint("Esc", "back"), hint("Tab", other)];
        if self
            .chosen(world)
            .is_some_and(|alert| alert.runbook_url.is_some())
        {
            hints.push(hint("o", "runbook"));
        }
        hints
    }

    fn command(&self, _world: &World) -> String {
        "odd status".to_owned()
    }

    fn opened(&mut self, world: &World) -> Vec<Effect> {
        self.ask(world)
    }

    fn key(&mut self, key: KeyEvent, world: &World) -> Option<Vec<Effect>> {
        match (key.code, plain(key)) {
            (KeyCode::Tab | KeyCode::BackTab, _) => {
                self.show(!self.is_history);
                return Some(Vec::new());
            }
            (KeyCode::Left, _) | (_, Some('h')) => {
                self.show(false);
                return Some(Vec::new());
            }
            (KeyCode::Right, _) | (_, Some('l')) => {
                self.show(true);
                return Some(Vec::new());
            }
            (_, Some('A')) => return Some(Vec::new()),
            (_, Some('o')) => {
                let url = self.chosen(world)?.runbook_url.clone()?;
                return Some(vec![Effect::Browse { url, command: None }]);
            }
            _ => {}
        }
        let count = self.listed(world).len();
        self.list.key(key, count).then(Vec::new)
    }

    fn mouse(&mut self, event: MouseEvent, world: &World) -> Vec<Effect> {
        let count = self.listed(world).len();
        self.list.mouse(event, count);
        Vec::new()
    }

    fn reply(&mut self, reply: &Reply, _world: &World) -> Vec<Effect> {
        if let Reply::Answer(Ask::AlertHistory, answer) = reply {
            self.is_asked = false;
            match answer {
                Ok(Answer::AlertHistory(history)) => {
                    self.history = Some(history.alerts.clone());
                    self.failure = None;
                }
                Ok(_) => {}
                Err(failure) => self.failure = Some(failure.clone()),
            }
        }
        Vec::new()
    }

    fn tick(&mut self, world: &World) -> Vec<Effect> {
        let since = self.asked.map_or(Duration::MAX, |asked| world.now.since(asked));
        if self.is_history && since >= OFTEN {
            self.ask(world)
        } else {
            Vec::new()
        }
    }
}
