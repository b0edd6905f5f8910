//! How alerts are drawn: the list, where they come from, and what to do about one.

use odd_contracts::api::{AlertList, AlertSource, HealthState};
use odd_contracts::{Alert, AlertState, Severity, Timestamp};
use odd_look::format;
use odd_look::sign::{Glyph, Tone, of_health, of_severity};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::Alerts;
use crate::fit;
use crate::frame::region;
use crate::world::World;

/// Columns before a text of the chosen alert.
const LABEL: usize = 10;

impl Alerts {
    fn heading(&self, world: &World) -> String {
        let count = self.listed(world).len();
        let omitted = world.alerts.value.as_ref().map_or(0, |list| list.omitted);
        if self.is_history {
            return format!("Alerts of before  {count}");
        }
        let more = if omitted > 0 {
            format!(" and {} more", format::count(omitted))
        } else {
            String::new()
        };
        let age = world.alerts.stale(world.now);
        let age = age.map(|age| format!(", {} old", format::duration(age)));
        format!("Alerts  {count}{more}{}", age.unwrap_or_default())
    }

    pub(super) fn draw_list(&mut self, world: &World, frame: &mut Frame<'_>, area: Rect) {
        let heading = self.heading(world);
        let block = region(world, heading);
        let inner = block.inner(area);
        frame.render_widget(block, area);
        let count = self.listed(world).len();
        let width = usize::from(inner.width);
        if count == 0 {
            frame.render_widget(Paragraph::new(self.nothing(world, width)), inner);
            return;
        }
        let [top, body] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(inner);
        frame.render_widget(Paragraph::new(head(width)).style(world.theme.muted()), top);
        let visible = self.list.visible(body, count);
        let listed = self.listed(world);
        let lines: Vec<Line<'_>> = visible
            .map(|at| self.row(world, listed[at], at == self.list.row(), width))
            .collect();
        frame.render_widget(Paragraph::new(lines), body);
    }

    fn row(&self, world: &World, alert: &Alert, is_chosen: bool, width: usize) -> Line<'static> {
        let theme = world.theme;
        let is_stale = !self.is_history && world.alerts.stale(world.now).is_some();
        let ink = |style| if is_stale { theme.stale() } else { style };
        let pointer = if is_chosen { theme.pointer() } else { " " };
        let room = width.saturating_sub(55);
        let (glyph, tone) = sign(alert);
        let name = format!("{} {}", theme.glyph(glyph), alert.name);
        let line = Line::from(vec![
            Span::styled(format!(" {pointer} "), theme.accent()),
            Span::styled(fit::left(&name, 26), ink(theme.tone(tone))),
            Span::styled(fit::left(severity(alert.severity), 10), ink(theme.text())),
            Span::styled(fit::left(&alert.subject, 16), ink(theme.text())),
            Span::styled(fit::left(&when(alert, world.now, room), room), ink(theme.muted())),
        ]);
        if is_chosen {
            line.style(theme.chosen())
        } else {
            line
        }
    }

    /// What is said in place of rows.
    fn nothing(&self, world: &World, width: usize) -> Vec<Line<'static>> {
        let theme = world.theme;
        let failure = if self.is_history {
            self.failure.as_ref()
        } else {
            world.alerts.failure.as_ref()
        };
        if let Some(failure) = failure {
            let text = format!("{} {}", theme.glyph(Glyph::Bad), failure.text);
            let rows = fit::wrap(&text, width.saturating_sub(2)).into_iter();
            return rows
                .map(|row| Line::styled(format!(" {row}"), theme.tone(Tone::Bad)))
                .collect();
        }
        let is_known = if self.is_history {
            self.history.is_some()
        } else {
            world.alerts.value.is_some()
        };
        if !is_known {
            return vec![Line::styled(" asking for the alerts", theme.muted())];
        }
        let (title, means) = if self.is_history {
            (
                "No alert is remembered",
                "None has fired since this instance began.",
            )
        } else {
            (
                "No alerts",
                "Roles answer, stores answer, queues are worked off, and few jobs fail. What fires is listed here with \
                 what to do about it.",
            )
        };
        let title = format!(" {} {title}", theme.glyph(Glyph::Ok));
        let rows = fit::wrap(means, width.saturating_sub(4).min(90)).into_iter();
        let rows = rows.map(|row| Line::styled(format!("   {row}"), theme.muted()));
        [Line::default(), Line::styled(title, theme.strong())]
            .into_iter()
            .chain(rows)
            .collect()
    }
}

