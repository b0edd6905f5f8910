//! Tones and glyphs: state and nothing else. Each state has both, so that it can be read without colour.

use odd_contracts::api::HealthState;
use odd_contracts::{AttemptOutcome, EventType, JobStatus, Severity};

/// What a colour says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Names, links, what to do next.
    Accent,
    /// Well.
    Ok,
    /// At work.
    Working,
    /// Waiting.
    Waiting,
    /// To be looked at.
    Attention,
    /// Bad.
    Bad,
    /// Ended on request.
    Cancelled,
    /// Less important.
    Muted,
}

/// A sign for a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Glyph {
    /// Well.
    Ok,
    /// At work.
    Working,
    /// Waiting.
    Waiting,
    /// Once more.
    Retrying,
    /// Bad.
    Bad,
    /// Ended on request.
    Cancelled,
    /// To be looked at.
    Warn,
}

impl Glyph {
    /// The sign, where wanted in ASCII.
    pub const fn text(self, unicode: bool) -> &'static str {
        match (self, unicode) {
            (Self::Ok, true) => "✓",
            (Self::Ok, false) => "+",
            (Self::Working, true) => "●",
            (Self::Working, false) => "*",
            (Self::Waiting, true) => "◌",
            (Self::Waiting, false) => ".",
            (Self::Retrying, true) => "↻",
            (Self::Retrying, false) => "~",
            (Self::Bad, true) => "✗",
            (Self::Bad, false) => "x",
            (Self::Cancelled, true) => "⊘",
            (Self::Cancelled, false) => "-",
            (Self::Warn, true) => "⚠",
            (Self::Warn, false) => "!",
        }
    }
}

/// Sign and colour of a job status.
pub const fn of_status(status: JobStatus) -> (Glyph, Tone) {
    match status {
        JobStatus::Completed => (Glyph::Ok, Tone::Ok),
        JobStatus::Executing | JobStatus::Validated => (Glyph::Working, Tone::Working),
        JobStatus::Pending | JobStatus::Scheduled => (Glyph::Waiting, Tone::Waiting),
        JobStatus::Retrying => (Glyph::Retrying, Tone::Attention),
        JobStatus::Failed => (Glyph::Bad, Tone::Bad),
        JobStatus::Cancelled => (Glyph::Cancelled, Tone::Cancelled),
    }
}

/// Sign and colour of how an attempt ended.
pub const fn of_outcome(outcome: AttemptOutcome) -> (Glyph, Tone) {
    match outcome {
        AttemptOutcome::Succeeded => (Glyph::Ok, Tone::Ok),
        AttemptOutcome::Failed | AttemptOutcome::TimedOut => (Glyph::Bad, Tone::Bad),
        AttemptOutcome::Cancelled => (Glyph::Cancelled, Tone::Cancelled),
        AttemptOutcome::Lost => (Glyph::Warn, Tone::Attention),
    }
}

/// Sign and colour of whether something works.
pub const fn of_health(state: HealthState) -> (Glyph, Tone) {
    match state {
        HealthState::Healthy => (Glyph::Working, Tone::Ok),
        HealthState::Degraded => (Glyph::Warn, Tone::Attention),
        HealthState::Down => (Glyph::Bad, Tone::Bad),
    }
}

/// Sign and colour of how urgent an alert is.
pub const fn of_severity(severity: Severity) -> (Glyph, Tone) {
    match severity {
        Severity::Warning => (Glyph::Warn, Tone::Attention),
        Severity::Critical => (Glyph::Bad, Tone::Bad),
    }
}

/// Colour of what happened to a job.
pub const fn of_event(event_type: EventType) -> Tone {
    match event_type {
        EventType::Created | EventType::Scheduled => Tone::Waiting,
        EventType::Validated | EventType::Executed => Tone::Working,
        EventType::Retrying => Tone::Attention,
        EventType::Completed => Tone::Ok,
        EventType::Failed | EventType::DeadLettered => Tone::Bad,
        EventType::Cancelled => Tone::Cancelled,
    }
}
