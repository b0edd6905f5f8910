//! What stands around the table: counters, charts, spine and stores.

use std::collections::VecDeque;

use odd_contracts::JobStatus;
use odd_contracts::api::{LatencySummary, QueueDepth, Stats};
use odd_contracts::names::spine::{JOBS_CREATED, JOBS_DEAD_LETTER, JOBS_EVENTS};
use odd_look::sign::{Glyph, Tone, of_health, of_status};
use odd_look::{format, text};
use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::symbols::bar;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Sparkline};

use crate::fit;
use crate::frame::{rate, region};
use crate::world::{Source, World};

/// Bars in ASCII.
const ASCII_BARS: bar::Set<'static> = bar::Set {
    full: "#",
    seven_eighths: "#",
    three_quarters: "=",
    five_eighths: "=",
    half: "-",
    three_eighths: "-",
    one_quarter: ".",
    one_eighth: ".",
    empty: " ",
};

/// Columns of a counter with its name, up to nine digits. In less, its sign says it alone.
const NAMED: u16 = 22;

/// A title with the age of what is below, where that is old.
pub(super) fn titled<T>(world: &World, title: &str, source: &Source<T>) -> String {
    match source.stale(world.now) {
        Some(age) => format!("{title}, {} old", format::duration(age)),
        None => title.to_owned(),
    }
}

pub(super) fn ink<T>(world: &World, source: &Source<T>, style: Style) -> Style {
    if source.stale(world.now).is_some() {
        world.theme.stale()
    } else {
        style
    }
}

/// How many jobs stand where.
pub(super) fn counters(frame: &mut Frame<'_>, world: &World, area: Rect) {
    let block = region(world, titled(world, "Jobs", &world.stats));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let Some(stats) = &world.stats.value else {
        frame.render_widget(Paragraph::new(missing(world, &world.stats)), inner);
        return;
    };
    let left = Constraint::Length(NAMED.max(inner.width / 2));
    let columns = Layout::horizontal([left, Constraint::Fill(1)]).spacing(1);
    let [left, right] = columns.areas(inner);
    frame.render_widget(Paragraph::new(counted(world, stats, left.width, true)), left);
    frame.render_widget(Paragraph::new(counted(world, stats, right.width, false)), right);
}

fn counted(world: &World, stats: &Stats, width: u16, left: bool) -> Vec<Line<'static>> {
    let of = |status| stats.counters.in_status(status);
    let working = of(JobStatus::Executing) + of(JobStatus::Validated);
    let waiting = of(JobStatus::Pending) + of(JobStatus::Scheduled);
    let rows = if left {
        [
            (None, "submitted", stats.counters.total),
            (Some(of_status(JobStatus::Executing)), "working", working),
            (
                Some(of_status(JobStatus::Retrying)),
                "retrying",
                of(JobStatus::Retrying),
            ),
        ]
    } else {
        [
            (
                Some(of_status(JobStatus::Completed)),
                "completed",
                of(JobStatus::Completed),
            ),
            (
                Some(of_status(JobStatus::Failed)),
                "failed",
                of(JobStatus::Failed),
            ),
            (Some(of_status(JobStatus::Pending)), "waiting", waiting),
        ]
    };
    let line = |(sign, name, count): (Option<(Glyph, Tone)>, &'static str, u64)| {
        let (glyph, tone) = sign.map_or((" ", Tone::Muted), |(glyph, tone)| {
            (world.theme.glyph(glyph), tone)
        });
        let count = format::count(count);
        let room = usize::from(width).saturating_sub(4);
        let name = if width < NAMED { "" } else { name };
        let room = room - fit::width(name);
        let style = ink(world, &world.stats, world.theme.tone(tone));
        Line::from(vec![
            Span::styled(format!(" {glyph} "), style),
            Span::styled(name, world.theme.muted()),
            Span::styled(
                fit::right(&count, room),
                ink(world, &world.stats, world.theme.strong()),
            ),
        ])
    };
    rows.into_iter().map(line).collect()
}