const fn sign(alert: &Alert) -> (Glyph, Tone) {
    match alert.state {
        AlertState::Firing => of_severity(alert.severity),
        AlertState::Pending => (Glyph::Waiting, Tone::Waiting),
        AlertState::Resolved => (Glyph::Ok, Tone::Muted),
    }
}

const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    }
}

/// How long it has fired or did; where there is not room for both, when it ended.
fn when(alert: &Alert, now: Timestamp, room: usize) -> String {
    let lasted = |until: Timestamp| format::duration(until.since(alert.since));
    match (alert.state, alert.resolved_at) {
        (AlertState::Firing, _) => format!("fires for {}", lasted(now)),
        (AlertState::Pending, _) => format!("pending for {}", lasted(now)),
        (_, Some(at)) => {
            let ended = format!("ended {}", format::age(at, now));
            let both = format!("{ended}, lasted {}", lasted(at));
            if fit::width(&both) <= room { both } else { ended }
        }
        (_, None) => "over".to_owned(),
    }
}

fn head(width: usize) -> String {
    format!(
        "   {}{}{}{}",
        fit::left("alert", 26),
        fit::left("severity", 10),
        fit::left("subject", 16),
        fit::left("how long", width.saturating_sub(55))
    )
}

/// Where alerts come from, and whether that can be relied on.
pub(super) fn source_line(world: &World, width: usize) -> Line<'static> {
    let theme = world.theme;
    let list = world.alerts.value.as_ref();
    if let Some(failure) = &world.alerts.failure {
        let age = world.alerts.at.map(|at| format::age(at, world.now));
        let age = age.map_or_else(|| "never told".to_owned(), |age| format!("last told {age}"));
        let text = format!(
            "{} alerts are away, {age}: {}",
            theme.glyph(Glyph::Bad),
            failure.text
        );
        return Line::styled(
            format!(" {}", fit::cut(&text, width.saturating_sub(2))),
            theme.tone(Tone::Bad),
        );
    }
    let Some(list) = list else {
        return Line::styled(" source not known yet", theme.muted());
    };
    let (tone, text) = match world.alert_source() {
        None => (Tone::Muted, format!("source {}", list.source)),
        Some(source) => source_text(world, list, source),
    };
    Line::styled(
        format!(" {}", fit::cut(&text, width.saturating_sub(2))),
        theme.tone(tone),
    )
}

fn source_text(world: &World, list: &AlertList, source: &AlertSource) -> (Tone, String) {
    let (glyph, tone) = of_health(source.state);
    let checked = source.checked_at.map_or_else(
        || "has not answered yet".to_owned(),
        |at| format!("last answered {}", format::age(at, world.now)),
    );
    let detail = source
        .detail
        .as_ref()
        .map(|detail| format!(": {detail}"))
        .unwrap_or_default();
    let state = match source.state {
        HealthState::Healthy => "answers",
        HealthState::Degraded => "cannot wholly be relied on",
        HealthState::Down => "is away",
    };
    let instead = if list.source == source.name {
        String::new()
    } else {
        format!("; {} stands in for it", list.source)
    };
    let tone = if source.state == HealthState::Healthy {
        Tone::Muted
    } else {
        tone
    };
    let sign = world.theme.glyph(glyph);
    (
        tone,
        format!(
            "{sign} source {} {state}, {checked}{instead}{detail}",
            source.name
        ),
    )
}

/// What the chosen alert says, and what to do about it.
pub(super) fn about(world: &World, alert: &Alert, width: usize) -> Vec<Line<'static>> {
    let theme = world.theme;
    let mut lines = Vec::new();
    let mut say = |name: &str, text: &str, style| {
        let rows = fit::wrap(text, width.saturating_sub(LABEL + 1)).into_iter();
        for (at, row) in rows.enumerate() {
            let name = if at == 0 { name } else { "" };
            lines.push(Line::from(vec![
                Span::styled(format!(" {}", fit::left(name, LABEL - 1)), theme.muted()),
                Span::styled(row, style),
            ]));
        }
    };
    say("says", &alert.summary, theme.strong());
    say("since", &format::date_and_clock(alert.since), theme.text());
    if let Some(source) = &alert.source {
        say("found by", source, theme.text());
    }
    say("to do", &alert.runbook, theme.text());
    if let Some(url) = &alert.runbook_url {
        say("more at", url, theme.accent());
    }
    lines
}
