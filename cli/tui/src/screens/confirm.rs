//! A question before something that cannot be undone, or that somebody else may notice.

use crossterm::event::{KeyCode, KeyEvent};
use odd_look::sign::Tone;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, Wrap};

use super::{Hint, Launcher, Screen, hint, plain};
use crate::effect::Effect;
use crate::frame::{overlay, region};
use crate::world::World;

/// Width of the question.
const WIDTH: u16 = 60;

/// A question, and what happens on yes.
pub(crate) struct Confirm {
    question: String,
    consequence: String,
    command: String,
    on_yes: Vec<Effect>,
}

impl Confirm {
    /// Asks `question`; `consequence` says what yes does, `command` is the command that does the same.
    pub(crate) fn new(
        question: impl Into<String>,
        consequence: impl Into<String>,
        command: impl Into<String>,
        on_yes: Vec<Effect>,
    ) -> Self {
        Self {
            question: question.into(),
            consequence: consequence.into(),
            command: command.into(),
            on_yes,
        }
    }

    /// Whether to stop the stack.
    pub(crate) fn stop(world: &World) -> Self {
        Self::new(
            format!("Stop the instance {}?", world.instance),
            "Every role ends. Accepted jobs are kept, and go on when it is started again.",
            "odd down",
            vec![Effect::Home(Box::new(Launcher::stopping()))],
        )
    }
}

impl Screen for Confirm {
    fn title(&self) -> &'static str {
        "question"
    }

    fn draw(&mut self, world: &World, frame: &mut Frame<'_>, area: Rect) {
        let theme = world.theme;
        let area = overlay(frame, world, area, WIDTH, 9);
        let block = region(world, "").border_style(theme.tone(Tone::Attention));
        let lines = vec![
            Line::styled(self.question.clone(), theme.strong()),
            Line::styled(self.consequence.clone(), theme.text()),
            Line::default(),
            Line::styled(format!("$ {}", self.command), theme.muted()),
        ];
        let text = Paragraph::new(lines).wrap(Wrap { trim: true }).block(block);
        frame.render_widget(text, area);
    }

    fn hints(&self, _world: &World) -> Vec<Hint> {
        vec![hint("Y", "yes"), hint("Esc", "no")]
    }

    fn command(&self, _world: &World) -> String {
        self.command.clone()
    }

    fn key(&mut self, key: KeyEvent, _world: &World) -> Option<Vec<Effect>> {
        match (key.code, plain(key)) {
            (_, Some('y' | 'Y')) => {
                let mut effects = vec![Effect::Back];
                effects.append(&mut self.on_yes);
                Some(effects)
            }
            (KeyCode::Esc, _) | (_, Some('n' | 'N' | 'q' | 'Q')) => Some(vec![Effect::Back]),
            _ => Some(Vec::new()),
        }
    }

    fn is_overlay(&self) -> bool {
        true
    }

    fn takes_text(&self) -> bool {
        true
    }
}
