//! Starting a stack: what this machine has and lacks, what it shall run on, and how it comes up.

mod checks;
mod choice;
mod doctor;
mod draw;
mod launch;
mod pointer;
mod progress;
pub(super) mod told;

#[cfg(test)]
mod tests;

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, MouseEvent};
use odd_contracts::Timestamp;
use ratatui::Frame;
use ratatui::layout::Rect;
use serde_json::Value;

use super::{Confirm, Hint, Screen, Splash, Step, hint, plain};
use crate::effect::{Effect, Printed, Reply, Run};
use crate::world::World;
use choice::Choice;
use doctor::Doctor;
use launch::Launch;
use pointer::Target;
use told::{Failed, Told};

/// Names of the commands that run.
const DOCTOR: &str = "doctor";
const UP: &str = "up";
const DOWN: &str = "down";
/// How long a start that went well is shown before the dashboard takes its place.
const SHOWN: Duration = Duration::from_millis(1_200);
/// Exit code of a command that was interrupted.
const INTERRUPTED: i32 = 130;

/// What goes on.
#[derive(Debug)]
enum Stage {
    /// Somebody chooses.
    Choosing,
    /// `odd up` runs.
    Launching(Box<Launch>),
    /// It runs since then.
    Ready(Box<Launch>, Timestamp),
    /// `odd down` is to run.
    ToStop,
    /// `odd down` runs since then.
    Stopping(Timestamp),
}

/// How what was done last ended.
#[derive(Debug)]
enum Outcome {
    /// The start failed.
    Failed(Box<Launch>, Failed),
    /// The start was interrupted.
    Interrupted(Box<Launch>),
    /// The stack was stopped, or did not run, as `odd down` answered.
    Stopped(Value),
    /// It could not be stopped.
    NotStopped(Failed),
}

/// The screen.
pub(crate) struct Launcher {
    doctor: Doctor,
    doctor_told: Told,
    down_told: Told,
    choice: Choice,
    stage: Stage,
    outcome: Option<Outcome>,
    /// Which of the checks that did not pass is chosen.
    chosen: usize,
    /// First row that is shown of what does not fit.
    scroll: usize,
    /// Where that was drawn.
    targets: Vec<(Rect, Target)>,
    /// Whether it was drawn since the last tick: nobody is taken away from another screen.
    seen: bool,
}

impl Launcher {
    /// Looks at the machine, and offers to start.
    pub(crate) fn new() -> Self {
        Self {
            doctor: Doctor::Idle,
            doctor_told: Told::default(),
            down_told: Told::default(),
            choice: Choice::default(),
            stage: Stage::Choosing,
            outcome: None,
            chosen: 0,
            scroll: 0,
            targets: Vec::new(),
            seen: false,
        }
    }

    /// Stops the stack first.
    pub(crate) fn stopping() -> Self {
        Self {
            stage: Stage::ToStop,
            ..Self::new()
        }
    }

    fn examine(&mut self) -> Effect {
        self.doctor = Doctor::Looking;
        self.doctor_told = Told::default();
        let mut run = Run::new(DOCTOR, &["doctor", "--output", "json"]);
        run.arguments.extend(self.choice.arguments());
        Effect::Run(run)
    }

    /// Another choice needs other things: the doctor looks again.
    fn choose(&mut self, change: impl FnOnce(&mut Choice)) -> Vec<Effect> {
        let before = self.choice;
        change(&mut self.choice);
        if self.choice == before {
            return Vec::new();
        }
        vec![self.examine()]
    }

    fn launch(&mut self, world: &World) -> Vec<Effect> {
        self.outcome = None;
        self.scroll = 0;
        self.stage = Stage::Launching(Box::new(Launch::new(world.now)));
        let mut run = Run::new(UP, &["up"]);
        run.arguments.extend(self.choice.arguments());
        run.arguments
            .extend(["--output", "ndjson"].map(ToOwned::to_owned));
        vec![Effect::Run(run)]
    }

    /// What can be copied: what mends the failed start, else the chosen check.
    fn remedy(&self) -> Option<&str> {
        let wrong = self.doctor.wrong();
        let check = || wrong.get(self.chosen).or(wrong.first())?.remedy.as_deref();
        match &self.outcome {
            Some(Outcome::Failed(_, failed) | Outcome::NotStopped(failed)) => {
                failed.remedy.as_deref().or_else(check)
            }
            _ => check(),
        }
    }

