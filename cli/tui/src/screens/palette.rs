//! Commands by their names, typed after a colon.

use crossterm::event::{KeyCode, KeyEvent};
use odd_contracts::JobId;
use odd_look::sign::Tone;
use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph};

use super::{Alerts, DeadLetters, Help, Hint, Interfaces, Job, Launcher, Logs, NewTask, Screen, hint, plain};
use crate::effect::Effect;
use crate::fit;
use crate::options::ThemeName;
use crate::world::World;

/// Names of the commands, and what each does.
const COMMANDS: [(&str, &str); 10] = [
    ("alerts", "alerts, with what to do about them"),
    ("dead-letters", "messages that were put aside"),
    ("help", "the keys"),
    ("job ID", "one job, by its whole id"),
    ("launcher", "what is needed, start, stop"),
    ("logs", "what every role says"),
    ("new", "a new task"),
    ("quit", "leave; the stack goes on"),
    ("theme NAME", "dark, light or contrast"),
    ("urls", "user interfaces"),
];
/// Most characters of a command.
const LONGEST: usize = 120;

/// The line that is typed.
pub(crate) struct Palette {
    text: String,
    wrong: Option<String>,
}

impl Palette {
    pub(crate) fn new() -> Self {
        Self {
            text: String::new(),
            wrong: None,
        }
    }

    /// Commands that begin with what was typed.
    fn offered(&self) -> impl Iterator<Item = &'static (&'static str, &'static str)> {
        let typed = self.text.split_whitespace().next().unwrap_or_default().to_owned();
        COMMANDS.iter().filter(move |(name, _)| name.starts_with(&typed))
    }

    fn carry_out(&self, world: &World) -> Result<Effect, String> {
        let mut words = self.text.split_whitespace();
        let name = words.next().unwrap_or_default();
        let argument = words.next().unwrap_or_default();
        let mode = world.mode;
        Ok(match name {
            "alerts" => Effect::Push(Box::new(Alerts::new())),
            "dead-letters" => Effect::Push(Box::new(DeadLetters::new())),
            "help" => Effect::Push(Box::new(Help::everywhere())),
            "job" => Effect::Push(Box::new(Job::new(id(argument)?))),
            "launcher" if mode.has_machine() => Effect::Push(Box::new(Launcher::new())),
            "logs" => Effect::Push(Box::new(Logs::new(world))),
            "new" if mode.changes_jobs() => Effect::Push(Box::new(NewTask::new())),
            "q" | "quit" => Effect::Quit,
            "theme" => Effect::Theme(theme(argument)?),
            "urls" => Effect::Push(Box::new(Interfaces::new())),
            "" => Effect::Back,
            "launcher" | "new" => return Err(format!("{name} is not permitted here")),
            _ => return Err(format!("{name:?} is no command")),
        })
    }

    fn enter(&mut self, world: &World) -> Vec<Effect> {
        match self.carry_out(world) {
            Ok(Effect::Back) => vec![Effect::Back],
            Ok(effect) => vec![Effect::Back, effect],
            Err(wrong) => {
                self.wrong = Some(wrong);
                Vec::new()
            }
        }
    }

    /// Completes what can only mean one command.
    fn complete(&mut self) {
        let offered: Vec<_> = self.offered().collect();
        if let [(name, _)] = offered[..] {
            let (word, takes_more) = name
                .split_once(' ')
                .map_or((*name, false), |(word, _)| (word, true));
            self.text = format!("{word}{}", if takes_more { " " } else { "" });
        }
    }
}

fn id(text: &str) -> Result<JobId, String> {
    text.parse().map_err(|_| format!("{text:?} is no whole job id"))
}

fn theme(text: &str) -> Result<ThemeName, String> {
    let found = ThemeName::ALL.into_iter().find(|theme| theme.name() == text);
    found.ok_or_else(|| format!("{text:?} is no theme: dark, light or contrast"))
}

impl Screen for Palette {
    fn title(&self) -> &'static str {
        "command"
    }

    fn draw(&mut self, world: &World, frame: &mut Frame<'_>, area: Rect) {
        let theme = world.theme;
        let offered: Vec<_> = self.offered().collect();
        let height = u16::try_from(offered.len() + 1).unwrap_or(1).min(area.height);
        let area = Rect {
            y: area.bottom() - height,
            height,
            ..area
        };
        frame.render_widget(Clear, area);
        let mut lines: Vec<Line<'_>> = offered
            .iter()
            .map(|(name, does)| {
                Line::from(vec![
                    Span::styled(format!("  {} ", fit::left(name, 16)), theme.accent()),
                    Span::styled(*does, theme.muted()),
                ])
            })
            .collect();
        let wrong = self
            .wrong
            .as_deref()
            .map(|wrong| format!("   {wrong}"))
            .unwrap_or_default();
        lines.push(Line::from(vec![
            Span::styled(" :", theme.accent()),
            Span::styled(self.text.clone(), theme.strong()),
            Span::styled(wrong, theme.tone(Tone::Bad)),
        ]));
        frame.render_widget(Paragraph::new(lines).style(theme.base()), area);
        let column = u16::try_from(fit::width(&self.text) + 2).unwrap_or(u16::MAX);
        frame.set_cursor_position(Position::new(
            area.x.saturating_add(column),
            area.bottom().saturating_sub(1),
        ));
    }

    fn hints(&self, _world: &World) -> Vec<Hint> {
        vec![hint("↵", "do it"), hint("Tab", "complete"), hint("Esc", "close")]
    }

    fn command(&self, _world: &World) -> String {
        "odd --help".to_owned()
    }

    fn key(&mut self, key: KeyEvent, world: &World) -> Option<Vec<Effect>> {
        self.wrong = None;
        Some(match key.code {
            KeyCode::Enter => self.enter(world),
            KeyCode::Esc => vec![Effect::Back],
            KeyCode::Tab => {
                self.complete();
                Vec::new()
            }
            KeyCode::Backspace => {
                if self.text.pop().is_none() {
                    return Some(vec![Effect::Back]);
                }
                Vec::new()
            }
            _ => {
                if let Some(letter) = plain(key)
                    && self.text.chars().count() < LONGEST
                {
                    self.text.push(letter);
                }
                Vec::new()
            }
        })
    }

    fn paste(&mut self, text: &str, _world: &World) {
        let room = LONGEST.saturating_sub(self.text.chars().count());
        self.text
            .extend(text.chars().filter(|c| !c.is_control()).take(room));
    }

    fn is_overlay(&self) -> bool {
        true
    }

    fn takes_text(&self) -> bool {
        true
    }
}
