//! What screens ask for, and what comes of it. Screens do nothing themselves: the runner executes these in tasks of their own
//! and returns what came of them as messages.

use odd_client::JobQuery;
use odd_contracts::api::{
    AlertHistory, AlertList, DeadLetter, DeadLetterPage, JobDetail, JobPage, Overview, Stats, Timeline,
};
use odd_contracts::{EventEnvelope, JobAccepted, JobId};
use odd_look::sign::Tone;
use serde_json::Value;
use uuid::Uuid;

use crate::options::ThemeName;
use crate::screens::Screen;
use crate::world::{Failure, Stream};

/// What a screen wants to happen.
pub(crate) enum Effect {
    /// A question to a role, or a change. The answer comes to the screen as [`Reply::Answer`].
    Ask(Ask),
    /// A command of `odd` is run. What it prints comes as [`Reply::Printed`], its end as [`Reply::Ended`]. It is ended with its
    /// screen.
    Run(Run),
    /// The run of this name is asked to end, as by Ctrl-C.
    Interrupt(&'static str),
    /// Another screen on top of this one; the same where it is open already. Where something else lies on top by now, only a
    /// line at the foot tells how to come to it.
    Push(Box<dyn Screen>),
    /// Another screen in place of this one.
    Replace(Box<dyn Screen>),
    /// This screen is closed. What an overlay asks for after that, the screen asks for that it lay over.
    Back,
    /// Another screen in place of this one and of all below it.
    Home(Box<dyn Screen>),
    /// A line at the foot of the screen, for a few seconds.
    Notice(Tone, String),
    /// An address in the browser, or shown where there is none.
    Browse {
        /// The address.
        url: String,
        /// The command that does the same, where there is one.
        command: Option<String>,
    },
    /// Text into the clipboard, through the terminal (OSC 52), which works over SSH as well. What it is, in words.
    Copy(&'static str, String),
    /// Other colours.
    Theme(ThemeName),
    /// The same data once more, now.
    Refresh,
    /// The end; asked for first where something is not finished.
    Quit,
    /// The end, whatever is not finished.
    Leave,
}

/// A command of `odd`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// What the screen calls it. A second run of the same name ends the first.
    pub(crate) name: &'static str,
    /// Its arguments, without those that name the instance.
    pub(crate) arguments: Vec<String>,
}

impl Run {
    pub(crate) fn new(name: &'static str, arguments: &[&str]) -> Self {
        Self {
            name,
            arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
        }
    }
}

/// A question to a role, or a change.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    /// One page of jobs.
    Jobs(JobQuery),
    /// One job with its timeline.
    Job(JobId),
    /// One page of dead letters, after this cursor.
    DeadLetters(Option<String>),
    /// One dead letter with its body.
    DeadLetter(Uuid),
    /// Alerts of before.
    AlertHistory,
    /// So many jobs of this submission (without an id), within 2 s.
    Submit(Box<Value>, u32),
    /// A job is to end.
    Cancel(JobId),
    /// A job once more.
    Retry(JobId),
    /// A dead letter back to its queue.
    Requeue(Uuid),
}

/// What was answered.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// To [`Ask::Jobs`].
    Jobs(JobPage),
    /// To [`Ask::Job`].
    Job(Box<(JobDetail, Timeline)>),
    /// To [`Ask::DeadLetters`].
    DeadLetters(DeadLetterPage),
    /// To [`Ask::DeadLetter`].
    DeadLetter(Box<DeadLetter>),
    /// To [`Ask::AlertHistory`].
    AlertHistory(AlertHistory),
    /// To [`Ask::Submit`]: the first of them, and how many were accepted.
    Submitted(JobAccepted, u32),
    /// To [`Ask::Retry`]: the new job.
    Retried(JobAccepted),
    /// To [`Ask::Cancel`] and [`Ask::Requeue`].
    Done,
}

/// What comes of an effect, for the screen that asked for it.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// Of [`Effect::Ask`].
    Answer(Ask, Result<Answer, Failure>),
    /// Lines that a run printed, in order.
    Printed(&'static str, Vec<Printed>),
    /// A run ended with this exit code; or it could not be started, in words.
    Ended(&'static str, Result<i32, String>),
}

/// A line that a run printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Printed {
    /// Whether to standard error.
    pub(crate) to_stderr: bool,
    /// The line, as it was printed.
    pub(crate) text: String,
}

/// What the system tells by itself.
#[derive(Clone, Debug)]
pub(crate) enum Feed {
    /// The whole system at a glance.
    Overview(Result<Box<Overview>, Failure>),
    /// Counters, throughput, latency.
    Stats(Result<Box<Stats>, Failure>),
    /// Alerts.
    Alerts(Result<AlertList, Failure>),
    /// Events as they happened.
    Events(Vec<EventEnvelope>),
    /// Whether there will be more.
    Stream(Stream),
}