    fn key_choosing(&mut self, key: KeyEvent, world: &World) -> Option<Vec<Effect>> {
        let starts = world.mode.changes_stack();
        match (key.code, plain(key)) {
            (KeyCode::Left, _) | (_, Some('h')) if starts => {
                return Some(self.choose(|choice| choice.step(-1)));
            }
            (KeyCode::Right, _) | (_, Some('l')) if starts => {
                return Some(self.choose(|choice| choice.step(1)));
            }
            (_, Some('o')) if starts && self.choice.has_offline() => {
                return Some(self.choose(Choice::toggle_offline));
            }
            (KeyCode::Enter, _) | (_, Some('L')) if starts => return Some(self.launch(world)),
            // Another launcher on top of this one helps nobody.
            (_, Some('L')) => {}
            (_, Some('c' | 'C')) => {
                let command = doctor::command(self.remedy()?).to_owned();
                return Some(vec![Effect::Copy("the command", command)]);
            }
            (_, Some('R')) => return Some(vec![self.examine(), Effect::Refresh]),
            _ => {
                let step = Step::of(key)?;
                self.chosen = step.from(self.chosen, self.doctor.wrong().len(), 5);
            }
        }
        Some(Vec::new())
    }

    fn key_launching(&mut self, key: KeyEvent, world: &World) -> Option<Vec<Effect>> {
        if key.code == KeyCode::Esc {
            return Some(vec![Effect::Push(Box::new(Confirm::new(
                format!("Interrupt the start of {}?", world.instance),
                "What has started so far is left: starting again goes on from there.",
                "odd down",
                vec![Effect::Interrupt(UP)],
            )))]);
        }
        if plain(key) == Some('L') {
            return Some(Vec::new());
        }
        let step = Step::of(key)?;
        self.scroll = step.from(self.scroll, self.rows(), 5);
        Some(Vec::new())
    }

    /// Rows that can be scrolled through.
    fn rows(&self) -> usize {
        match &self.stage {
            Stage::Launching(launch) | Stage::Ready(launch, _) => launch.order.len(),
            _ => 0,
        }
    }

    fn printed(&mut self, name: &str, lines: &[Printed], world: &World) {
        match (name, &mut self.stage) {
            (DOCTOR, _) => self.doctor_told.take(lines),
            (DOWN, _) => self.down_told.take(lines),
            (UP, Stage::Launching(launch)) => launch.take(lines, world.now),
            _ => {}
        }
    }

    fn ended(&mut self, name: &str, ended: &Result<i32, String>, world: &World) -> Vec<Effect> {
        match name {
            DOCTOR => {
                self.doctor = match self.doctor_told.answer() {
                    Some(answer) => Doctor::read(&answer),
                    None => Doctor::Away(self.doctor_told.failure(ended)),
                };
                self.chosen = 0;
                Vec::new()
            }
            DOWN => {
                self.outcome = Some(match (ended, self.down_told.answer()) {
                    (Ok(0), Some(answer)) => Outcome::Stopped(answer),
                    _ => Outcome::NotStopped(self.down_told.failure(ended)),
                });
                self.stage = Stage::Choosing;
                vec![self.examine(), Effect::Refresh]
            }
            UP => self.launched(ended, world),
            _ => Vec::new(),
        }
    }

    fn launched(&mut self, ended: &Result<i32, String>, world: &World) -> Vec<Effect> {
        let Stage::Launching(launch) = std::mem::replace(&mut self.stage, Stage::Choosing) else {
            return Vec::new();
        };
        self.scroll = 0;
        match ended {
            Ok(0) if launch.answer.is_some() => {
                self.stage = Stage::Ready(launch, world.now);
                return vec![Effect::Refresh];
            }
            Ok(INTERRUPTED) => self.outcome = Some(Outcome::Interrupted(launch)),
            ended => {
                let failed = launch.failure(ended);
                self.outcome = Some(Outcome::Failed(launch, failed));
            }
        }
        vec![self.examine()]
    }
}

fn dashboard() -> Vec<Effect> {
    vec![Effect::Home(Box::new(Splash::new())), Effect::Refresh]
}

