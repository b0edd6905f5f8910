//! Alerts that fire, beside the table.

use odd_contracts::api::{AlertSource, HealthState};
use odd_contracts::{Alert, AlertState};
use odd_look::format;
use odd_look::sign::{Glyph, of_health, of_severity};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::panels::{ink, missing, titled};
use crate::fit;
use crate::frame::region;
use crate::world::World;

/// Alerts that fire, and whether what tells of them can be relied on.
pub(super) fn draw(frame: &mut Frame<'_>, world: &World, area: Rect) {
    let block = region(world, titled(world, "Alerts", &world.alerts));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let Some(list) = &world.alerts.value else {
        frame.render_widget(Paragraph::new(missing(world, &world.alerts)), inner);
        return;
    };
    let width = usize::from(inner.width);
    let mut lines = Vec::new();
    let away = world
        .alert_source()
        .filter(|source| source.state != HealthState::Healthy);
    if let Some(source) = away {
        lines.extend(source_away(world, source, &list.source, width));
    }
    let alerts = list.alerts.iter();
    let mut firing = alerts
        .filter(|alert| alert.state == AlertState::Firing)
        .peekable();
    if firing.peek().is_none() {
        lines.push(none_fires(world, away.is_some()));
    }
    lines.extend(firing.map(|alert| fires(world, alert, width)));
    frame.render_widget(Paragraph::new(lines), inner);
}

/// That none fires is good news only where somebody looks.
fn none_fires(world: &World, is_away: bool) -> Line<'static> {
    let theme = world.theme;
    let (glyph, text) = if world.alerts.failure.is_some() {
        (Glyph::Waiting, "none fired when last told")
    } else if is_away {
        (Glyph::Waiting, "none is known to fire")
    } else {
        (Glyph::Ok, "none fires")
    };
    let style = ink(world, &world.alerts, theme.muted());
    Line::styled(format!(" {} {text}", theme.glyph(glyph)), style)
}

/// `⚠ alertmanager is away, 1 m 35 s` and who tells of alerts meanwhile.
fn source_away(world: &World, source: &AlertSource, instead: &str, width: usize) -> Vec<Line<'static>> {
    let theme = world.theme;
    let (glyph, tone) = of_health(source.state);
    let since = match source.checked_at {
        Some(at) => format!("away for {}", format::duration(world.now.since(at))),
        None => "has never answered".to_owned(),
    };
    let mut rows = vec![(
        theme.tone(tone),
        format!("{} {} {since}", theme.glyph(glyph), source.name),
    )];
    if instead != source.name {
        rows.push((theme.muted(), format!("  {instead} stands in for it")));
    }
    rows.into_iter()
        .map(|(style, text)| {
            let text = fit::cut(&text, width.saturating_sub(1)).into_owned();
            Line::styled(format!(" {text}"), ink(world, &world.alerts, style))
        })
        .collect()
}

fn fires(world: &World, alert: &Alert, width: usize) -> Line<'static> {
    let theme = world.theme;
    let (glyph, tone) = of_severity(alert.severity);
    let age = format::duration(world.now.since(alert.since));
    // The larger unit says enough here.
    let age = age.splitn(3, ' ').take(2).collect::<Vec<_>>().join(" ");
    let told = format!("{age}  {} ", alert.subject);
    let ink = |style| ink(world, &world.alerts, style);
    let room = width.saturating_sub(fit::width(&told) + 4);
    Line::from(vec![
        Span::styled(format!(" {} ", theme.glyph(glyph)), ink(theme.tone(tone))),
        Span::styled(fit::left(&alert.name, room), ink(theme.strong())),
        Span::styled(format!(" {told}"), ink(theme.muted())),
    ])
}
