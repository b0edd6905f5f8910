//! One dead letter: why it is one, and its message as it was.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use crossterm::event::{KeyCode, KeyEvent, MouseEvent};
use odd_contracts::Timestamp;
use odd_contracts::api::DeadLetter;
use odd_look::format;
use odd_look::sign::{Glyph, Tone};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, Wrap};
use uuid::Uuid;

use super::super::{Hint, Job, Screen, hint, outcome, plain};
use super::confirm;
use crate::effect::{Answer, Ask, Effect, Reply};
use crate::frame::region;
use crate::pager::{Ink, Pager};
use crate::world::{Failure, World};

/// Time after which a question that failed is asked again.
const SELDOM: Duration = Duration::from_secs(2);
/// Bytes of one row of a dump.
const DUMPED: usize = 16;

/// What is kept of the answer, and its text.
struct Known {
    queue: String,
    job: Option<Uuid>,
    text: Pager,
}

/// One dead letter.
pub(super) struct Letter {
    id: Uuid,
    known: Option<Known>,
    failure: Option<Failure>,
    asked: Option<Timestamp>,
    is_asked: bool,
}

impl Letter {
    pub(super) fn new(id: Uuid) -> Self {
        Self {
            id,
            known: None,
            failure: None,
            asked: None,
            is_asked: false,
        }
    }

    /// Asks until it is known; it never changes.
    fn ask(&mut self, world: &World) -> Vec<Effect> {
        if self.is_asked || self.known.is_some() {
            return Vec::new();
        }
        self.is_asked = true;
        self.asked = Some(world.now);
        vec![Effect::Ask(Ask::DeadLetter(self.id))]
    }
}

fn text(letter: &DeadLetter) -> Pager {
    let mut pager = Pager::default();
    let mut fact = |name: &str, value: &str| pager.add(Ink::Text, &format!("{name:<13} {value}"));
    fact("id", &letter.id.to_string());
    fact("reason", &letter.reason);
    fact("detail", &letter.detail);
    fact("queue", &letter.queue);
    fact("put aside", &format::date_and_clock(letter.dead_lettered_at));
    if let Some(job) = letter.job_id {
        fact("job", &job.to_string());
    }
    if let Some(content_type) = &letter.content_type {
        fact("content type", content_type);
    }
    fact("size", &format::bytes(letter.size));
    pager.gap();
    pager.add(Ink::Heading, "headers");
    if letter.headers.is_empty() {
        pager.add(Ink::Muted, "none");
    } else {
        pager.add_json(&letter.headers);
    }
    pager.gap();
    add_message(&mut pager, letter);
    pager
}

/// The message as text where it is one, else its bytes.
fn add_message(pager: &mut Pager, letter: &DeadLetter) {
    let bytes = BASE64.decode(&letter.body_base64);
    let kept = bytes.as_ref().map_or(0, Vec::len);
    let cut = if kept > 0 && (kept as u64) < letter.size {
        format!(", the first {} of it", format::bytes(kept as u64))
    } else {
        String::new()
    };
    pager.add(Ink::Heading, &format!("message{cut}"));
    match (&letter.body_text, bytes) {
        _ if letter.size == 0 => pager.add(Ink::Muted, "It is empty."),
        (Some(text), _) => pager.add(Ink::Code, text),
        (None, Ok(bytes)) => pager.add(Ink::Code, &dump(&bytes)),
        (None, Err(error)) => pager.add(Ink::Bad, &format!("its bytes cannot be read: {error}")),
    }
}

/// `00000010  7b 22 61 22 3a 31 7d ff  …  |{"a":1}.|`
fn dump(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 5);
    for (row, chunk) in bytes.chunks(DUMPED).enumerate() {
        let mut hex = String::with_capacity(DUMPED * 3 + 1);
        for (at, byte) in chunk.iter().enumerate() {
            hex.push_str(if at == DUMPED / 2 { "  " } else { " " });
            hex.push_str(&format!("{byte:02x}"));
        }
        let shown = chunk.iter().map(|byte| match byte {
            0x20..0x7f => char::from(*byte),
            _ => '.',
        });
        let shown: String = shown.collect();
        text.push_str(&format!("{:08x} {hex:<49}  |{shown}|\n", row * DUMPED));
    }
    text
}

