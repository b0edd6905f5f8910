//! The form as it is shown.

use odd_contracts::FieldError;
use odd_look::format;
use odd_look::sign::{Glyph, Tone};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Margin, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Padding, Paragraph};

use super::form::{Field, Form};
use super::{NewTask, Stage, advice, jobs};
use crate::fit;
use crate::frame::region;
use crate::screens::splash;
use crate::world::{Failure, World};

/// Widest that the form is drawn.
const WIDEST: u16 = 118;
/// Columns of a label.
const LABEL: usize = 11;
/// Columns of a type, of a time to begin at, and of another field.
const TYPE: usize = 30;
const START: usize = 27;
const SHORT: usize = 10;
/// The fields above the payload, line by line.
const ROWS: [&[Field]; 4] = [
    &[Field::Type],
    &[Field::Attempts, Field::Backoff, Field::Timeout],
    &[Field::Start, Field::Count],
    &[Field::Submit],
];
/// Lines that tell what is wrong, at least and at most.
const SAID: (u16, u16) = (3, 9);

/// Everything.
pub(super) fn form(task: &mut NewTask, world: &World, frame: &mut Frame<'_>, area: Rect) {
    let area = area.centered_horizontally(Constraint::Max(WIDEST));
    let columns = usize::from(area.width.saturating_sub(4));
    let (tone, said) = said(task, world, columns);
    let height = u16::try_from(said.len())
        .unwrap_or(u16::MAX)
        .clamp(SAID.0, SAID.1);
    let [fields, payload, below] = Layout::vertical([
        Constraint::Length(6),
        Constraint::Fill(1),
        Constraint::Length(height + 2),
    ])
    .areas(area);
    task.places = places(fields, payload);
    let block = region(world, "New task").padding(Padding::horizontal(1));
    frame.render_widget(Paragraph::new(lines(task, world, columns)).block(block), fields);
    let focus = task.focus == Field::Payload;
    let mut block = region(world, "Payload, a JSON object");
    if focus {
        block = block.border_style(world.theme.accent());
    }
    task.form.payload.draw(focus, world, block, frame, payload);
    let block = region(world, "Check")
        .border_style(world.theme.tone(tone))
        .padding(Padding::horizontal(1));
    frame.render_widget(Paragraph::new(said).block(block), below);
}

/// Columns of what is typed into a field.
const fn width(field: Field) -> usize {
    match field {
        Field::Type => TYPE,
        Field::Start => START,
        _ => SHORT,
    }
}

/// Where each field is drawn, as [`lines`] lays them out; without what has no room.
fn places(fields: Rect, payload: Rect) -> Vec<(Rect, Field)> {
    let inside = fields.inner(Margin::new(2, 1));
    let mut places = vec![(payload, Field::Payload)];
    let at = |number: usize| u16::try_from(number).unwrap_or(u16::MAX);
    for (line, row) in ROWS.iter().enumerate() {
        let mut column = 0;
        for field in *row {
            // Label, pointer and text; and the gap before the next.
            let wide = LABEL + 2 + width(*field);
            let place = Rect {
                x: inside.x.saturating_add(at(column)),
                y: inside.y.saturating_add(at(line)),
                width: at(wide),
                height: 1,
            };
            places.push((place.intersection(inside), *field));
            column += wide + 2;
        }
    }
    places.retain(|(place, _)| !place.is_empty());
    places
}

/// The fields of one line.
fn lines<'a>(task: &NewTask, world: &World, columns: usize) -> Vec<Line<'a>> {
    let theme = world.theme;
    let row = |fields: &[Field]| {
        let each = fields.iter().flat_map(|field| field_spans(task, *field, world));
        Line::from(each.collect::<Vec<_>>())
    };
    let mut first = field_spans(task, Field::Type, world);
    let offered = NewTask::types(world).join(", ");
    let room = columns.saturating_sub(LABEL + TYPE + 6);
    let offered = fit::cut(&offered, room).into_owned();
    first.push(Span::styled(format!(" ↑↓ {offered}"), theme.muted()));
    let mut last = vec![Span::raw(" ".repeat(LABEL))];
    let button = if task.focus == Field::Submit {
        theme.chosen()
    } else {
        theme.accent()
    };
    let pointer = if task.focus == Field::Submit {
        theme.pointer()
    } else {
        " "
    };
    last.push(Span::styled(format!("{pointer} [ Submit ]"), button));
    let whither = format!("   to {}", world.addresses.gateway);
    last.push(Span::styled(fit::cut(&whither, 50).into_owned(), theme.muted()));
    let [_, options, times, _] = ROWS;
    vec![Line::from(first), row(options), row(times), Line::from(last)]
}