pub(super) fn missing<T>(world: &World, source: &Source<T>) -> Line<'static> {
    match &source.failure {
        Some(failure) => Line::styled(
            format!(" {}", text::line(&failure.text)),
            world.theme.tone(Tone::Bad),
        ),
        None => Line::styled(" asked for", world.theme.muted()),
    }
}

/// Throughput and latency over the last minutes.
pub(super) fn charts(frame: &mut Frame<'_>, world: &World, area: Rect) {
    let block = region(world, titled(world, "Throughput, last 5 min", &world.stats));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let [throughput, told, latency] =
        Layout::vertical([Constraint::Fill(1), Constraint::Length(1), Constraint::Length(1)]).areas(inner);
    let theme = world.theme;
    sparkline(frame, world, throughput, &world.series.throughput, Tone::Ok);
    let stats = world.stats.value.as_ref();
    let now = stats
        .map(|stats| format!("{}/s ", rate(stats.jobs_per_second)))
        .unwrap_or_default();
    frame.render_widget(
        Paragraph::new(now.as_str())
            .style(ink(world, &world.stats, theme.strong()))
            .alignment(Alignment::Right),
        told,
    );
    if let Some(latency) = stats.and_then(|stats| stats.latency_ms.as_ref()) {
        let room = usize::from(told.width).saturating_sub(fit::width(&now) + 1);
        let percentiles = Paragraph::new(percentiles(latency, room));
        frame.render_widget(percentiles.style(ink(world, &world.stats, theme.muted())), told);
    }
    let [name, line] = Layout::horizontal([Constraint::Length(9), Constraint::Fill(1)]).areas(latency);
    frame.render_widget(Paragraph::new(" latency").style(theme.muted()), name);
    sparkline(frame, world, line, &world.series.latency, Tone::Working);
}

/// As many of them as fit, the most telling first to stay.
fn percentiles(latency: &LatencySummary, room: usize) -> String {
    let told = [
        ("p50", latency.p50, 0),
        ("p90", latency.p90, 2),
        ("p99", latency.p99, 1),
        ("max", latency.max, 3),
    ];
    let told = told.map(|(name, value, rank)| (format!(" {name} {}", format::millis(value)), rank));
    let whole = |most| {
        let shown = told.iter().filter(|(_, rank)| *rank < most);
        let shown: Vec<&str> = shown.map(|(text, _)| text.as_str()).collect();
        shown.join(" ")
    };
    let texts = (1..=told.len()).rev().map(whole);
    texts
        .into_iter()
        .find(|text| fit::width(text) <= room)
        .unwrap_or_default()
}

fn sparkline(frame: &mut Frame<'_>, world: &World, area: Rect, series: &VecDeque<u64>, tone: Tone) {
    let theme = world.theme;
    let set = if theme.unicode() {
        bar::NINE_LEVELS
    } else {
        ASCII_BARS
    };
    let line = Sparkline::default()
        .data(buckets(series, usize::from(area.width)))
        .bar_set(set)
        .style(ink(world, &world.stats, theme.tone(tone)));
    frame.render_widget(line, area);
}

/// The series in so many columns, the newest on the right: means of neighbours where there are more, nothing where there are less.
fn buckets(series: &VecDeque<u64>, columns: usize) -> Vec<u64> {
    let length = series.len();
    if columns == 0 || length == 0 {
        return Vec::new();
    }
    let each = length.div_ceil(columns);
    let mut buckets = Vec::with_capacity(columns);
    let mut end = length;
    while end > 0 && buckets.len() < columns {
        let begin = end.saturating_sub(each);
        let sum: u64 = series.range(begin..end).sum();
        buckets.push(sum.div_ceil((end - begin) as u64));
        end = begin;
    }
    buckets.resize(columns, 0);
    buckets.reverse();
    buckets
}

