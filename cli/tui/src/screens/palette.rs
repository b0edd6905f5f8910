//! Commands by their names, typed after a colon.

use crossterm::event::{KeyCode, KeyEvent, MouseButton, MouseEvent, MouseEventKind};
use odd_look::sign::Tone;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph};

use super::line_edit::LineEdit;
use super::list::{ListState, Pointed};
use super::{Alerts, DeadLetters, Help, Hint, Interfaces, Job, Launcher, Logs, NewTask, Screen, Step, hint};
use crate::effect::Effect;
use crate::fit;
use crate::options::{Mode, ThemeName};
use crate::world::World;

/// Most characters of a command.
const LONGEST: usize = 120;
/// Columns of a name.
const NAME: usize = 16;

/// One command.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    name: &'static str,
    /// What has to follow the name.
    argument: &'static str,
    does: &'static str,
    /// The command of `odd` that does or shows the same; empty where there is none.
    command: &'static str,
}

const fn entry(name: &'static str, does: &'static str, command: &'static str) -> Entry {
    Entry {
        name,
        argument: "",
        does,
        command,
    }
}

const COMMANDS: [Entry; 12] = [
    entry("alerts", "alerts, with what to do about them", "odd status"),
    entry(
        "dead-letters",
        "messages that were put aside",
        "odd dead-letters list",
    ),
    entry("help", "the keys", "odd watch --help"),
    Entry {
        argument: "ID",
        ..entry("job", "a job, by how its id begins", "odd jobs get ID --timeline")
    },
    entry("launcher", "what is needed, start, stop", "odd up"),
    entry("logs", "what every role says", "odd logs --follow"),
    entry("new", "a new task", "odd submit"),
    entry("quit", "leave; the stack goes on", ""),
    entry(
        "theme contrast",
        "as much contrast as there is",
        "odd watch --theme contrast",
    ),
    entry(
        "theme dark",
        "light text on dark ground",
        "odd watch --theme dark",
    ),
    entry(
        "theme light",
        "dark text on light ground",
        "odd watch --theme light",
    ),
    entry("urls", "user interfaces", "odd urls"),
];

impl Entry {
    /// Whether what was typed may become this command.
    fn begins_with(&self, typed: &str) -> bool {
        let with_argument = || {
            let rest = typed
                .strip_prefix(self.name)
                .filter(|_| !self.argument.is_empty());
            rest.is_some_and(|rest| rest.starts_with(' '))
        };
        self.name.starts_with(typed) || with_argument()
    }

    fn is_permitted(&self, mode: Mode) -> bool {
        match self.name {
            "launcher" => mode.has_machine(),
            "new" => mode.changes_jobs(),
            _ => true,
        }
    }
}

/// The line that is typed, and the commands that begin so.
pub(crate) struct Palette {
    line: LineEdit,
    list: ListState,
    wrong: Option<String>,
}

impl Palette {
    pub(crate) fn new() -> Self {
        Self {
            line: LineEdit::new(LONGEST),
            list: ListState::default(),
            wrong: None,
        }
    }

    /// Commands that begin with what was typed.
    fn offered(&self, world: &World) -> Vec<&'static Entry> {
        let typed = self.line.text().trim_start();
        COMMANDS
            .iter()
            .filter(|entry| entry.is_permitted(world.mode) && entry.begins_with(typed))
            .collect()
    }

    /// What the chosen command does, or what it lacks.
    fn carry_out(&self, entry: &Entry, world: &World) -> Result<Effect, String> {
        let argument = self
            .line
            .text()
            .trim()
            .strip_prefix(entry.name)
            .unwrap_or_default();
        Ok(match entry.name {
            "alerts" => Effect::Push(Box::new(Alerts::new())),
            "dead-letters" => Effect::Push(Box::new(DeadLetters::new())),
            "help" => Effect::Push(Box::new(Help::everywhere())),
            "job" => Effect::Push(Job::named(argument.trim())?),
            "launcher" => Effect::Push(Box::new(Launcher::new())),
            "logs" => Effect::Push(Box::new(Logs::new(world))),
            "new" => Effect::Push(Box::new(NewTask::new())),
            "theme contrast" => Effect::Theme(ThemeName::Contrast),
            "theme dark" => Effect::Theme(ThemeName::Dark),
            "theme light" => Effect::Theme(ThemeName::Light),
            "urls" => Effect::Push(Box::new(Interfaces::new())),
            _ => Effect::Quit,
        })
    }

    fn enter(&mut self, world: &World) -> Vec<Effect> {
        if self.line.text().trim().is_empty() && self.list.row() == 0 {
            return vec![Effect::Back];
        }
        let Some(entry) = self.chosen(world) else {
            let typed = fit::cut(self.line.text().trim(), 30).into_owned();
            self.wrong = Some(format!("{typed:?} is no command that is permitted here"));
            return Vec::new();
        };
        self.carry_out_or_tell(entry, world)
    }

    fn carry_out_or_tell(&mut self, entry: &Entry, world: &World) -> Vec<Effect> {
        let typed = self.line.text().trim();
        if !entry.argument.is_empty() && entry.name.starts_with(typed) {
            self.complete(entry);
            return Vec::new();
        }
        match self.carry_out(entry, world) {
            Ok(effect) => {
                let mut effects = vec![Effect::Back];
                if matches!(effect, Effect::Theme(_)) {
                    let text = format!("{}   $ {}{}", entry.does, entry.command, world.of_instance);
                    effects.push(Effect::Notice(Tone::Ok, text));
                }
                effects.push(effect);
                effects
            }
            Err(wrong) => {
                self.wrong = Some(wrong);
                Vec::new()
            }
        }
    }

    fn chosen(&self, world: &World) -> Option<&'static Entry> {
        self.offered(world).get(self.list.row()).copied()
    }

    fn complete(&mut self, entry: &Entry) {
        let space = if entry.argument.is_empty() { "" } else { " " };
        self.line.set(&format!("{}{space}", entry.name));
        self.list = ListState::default();
    }

    fn step(&mut self, step: Step, rows: usize) -> Vec<Effect> {
        self.list.step(step, rows);
        Vec::new()
    }

    /// What was typed is another by now.
    fn changed(&mut self) {
        self.list = ListState::default();
        self.wrong = None;
    }
}

