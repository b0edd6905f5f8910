//! What is shown while nothing is known yet: what is being waited for, honestly.

use crossterm::event::KeyEvent;
use odd_look::sign::{Glyph, Tone};
use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::{Dashboard, Hint, Screen};
use crate::effect::Effect;
use crate::fit;
use crate::world::{Failure, Source, Stream, World};

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

/// Rows for why something does not come.
const WHY: usize = 2;

/// How something stands that is waited for: there, why not, or neither yet.
enum Wait<'a> {
    There,
    Failed(&'a Failure),
    Pending,
}

impl<'a> Wait<'a> {
    const fn of<T>(source: &'a Source<T>) -> Self {
        match (&source.value, &source.failure) {
            (Some(_), _) => Self::There,
            (None, Some(failure)) => Self::Failed(failure),
            (None, None) => Self::Pending,
        }
    }

    const fn of_stream(stream: &'a Stream) -> Self {
        match stream {
            Stream::Live => Self::There,
            Stream::Connecting => Self::Pending,
            Stream::Away(failure) => Self::Failed(failure),
        }
    }

    fn lines(self, world: &World, what: &str, columns: usize) -> Vec<Line<'static>> {
        let theme = world.theme;
        let (sign, style, text) = match self {
            Self::There => (theme.glyph(Glyph::Ok), theme.tone(Tone::Ok), what.to_owned()),
            Self::Pending => (spinner(world), theme.accent(), what.to_owned()),
            Self::Failed(failure) => (
                theme.glyph(Glyph::Bad),
                theme.tone(Tone::Bad),
                format!("{what}: {}", failure.text),
            ),
        };
        let (rows, _) = fit::wrap_first(&text, columns.saturating_sub(4), WHY);
        let mut rows = rows.into_iter();
        let first = rows.next().unwrap_or_default();
        let first = Line::from(vec![
            Span::styled(format!("{sign} "), style),
            Span::styled(first, theme.text()),
        ]);
        let rest = rows.map(|row| Line::styled(row, theme.text()));
        [first].into_iter().chain(rest).collect()
    }
}

/// What is waited for, and how each of it stands.
fn waits(world: &World, columns: usize) -> Vec<Line<'static>> {
    let theme = world.theme;
    let from = format!("asking the read-model at {}", world.addresses.read_model);
    let from = fit::cut(&from, columns).into_owned();
    let mut lines = vec![Line::styled(from, theme.muted()), Line::default()];
    let each = [
        ("overview", Wait::of(&world.overview)),
        ("figures", Wait::of(&world.stats)),
        ("live events", Wait::of_stream(&world.live.stream)),
    ];
    lines.extend(
        each.into_iter()
            .flat_map(|(what, wait)| wait.lines(world, what, columns)),
    );
    if world.overview.failure.is_some() {
        let start = if world.mode.has_machine() {
            "; L starts a stack"
        } else {
            ""
        };
        lines.push(Line::default());
        lines.push(Line::styled(
            format!("tried again every few seconds{start}"),
            theme.muted(),
        ));
    }
    lines
}

impl Screen for Splash {
    fn title(&self) -> &'static str {
        "connecting"
    }

    fn draw(&mut self, world: &World, frame: &mut Frame<'_>, area: Rect) {
        let waits = waits(world, usize::from(area.width));
        let mut lines = logo(world);
        lines.push(Line::default());
        // What is waited for says more than the logo where there is no room for both.
        if lines.len() + waits.len() > usize::from(area.height) {
            lines.clear();
        }
        lines.extend(waits);
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
        // Counters may be away for long; the dashboard says so where they would be.
        let figures = world.stats.value.is_some() || world.stats.failure.is_some();
        if world.overview.value.is_some() && figures {
            return vec![Effect::Home(Box::new(Dashboard::new()))];
        }
        Vec::new()
    }

    fn is_moving(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_that_cannot_be_had_are_not_waited_for() {
        let mut world = bed::empty();
        world.overview = bed::world().overview;
        assert!(Splash::new().tick(&world).is_empty());
        world.take(Feed::Stats(Err(failure("counters are rebuilt"))));
        assert!(matches!(Splash::new().tick(&world)[..], [Effect::Home(_)]));
    }
    use crate::bed::{self, SIZES, drawn};
    use crate::effect::Feed;
    use crate::options::Mode;

    fn failure(text: &str) -> Failure {
        Failure {
            text: text.to_owned(),
            not_found: false,
        }
    }

    #[test]
    fn what_is_waited_for_is_said() {
        for size in SIZES {
            let picture = drawn(&mut Splash, &bed::empty(), size);
            insta::assert_snapshot!(format!("splash_connecting_{}", size.0), picture);
        }
        let mut world = bed::empty();
        let [overview, ..] = bed::feeds();
        world.take(overview);
        world.take(Feed::Stream(Stream::Live));
        insta::assert_snapshot!("splash_waiting", drawn(&mut Splash, &world, (80, 24)));
        assert!(Splash.tick(&world).is_empty(), "the figures are missing");
        assert!(matches!(Splash.tick(&bed::world())[..], [Effect::Home(_)]));
    }

    #[test]
    fn why_nothing_comes_is_said_and_what_to_do() {
        let mut world = bed::empty();
        let refused = failure("http://127.0.0.1:8080/overview does not answer: connection refused");
        world.take(Feed::Overview(Err(refused.clone())));
        world.take(Feed::Stats(Err(refused.clone())));
        world.take(Feed::Stream(Stream::Away(refused)));
        insta::assert_snapshot!("splash_failing", drawn(&mut Splash, &world, (80, 24)));
        let low = drawn(&mut Splash, &world, (80, 9));
        assert!(
            low.contains("live events") && low.contains("L starts a stack"),
            "{low}"
        );
        world.mode = Mode::Server;
        assert!(!drawn(&mut Splash, &world, (80, 24)).contains("L starts"));
    }

    #[test]
    fn a_reason_from_outside_is_harmless_and_short() {
        let mut world = bed::empty();
        let long = format!("\u{1b}[2J\u{202e}{}", "x ".repeat(5_000));
        world.take(Feed::Overview(Err(failure(&long))));
        let picture = drawn(&mut Splash, &world, (80, 24));
        assert!(!picture.contains(['\u{1b}', '\u{202e}']));
        assert!(picture.contains("live events"), "{picture}");
    }
}
