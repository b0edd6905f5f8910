//! What every role logs, interleaved, as it is written.

mod draw;
mod line;
mod ring;
#[cfg(test)]
mod tests;

use crossterm::event::{KeyCode, KeyEvent, MouseButton, MouseEvent, MouseEventKind};
use odd_look::text;
use ratatui::Frame;
use ratatui::layout::{Position, Rect};

use super::line_edit::LineEdit;
use super::reader::Reader;
use super::{Hint, Job, Screen, Step, hint, plain};
use crate::effect::{Effect, Printed, Reply, Run};
use crate::fit;
use crate::pager::{Ink, Pager, wheel};
use crate::world::World;
use line::LogLine;
use ring::Ring;

/// What the run is called.
const RUN: &str = "logs";
/// The command that prints the log, line by line as documents.
const COMMAND: [&str; 6] = ["logs", "--follow", "--tail", "200", "--output", "ndjson"];
/// Lines of its complaint that are kept.
const COMPLAINT: usize = 6;
/// Most characters that are searched for.
const LONGEST_SEARCH: usize = 100;
/// Columns of a step to the side.
const SIDEWAYS: usize = 16;

/// How the run stands.
enum State {
    /// Not begun, or there can be none.
    None,
    Running,
    /// Why it ended.
    Ended(String),
}

/// Every line that was written lately.
pub(crate) struct Logs {
    ring: Ring,
    state: State,
    /// Whether lines of the run before are still there.
    is_old: bool,
    complaint: Vec<String>,
    /// Whether the newest line is kept in view.
    follows: bool,
    /// Number of the chosen line.
    chosen: u64,
    /// Number of the first line that is visible: lines that are dropped before it move nothing.
    first: u64,
    /// Columns of text that are out of view on the left.
    shift: usize,
    /// Where lines were drawn, and columns of their text.
    area: Rect,
    room: usize,
    /// What is searched for, and what is being typed.
    search: String,
    typing: Option<LineEdit>,
    is_missed: bool,
}

impl Logs {
    pub(crate) fn new(_world: &World) -> Self {
        Self {
            ring: Ring::new(),
            state: State::None,
            is_old: false,
            complaint: Vec::new(),
            follows: true,
            chosen: 0,
            first: 0,
            shift: 0,
            area: Rect::default(),
            room: 0,
            search: String::new(),
            typing: None,
            is_missed: false,
        }
    }

    /// The chosen line's place among those that are shown.
    fn place(&self) -> usize {
        if self.follows {
            self.ring.len().saturating_sub(1)
        } else {
            self.ring.place(self.chosen)
        }
    }

    fn go_to(&mut self, place: usize) {
        self.chosen = self.ring.number(place).unwrap_or(0);
    }

    /// Going to the end follows again; anything else leaves the newest.
    fn step(&mut self, step: Step) {
        let before = self.place();
        let place = step.from(before, self.ring.len(), usize::from(self.area.height));
        if step == Step::Last {
            self.follows = true;
        } else if place < before {
            self.follows = false;
        }
        self.go_to(place);
    }

    fn choose_role(&mut self, role: Option<usize>) {
        // A line that is not shown any more gives its place to the next.
        let number = self.ring.number(self.place()).unwrap_or(0);
        self.ring.choose(role);
        self.chosen = number;
    }

    /// All, then one after the other.
    fn next_role(&mut self, back: bool) {
        let count = self.ring.roles().len();
        let role = match (self.ring.role(), back) {
            (None, false) => Some(0),
            (None, true) => count.checked_sub(1),
            (Some(role), false) => Some(role + 1).filter(|role| *role < count),
            (Some(role), true) => role.checked_sub(1),
        };
        self.choose_role(role);
    }

    fn find(&mut self, forwards: bool) {
        if self.search.is_empty() {
            return;
        }
        match self.ring.search(&self.search, self.place(), forwards) {
            Some(place) => {
                self.follows = false;
                self.is_missed = false;
                self.go_to(place);
                self.show_match();
            }
            None => self.is_missed = true,
        }
    }