impl Screen for Letter {
    fn title(&self) -> &'static str {
        "dead letter"
    }

    fn subject(&self) -> Option<Uuid> {
        Some(self.id)
    }

    fn draw(&mut self, world: &World, frame: &mut Frame<'_>, area: Rect) {
        let theme = world.theme;
        let heading = format!("Dead letter {}", format::short_id(self.id));
        if let Some(known) = &mut self.known {
            known.text.draw_titled(world, frame, area, &heading);
            return;
        }
        let line = match &self.failure {
            Some(failure) => {
                let text = format!(
                    " {} {}; asked again every 2 s",
                    theme.glyph(Glyph::Bad),
                    odd_look::text::line(&failure.text)
                );
                Line::styled(text, theme.tone(Tone::Bad))
            }
            None => Line::styled(" asking for the dead letter", theme.muted()),
        };
        let text = Paragraph::new(line).wrap(Wrap { trim: false });
        frame.render_widget(text.block(region(world, heading)), area);
    }

    fn hints(&self, world: &World) -> Vec<Hint> {
        let mut hints = vec![hint("Esc", "back"), hint("↑↓", "scroll")];
        if let Some(known) = &self.known {
            if world.mode.changes_jobs() && !world.requeued.contains(&self.id) {
                hints.push(hint("e", "requeue"));
            }
            if known.job.is_some() {
                hints.push(hint("o", "its job"));
            }
        }
        hints.push(hint("y", "copy id"));
        hints
    }

    fn command(&self, _world: &World) -> String {
        format!("odd dead-letters get {}", format::short_id(self.id))
    }

    fn opened(&mut self, world: &World) -> Vec<Effect> {
        self.ask(world)
    }

    fn key(&mut self, key: KeyEvent, world: &World) -> Option<Vec<Effect>> {
        match (key.code, plain(key)) {
            (_, Some('y')) => return Some(vec![Effect::Copy("the id", self.id.to_string())]),
            (KeyCode::Left, _) | (_, Some('h')) => return Some(vec![Effect::Back]),
            _ => {}
        }
        let known = self.known.as_mut()?;
        match (key.code, plain(key)) {
            (KeyCode::Enter, _) | (_, Some('o')) => Some(vec![Effect::Push(Box::new(Job::new(known.job?)))]),
            (_, Some('e')) if world.mode.changes_jobs() => Some(vec![confirm(self.id, &known.queue, world)]),
            _ => known.text.key(key).then(Vec::new),
        }
    }

    fn mouse(&mut self, event: MouseEvent, _world: &World) -> Vec<Effect> {
        if let Some(known) = &mut self.known {
            known.text.wheel(event);
        }
        Vec::new()
    }

    fn reply(&mut self, reply: &Reply, world: &World) -> Vec<Effect> {
        match reply {
            Reply::Answer(Ask::DeadLetter(_), Ok(Answer::DeadLetter(letter))) => {
                self.is_asked = false;
                self.failure = None;
                self.known = Some(Known {
                    queue: letter.queue.clone(),
                    job: letter.job_id,
                    text: text(letter),
                });
                Vec::new()
            }
            Reply::Answer(Ask::DeadLetter(_), Err(failure)) => {
                self.is_asked = false;
                self.failure = Some(failure.clone());
                Vec::new()
            }
            // The list below asks again when it is back on top.
            Reply::Answer(ask, answer) => {
                let told = outcome::of(ask, answer, world);
                let back = answer.is_ok().then_some(Effect::Back);
                told.into_iter().chain(back).collect()
            }
            _ => Vec::new(),
        }
    }

    fn tick(&mut self, world: &World) -> Vec<Effect> {
        let since = self.asked.map_or(Duration::ZERO, |asked| world.now.since(asked));
        if self.failure.is_some() && since >= SELDOM {
            self.ask(world)
        } else {
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_as_they_are() {
        assert_eq!(
            dump(b"{\"a\":1}\xff\x00\x1b[2Jxyz!more"),
            "00000000  7b 22 61 22 3a 31 7d ff  00 1b 5b 32 4a 78 79 7a  |{\"a\":1}...[2Jxyz|\n\
             00000010  21 6d 6f 72 65                                    |!more|\n"
        );
    }
}
