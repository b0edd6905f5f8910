//! A question before something that cannot be undone, or that somebody else may notice.

use crossterm::event::{KeyCode, KeyEvent, MouseButton, MouseEvent, MouseEventKind};
use odd_contracts::JobId;
use odd_look::format;
use odd_look::sign::Tone;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::{Hint, Launcher, Screen, Step, hint, plain};
use crate::effect::{Ask, Effect};
use crate::fit;
use crate::frame::{overlay, region};
use crate::pager::wheel;
use crate::world::World;

/// Width of the question.
const WIDTH: u16 = 60;

/// A question, and what happens on yes.
pub(crate) struct Confirm {
    question: String,
    consequence: String,
    command: String,
    on_yes: Vec<Effect>,
    /// Whether Enter means yes.
    says_yes: bool,
    /// Rows of the text, the first that is visible, and how many are.
    rows: usize,
    first: usize,
    page: usize,
    /// Where the answers were drawn: yes, and no.
    buttons: [Rect; 2],
}

impl Confirm {
    /// Asks `question`; `consequence` says what yes does, `command` is the command that does the same, without the instance.
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
            says_yes: false,
            rows: 0,
            first: 0,
            page: 0,
            buttons: [Rect::ZERO; 2],
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

    /// Asks whether to cancel a job.
    pub(crate) fn cancel(id: JobId) -> Effect {
        let short = format::short_id(id);
        Effect::Push(Box::new(Self::new(
            format!("Cancel job {short}?"),
            "The processor decides: work that runs is told to end.",
            format!("odd jobs cancel {short}"),
            vec![Effect::Ask(Ask::Cancel(id))],
        )))
    }

    fn text(&self, world: &World, columns: usize) -> Vec<Line<'static>> {
        let theme = world.theme;
        let command = format!("$ {}{}", self.command, world.of_instance);
        let parts = [
            (self.question.as_str(), theme.strong()),
            (&self.consequence, theme.text()),
            ("\n", theme.text()),
            (&command, theme.muted()),
        ];
        let rows = parts.into_iter().flat_map(|(text, style)| {
            let rows = fit::wrap(text, columns).into_iter();
            rows.map(move |row| Line::styled(row, style))
        });
        rows.collect()
    }

    /// The two answers. The one that Enter means is marked.
    fn draw_answers(&mut self, world: &World, frame: &mut Frame<'_>, area: Rect) {
        let theme = world.theme;
        let mut spans = Vec::new();
        let mut at = area.x;
        for (button, (text, is_meant)) in self
            .buttons
            .iter_mut()
            .zip([("Yes  y", self.says_yes), ("No  Esc", !self.says_yes)])
        {
            let (pointer, style) = if is_meant {
                (theme.pointer(), theme.chosen())
            } else {
                (" ", theme.accent())
            };
            let text = format!("{pointer} {text} ");
            let width = u16::try_from(fit::width(&text)).unwrap_or(u16::MAX);
            *button = Rect { x: at, width, ..area }.intersection(area);
            at = at.saturating_add(width + 2);
            spans.extend([Span::styled(text, style), Span::raw("  ")]);
        }
        frame.render_widget(Paragraph::new(Line::from(spans)), area);
    }

    fn yes(&mut self) -> Vec<Effect> {
        let mut effects = vec![Effect::Back];
        effects.append(&mut self.on_yes);
        effects
    }

    fn answer(&mut self) -> Vec<Effect> {
        if self.says_yes {
            self.yes()
        } else {
            vec![Effect::Back]
        }
    }

    fn scroll(&mut self, step: Step) {
        self.first = step.from(self.first, self.rows.saturating_sub(self.page) + 1, self.page);
    }
}