    /// Moves to the side where what was found is out of view.
    fn show_match(&mut self) {
        let line = self.ring.get(self.place());
        let found = line.and_then(|line| Some((line, line::find(&line.text, &self.search, 0)?)));
        let Some((line, at)) = found else { return };
        let begin = fit::width(&line.text[..at]);
        let end = begin + fit::width(&self.search);
        // Before the first drawing nobody knows what is in view.
        if end <= self.room || self.room == 0 {
            self.shift = 0;
        } else if begin <= self.shift || end > self.shift + self.room {
            self.shift = end.saturating_sub(self.room / 2);
        }
    }

    fn key_of_search(&mut self, mut typing: LineEdit, key: KeyEvent) {
        match key.code {
            KeyCode::Enter => {
                typing.text().clone_into(&mut self.search);
                self.is_missed = false;
                // The newest match first: what is looked for happened lately.
                self.find(false);
            }
            KeyCode::Esc => {}
            _ => {
                typing.key(key);
                self.typing = Some(typing);
            }
        }
    }

    /// The job that the chosen line speaks of, or else the whole of the line.
    fn open(&self) -> Option<Effect> {
        match self.ring.get(self.place())?.job {
            Some(job) => Some(Effect::Push(Box::new(Job::new(job)))),
            None => self.expand(),
        }
    }

    fn expand(&self) -> Option<Effect> {
        let line = self.ring.get(self.place())?;
        let text = match serde_json::from_str::<serde_json::Value>(&line.whole) {
            Ok(document) => Pager::json(&document),
            Err(_) => {
                let mut text = Pager::default();
                text.add(Ink::Code, &line.whole);
                text
            }
        };
        let heading = fit::cut(&format!("{} {}", line.role, line.at), 60).into_owned();
        let command = format!("odd logs {} --output ndjson", line.role);
        Some(Effect::Push(Box::new(Reader::new(heading, text, command))))
    }

    fn take(&mut self, printed: &[Printed]) {
        for Printed { to_stderr, text } in printed {
            if *to_stderr {
                self.complaint.push(text::line(text).into_owned());
                let beyond = self.complaint.len().saturating_sub(COMPLAINT);
                self.complaint.drain(..beyond);
                continue;
            }
            if std::mem::take(&mut self.is_old) {
                self.ring.clear();
            }
            self.ring.push(LogLine::new(text));
        }
    }

    /// Why a run ended, in its own words where it had some.
    fn why(&self, ended: &Result<i32, String>) -> String {
        let words = self.complaint.join(" ");
        match ended {
            Err(error) => text::line(error).into_owned(),
            Ok(_) if !words.is_empty() => words,
            Ok(0) => "there is nothing more to follow".to_owned(),
            Ok(code) => format!("it ended with exit code {code} and said nothing"),
        }
    }

    /// What a key does that is no step.
    fn key_of_own(&mut self, key: KeyEvent) -> Option<Vec<Effect>> {
        match plain(key)? {
            '/' => self.typing = Some(LineEdit::new(LONGEST_SEARCH)),
            'n' => self.find(true),
            'p' => self.find(false),
            'f' => {
                self.go_to(self.place());
                self.follows = !self.follows;
            }
            'h' => self.shift = self.shift.saturating_sub(SIDEWAYS),
            'l' => self.shift += SIDEWAYS,
            'x' => return Some(self.expand().into_iter().collect()),
            'y' => {
                let line = self.ring.get(self.place())?;
                return Some(vec![Effect::Copy("the line", copied(&line.whole))]);
            }
            '0' => self.choose_role(None),
            digit @ '1'..='9' => {
                let role = digit.to_digit(10).map_or(0, |digit| digit as usize) - 1;
                self.choose_role(Some(role));
            }
            // It is this screen already.
            'G' => {}
            _ => return None,
        }
        Some(Vec::new())
    }
}

