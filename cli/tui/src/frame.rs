//! What stands around every screen: the line at the head with the state of the system, and the keys at the foot.

use odd_contracts::AlertState;
use odd_look::format;
use odd_look::sign::{Glyph, Tone, of_health};
use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};

use crate::app::Notice;
use crate::fit;
use crate::screens::{Hint, hint};
use crate::world::World;

/// Keys that work on every screen, where there is room to tell.
const EVERYWHERE: [Hint; 2] = [hint("?", "help"), hint("Q", "quit")];

/// Where the screens are.
pub(crate) fn body(area: Rect) -> Rect {
    let [_, body, _] = rows(area);
    body
}

fn rows(area: Rect) -> [Rect; 3] {
    Layout::vertical([Constraint::Length(1), Constraint::Fill(1), Constraint::Length(1)]).areas(area)
}

/// Paints the whole screen.
pub(crate) fn ground(frame: &mut Frame<'_>, world: &World) {
    frame.render_widget(Block::new().style(world.theme.base()), frame.area());
}

/// A block with a title, as every region of every screen has.
pub(crate) fn region(world: &World, title: impl Into<String>) -> Block<'static> {
    let title: String = title.into();
    let block = Block::bordered()
        .border_set(world.theme.border())
        .border_style(world.theme.line());
    if title.is_empty() {
        return block;
    }
    block.title(Span::styled(format!(" {title} "), world.theme.strong()))
}

/// An area of this size in the middle of another, emptied.
pub(crate) fn overlay(frame: &mut Frame<'_>, world: &World, area: Rect, width: u16, height: u16) -> Rect {
    let area = area.centered(
        Constraint::Length(width.min(area.width)),
        Constraint::Length(height.min(area.height)),
    );
    frame.render_widget(Clear, area);
    frame.render_widget(Block::new().style(world.theme.base()), area);
    area
}

/// Instance, engine, health, throughput, latency, alerts.
pub(crate) fn header(frame: &mut Frame<'_>, world: &World) {
    let [area, _, _] = rows(frame.area());
    let left = system(world);
    let right = figures(world, usize::from(area.width).saturating_sub(left.width() + 2));
    frame.render_widget(Paragraph::new(left), area);
    frame.render_widget(Paragraph::new(right).alignment(Alignment::Right), area);
}

fn system(world: &World) -> Line<'static> {
    let theme = world.theme;
    let mut spans = vec![
        Span::styled(" ODD ", theme.accent()),
        Span::styled(fit::cut(&world.instance, 24).into_owned(), theme.strong()),
        Span::raw(" "),
    ];
    if let Some((_, age)) = world.away() {
        let since = age
            .map(|age| format!(", data {} old", format::duration(age)))
            .unwrap_or_default();
        let text = format!("{} read-model away{since}", theme.glyph(Glyph::Bad));
        spans.push(Span::styled(text, theme.tone(Tone::Bad)));
        return Line::from(spans);
    }
    match &world.overview.value {
        None => spans.push(Span::styled("connecting", theme.muted())),
        Some(overview) => {
            let (glyph, tone) = of_health(overview.state);
            let state = format!("{:?}", overview.state).to_lowercase();
            spans.push(Span::styled(
                format!("{} {state}", theme.glyph(glyph)),
                theme.tone(tone),
            ));
            let up = format::duration(world.now.since(overview.started_at));
            spans.push(Span::styled(
                format!("   {} · {up}", overview.engine),
                theme.muted(),
            ));
        }
    }
    Line::from(spans)
}

/// As many figures as fit, the most important first to stay.
fn figures(world: &World, room: usize) -> Line<'static> {
    let theme = world.theme;
    let mut groups: Vec<(String, Style)> = Vec::new();
    let firing = world.alerts.value.as_ref().map_or(0, |list| {
        list.alerts
            .iter()
            .filter(|alert| alert.state == AlertState::Firing)
            .count()
    });
    if firing > 0 {
        let noun = if firing == 1 { "alert" } else { "alerts" };
        let text = format!("{} {firing} {noun}", theme.glyph(Glyph::Warn));
        groups.push((text, theme.tone(Tone::Attention)));
    }
    if let Some(stats) = &world.stats.value {
        let style = if world.stats.stale(world.now).is_some() {
            theme.stale()
        } else {
            theme.text()
        };
        groups.push((format!("{} jobs/s", rate(stats.jobs_per_second)), style));
        if let Some(latency) = &stats.latency_ms {
            let text = format!(
                "p50 {}  p99 {}",
                format::millis(latency.p50),
                format::millis(latency.p99)
            );
            groups.push((text, style));
        }
    }
    let mut taken = 1;
    groups.retain(|(text, _)| {
        taken += fit::width(text) + 3;
        taken <= room
    });
    // Alerts are the last to go where room is short, and stand at the very right.
    if firing > 0 && !groups.is_empty() {
        groups.rotate_left(1);
    }
    let mut spans = Vec::new();
    for (text, style) in groups {
        spans.push(Span::raw("   "));
        spans.push(Span::styled(text, style));
    }
    spans.push(Span::raw(" "));
    Line::from(spans)
}

/// A rate: one decimal below ten.
pub(crate) fn rate(value: f64) -> String {
    if value > 0.0 && value < 10.0 {
        format!("{value:.1}")
    } else {
        format::count(value.round().max(0.0) as u64)
    }
}

/// The keys that work now, and the command that does the same; or what there is to notice.
pub(crate) fn footer(
    frame: &mut Frame<'_>,
    world: &World,
    hints: &[Hint],
    command: &str,
    notice: Option<&Notice>,
) {
    let [_, _, area] = rows(frame.area());
    let theme = world.theme;
    let room = usize::from(area.width);
    if let Some(notice) = notice {
        let text = format!(" {}", fit::cut(&notice.text, room.saturating_sub(2)));
        frame.render_widget(Paragraph::new(text).style(theme.tone(notice.tone)), area);
        return;
    }
    let mut spans = Vec::new();
    let mut taken = 0;
    for hint in hints.iter().chain(&EVERYWHERE) {
        let key = match hint.key {
            "↵" if !theme.unicode() => "Enter",
            key => key,
        };
        let wide = fit::width(key) + fit::width(hint.does) + 3;
        if taken + wide > room {
            break;
        }
        taken += wide;
        spans.push(Span::styled(format!(" {key}"), theme.accent()));
        spans.push(Span::styled(format!(" {} ", hint.does), theme.muted()));
    }
    frame.render_widget(Paragraph::new(Line::from(spans)), area);
    // The whole command, or none: half of one would be another.
    let command = format!("$ {command} ");
    if taken + fit::width(&command) < room {
        let line = Paragraph::new(command)
            .style(theme.muted())
            .alignment(Alignment::Right);
        frame.render_widget(line, area);
    }
}
