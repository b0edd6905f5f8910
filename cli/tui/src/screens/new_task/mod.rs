//! A new task: what, with which input, how often. What is wrong is said while it is typed, in the words of the contract.

mod draw;
mod form;
mod payload;

#[cfg(test)]
mod tests;

use crossterm::event::{KeyCode, KeyEvent, MouseButton, MouseEvent, MouseEventKind};
use odd_contracts::FieldError;
use odd_look::format;
use odd_look::sign::Tone;
use ratatui::Frame;
use ratatui::layout::{Position, Rect};

use super::{Confirm, Hint, Job, Screen, hint, outcome, with_control};
use crate::effect::{Answer, Ask, Effect, Reply};
use crate::world::{Failure, World};
use form::{Field, Form};

/// Types that are offered where the system knows none yet, and what each is. `hash` is the one with work of its own; every other is
/// simulated work, steered by `payload.simulate`.
const TYPES: [(&str, &str); 3] = [
    ("hello", "{}"),
    ("hash", "{\n  \"rounds\": 100000\n}"),
    (
        "resize",
        "{\n  \"simulate\": { \"durationMs\": 300, \"failTimes\": 1 }\n}",
    ),
];
/// Most types that are offered.
const MOST_TYPES: usize = 12;

/// What goes on.
#[derive(Debug)]
enum Stage {
    /// It is typed.
    Typing,
    /// The gateway is asked to take so many.
    Submitting {
        /// How many.
        count: u32,
        /// Whether somebody wants to leave before it has answered.
        is_leaving: bool,
    },
    /// The gateway did not take it.
    Refused(Failure),
}

/// The form.
pub(crate) struct NewTask {
    form: Form,
    focus: Field,
    stage: Stage,
    /// How many jobs it would be, or what is wrong: found out when something changes, not when it is drawn.
    checked: Result<u32, Vec<FieldError>>,
    /// Whether somebody tried to submit what is wrong.
    tried: bool,
    /// Where the fields were drawn.
    places: Vec<(Rect, Field)>,
}

impl NewTask {
    pub(crate) fn new() -> Self {
        Self {
            form: Form::new(TYPES[0].0),
            focus: Field::Type,
            stage: Stage::Typing,
            checked: Ok(1),
            tried: false,
            places: Vec::new(),
        }
    }

    /// Nothing is changed while it is submitted, nor where nothing may be.
    const fn takes_changes(&self, world: &World) -> bool {
        !matches!(self.stage, Stage::Submitting { .. }) && world.mode.changes_jobs()
    }

    fn check(&mut self) {
        self.checked = self.form.order().map(|(_, count)| count);
    }

    /// Types to choose from: those of this build, and those that the system has seen.
    fn types(world: &World) -> Vec<String> {
        let mut types: Vec<String> = TYPES.iter().map(|(name, _)| (*name).to_owned()).collect();
        if let Some(stats) = &world.stats.value {
            for name in stats.counters.by_type.keys() {
                if types.len() < MOST_TYPES && !types.contains(name) {
                    types.push(name.clone());
                }
            }
        }
        types
    }

    /// The next of the offered types, with an example of its payload where none was typed.
    fn choose_type(&mut self, by: usize, world: &World) {
        let types = Self::types(world);
        let typed = self.form.text(Field::Type);
        let at = types.iter().position(|name| name == typed);
        let to = at.map_or(0, |at| (at + by) % types.len());
        self.form.set(Field::Type, &types[to]);
        if !self.form.payload.touched {
            let known = TYPES.iter().find(|(name, _)| *name == types[to]);
            self.form.payload.set(known.map_or("{}", |(_, example)| example));
        }
    }

