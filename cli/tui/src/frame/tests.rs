//! What stands around every screen, in each state, size, theme and number of colours.

use odd_contracts::api::{AlertSource, HealthState};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};

use super::*;
use crate::app::App;
use crate::bed::{self, SIZES};
use crate::effect::Feed;
use crate::options::{Depth, Look, Mode, ThemeName};
use crate::screens::Dashboard;
use crate::theme::Theme;

const HINTS: [Hint; 7] = [
    hint("↵", "open"),
    hint("/", "filter"),
    hint("Tab", "next panel"),
    hint("r", "retry"),
    hint("N", "new task"),
    hint("D", "dead letters"),
    hint("G", "logs"),
];

fn draw(world: &World, (width, height): (u16, u16), footer: &Footer<'_>) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal
        .draw(|frame| {
            ground(frame, world);
            header(frame, world);
            super::footer(frame, world, footer);
        })
        .unwrap();
    terminal.backend().buffer().clone()
}

fn hinted<'a>(hints: &'a [Hint], command: &'a str) -> Footer<'a> {
    Footer {
        hints,
        command,
        notice: None,
        takes_text: false,
    }
}

fn row(buffer: &Buffer, row: u16) -> String {
    let cells = (0..buffer.area.width).map(|column| buffer[(column, row)].symbol());
    cells.collect::<String>().trim_end().to_owned()
}

/// The line at the head and the one at the foot, in each size.
fn lines(world: &World, footer: &Footer<'_>) -> String {
    let sizes = [(40, 3), (60, 3)].into_iter().chain(SIZES);
    let drawn = sizes.map(|(width, _)| {
        let buffer = draw(world, (width, 3), footer);
        format!("{width}\n{}\n{}\n", row(&buffer, 0), row(&buffer, 2))
    });
    drawn.collect()
}

fn degraded() -> World {
    let mut world = bed::world();
    let mut overview = world.overview.value.clone().unwrap();
    overview.state = HealthState::Degraded;
    world.take(Feed::Overview(Ok(Box::new(overview))));
    let mut alerts = world.alerts.value.clone().unwrap();
    alerts.alerts.clear();
    alerts.alert_source = Some(AlertSource {
        name: "alertmanager".to_owned(),
        state: HealthState::Degraded,
        checked_at: None,
        detail: None,
    });
    world.take(Feed::Alerts(Ok(alerts)));
    world
}

#[test]
fn head_and_foot_in_each_state() {
    let list = hinted(&HINTS, "odd jobs list");
    insta::assert_snapshot!("frame_healthy", lines(&bed::world(), &list));
    insta::assert_snapshot!("frame_degraded", lines(&degraded(), &list));
    insta::assert_snapshot!("frame_away", lines(&bed::away(42), &list));
    insta::assert_snapshot!("frame_connecting", lines(&bed::empty(), &list));
    let told = Footer {
        notice: Some((Tone::Ok, "it is on its queue again")),
        ..list
    };
    insta::assert_snapshot!("frame_notice", lines(&bed::world(), &told));
}

#[test]
fn what_may_not_be_done_is_not_at_the_foot() {
    let mut options = bed::options();
    options.mode = Mode::ReadOnly;
    let (mut app, _) = App::new(&options, bed::now());
    for feed in bed::feeds() {
        let _ = app.feed(feed, bed::now());
    }
    let mut terminal = Terminal::new(TestBackend::new(120, 24)).unwrap();
    terminal.draw(|frame| app.draw(frame)).unwrap();
    let [head, foot] = [0, 23].map(|at| row(terminal.backend().buffer(), at));
    assert!(foot.contains("filter") && !foot.contains("new task"), "{foot}");
    insta::assert_snapshot!("frame_read_only", format!("{head}\n{foot}"));
}

#[test]
fn the_command_keeps_its_room_and_shorter_keys_are_shown_all_the_same() {
    let foot = |hints: &[Hint], command: &str, width| {
        row(&draw(&bed::world(), (width, 3), &hinted(hints, command)), 2)
    };
    let at_80 = foot(&HINTS, "odd jobs list", 80);
    for told in [
        "open",
        "filter",
        "next panel",
        "? help",
        "Q quit",
        "$ odd jobs list",
    ] {
        assert!(at_80.contains(told), "{told}: {at_80}");
    }
    // What is long is left out, what comes after it and is short is not.
    assert!(
        !at_80.contains("dead letters") && at_80.contains("r retry"),
        "{at_80}"
    );
    // A command that has no room beside the first three is left out whole.
    let command = format!("odd jobs list --type {}", "x".repeat(40));
    let long = foot(&HINTS, &command, 80);
    assert!(long.contains("next panel") && long.contains("quit"), "{long}");
    assert!(!long.contains('$'), "{long}");
    // Nothing overlaps: a column at least is between keys and command.
    for width in 20..200 {
        let line = foot(&HINTS, "odd jobs list", width);
        assert!(
            !line.contains('$') || line.contains("  $ odd jobs list"),
            "{line}"
        );
    }
}

