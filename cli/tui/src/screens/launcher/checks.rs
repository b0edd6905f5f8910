//! What the doctor found, as it is shown.

use odd_look::sign::{Glyph, Tone};
use ratatui::text::{Line, Span};

use super::Launcher;
use super::doctor::{self, Check, Doctor, State};
use super::draw::{failure, within};
use super::pointer::{Clickable, Target, target};
use crate::fit;
use crate::screens::splash;
use crate::world::World;

/// What the doctor found, in so many rows: what is wrong in full, the rest as far as it fits.
pub(super) fn found<'a>(launcher: &Launcher, world: &World, columns: usize, rows: usize) -> Clickable<'a> {
    let theme = world.theme;
    let checks = match &launcher.doctor {
        Doctor::Idle => return Clickable::default(),
        Doctor::Looking => {
            let looking = Line::from(vec![
                Span::styled(format!("{} ", splash::spinner(world)), theme.accent()),
                Span::styled("looking at what is needed and what is there", theme.text()),
            ]);
            return (vec![looking], Vec::new());
        }
        Doctor::Away(failed) => return (failure(failed, world, columns), Vec::new()),
        Doctor::Found(checks) => checks,
    };
    let (well, wrong): (Vec<_>, Vec<_>) = checks.iter().partition(|check| check.state == State::Ok);
    let width = checks
        .iter()
        .map(|c| fit::width(&c.name))
        .max()
        .unwrap_or(0)
        .min(24);
    let chosen = launcher.chosen.min(wrong.len().saturating_sub(1));
    let mut lines: Vec<Line<'_>> = Vec::new();
    let mut from = 0;
    // Which check each line tells of.
    let mut of = Vec::new();
    for (at, check) in wrong.iter().enumerate() {
        if at == chosen {
            from = lines.len();
        }
        let marked = at == chosen && wrong.len() > 1;
        lines.extend(in_full(check, marked, width, world, columns));
        of.resize(lines.len(), at);
    }
    if lines.len() + well.len() <= rows {
        lines.extend(well.iter().map(|check| in_a_line(check, width, world, columns)));
    } else {
        lines.extend(together(&well, world, columns));
    }
    // The chosen one is always in sight.
    let skip = (lines.len().saturating_sub(rows)).min(from);
    lines.drain(..skip);
    let lines_of = of.into_iter().skip(skip).enumerate();
    let targets = lines_of.map(|(line, check)| target(0, line, columns, Target::Check(check)));
    (lines, targets.collect())
}

fn in_a_line<'a>(check: &Check, width: usize, world: &World, columns: usize) -> Line<'a> {
    let theme = world.theme;
    let (glyph, tone) = check.state.sign();
    let room = columns.saturating_sub(width + 4);
    Line::from(vec![
        Span::styled(format!("{} ", theme.glyph(glyph)), theme.tone(tone)),
        Span::styled(format!("{}  ", fit::left(&check.name, width)), theme.text()),
        Span::styled(fit::cut(&check.detail, room).into_owned(), theme.muted()),
    ])
}

/// A check that did not pass: what was found, what follows, what mends it.
fn in_full<'a>(check: &Check, chosen: bool, width: usize, world: &World, columns: usize) -> Vec<Line<'a>> {
    let theme = world.theme;
    let (glyph, tone) = check.state.sign();
    let (indent, room) = (" ".repeat(width + 4), columns.saturating_sub(width + 4));
    let (pointer, name) = if chosen {
        (theme.pointer(), theme.chosen())
    } else {
        (" ", theme.strong())
    };
    let mut lines = Vec::new();
    for (at, text) in within(&check.detail, room, 3).into_iter().enumerate() {
        if at > 0 {
            lines.push(Line::styled(format!("{indent}{text}"), theme.text()));
            continue;
        }
        lines.push(Line::from(vec![
            Span::styled(theme.glyph(glyph), theme.tone(tone)),
            Span::styled(pointer, theme.accent()),
            Span::styled(fit::left(&check.name, width), name),
            Span::styled(format!("  {text}"), theme.text()),
        ]));
    }
    let mut say = |text: &str, style| {
        let wrapped = within(text, room, 2).into_iter();
        lines.extend(wrapped.map(|line| Line::styled(format!("{indent}{line}"), style)));
    };
    if let Some(consequence) = &check.consequence {
        say(consequence, theme.tone(tone));
    }
    if let Some(remedy) = &check.remedy {
        say(&format!("try: {}", doctor::command(remedy)), theme.accent());
    }
    lines
}

/// What is well, by name only.
fn together<'a>(well: &[&Check], world: &World, columns: usize) -> Vec<Line<'a>> {
    let theme = world.theme;
    let names: Vec<&str> = well.iter().map(|check| check.name.as_str()).collect();
    let text = format!("{} {}", theme.glyph(Glyph::Ok), names.join(", "));
    let wrapped = fit::wrap(&text, columns).into_iter();
    wrapped
        .map(|line| Line::styled(line, theme.tone(Tone::Ok)))
        .collect()
}