    fn submit(&mut self) -> Vec<Effect> {
        self.form.payload.settle();
        match self.form.order() {
            Ok((submission, count)) => {
                self.stage = Stage::Submitting {
                    count,
                    is_leaving: false,
                };
                vec![Effect::Ask(Ask::Submit(Box::new(submission), count))]
            }
            Err(errors) => {
                self.tried = true;
                self.focus = errors.first().map_or(self.focus, |error| field_of(&error.path));
                self.checked = Err(errors);
                vec![Effect::Notice(
                    Tone::Attention,
                    "nothing was submitted: see what is wrong".to_owned(),
                )]
            }
        }
    }

    /// While something is submitted, it is said what leaving means: the submission goes on, and how it ends is told wherever
    /// one is by then.
    fn leave(&mut self) -> Vec<Effect> {
        if let Stage::Submitting { count, is_leaving } = &mut self.stage {
            if std::mem::replace(is_leaving, true) {
                return vec![Effect::Back];
            }
            let jobs = jobs(*count);
            let text =
                format!("still submitting {jobs}; Esc again leaves, it goes on and its end is told here");
            return vec![Effect::Notice(Tone::Attention, text)];
        }
        if !self.form.is_touched() {
            return vec![Effect::Back];
        }
        vec![Effect::Push(Box::new(Confirm::new(
            "Leave without submitting?",
            "What was typed is lost.",
            self.form.command(),
            vec![Effect::Back],
        )))]
    }

    /// A key in a field of one line.
    fn type_in(&mut self, key: KeyEvent, world: &World) {
        let field = self.focus;
        match key.code {
            KeyCode::Enter => self.focus = field.step(1),
            KeyCode::Down if field == Field::Type => self.choose_type(1, world),
            KeyCode::Up if field == Field::Type => {
                let types = Self::types(world).len();
                self.choose_type(types - 1, world);
            }
            KeyCode::Down => self.focus = field.step(1),
            KeyCode::Up => self.focus = field.step(Field::ALL.len() - 1),
            _ => drop(self.form.line_mut(field).key(key)),
        }
    }

    /// One job is opened; of many it is told that they were accepted.
    fn answered(&mut self, ask: &Ask, answer: &Result<Answer, Failure>, world: &World) -> Vec<Effect> {
        let told = match outcome::of(ask, answer, world) {
            Some(Effect::Notice(tone, words)) => {
                let command = self.form.command();
                Some(Effect::Notice(
                    tone,
                    outcome::with_command(&words, &command, world),
                ))
            }
            _ => None,
        };
        let mut effects = match answer {
            Ok(Answer::Submitted(accepted, 1)) => {
                vec![Effect::Replace(Box::new(Job::new(accepted.job_id)))]
            }
            Ok(_) => vec![Effect::Back, Effect::Refresh],
            Err(failure) => {
                self.stage = Stage::Refused(failure.clone());
                return Vec::new();
            }
        };
        effects.extend(told);
        effects
    }
}

/// `one job`, `1,000 jobs`.
fn jobs(count: u32) -> String {
    match count {
        1 => "one job".to_owned(),
        many => format!("{} jobs", format::count(u64::from(many))),
    }
}

/// `one job is`, `1,000 jobs are`.
fn are(count: u32) -> String {
    format!("{} {}", jobs(count), if count == 1 { "is" } else { "are" })
}

/// The field that a place in a submission belongs to.
fn field_of(path: &str) -> Field {
    match path {
        "/type" => Field::Type,
        "/options/maxAttempts" => Field::Attempts,
        "/options/backoffMs" => Field::Backoff,
        "/options/timeoutMs" => Field::Timeout,
        "/options/delayMs" | "/options/runAt" => Field::Start,
        "count" => Field::Count,
        _ => Field::Payload,
    }
}

/// What to do about an answer that was no acceptance.
fn advice(failure: &Failure) -> &'static str {
    let text = failure.text.as_str();
    if text.contains("answered 429") {
        "The system has as much work as it takes now. Submit again in a moment, or fewer at once."
    } else if text.contains("answered 503") {
        "The spine or a store does not answer. Submit again in a moment; `odd status` shows what is down."
    } else if text.contains("did not answer within") {
        "It may or may not have been accepted: look for it among the jobs before you submit again."
    } else if text.contains("does not answer") {
        "Is the stack up? `odd status` tells, `odd up` starts it. What was typed stays here."
    } else {
        "Mend what is named and submit again."
    }
}