impl Screen for Confirm {
    fn title(&self) -> &'static str {
        "question"
    }

    fn draw(&mut self, world: &World, frame: &mut Frame<'_>, area: Rect) {
        let columns = usize::from(WIDTH.min(area.width).saturating_sub(4));
        let lines = self.text(world, columns);
        self.rows = lines.len();
        // Borders, and the answers apart from the text.
        let height = u16::try_from(lines.len() + 4).unwrap_or(u16::MAX);
        let area = overlay(frame, world, area, WIDTH, height);
        let block = region(world, "")
            .border_style(world.theme.tone(Tone::Attention))
            .padding(ratatui::widgets::Padding::horizontal(1));
        let inner = block.inner(area);
        frame.render_widget(block, area);
        let [text, _, answers] = Layout::vertical([
            Constraint::Fill(1),
            Constraint::Length(u16::from(inner.height > 3)),
            Constraint::Length(inner.height.min(1)),
        ])
        .areas(inner);
        self.page = usize::from(text.height);
        self.first = self.first.min(self.rows.saturating_sub(self.page));
        let visible: Vec<_> = lines.into_iter().skip(self.first).take(self.page).collect();
        frame.render_widget(Paragraph::new(visible), text);
        self.draw_answers(world, frame, answers);
    }

    fn hints(&self, _world: &World) -> Vec<Hint> {
        let mut hints = vec![hint("Y", "yes"), hint("Esc", "no"), hint("← →", "choose")];
        if self.rows > self.page {
            hints.push(hint("↑↓", "scroll"));
        }
        hints
    }

    fn command(&self, _world: &World) -> String {
        self.command.clone()
    }

    fn key(&mut self, key: KeyEvent, _world: &World) -> Option<Vec<Effect>> {
        match (key.code, plain(key)) {
            (_, Some('y' | 'Y')) => return Some(self.yes()),
            (KeyCode::Enter, _) => return Some(self.answer()),
            (KeyCode::Esc, _) | (_, Some('n' | 'N' | 'q' | 'Q')) => return Some(vec![Effect::Back]),
            (KeyCode::Left, _) | (_, Some('h')) => self.says_yes = true,
            (KeyCode::Right, _) | (_, Some('l')) => self.says_yes = false,
            (KeyCode::Tab | KeyCode::BackTab, _) => self.says_yes = !self.says_yes,
            _ => {
                if let Some(step) = Step::of(key) {
                    self.scroll(step);
                }
            }
        }
        Some(Vec::new())
    }

    /// A click on an answer gives it; beside the answers it means nothing.
    fn mouse(&mut self, event: MouseEvent, _world: &World) -> Vec<Effect> {
        if let Some(rows) = wheel(event) {
            self.scroll(Step::Rows(rows));
        }
        let at = Position::new(event.column, event.row);
        let [yes, no] = self.buttons;
        match event.kind {
            MouseEventKind::Down(MouseButton::Left) if yes.contains(at) => self.yes(),
            MouseEventKind::Down(MouseButton::Left) if no.contains(at) => vec![Effect::Back],
            _ => Vec::new(),
        }
    }

    fn is_overlay(&self) -> bool {
        true
    }

    fn takes_text(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bed::{self, SIZES, drawn, press, press_key};

    fn question() -> Confirm {
        Confirm::new(
            "Cancel job 9f31c2ab?",
            "The processor decides: work that runs is told to end.",
            "odd jobs cancel 9f31c2ab",
            vec![Effect::Refresh],
        )
    }

    fn is_yes(effects: &[Effect]) -> bool {
        matches!(effects, [Effect::Back, Effect::Refresh])
    }

    fn is_no(effects: &[Effect]) -> bool {
        matches!(effects, [Effect::Back])
    }

    #[test]
    fn it_says_what_happens_and_which_command_does_the_same() {
        let mut world = bed::world();
        for size in SIZES {
            insta::assert_snapshot!(
                format!("confirm_{}", size.0),
                drawn(&mut question(), &world, size)
            );
        }
        world.of_instance = " --instance demo".to_owned();
        assert!(
            drawn(&mut question(), &world, (80, 24)).contains("$ odd jobs cancel 9f31c2ab --instance demo")
        );
    }

    #[test]
    fn only_what_clearly_means_yes_is_one() {
        let world = bed::world();
        assert!(is_yes(&press(&mut question(), &world, 'y')));
        assert!(
            is_no(&press_key(&mut question(), &world, KeyCode::Enter)),
            "Enter means no at first"
        );
        let mut asked = question();
        assert!(press(&mut asked, &world, 'h').is_empty());
        assert!(is_yes(&press_key(&mut asked, &world, KeyCode::Enter)));
        for key in [KeyCode::Esc, KeyCode::Char('n'), KeyCode::Char('Q')] {
            assert!(is_no(&press_key(&mut question(), &world, key)));
        }
        assert!(press(&mut question(), &world, 'x').is_empty());
    }

    #[test]
    fn an_answer_is_clicked_and_beside_them_nothing_happens() {
        let world = bed::world();
        let mut asked = question();
        drawn(&mut asked, &world, (80, 24));
        let [yes, no] = asked.buttons;
        for (column, row) in [(0, 0), (79, 23), (yes.x, yes.y - 1), (yes.right(), yes.y)] {
            assert!(bed::click(&mut asked, &world, column, row).is_empty());
        }
        assert!(is_no(&bed::click(&mut asked, &world, no.x, no.y)));
        assert!(is_yes(&bed::click(&mut asked, &world, yes.x + 2, yes.y)));
    }

    #[test]
    fn a_long_question_scrolls_and_keeps_its_answers() {
        let world = bed::world();
        let mut asked = Confirm::new("Leave?", "word ".repeat(400), "odd submit", Vec::new());
        let shown = drawn(&mut asked, &world, (80, 24));
        assert!(shown.contains("Leave?") && shown.contains("Yes  y"), "{shown}");
        for _ in 0..30 {
            bed::turn(&mut asked, &world, true);
        }
        let shown = drawn(&mut asked, &world, (80, 24));
        assert!(
            shown.contains("$ odd submit") && shown.contains("No  Esc"),
            "{shown}"
        );
        press_key(&mut asked, &world, KeyCode::Home);
        assert!(drawn(&mut asked, &world, (80, 24)).contains("Leave?"));
    }
}
