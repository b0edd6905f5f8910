//! The launcher while somebody chooses: what the machine has, what it shall run on, how the last start or stop ended.

use std::time::Duration;

use odd_look::format;
use odd_look::sign::{Glyph, Tone};
use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use serde_json::Value;

use super::checks::found;
use super::choice::Engine;
use super::launch::Launch;
use super::pointer::{Clickable, Target, placed, target};
use super::told::{Failed, list, text};
use super::{Launcher, Outcome, progress};
use crate::fit;
use crate::frame::region;
use crate::screens::splash;
use crate::world::World;

/// Widest that it is drawn: longer lines are hard to read.
const WIDEST: u16 = 118;
/// From this height on there is room for the logo.
const TALL: u16 = 36;
/// Lines of a log that are shown of a failed start.
const LOG: usize = 6;

/// Everything, from the top: name, choice, what happened last, what the doctor found. Returns what can be clicked.
pub(super) fn choosing(
    launcher: &Launcher,
    world: &World,
    frame: &mut Frame<'_>,
    area: Rect,
) -> Vec<(Rect, Target)> {
    let area = area.centered_horizontally(Constraint::Max(WIDEST));
    let columns = usize::from(area.width.saturating_sub(4));
    let head = head(world, area.height);
    let (choice, mut targets) = choice(launcher, world, columns);
    let last = last(launcher, world, columns);
    let tall = |lines: &[Line<'_>], border: u16| match lines.len() {
        0 => 0,
        many => u16::try_from(many).unwrap_or(u16::MAX).saturating_add(border),
    };
    let [top, middle, outcome, bottom] = Layout::vertical([
        Constraint::Length(tall(&head, 0)),
        Constraint::Length(tall(&choice, 2)),
        Constraint::Length(tall(&last, 2)),
        Constraint::Fill(1),
    ])
    .areas(area);
    frame.render_widget(Paragraph::new(head).alignment(Alignment::Center), top);
    boxed(frame, world, "Start", choice, middle);
    placed(&mut targets, middle);
    if !last.is_empty() {
        boxed(frame, world, "Last", last, outcome);
    }
    if bottom.height > 3 {
        let rows = usize::from(bottom.height - 2);
        let (found, mut checks) = found(launcher, world, columns, rows);
        boxed(frame, world, "This machine", found, bottom);
        placed(&mut checks, bottom);
        targets.append(&mut checks);
    }
    targets
}

fn boxed(frame: &mut Frame<'_>, world: &World, title: &str, lines: Vec<Line<'_>>, area: Rect) {
    let block = region(world, title).padding(ratatui::widgets::Padding::horizontal(1));
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

/// A text in at most so many lines; what does not fit ends with `…`.
pub(super) fn within(text: &str, columns: usize, most: usize) -> Vec<String> {
    let (mut lines, has_more) = fit::wrap_first(text, columns, most);
    if has_more && let Some(last) = lines.last_mut() {
        *last = format!("{}…", fit::left(last, columns.saturating_sub(1)).trim_end());
    }
    lines
}

/// The logo where there is room, else the name.
fn head(world: &World, height: u16) -> Vec<Line<'static>> {
    let theme = world.theme;
    if height >= TALL {
        let mut lines = splash::logo(world);
        lines.push(Line::default());
        return lines;
    }
    vec![Line::from(vec![
        Span::styled("ODD ", theme.accent()),
        Span::styled("Distributed Task Observatory", theme.strong()),
        Span::styled("  oddessentials.com", theme.muted()),
    ])]
}

/// Why nothing can be started from here, and what starts it.
fn only_looks<'a>(world: &World, columns: usize) -> Vec<Line<'a>> {
    let theme = world.theme;
    let why = if world.mode.has_machine() {
        "This dashboard only looks (--read-only): it starts and stops nothing. On a terminal of your own:"
    } else {
        "From here nothing of the machine can be reached. On a terminal of that machine:"
    };
    let why = fit::wrap(why, columns).into_iter();
    let mut lines: Vec<Line<'_>> = why.map(|line| Line::styled(line, theme.text())).collect();
    let command = format!("$ odd up{}", world.of_instance);
    lines.push(Line::styled(command, theme.accent()));
    lines
}

/// The engines beside one another.
fn engines<'a>(chosen: Engine, world: &World) -> (Line<'a>, Vec<(Rect, Target)>) {
    let theme = world.theme;
    let mut line = Line::styled("engine  ", theme.muted());
    let mut targets = Vec::new();
    for engine in Engine::ALL {
        let (pointer, style) = if engine == chosen {
            (theme.pointer(), theme.chosen())
        } else {
            (" ", theme.text())
        };
        let text = format!(" {pointer} {} ", engine.name());
        let width = fit::width(&text);
        targets.push(target(line.width(), 0, width, Target::Engine(engine)));
        line.push_span(Span::styled(text, style));
    }
    (line, targets)
}

/// What it shall run on.
fn choice<'a>(launcher: &Launcher, world: &World, columns: usize) -> Clickable<'a> {
    let theme = world.theme;
    if !world.mode.changes_stack() {
        return (only_looks(world, columns), Vec::new());
    }
    let choice = launcher.choice;
    let (engines, mut targets) = engines(choice.engine, world);
    let mut lines = vec![engines];
    let meaning = fit::wrap(choice.engine.meaning(), columns);
    lines.extend(meaning.into_iter().map(|line| Line::styled(line, theme.muted())));
    if choice.has_offline() {
        targets.push(target(0, lines.len(), columns, Target::Offline));
        let mark = if choice.is_offline() { "[x]" } else { "[ ]" };
        lines.push(Line::from(vec![
            Span::styled(format!("{mark} offline images"), theme.text()),
            Span::styled("  built from Debian packages, without a registry", theme.muted()),
        ]));
    }
    targets.push(target(0, lines.len(), columns, Target::Start));
    lines.push(Line::from(vec![
        Span::styled("↵ ", theme.accent()),
        Span::styled("starts ", theme.text()),
        Span::styled(fit::cut(&world.instance, 24).into_owned(), theme.strong()),
        Span::styled(
            format!("   $ {}{}", choice.command(), world.of_instance),
            theme.muted(),
        ),
    ]));
    (lines, targets)
}