impl Screen for NewTask {
    fn title(&self) -> &'static str {
        "new task"
    }

    fn draw(&mut self, world: &World, frame: &mut Frame<'_>, area: Rect) {
        draw::form(self, world, frame, area);
    }

    fn hints(&self, _world: &World) -> Vec<Hint> {
        if matches!(self.stage, Stage::Submitting { .. }) {
            return vec![hint("Esc", "leave")];
        }
        let mut hints = vec![hint("F2", "submit"), hint("Tab", "next field")];
        if self.focus == Field::Type {
            hints.push(hint("↑ ↓", "types"));
        }
        hints.push(hint("Esc", "leave"));
        hints
    }

    fn command(&self, _world: &World) -> String {
        self.form.command()
    }

    fn key(&mut self, key: KeyEvent, world: &World) -> Option<Vec<Effect>> {
        if key.code == KeyCode::Esc {
            return Some(self.leave());
        }
        if !self.takes_changes(world) {
            return Some(Vec::new());
        }
        let submits = key.code == KeyCode::F(2)
            || with_control(key) == Some('s')
            || (self.focus == Field::Submit && key.code == KeyCode::Enter);
        if submits {
            return Some(self.submit());
        }
        self.stage = Stage::Typing;
        match key.code {
            KeyCode::Tab => self.focus = self.focus.step(1),
            KeyCode::BackTab => self.focus = self.focus.step(Field::ALL.len() - 1),
            _ => match self.focus {
                Field::Payload => self.form.payload.key(key),
                Field::Submit => {
                    if matches!(key.code, KeyCode::Up | KeyCode::Left) {
                        self.focus = self.focus.step(Field::ALL.len() - 1);
                    }
                }
                _ => self.type_in(key, world),
            },
        }
        self.check();
        Some(Vec::new())
    }

    /// A click goes to a field, or submits.
    fn mouse(&mut self, event: MouseEvent, world: &World) -> Vec<Effect> {
        let at = Position::new(event.column, event.row);
        let hit = self.places.iter().find(|(area, _)| area.contains(at));
        let is_click = event.kind == MouseEventKind::Down(MouseButton::Left);
        let (true, Some(&(_, field))) = (is_click && self.takes_changes(world), hit) else {
            return Vec::new();
        };
        self.focus = field;
        match field {
            Field::Submit => self.submit(),
            _ => Vec::new(),
        }
    }

    fn paste(&mut self, text: &str, world: &World) {
        if !self.takes_changes(world) {
            return;
        }
        self.stage = Stage::Typing;
        match self.focus {
            Field::Payload | Field::Submit => self.form.payload.paste(text),
            field => self.form.line_mut(field).paste(text),
        }
        self.check();
    }

    fn reply(&mut self, reply: &Reply, world: &World) -> Vec<Effect> {
        match reply {
            Reply::Answer(ask @ Ask::Submit(..), answer) => self.answered(ask, answer, world),
            _ => Vec::new(),
        }
    }

    fn tick(&mut self, _world: &World) -> Vec<Effect> {
        if self.form.payload.settle() {
            self.check();
        }
        Vec::new()
    }

    fn unfinished(&self, _world: &World) -> Option<(String, String)> {
        match &self.stage {
            Stage::Submitting { count, .. } => Some((
                format!("Leave while {} submitted?", are(*count)),
                "What the gateway has accepted by then stays accepted; the rest is not submitted.".to_owned(),
            )),
            Stage::Typing | Stage::Refused(_) => None,
        }
    }

    fn takes_text(&self) -> bool {
        true
    }

    fn is_moving(&self) -> bool {
        matches!(self.stage, Stage::Submitting { .. })
    }
}
