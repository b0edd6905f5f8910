//! The lines at the head of a job.

use odd_look::format;
use odd_look::sign::{Glyph, Tone};
use ratatui::text::{Line, Span};

use super::Known;
use crate::fit;
use crate::world::{Failure, World};

/// Which job, how it stands; and what makes that uncertain.
pub(super) fn lines(
    world: &World,
    known: &Known,
    failure: Option<&Failure>,
    width: usize,
) -> Vec<Line<'static>> {
    let theme = world.theme;
    let mut which = which(world, known);
    let when = when(world, known);
    let mut lines = if which.width() + fit::width(&when) + 2 <= width {
        let gap = width - which.width() - fit::width(&when) - 1;
        which.push_span(Span::styled(format!("{}{when}", " ".repeat(gap)), theme.muted()));
        vec![which]
    } else {
        let when = fit::cut(&when, width.saturating_sub(1)).into_owned();
        vec![which, Line::styled(format!(" {when}"), theme.muted())]
    };
    if let Some(failure) = failure {
        let age = format::age(known.at, world.now);
        let text = format!("{} as of {age}: {}", theme.glyph(Glyph::Bad), failure.text);
        let text = fit::cut(&text, width.saturating_sub(1)).into_owned();
        lines.push(Line::styled(format!(" {text}"), theme.tone(Tone::Bad)));
    }
    lines
}

/// `9f31c2ab  resize   ✗ FAILED after 3 attempts`
fn which(world: &World, known: &Known) -> Line<'static> {
    let (theme, record) = (world.theme, &known.record);
    let status = record.job.status;
    let (glyph, tone) = odd_look::sign::of_status(status);
    let attempts = match (status.is_terminal(), record.attempt) {
        (true, 0) => " without an attempt".to_owned(),
        (true, 1) => " after 1 attempt".to_owned(),
        (true, number) => format!(" after {number} attempts"),
        (false, 0) => String::new(),
        (false, number) => format!(" attempt {number} of {}", record.job.options.max_attempts()),
    };
    let cancelling = if record.cancel_requested && !status.is_terminal() {
        ", to be cancelled"
    } else {
        ""
    };
    Line::from(vec![
        Span::styled(format!(" {}  ", format::short_id(record.job.id)), theme.accent()),
        Span::styled(format!("{}   ", record.job.job_type), theme.strong()),
        Span::styled(format!("{} {status}", theme.glyph(glyph)), theme.tone(tone)),
        Span::styled(format!("{attempts}{cancelling}"), theme.text()),
    ])
}

fn when(world: &World, known: &Known) -> String {
    let record = &known.record;
    format!(
        "correlation {}   submitted {}, {}",
        fit::cut(&record.correlation_id, 12),
        format::clock(record.submitted_at),
        format::age(record.submitted_at, world.now),
    )
}
