//! A start as it goes: each container with its state, images on their way, trouble, and in the end what took how long.

use std::time::Duration;

use odd_look::format;
use odd_look::sign::{Glyph, Tone};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Padding, Paragraph};

use super::launch::{Answer, Container, Launch, State, Trouble};
use crate::fit;
use crate::frame::region;
use crate::screens::splash;
use crate::world::World;

/// Columns of a service's name.
const SERVICE: usize = 18;
/// Columns of a container's state, time and action.
const CELLS: [usize; 3] = [9, 9, 9];
/// Least rows for what is said beside the containers.
const SAID: u16 = 5;
/// Lines of a log that are shown of a container in trouble.
const LOG: usize = 6;
/// Lines that a command said in words.
const WORDS: usize = 8;

/// While it goes on.
pub(super) fn launching(launch: &Launch, scroll: usize, world: &World, frame: &mut Frame<'_>, area: Rect) {
    let theme = world.theme;
    let since = whole(world.now.since(launch.started));
    let name = fit::cut(&world.instance, 24).into_owned();
    let room = usize::from(area.width).saturating_sub(fit::width(&name) + fit::width(&since) + 18);
    let on = launch.engine.as_deref().map(|on| format!("on {on}"));
    let on = fit::cut(on.as_deref().unwrap_or_default(), room).into_owned();
    let head = Line::from(vec![
        Span::styled(format!(" {} ", splash::spinner(world)), theme.accent()),
        Span::styled(format!("starting {name}"), theme.strong()),
        Span::styled(format!("  {since}  "), theme.text()),
        Span::styled(on, theme.muted()),
    ]);
    whole_screen(launch, head, scroll, world, frame, area);
}

/// Once it is done.
pub(super) fn ready(launch: &Launch, scroll: usize, world: &World, frame: &mut Frame<'_>, area: Rect) {
    let theme = world.theme;
    let head = launch.answer.as_ref().map(|answer| {
        let took = format::duration(answer.took);
        let said = if answer.already_running {
            format!("already running on {}; nothing was changed", answer.engine)
        } else {
            format!("ready in {took} on {}", answer.engine)
        };
        let arrow = if theme.unicode() { " → " } else { " > " };
        let path = match answer.critical_path.join(arrow) {
            path if path.is_empty() => String::new(),
            path => format!("   critical path: {path}"),
        };
        Line::from(vec![
            Span::styled(format!(" {} ", theme.glyph(Glyph::Ok)), theme.tone(Tone::Ok)),
            Span::styled(fit::cut(&said, 60).into_owned(), theme.strong()),
            Span::styled(fit::cut(&path, 80).into_owned(), theme.accent()),
        ])
    });
    whole_screen(launch, head.unwrap_or_default(), scroll, world, frame, area);
}

fn whole_screen(
    launch: &Launch,
    head: Line<'_>,
    scroll: usize,
    world: &World,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    let columns = usize::from(area.width.saturating_sub(4));
    let said = said(launch, world, columns);
    let rows = |lines: usize| u16::try_from(lines).unwrap_or(u16::MAX);
    let table = if launch.order.is_empty() {
        0
    } else {
        rows(launch.order.len()).saturating_add(2)
    };
    let least = rows(said.len()).saturating_add(2).min(area.height / 2).max(SAID);
    let [top, counts, table, below] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(table.min(area.height.saturating_sub(2 + least))),
        Constraint::Fill(1),
    ])
    .areas(area);
    frame.render_widget(Paragraph::new(head), top);
    frame.render_widget(Paragraph::new(counts_line(launch, world)), counts);
    if table.height > 2 {
        containers(launch, scroll, world, frame, table);
    }
    words(said, world, frame, below);
}

