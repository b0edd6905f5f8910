//! The columns of the jobs table.

use odd_contracts::api::JobSummary;
use odd_look::format;
use odd_look::sign::of_status;
use ratatui::text::{Line, Span};

use crate::fit;
use crate::world::World;

/// Columns of a status with its sign, of the attempts, of a duration.
const STATUS: usize = 13;
const ATTEMPT: usize = 7;
const TIME: usize = 9;

/// Widths of the columns, which depend on the room.
pub(super) struct Columns {
    job_type: usize,
    has_times: bool,
    created: usize,
}

impl Columns {
    pub(super) fn of(width: usize) -> Self {
        // Pointer, id, status, attempt and the gaps between.
        let fixed = 3 + 10 + STATUS + ATTEMPT;
        let created = 14;
        let has_times = width >= fixed + 10 + 2 * TIME + created;
        let times = if has_times { 2 * TIME } else { 0 };
        Self {
            job_type: width.saturating_sub(fixed + times + created).min(40),
            has_times,
            created,
        }
    }

    /// The names of the columns.
    pub(super) fn head(&self) -> String {
        let mut head = format!(
            "   {}{}{}{}",
            fit::left("id", 10),
            fit::left("type", self.job_type),
            fit::left("status", STATUS),
            fit::left("tries", ATTEMPT),
        );
        if self.has_times {
            head.push_str(&fit::right("queued", TIME));
            head.push_str(&fit::right("ran", TIME));
        }
        head.push_str(&fit::right("created", self.created - 1));
        head
    }

    /// The row of a job, greyed where it is no longer certain.
    pub(super) fn row(&self, world: &World, job: &JobSummary, chosen: bool, stale: bool) -> Line<'static> {
        let theme = world.theme;
        let (glyph, tone) = of_status(job.status);
        let ink = |style| if stale { theme.stale() } else { style };
        let pointer = if chosen { theme.pointer() } else { " " };
        let status = format!("{} {}", theme.glyph(glyph), job.status);
        let type_room = self.job_type.saturating_sub(2);
        let mut spans = vec![
            Span::styled(format!(" {pointer} "), theme.accent()),
            Span::styled(fit::left(&format::short_id(job.id), 10), ink(theme.text())),
            Span::styled(fit::left(&job.job_type, type_room), ink(theme.text())),
            Span::raw("  "),
            Span::styled(fit::left(&status, STATUS), ink(theme.tone(tone))),
            Span::styled(
                fit::left(&format!("{}/{}", job.attempt, job.max_attempts), ATTEMPT),
                ink(theme.muted()),
            ),
        ];
        if self.has_times {
            for time in [job.queued_ms, job.ran_ms] {
                let text = time.map(format::millis).unwrap_or_default();
                spans.push(Span::styled(fit::right(&text, TIME), ink(theme.text())));
            }
        }
        let age = format::age(job.created_at, world.now);
        spans.push(Span::styled(
            fit::right(&age, self.created - 1),
            ink(theme.muted()),
        ));
        let line = Line::from(spans);
        if chosen { line.style(theme.chosen()) } else { line }
    }
}
