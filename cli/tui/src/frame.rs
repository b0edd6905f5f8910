//! What stands around every screen: the line at the head with the state of the system, and the keys at the foot.

use odd_contracts::AlertState;
use odd_contracts::api::HealthState;
use odd_look::sign::{Glyph, Tone, of_health};
use odd_look::{format, text};
use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};

use crate::fit;
use crate::screens::{Hint, hint, outcome};
use crate::world::World;

/// Keys that work on every screen, where there is room to tell.
const EVERYWHERE: [Hint; 2] = [hint("?", "help"), hint("Q", "quit")];

/// Keys of a screen that are shown even where the command has no room beside them.
const FIRST: usize = 3;

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

/// A region that keys go to or could go to; its border tells.
pub(crate) fn focusable(world: &World, title: impl Into<String>, has_focus: bool) -> Block<'static> {
    let block = region(world, title);
    if has_focus {
        block.border_style(world.theme.accent())
    } else {
        block
    }
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
    let left = system(world, usize::from(area.width));
    let right = figures(world, usize::from(area.width).saturating_sub(left.width() + 2));
    frame.render_widget(Paragraph::new(left), area);
    frame.render_widget(Paragraph::new(right).alignment(Alignment::Right), area);
}

/// Whose state it is and how it is, in the first wording that fits.
fn system(world: &World, room: usize) -> Line<'static> {
    let theme = world.theme;
    let name = [
        Span::styled(" ODD ", theme.accent()),
        Span::styled(fit::cut(&world.instance, 24).into_owned(), theme.strong()),
        Span::raw(" "),
    ];
    let mut wordings = states(world).into_iter().map(|state| {
        let spans = name.iter().cloned().chain(state);
        Line::from(spans.collect::<Vec<_>>())
    });
    let last = wordings.next_back().unwrap_or_default();
    wordings.find(|line| line.width() <= room).unwrap_or(last)
}

/// The state in words, the longest first.
fn states(world: &World) -> Vec<Vec<Span<'static>>> {
    let theme = world.theme;
    if let Some((_, age)) = world.away() {
        let age = age.map(format::duration);
        let since = |before: &str, after: &str| {
            let age = age.as_ref().map(|age| format!("{before}{age}{after}"));
            age.unwrap_or_default()
        };
        let bad = |text: String| {
            let text = format!("{} {text}", theme.glyph(Glyph::Bad));
            vec![Span::styled(text, theme.tone(Tone::Bad))]
        };
        return vec![
            bad(format!("read-model away{}", since(", data ", " old"))),
            bad(format!("away{}", since(" ", ""))),
        ];
    }
    let Some(overview) = &world.overview.value else {
        return vec![vec![Span::styled("connecting", theme.muted())]];
    };
    let (glyph, tone) = of_health(overview.state);
    let state = format!("{:?}", overview.state).to_lowercase();
    let state = Span::styled(format!("{} {state}", theme.glyph(glyph)), theme.tone(tone));
    let up = format::duration(world.now.since(overview.started_at));
    let may = if world.mode.changes_jobs() {
        ""
    } else {
        " · read-only"
    };
    let more = format!("   {} · {up}{may}", text::line(&overview.engine));
    vec![
        vec![state.clone(), Span::styled(more, theme.muted())],
        vec![state],
    ]
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
        let is_stale = world.alerts.stale(world.now).is_some();
        let style = if is_stale {
            theme.stale()
        } else {
            theme.tone(Tone::Attention)
        };
        groups.push((text, style));
    } else if world
        .alert_source()
        .is_some_and(|source| source.state != HealthState::Healthy)
    {
        let text = format!("{} alerts away", theme.glyph(Glyph::Warn));
        groups.push((text, theme.tone(Tone::Attention)));
    }
    let has_alerts = !groups.is_empty();
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
    if has_alerts && !groups.is_empty() {
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

/// What stands at the foot.
pub(crate) struct Footer<'a> {
    /// The keys of the screen that work now, the most important first.
    pub(crate) hints: &'a [Hint],
    /// The command that does the same.
    pub(crate) command: &'a str,
    /// What is told instead.
    pub(crate) notice: Option<(Tone, &'a str)>,
    /// Whether letters are text, so that none of them is a key.
    pub(crate) takes_text: bool,
}

/// The keys that work now, and the command that does the same; or what there is to notice.
pub(crate) fn footer(frame: &mut Frame<'_>, world: &World, footer: &Footer<'_>) {
    let [_, _, area] = rows(frame.area());
    let theme = world.theme;
    let room = usize::from(area.width);
    if let Some((tone, text)) = footer.notice {
        let text = format!(" {}", outcome::within(text, room.saturating_sub(2)));
        frame.render_widget(Paragraph::new(text).style(theme.tone(tone)), area);
        return;
    }
    let keys = keys(footer, theme.unicode());
    let command = format!("$ {} ", text::line(footer.command));
    let places = placed(&keys, footer.hints.len(), fit::width(&command), room);
    let mut spans = Vec::new();
    for ((key, does), _) in keys.iter().zip(&places.keys).filter(|(_, shown)| **shown) {
        spans.push(Span::styled(format!(" {key}"), theme.accent()));
        spans.push(Span::styled(format!(" {does} "), theme.muted()));
    }
    frame.render_widget(Paragraph::new(Line::from(spans)), area);
    if places.has_command {
        let line = Paragraph::new(command)
            .style(theme.muted())
            .alignment(Alignment::Right);
        frame.render_widget(line, area);
    }
}

/// Keys with what they do: those of the screen first.
fn keys(footer: &Footer<'_>, unicode: bool) -> Vec<(&'static str, &'static str)> {
    let everywhere = if footer.takes_text { &[][..] } else { &EVERYWHERE };
    let hints = footer.hints.iter().chain(everywhere);
    hints
        .map(|hint| match hint.key {
            "↵" if !unicode => ("Enter", hint.does),
            key => (key, hint.does),
        })
        .collect()
}

/// What is shown of the footer.
struct Places {
    keys: Vec<bool>,
    has_command: bool,
}

/// First come the first keys of the screen, then the command (whole or not at all: half of one would be another), then the keys of
/// every screen, then as many others as there is room for.
fn placed(keys: &[(&str, &str)], own: usize, command: usize, room: usize) -> Places {
    let mut places = Places {
        keys: vec![false; keys.len()],
        has_command: false,
    };
    let mut taken = 0;
    let first = own.min(FIRST);
    let mut take = |range: std::ops::Range<usize>, room: usize| {
        for at in range {
            let (key, does) = keys[at];
            let wide = fit::width(key) + fit::width(does) + 3;
            if taken + wide <= room {
                taken += wide;
                places.keys[at] = true;
            }
        }
        taken
    };
    places.has_command = take(0..first, room) + command < room;
    // A column stays between keys and command.
    let room = if places.has_command {
        room - command - 1
    } else {
        room
    };
    take(own..keys.len(), room);
    take(first..own, room);
    places
}

#[cfg(test)]
mod tests;