#[test]
fn where_letters_are_text_no_letter_is_offered_as_a_key() {
    let hints = [hint("↵", "apply"), hint("Esc", "leave")];
    let footer = Footer {
        takes_text: true,
        ..hinted(&hints, "odd jobs list")
    };
    let foot = row(&draw(&bed::world(), SIZES[1], &footer), 39);
    assert!(
        foot.contains("apply") && foot.contains("$ odd jobs list"),
        "{foot}"
    );
    assert!(!foot.contains("help") && !foot.contains("quit"), "{foot}");
}

#[test]
fn a_command_does_not_steer_the_terminal() {
    let footer = hinted(&HINTS, "odd jobs list --type '\u{202e}\u{1b}[2J'");
    let foot = row(&draw(&bed::world(), SIZES[1], &footer), 39);
    assert!(!foot.contains(['\u{202e}', '\u{1b}']), "{foot:?}");
}

/// The dashboard in the middle of everything, as it looks with these colours.
fn whole(theme: ThemeName, depth: Depth, mut world: World) -> Buffer {
    world.theme = Theme::new(Look {
        theme,
        depth,
        unicode: true,
    });
    let mut dashboard = Dashboard::new();
    let mut terminal = Terminal::new(TestBackend::new(120, 40)).unwrap();
    terminal
        .draw(|frame| {
            ground(frame, &world);
            crate::screens::Screen::draw(&mut dashboard, &world, frame, body(frame.area()));
            header(frame, &world);
            super::footer(frame, &world, &hinted(&HINTS, "odd jobs list"));
        })
        .unwrap();
    terminal.backend().buffer().clone()
}

fn colours(buffer: &Buffer) -> impl Iterator<Item = Color> {
    buffer.content.iter().flat_map(|cell| [cell.fg, cell.bg])
}

#[test]
fn themes_differ_in_colours_and_in_nothing_else() {
    let texts: Vec<Vec<String>> = ThemeName::ALL
        .into_iter()
        .map(|theme| {
            let buffer = whole(theme, Depth::True, bed::world());
            assert!(colours(&buffer).all(|colour| matches!(colour, Color::Rgb(..))));
            (0..40).map(|at| row(&buffer, at)).collect()
        })
        .collect();
    assert!(texts.iter().all(|text| *text == texts[0]));
    let ground = |theme| whole(theme, Depth::True, bed::world())[(0, 0)].bg;
    let [dark, light, contrast] = ThemeName::ALL.map(ground);
    assert_eq!(
        (dark, light),
        (Color::Rgb(0x0b, 0x10, 0x20), Color::Rgb(0xf6, 0xf8, 0xfc))
    );
    assert_eq!(contrast, Color::Rgb(0, 0, 0));
}

/// Relative luminance, as the Web Content Accessibility Guidelines 2.2 define it.
fn luminance(colour: Color) -> f64 {
    let Color::Rgb(red, green, blue) = colour else {
        panic!("{colour:?} is no exact colour");
    };
    let part = |value: u8| {
        let value = f64::from(value) / 255.0;
        if value <= 0.040_45 {
            value / 12.92
        } else {
            ((value + 0.055) / 1.055).powf(2.4)
        }
    };
    0.2126 * part(red) + 0.7152 * part(green) + 0.0722 * part(blue)
}

#[test]
fn letters_can_be_read_in_every_theme() {
    for (theme, least) in [
        (ThemeName::Dark, 4.5),
        (ThemeName::Light, 4.5),
        (ThemeName::Contrast, 7.0),
    ] {
        let buffer = whole(theme, Depth::True, degraded());
        let letters = buffer.content.iter().filter(|cell| {
            let symbol = cell.symbol().chars().next().unwrap();
            symbol.is_alphanumeric()
        });
        for cell in letters {
            let (one, other) = (luminance(cell.fg) + 0.05, luminance(cell.bg) + 0.05);
            let contrast = one.max(other) / one.min(other);
            assert!(contrast >= least, "{theme:?}: {:?} has {contrast:.1}", cell);
        }
    }
}

#[test]
fn sixteen_colours_are_enough() {
    for theme in ThemeName::ALL {
        let buffer = whole(theme, Depth::Sixteen, bed::world());
        let exact = colours(&buffer).find(|colour| matches!(colour, Color::Rgb(..) | Color::Indexed(_)));
        assert_eq!(exact, None, "{theme:?}");
        let distinct: std::collections::HashSet<Color> = colours(&buffer).collect();
        assert!(distinct.len() >= 4, "{theme:?}: {distinct:?}");
    }
}

#[test]
fn without_colours_a_state_is_read_by_its_sign() {
    for (world, sign) in [
        (bed::world(), "● healthy"),
        (degraded(), "⚠ degraded"),
        (bed::away(42), "✗ read-model away, data 42 s old"),
    ] {
        let buffer = whole(ThemeName::Dark, Depth::None, world);
        assert!(colours(&buffer).all(|colour| colour == Color::Reset));
        let head = row(&buffer, 0);
        assert!(head.contains(sign), "{head}");
    }
    // What is old is dim, what is bad is bold.
    let buffer = whole(ThemeName::Dark, Depth::None, bed::away(42));
    let cells = buffer.content.iter();
    let dim = cells.filter(|cell| cell.modifier.contains(Modifier::DIM)).count();
    assert!(dim > 100, "{dim}");
}