/// What is said beside the containers; what is said last is what matters.
fn words(said: Vec<Line<'_>>, world: &World, frame: &mut Frame<'_>, area: Rect) {
    if area.height <= 2 || said.is_empty() {
        return;
    }
    let skip = said.len().saturating_sub(usize::from(area.height - 2));
    let text: Vec<_> = said.into_iter().skip(skip).collect();
    let height = u16::try_from(text.len()).unwrap_or(u16::MAX).saturating_add(2);
    let block = region(world, "Progress").padding(Padding::horizontal(1));
    let area = Rect {
        height: height.min(area.height),
        ..area
    };
    frame.render_widget(Paragraph::new(text).block(block), area);
}

/// `✓ 7 images  ✓ network  ✓ 6 volumes`
fn counts_line(launch: &Launch, world: &World) -> Line<'static> {
    let theme = world.theme;
    let mut parts = Vec::new();
    let waited = launch
        .images
        .values()
        .filter(|image| image.state != "ready")
        .count();
    if launch.planned_images > 0 {
        let ready = launch.planned_images.saturating_sub(waited);
        let (glyph, text) = if waited == 0 {
            (Glyph::Ok, format!("{ready} images"))
        } else {
            (
                Glyph::Working,
                format!("{ready} of {} images", launch.planned_images),
            )
        };
        parts.push(format!("{} {text}", theme.glyph(glyph)));
    }
    if launch.networks > 0 {
        parts.push(format!("{} network", theme.glyph(Glyph::Ok)));
    }
    if launch.volumes > 0 {
        parts.push(format!("{} {} volumes", theme.glyph(Glyph::Ok), launch.volumes));
    }
    Line::styled(format!("   {}", parts.join("   ")), theme.muted())
}