/// `▸ job ID           one job                    $ odd jobs get ID --timeline`
fn row(entry: &Entry, is_chosen: bool, world: &World, columns: usize) -> Line<'static> {
    let theme = world.theme;
    let pointer = if is_chosen { theme.pointer() } else { " " };
    let name = format!("{} {}", entry.name, entry.argument);
    let mut line = Line::from(vec![
        Span::styled(
            format!("{pointer} {} ", fit::left(name.trim_end(), NAME)),
            theme.accent(),
        ),
        Span::styled(entry.does, theme.text()),
    ]);
    let command = format!("$ {}{} ", entry.command, world.of_instance);
    let gap = columns.saturating_sub(line.width() + fit::width(&command));
    if !entry.command.is_empty() && gap > 1 {
        line.push_span(Span::styled(
            format!("{}{command}", " ".repeat(gap)),
            theme.muted(),
        ));
    }
    if is_chosen {
        line.style(theme.chosen())
    } else {
        line
    }
}

impl Screen for Palette {
    fn title(&self) -> &'static str {
        "command"
    }

    fn draw(&mut self, world: &World, frame: &mut Frame<'_>, area: Rect) {
        let theme = world.theme;
        let offered = self.offered(world);
        let height = u16::try_from(offered.len().max(1) + 1)
            .unwrap_or(u16::MAX)
            .min(area.height);
        let area = Rect {
            y: area.bottom() - height,
            height,
            ..area
        };
        let rows = Rect {
            height: height.saturating_sub(1),
            ..area
        };
        frame.render_widget(Clear, area);
        let columns = usize::from(area.width);
        let visible = self.list.visible(rows, offered.len());
        let mut lines: Vec<Line<'_>> = visible
            .map(|at| row(offered[at], at == self.list.row(), world, columns))
            .collect();
        if offered.is_empty() && rows.height > 0 {
            lines.push(Line::styled("  no command begins so", theme.muted()));
        }
        let mut typed = vec![Span::styled(" :", theme.accent())];
        let room = columns.saturating_sub(2);
        typed.extend(self.line.spans(self.line.width().min(room), theme.strong(), true));
        if let Some(wrong) = &self.wrong {
            typed.push(Span::styled(format!("  {wrong}"), theme.tone(Tone::Bad)));
        }
        lines.push(Line::from(typed));
        frame.render_widget(Paragraph::new(lines).style(theme.base()), area);
    }

    fn hints(&self, _world: &World) -> Vec<Hint> {
        vec![
            hint("↵", "do it"),
            hint("↑↓", "choose"),
            hint("Tab", "complete"),
            hint("Esc", "close"),
        ]
    }

    fn command(&self, world: &World) -> String {
        let command = self.chosen(world).map_or("", |entry| entry.command);
        if command.is_empty() { "odd --help" } else { command }.to_owned()
    }

    fn key(&mut self, key: KeyEvent, world: &World) -> Option<Vec<Effect>> {
        let rows = self.offered(world).len();
        Some(match key.code {
            KeyCode::Enter => self.enter(world),
            KeyCode::Esc => vec![Effect::Back],
            KeyCode::Backspace if self.line.text().is_empty() => vec![Effect::Back],
            KeyCode::Tab => {
                if let Some(entry) = self.chosen(world) {
                    self.complete(entry);
                }
                Vec::new()
            }
            KeyCode::Down => self.step(Step::Rows(1), rows),
            KeyCode::Up => self.step(Step::Rows(-1), rows),
            KeyCode::PageDown => self.step(Step::Pages(1), rows),
            KeyCode::PageUp => self.step(Step::Pages(-1), rows),
            _ => {
                let before = self.line.text().len();
                self.line.key(key);
                if self.line.text().len() != before {
                    self.changed();
                }
                Vec::new()
            }
        })
    }

    /// A click carries a command out; beside them it means nothing.
    fn mouse(&mut self, event: MouseEvent, world: &World) -> Vec<Effect> {
        let rows = self.offered(world).len();
        let pointed = self.list.mouse(event, rows);
        let is_click = event.kind == MouseEventKind::Down(MouseButton::Left);
        match self.chosen(world) {
            Some(entry) if is_click && pointed != Pointed::Nothing => self.carry_out_or_tell(entry, world),
            _ => Vec::new(),
        }
    }

    fn paste(&mut self, text: &str, _world: &World) {
        self.line.paste(text);
        self.changed();
    }

    fn is_overlay(&self) -> bool {
        true
    }

    fn takes_text(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests;