/// Queues, stores, roles.
pub(super) fn system(frame: &mut Frame<'_>, world: &World, area: Rect) {
    let block = region(world, titled(world, "Spine and stores", &world.overview));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let Some(overview) = &world.overview.value else {
        frame.render_widget(Paragraph::new(missing(world, &world.overview)), inner);
        return;
    };
    let theme = world.theme;
    let mut lines: Vec<Line<'static>> = overview
        .queues
        .iter()
        .filter(|queue| [JOBS_CREATED, JOBS_EVENTS, JOBS_DEAD_LETTER].contains(&queue.name.as_str()))
        .map(|queue| depth(world, queue, usize::from(inner.width)))
        .collect();
    if let Some(why) = &overview.queues_unknown {
        lines.push(Line::styled(
            format!(" queues are not known: {}", text::line(why)),
            theme.tone(Tone::Attention),
        ));
    }
    // What stands for several is told once, unless its states differ.
    let stores = overview.dependencies.iter();
    let mut stores: Vec<_> = stores
        .map(|store| (text::line(&store.adapter).into_owned(), store.state))
        .collect();
    stores.dedup();
    let roles = overview
        .roles
        .iter()
        .map(|role| (role.role.to_string(), role.state));
    for group in [stores, roles.collect()] {
        let marked = group.into_iter().map(|(name, state)| {
            let (glyph, tone) = of_health(state);
            let style = ink(world, &world.overview, theme.tone(tone));
            let text = format!(" {} ", theme.glyph(glyph));
            let name_style = ink(world, &world.overview, theme.text());
            (Span::styled(text, style), Span::styled(name, name_style))
        });
        lines.extend(flow(marked, usize::from(inner.width)));
    }
    frame.render_widget(Paragraph::new(lines), inner);
}

fn depth(world: &World, queue: &QueueDepth, width: usize) -> Line<'static> {
    let theme = world.theme;
    let count = queue.ready + queue.unacknowledged;
    let oldest = queue.oldest_ms.map_or_else(String::new, |age| {
        format!("oldest {}", format::millis(age as f64))
    });
    let name = match queue.name.as_str() {
        JOBS_DEAD_LETTER => "dead letters",
        name => name,
    };
    let tone = if queue.name == JOBS_DEAD_LETTER && count > 0 {
        Tone::Attention
    } else {
        Tone::Muted
    };
    let room = width.saturating_sub(15 + 9);
    let ink = |style| ink(world, &world.overview, style);
    let counted = if count > 0 { theme.strong() } else { theme.muted() };
    Line::from(vec![
        Span::styled(format!(" {}", fit::left(name, 14)), ink(theme.text())),
        Span::styled(fit::right(&format::count(count), 8), ink(counted)),
        Span::styled(fit::right(&oldest, room), ink(theme.tone(tone))),
    ])
}

/// Pairs one after another, in as many lines as they need.
fn flow(pairs: impl Iterator<Item = (Span<'static>, Span<'static>)>, width: usize) -> Vec<Line<'static>> {
    let mut lines = vec![Line::default()];
    for (sign, name) in pairs {
        let wide = sign.width() + name.width();
        if let Some(line) = lines.last_mut() {
            if line.width() > 0 && line.width() + wide > width {
                lines.push(Line::from(vec![sign, name]));
            } else {
                line.push_span(sign);
                line.push_span(name);
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_fits_the_columns_with_the_newest_on_the_right() {
        let series: VecDeque<u64> = [1, 2, 3, 4, 5].into();
        assert_eq!(buckets(&series, 5), [1, 2, 3, 4, 5]);
        assert_eq!(buckets(&series, 7), [0, 0, 1, 2, 3, 4, 5]);
        assert_eq!(buckets(&series, 3), [1, 3, 5]);
        assert_eq!(buckets(&VecDeque::new(), 3), [0; 0]);
    }

    #[test]
    fn percentiles_are_as_many_as_fit() {
        let latency = LatencySummary {
            p50: 3.1,
            p90: 9.4,
            p99: 18.2,
            max: 44.0,
        };
        assert_eq!(
            percentiles(&latency, 60),
            " p50 3.1 ms  p90 9.4 ms  p99 18 ms  max 44 ms"
        );
        assert_eq!(percentiles(&latency, 44), " p50 3.1 ms  p90 9.4 ms  p99 18 ms");
        assert_eq!(percentiles(&latency, 30), " p50 3.1 ms  p99 18 ms");
        assert_eq!(percentiles(&latency, 12), " p50 3.1 ms");
        assert_eq!(percentiles(&latency, 5), "");
    }
}