/// How the last start or stop ended.
fn last<'a>(launcher: &Launcher, world: &World, columns: usize) -> Vec<Line<'a>> {
    match &launcher.outcome {
        None => Vec::new(),
        Some(Outcome::Stopped(answer)) => stopped(answer, world, columns),
        Some(Outcome::NotStopped(failed)) => failure(failed, world, columns),
        Some(Outcome::Interrupted(launch)) => interrupted(launch, world, columns),
        Some(Outcome::Failed(launch, failed)) => {
            let mut lines = failure(failed, world, columns);
            lines.extend(log(launch, failed, world, columns));
            lines.extend(progress::summary(launch, world, columns));
            lines
        }
    }
}

/// What was stopped. Its data is kept, which has to be said.
fn stopped<'a>(answer: &Value, world: &World, columns: usize) -> Vec<Line<'a>> {
    let theme = world.theme;
    let name = fit::cut(&world.instance, 40).into_owned();
    let is = |field| answer.get(field).and_then(Value::as_bool).unwrap_or(false);
    if !is("wasRunning") {
        return vec![Line::styled(format!("{name} was not running"), theme.text())];
    }
    let took = answer.get("tookMs").and_then(Value::as_f64).unwrap_or_default();
    let engine = text(answer, "engine").unwrap_or_default();
    let what = match list(answer, "containers").count() {
        0 => String::new(),
        many => format!(", {many} containers"),
    };
    let said = format!(
        "{} {name} stopped in {} ({engine}{what})",
        theme.glyph(Glyph::Ok),
        format::millis(took)
    );
    let mut lines = vec![Line::styled(
        fit::cut(&said, columns).into_owned(),
        theme.tone(Tone::Ok),
    )];
    if is("killed") {
        let text = "some of it did not end in time and was killed; what was accepted survives that";
        lines.push(Line::styled(text, theme.tone(Tone::Attention)));
    }
    let kept = format!(
        "its data is kept, and jobs go on when it is started again; `odd down{} --volumes` removes it",
        world.of_instance
    );
    let kept = fit::wrap(&kept, columns).into_iter();
    lines.extend(kept.map(|line| Line::styled(line, theme.muted())));
    lines
}

fn interrupted<'a>(launch: &Launch, world: &World, columns: usize) -> Vec<Line<'a>> {
    let theme = world.theme;
    let said = launch
        .told
        .said
        .iter()
        .rev()
        .find(|line| line.contains("interrupted"));
    let default = format!(
        "interrupted: starting again goes on from what is left, `odd down{}` removes it",
        world.of_instance
    );
    let said = said.unwrap_or(&default);
    let mut lines: Vec<Line<'_>> = fit::wrap(said, columns)
        .into_iter()
        .map(|line| Line::styled(line, theme.tone(Tone::Attention)))
        .collect();
    lines.extend(progress::summary(launch, world, columns));
    lines
}

/// What failed, why, what to try.
pub(super) fn failure<'a>(failed: &Failed, world: &World, columns: usize) -> Vec<Line<'a>> {
    let theme = world.theme;
    let mut lines = Vec::new();
    let what = format!("{} {}", theme.glyph(Glyph::Bad), failed.what);
    let mut say = |text: &str, most, style| {
        let wrapped = within(text, columns, most).into_iter();
        lines.extend(wrapped.map(|line| Line::styled(line, style)));
    };
    say(&what, 2, theme.tone(Tone::Bad));
    say(&failed.why, 4, theme.text());
    if let Some(remedy) = &failed.remedy {
        say(&format!("try: {remedy}"), 4, theme.accent());
    }
    lines
}

/// The end of the log of what went wrong.
fn log<'a>(launch: &Launch, failed: &Failed, world: &World, columns: usize) -> Vec<Line<'a>> {
    let theme = world.theme;
    let lines = match launch.troubles.last() {
        Some(trouble) => &trouble.log,
        None => &failed.details,
    };
    let shown = lines.iter().skip(lines.len().saturating_sub(LOG));
    let cut = |line: &String| format!("| {}", fit::cut(line, columns.saturating_sub(2)));
    shown.map(|line| Line::styled(cut(line), theme.muted())).collect()
}

/// While the stack is stopped.
pub(super) fn stopping(since: Duration, world: &World, frame: &mut Frame<'_>, area: Rect) {
    let theme = world.theme;
    let mut lines = splash::logo(world);
    lines.push(Line::default());
    lines.push(Line::from(vec![
        Span::styled(format!("{} ", splash::spinner(world)), theme.accent()),
        Span::styled(
            format!("stopping {}", fit::cut(&world.instance, 40)),
            theme.strong(),
        ),
        Span::styled(format!("  {}", progress::whole(since)), theme.muted()),
    ]));
    lines.push(Line::styled(
        "work in hand is finished or given back; data is kept",
        theme.muted(),
    ));
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).min(area.height);
    let middle = area.centered_vertically(Constraint::Length(height));
    frame.render_widget(Paragraph::new(lines).alignment(Alignment::Center), middle);
}