fn containers(launch: &Launch, scroll: usize, world: &World, frame: &mut Frame<'_>, area: Rect) {
    let (healthy, wanted) = launch.healthy();
    let block = region(world, format!("Containers {healthy} of {wanted} healthy"));
    let columns = usize::from(area.width.saturating_sub(4));
    let rows = usize::from(area.height - 2);
    let first = scroll.min(launch.order.len().saturating_sub(rows));
    let shown = launch.order.iter().filter_map(|name| launch.containers.get(name));
    let lines: Vec<_> = shown
        .skip(first)
        .take(rows)
        .map(|container| row(container, launch.answer.as_ref(), world, columns))
        .collect();
    let block = block.padding(Padding::horizontal(1));
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

fn row<'a>(container: &Container, answer: Option<&Answer>, world: &World, columns: usize) -> Line<'a> {
    let theme = world.theme;
    let (glyph, tone) = container.state.sign();
    let time = match container.after {
        Some(after) => format::duration(after),
        None if container.state.is_moving() => whole(world.now.since(container.since)),
        None => String::new(),
    };
    let name = match container.number {
        1 => container.service.clone(),
        number => format!("{} {number}", container.service),
    };
    let room = columns.saturating_sub(SERVICE + CELLS.iter().sum::<usize>() + 7);
    let kept = container.action == "keep";
    let why = match answer {
        Some(answer) if !kept => timing(container, answer, room),
        _ => container.reason.clone().unwrap_or_default(),
    };
    let state = if kept { "runs" } else { container.state.word() };
    Line::from(vec![
        Span::styled(format!("{} ", theme.glyph(glyph)), theme.tone(tone)),
        Span::styled(format!("{} ", fit::left(&name, SERVICE)), theme.text()),
        Span::styled(format!("{} ", fit::left(state, CELLS[0])), theme.tone(tone)),
        Span::styled(format!("{}  ", fit::right(&time, CELLS[1])), theme.text()),
        Span::styled(
            format!("{} ", fit::left(&container.action, CELLS[2])),
            theme.muted(),
        ),
        Span::styled(fit::cut(&why, room).into_owned(), theme.muted()),
    ])
}

/// How long a service waited for others and took itself, where there is room, and whether everything waited for it.
fn timing(container: &Container, answer: &Answer, room: usize) -> String {
    let Some((waited, took)) = answer.services.get(&container.service) else {
        return String::new();
    };
    let critical = answer.critical_path.contains(&container.service);
    let critical = if critical { "critical path" } else { "" };
    let times = format!(
        "waited {:>7}, took {:>7}  ",
        format::duration(*waited),
        format::duration(*took)
    );
    if fit::width(&times) + fit::width("critical path") > room {
        return critical.to_owned();
    }
    times + critical
}

/// What is under way and what there is to know, the most important last.
fn said<'a>(launch: &Launch, world: &World, columns: usize) -> Vec<Line<'a>> {
    let theme = world.theme;
    let mut lines = Vec::new();
    for (service, reason) in &launch.left_out {
        let text = format!("without {service}: {reason}");
        lines.push(Line::styled(fit::cut(&text, columns).into_owned(), theme.muted()));
    }
    let words = launch.told.said.iter();
    for line in words.skip(launch.told.said.len().saturating_sub(WORDS)) {
        // Errors in JSON are read when the command has ended.
        if !line.starts_with('{') {
            lines.push(Line::styled(fit::cut(line, columns).into_owned(), theme.text()));
        }
    }
    for notice in &launch.notices {
        let text = format!("{} {notice}", theme.glyph(Glyph::Warn));
        for line in fit::wrap(&text, columns).into_iter().take(3) {
            lines.push(Line::styled(line, theme.tone(Tone::Attention)));
        }
    }
    for (reference, image) in launch.images.iter().filter(|(_, image)| image.state != "ready") {
        let bytes = image.bytes().map_or_else(String::new, |(current, total)| {
            format!("  {} of {}", format::bytes(current), format::bytes(total))
        });
        let detail = image.detail.as_deref().unwrap_or_default().trim();
        let text = format!(
            "{} {} {reference}{bytes}  {detail}",
            splash::spinner(world),
            image.state
        );
        lines.push(Line::styled(
            fit::cut(&text, columns).into_owned(),
            theme.tone(Tone::Working),
        ));
    }
    lines.extend(launch.troubles.iter().flat_map(|t| trouble(t, world, columns)));
    lines
}

/// A container that did not become healthy: told at once, with the end of its log.
fn trouble<'a>(trouble: &Trouble, world: &World, columns: usize) -> Vec<Line<'a>> {
    let theme = world.theme;
    let what = format!(
        "{} {} {}",
        theme.glyph(Glyph::Bad),
        trouble.service,
        trouble.reason
    );
    let mut lines = vec![Line::styled(
        fit::cut(&what, columns).into_owned(),
        theme.tone(Tone::Bad),
    )];
    if let Some(cause) = &trouble.likely_cause {
        let text = format!("likely cause: {cause}");
        lines.push(Line::styled(fit::cut(&text, columns).into_owned(), theme.text()));
    }
    let log = trouble.log.iter();
    for line in log.skip(trouble.log.len().saturating_sub(LOG)) {
        let text = format!("| {}", fit::cut(line, columns.saturating_sub(2)));
        lines.push(Line::styled(text, theme.muted()));
    }
    lines
}

/// How far each service came, in few lines: for a start that did not end well.
pub(super) fn summary<'a>(launch: &Launch, world: &World, columns: usize) -> Vec<Line<'a>> {
    let theme = world.theme;
    let each = launch.order.iter().filter_map(|name| launch.containers.get(name));
    let parts: Vec<String> = each
        .filter(|container| container.state != State::Removed)
        .map(|container| {
            let (glyph, _) = container.state.sign();
            format!("{}\u{a0}{}", theme.glyph(glyph), container.service)
        })
        .collect();
    if parts.is_empty() {
        return Vec::new();
    }
    let lines = fit::wrap(&parts.join("  "), columns).into_iter();
    lines.map(|line| Line::styled(line, theme.text())).collect()
}

/// Time that goes by, in whole seconds: digits that change faster cannot be read.
pub(super) fn whole(time: Duration) -> String {
    format::duration(Duration::from_secs(time.as_secs()))
        .replace(".0 s", " s")
        .replace("0 µs", "0 s")
}
