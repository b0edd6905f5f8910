//! What is shown while nothing is known yet: what is being waited for, honestly.

use crossterm::event::KeyEvent;
use odd_look::sign::{Glyph, Tone};
use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::{Dashboard, Hint, Screen};
use crate::effect::Effect;
use crate::world::{Source, Stream, World};

/// Frames of the spinner: Braille, eight dots going round.
const SPINNER: [&str; 8] = ["⣾", "⣽", "⣻", "⢿", "⡿", "⣟", "⣯", "⣷"];
const SPINNER_ASCII: [&str; 4] = ["|", "/", "-", "\\"];
/// Time of one frame.
const FRAME_MICROS: i64 = 80_000;

/// The name in Braille and block characters, five lines high.
const LOGO: [&str; 5] = [
    "  ▄▄▄▄   ▄▄▄▄▄   ▄▄▄▄▄ ",
    " █    █  █    █  █    █",
    " █    █  █    █  █    █",
    " █    █  █    █  █    █",
    "  ▀▀▀▀   ▀▀▀▀▀   ▀▀▀▀▀ ",
];

/// The logo, in lines.
pub(super) fn logo(world: &World) -> Vec<Line<'static>> {
    let theme = world.theme;
    let mut lines: Vec<Line<'static>> = if theme.unicode() {
        LOGO.iter()
            .map(|line| Line::styled(*line, theme.accent()))
            .collect()
    } else {
        vec![Line::styled("O D D", theme.accent())]
    };
    lines.push(Line::default());
    lines.push(Line::styled("Distributed Task Observatory", theme.strong()));
    lines.push(Line::styled("oddessentials.com", theme.muted()));
    lines
}

/// The sign of something that goes on, as of now.
pub(super) fn spinner(world: &World) -> &'static str {
    let frame = usize::try_from(world.now.micros() / FRAME_MICROS).unwrap_or(0);
    if world.theme.unicode() {
        SPINNER[frame % SPINNER.len()]
    } else {
        SPINNER_ASCII[frame % SPINNER_ASCII.len()]
    }
}

/// Shown until the first overview and the first figures are there.
pub(crate) struct Splash;

impl Splash {
    pub(crate) fn new() -> Self {
        Self
    }
}

/// A line for something that is waited for.
fn wait<T>(world: &World, what: &str, source: &Source<T>) -> Line<'static> {
    let theme = world.theme;
    let (sign, style, more) = match (&source.value, &source.failure) {
        (Some(_), _) => (theme.glyph(Glyph::Ok), theme.tone(Tone::Ok), String::new()),
        (None, Some(failure)) => (
            theme.glyph(Glyph::Bad),
            theme.tone(Tone::Bad),
            format!(": {}", failure.text),
        ),
        (None, None) => (spinner(world), theme.accent(), String::new()),
    };
    Line::from(vec![
        Span::styled(format!("{sign} "), style),
        Span::styled(format!("{what}{more}"), theme.text()),
    ])
}

impl Screen for Splash {
    fn title(&self) -> &'static str {
        "connecting"
    }

    fn draw(&mut self, world: &World, frame: &mut Frame<'_>, area: Rect) {
        let theme = world.theme;
        let mut lines = logo(world);
        lines.push(Line::default());
        let from = &world.addresses.read_model;
        lines.push(Line::styled(
            format!("asking the read-model at {from}"),
            theme.muted(),
        ));
        lines.push(Line::default());
        lines.push(wait(world, "overview", &world.overview));
        lines.push(wait(world, "figures", &world.stats));
        let (sign, style, told) = match &world.live.stream {
            Stream::Live => (theme.glyph(Glyph::Ok), theme.tone(Tone::Ok), String::new()),
            Stream::Connecting => (spinner(world), theme.accent(), String::new()),
            Stream::Away(failure) => (
                theme.glyph(Glyph::Bad),
                theme.tone(Tone::Bad),
                format!(": {}", failure.text),
            ),
        };
        lines.push(Line::from(vec![
            Span::styled(format!("{sign} "), style),
            Span::styled(format!("live events{told}"), theme.text()),
        ]));
        if world.overview.failure.is_some() && world.mode.has_machine() {
            lines.push(Line::default());
            lines.push(Line::styled(
                "tried again every few seconds; L starts a stack",
                theme.muted(),
            ));
        }
        let height = u16::try_from(lines.len()).unwrap_or(u16::MAX);
        let middle = area.centered_vertically(Constraint::Length(height.min(area.height)));
        frame.render_widget(Paragraph::new(lines).alignment(Alignment::Center), middle);
    }

    fn hints(&self, world: &World) -> Vec<Hint> {
        if world.mode.has_machine() {
            vec![super::hint("L", "launcher")]
        } else {
            Vec::new()
        }
    }

    fn command(&self, _world: &World) -> String {
        "odd status".to_owned()
    }

    fn key(&mut self, _key: KeyEvent, _world: &World) -> Option<Vec<Effect>> {
        None
    }

    fn tick(&mut self, world: &World) -> Vec<Effect> {
        if world.overview.value.is_some() && world.stats.value.is_some() {
            return vec![Effect::Home(Box::new(Dashboard::new()))];
        }
        Vec::new()
    }

    fn is_moving(&self) -> bool {
        true
    }
}