impl Screen for Launcher {
    fn title(&self) -> &'static str {
        "launcher"
    }

    fn draw(&mut self, world: &World, frame: &mut Frame<'_>, area: Rect) {
        self.seen = true;
        self.targets.clear();
        match &self.stage {
            Stage::Launching(launch) => progress::launching(launch, self.scroll, world, frame, area),
            Stage::Ready(launch, _) => progress::ready(launch, self.scroll, world, frame, area),
            Stage::Choosing => self.targets = draw::choosing(self, world, frame, area),
            Stage::ToStop => draw::stopping(Duration::ZERO, world, frame, area),
            Stage::Stopping(since) => draw::stopping(world.now.since(*since), world, frame, area),
        }
    }

    fn hints(&self, world: &World) -> Vec<Hint> {
        let mut hints = Vec::new();
        match &self.stage {
            Stage::Launching(_) => hints.push(hint("Esc", "interrupt")),
            Stage::Ready(..) => hints.push(hint("↵", "dashboard")),
            Stage::ToStop | Stage::Stopping(_) => {}
            Stage::Choosing => {
                if world.mode.changes_stack() {
                    hints.extend([hint("↵", "start"), hint("← →", "engine")]);
                    if self.choice.has_offline() {
                        hints.push(hint("o", "offline images"));
                    }
                }
                if self.remedy().is_some() {
                    hints.push(hint("C", "copy the command"));
                }
                hints.push(hint("R", "look again"));
            }
        }
        hints
    }

    fn command(&self, world: &World) -> String {
        match &self.stage {
            Stage::ToStop | Stage::Stopping(_) => "odd down".to_owned(),
            Stage::Choosing if !world.mode.changes_stack() => "odd doctor".to_owned(),
            _ => self.choice.command(),
        }
    }

    fn opened(&mut self, world: &World) -> Vec<Effect> {
        if !world.mode.has_machine() {
            return Vec::new();
        }
        if matches!(self.stage, Stage::ToStop) {
            self.stage = Stage::Stopping(world.now);
            return vec![Effect::Run(Run::new(DOWN, &["down", "--output", "json"]))];
        }
        match (&self.doctor, &self.stage) {
            (Doctor::Idle, Stage::Choosing) => vec![self.examine()],
            _ => Vec::new(),
        }
    }

    fn key(&mut self, key: KeyEvent, world: &World) -> Option<Vec<Effect>> {
        match &self.stage {
            Stage::Choosing if world.mode.has_machine() => self.key_choosing(key, world),
            Stage::Launching(_) => self.key_launching(key, world),
            // To close it would break that off.
            Stage::ToStop | Stage::Stopping(_) if key.code == KeyCode::Esc => Some(Vec::new()),
            Stage::Ready(..) => match key.code {
                KeyCode::Enter | KeyCode::Esc => Some(dashboard()),
                _ => self.key_launching(key, world),
            },
            _ => None,
        }
    }

    fn mouse(&mut self, event: MouseEvent, world: &World) -> Vec<Effect> {
        self.pointed(event, world)
    }

    fn reply(&mut self, reply: &Reply, world: &World) -> Vec<Effect> {
        match reply {
            Reply::Printed(name, lines) => {
                self.printed(name, lines, world);
                Vec::new()
            }
            Reply::Ended(name, ended) => self.ended(name, ended, world),
            Reply::Answer(..) => Vec::new(),
        }
    }

    /// A start that went well leads to the dashboard by itself; one that told something waits until it was read.
    fn tick(&mut self, world: &World) -> Vec<Effect> {
        let seen = std::mem::take(&mut self.seen);
        match &self.stage {
            Stage::Ready(launch, since)
                if seen && !launch.is_remarkable() && world.now.since(*since) >= SHOWN =>
            {
                dashboard()
            }
            _ => Vec::new(),
        }
    }

    fn unfinished(&self, world: &World) -> Option<(String, String)> {
        let instance = &world.instance;
        match &self.stage {
            Stage::Launching(_) => Some((
                format!("Leave while {instance} starts?"),
                "The start is interrupted. What has started so far is left: starting again goes on from there.".to_owned(),
            )),
            Stage::ToStop | Stage::Stopping(_) => Some((
                format!("Leave while {instance} stops?"),
                "That is interrupted. What runs by then goes on; stopping again ends it.".to_owned(),
            )),
            Stage::Choosing | Stage::Ready(..) => None,
        }
    }

    fn is_moving(&self) -> bool {
        !matches!(self.stage, Stage::Choosing) || matches!(self.doctor, Doctor::Looking)
    }
}