impl Screen for Logs {
    fn title(&self) -> &'static str {
        "logs"
    }

    fn draw(&mut self, world: &World, frame: &mut Frame<'_>, area: Rect) {
        self.draw_all(world, frame, area);
    }

    fn hints(&self, world: &World) -> Vec<Hint> {
        if self.typing.is_some() {
            return vec![hint("↵", "search"), hint("Esc", "leave")];
        }
        let mut hints = vec![hint("Esc", "back")];
        if !world.mode.has_machine() {
            return hints;
        }
        hints.push(hint("f", if self.follows { "hold" } else { "follow" }));
        hints.push(hint("/", "search"));
        if !self.search.is_empty() {
            hints.push(hint("n", "next"));
            hints.push(hint("p", "previous"));
        }
        match self.ring.get(self.place()) {
            Some(line) if line.job.is_some() => {
                hints.push(hint("↵", "its job"));
                hints.push(hint("x", "whole line"));
            }
            Some(_) => hints.push(hint("↵", "whole line")),
            None => {}
        }
        hints.push(hint("Tab", "one role"));
        hints.push(hint("←→", "sideways"));
        hints.push(hint("y", "copy line"));
        if matches!(self.state, State::Ended(_)) {
            hints.push(hint("R", "start again"));
        }
        hints
    }

    fn command(&self, _world: &World) -> String {
        let role = self.ring.role().and_then(|role| self.ring.roles().get(role));
        let role = role.map(|role| format!("{role} ")).unwrap_or_default();
        format!("odd logs {role}--follow")
    }

    fn opened(&mut self, world: &World) -> Vec<Effect> {
        if matches!(self.state, State::Running) || !world.mode.has_machine() {
            return Vec::new();
        }
        self.state = State::Running;
        self.complaint.clear();
        // What is shown stays until there is something to show in its place.
        self.is_old = true;
        vec![Effect::Run(Run::new(RUN, &COMMAND))]
    }

    fn key(&mut self, key: KeyEvent, world: &World) -> Option<Vec<Effect>> {
        if let Some(typed) = self.typing.take() {
            self.key_of_search(typed, key);
            return Some(Vec::new());
        }
        if !world.mode.has_machine() {
            return None;
        }
        match key.code {
            KeyCode::Tab => self.next_role(false),
            KeyCode::BackTab => self.next_role(true),
            KeyCode::Enter => return Some(self.open().into_iter().collect()),
            KeyCode::Left => self.shift = self.shift.saturating_sub(SIDEWAYS),
            KeyCode::Right => self.shift += SIDEWAYS,
            _ => match Step::of(key) {
                Some(step) => self.step(step),
                None => return self.key_of_own(key),
            },
        }
        Some(Vec::new())
    }

    fn mouse(&mut self, event: MouseEvent, _world: &World) -> Vec<Effect> {
        if let Some(rows) = wheel(event) {
            self.step(Step::Rows(rows));
        }
        let at = Position::new(event.column, event.row);
        if event.kind != MouseEventKind::Down(MouseButton::Left) || !self.area.contains(at) {
            return Vec::new();
        }
        let place = self.ring.place(self.first) + usize::from(event.row - self.area.y);
        if place >= self.ring.len() {
            return Vec::new();
        }
        // A click on the line that is chosen already opens it.
        let is_chosen = !self.follows && place == self.place();
        self.follows = false;
        self.go_to(place);
        self.open().filter(|_| is_chosen).into_iter().collect()
    }

    fn paste(&mut self, text: &str, _world: &World) {
        if let Some(typing) = &mut self.typing {
            typing.paste(text);
        }
    }

    fn reply(&mut self, reply: &Reply, _world: &World) -> Vec<Effect> {
        match reply {
            Reply::Printed(RUN, printed) => self.take(printed),
            Reply::Ended(RUN, ended) => self.state = State::Ended(self.why(ended)),
            _ => {}
        }
        Vec::new()
    }

    fn takes_text(&self) -> bool {
        self.typing.is_some()
    }
}

/// The text as it can be pasted anywhere: nothing but line breaks and tabs steers a terminal.
fn copied(text: &str) -> String {
    let kept = |c: &char| matches!(c, '\n' | '\t') || fit::is_harmless(*c);
    text.chars().filter(kept).collect()
}
