//! What every role logs, interleaved, as it is written.

mod draw;
mod line;
mod ring;
#[cfg(test)]
mod tests;

use crossterm::event::{KeyCode, KeyEvent, MouseEvent};
use odd_look::text;
use ratatui::Frame;
use ratatui::layout::Rect;

use super::reader::Reader;
use super::{Hint, Screen, Step, hint, plain};
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
    first: usize,
    page: usize,
    /// What is searched for, and what is being typed.
    search: String,
    typing: Option<String>,
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
            page: 0,
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
        let place = step.from(before, self.ring.len(), self.page);
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
            }
            None => self.is_missed = true,
        }
    }

    fn type_search(&mut self, mut typed: String, key: KeyEvent) {
        match key.code {
            KeyCode::Enter => {
                self.search = typed;
                self.is_missed = false;
                // The newest match first: what is looked for happened lately.
                self.find(false);
                return;
            }
            KeyCode::Esc => return,
            KeyCode::Backspace => {
                typed.pop();
            }
            _ => {
                if let Some(letter) = plain(key)
                    && typed.chars().count() < LONGEST_SEARCH
                {
                    typed.push(letter);
                }
            }
        }
        self.typing = Some(typed);
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
            '/' => self.typing = Some(String::new()),
            'n' => self.find(true),
            'p' => self.find(false),
            'f' => {
                self.go_to(self.place());
                self.follows = !self.follows;
            }
            'x' => return Some(self.expand().into_iter().collect()),
            'y' => {
                let line = self.ring.get(self.place())?;
                return Some(vec![Effect::Copy("the line", line.whole.clone())]);
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
        hints.push(hint("Tab", "one role"));
        hints.push(hint("x", "whole line"));
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
            self.type_search(typed, key);
            return Some(Vec::new());
        }
        if !world.mode.has_machine() {
            return None;
        }
        match key.code {
            KeyCode::Tab => self.next_role(false),
            KeyCode::BackTab => self.next_role(true),
            KeyCode::Enter => return Some(self.expand().into_iter().collect()),
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
        Vec::new()
    }

    fn paste(&mut self, text: &str, _world: &World) {
        if let Some(typed) = &mut self.typing {
            let room = LONGEST_SEARCH.saturating_sub(typed.chars().count());
            typed.extend(text.chars().filter(|c| !c.is_control()).take(room));
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