/// Label and text of a field. The one that takes keys has a pointer and a cursor; an empty one shows what it stands for.
fn field_spans<'a>(task: &NewTask, field: Field, world: &World) -> Vec<Span<'a>> {
    let theme = world.theme;
    let width = width(field);
    let line = task.form.line(field);
    let focus = task.focus == field;
    let shown = match (focus, line.text().is_empty()) {
        (true, _) => line.spans(width, theme.chosen(), true),
        (false, true) => vec![Span::styled(fit::left(field.default(), width), theme.muted())],
        (false, false) => line.spans(width, theme.strong(), false),
    };
    let pointer = if focus { theme.pointer() } else { " " };
    let mut spans = vec![
        Span::styled(fit::left(field.label(), LABEL), theme.muted()),
        Span::styled(format!("{pointer} "), theme.accent()),
    ];
    spans.extend(shown);
    spans.push(Span::raw("  "));
    spans
}

/// What there is to say: what is wrong, what is asked, what was answered.
fn said<'a>(task: &NewTask, world: &World, columns: usize) -> (Tone, Vec<Line<'a>>) {
    let theme = world.theme;
    if !world.mode.changes_jobs() {
        let text = "This dashboard only looks (--read-only): nothing is submitted from here.";
        return (Tone::Attention, vec![Line::styled(text, theme.text())]);
    }
    if let Stage::Submitting { count, is_leaving } = task.stage {
        let text = format!(
            "{} submitting {}, for 2 s at most a request",
            splash::spinner(world),
            jobs(count)
        );
        let mut lines = vec![Line::styled(text, theme.accent())];
        if is_leaving {
            let text = "Esc again leaves: it goes on, and how it ends is told at the foot.";
            lines.push(Line::styled(text, theme.tone(Tone::Attention)));
        }
        return (Tone::Accent, lines);
    }
    if let Stage::Refused(failure) = &task.stage {
        return (Tone::Bad, refused(failure, world, columns));
    }
    match &task.checked {
        Ok(count) => (Tone::Ok, well(&task.form, *count, world)),
        Err(errors) => {
            let tone = if task.tried { Tone::Bad } else { Tone::Attention };
            (tone, wrong(errors, tone, world, columns))
        }
    }
}

fn well<'a>(form: &Form, count: u32, world: &World) -> Vec<Line<'a>> {
    let theme = world.theme;
    let jobs = jobs(count);
    let bytes = format::bytes(u64::try_from(form.payload.len()).unwrap_or(u64::MAX));
    vec![Line::from(vec![
        Span::styled(format!("{} ", theme.glyph(Glyph::Ok)), theme.tone(Tone::Ok)),
        Span::styled(
            format!("keeps the contract; F2 submits {jobs} with a payload of {bytes}"),
            theme.text(),
        ),
    ])]
}

/// Each place, and what is wrong there.
fn wrong<'a>(errors: &[FieldError], tone: Tone, world: &World, columns: usize) -> Vec<Line<'a>> {
    let theme = world.theme;
    let most = usize::from(SAID.1);
    let mut lines: Vec<Line<'_>> = Vec::new();
    for error in errors {
        let place = if error.path.is_empty() { "/" } else { &error.path };
        let text = format!("{} {place}: {}", theme.glyph(Glyph::Bad), error.message);
        let text = fit::cut(&text, columns).into_owned();
        lines.push(Line::styled(text, theme.tone(tone)));
    }
    if lines.len() > most {
        let more = lines.len() - most + 1;
        lines.truncate(most - 1);
        lines.push(Line::styled(format!("and {more} more"), theme.muted()));
    }
    lines
}

fn refused<'a>(failure: &Failure, world: &World, columns: usize) -> Vec<Line<'a>> {
    let theme = world.theme;
    let text = format!("{} {}", theme.glyph(Glyph::Bad), failure.text);
    let mut lines: Vec<Line<'_>> = fit::wrap(&text, columns)
        .into_iter()
        .take(usize::from(SAID.1) - 2)
        .map(|line| Line::styled(line, theme.tone(Tone::Bad)))
        .collect();
    let advice = fit::wrap(advice(failure), columns).into_iter();
    lines.extend(advice.take(2).map(|line| Line::styled(line, theme.accent())));
    lines
}
