//! A job's life as bars on one scale of time. No input or output.

use odd_contracts::AttemptOutcome;
use odd_contracts::api::{SpanKind, TimelineSpan};

use crate::format;
use crate::sign::{Glyph, Tone, of_outcome};

/// One bar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bar {
    /// What the time went into.
    pub label: String,
    /// Columns before the bar.
    pub offset: usize,
    /// The bar itself.
    pub bar: String,
    /// Its colour.
    pub tone: Tone,
    /// How long it took.
    pub time: String,
    /// How it ended, where that says something.
    pub verdict: Option<(Glyph, Tone, String)>,
}

/// Characters that bars are made of.
struct Ink {
    begin: &'static str,
    work: &'static str,
    wait: &'static str,
    end: &'static str,
}

const BLOCKS: Ink = Ink {
    begin: "▕",
    work: "█",
    wait: "░",
    end: "▏",
};
const ASCII: Ink = Ink {
    begin: "[",
    work: "#",
    wait: ".",
    end: "]",
};

/// Draws spans on a scale of `width` columns. A span of less than a column is a bar without a body.
pub fn draw(spans: &[TimelineSpan], width: usize, unicode: bool) -> Vec<Bar> {
    let Some(first) = spans.first() else {
        return Vec::new();
    };
    let begin = |span: &TimelineSpan| span.started_at.since(first.started_at).as_secs_f64() * 1e3;
    let total = spans
        .iter()
        .map(|span| begin(span) + span.duration_ms)
        .fold(0.0, f64::max);
    let column = |milliseconds: f64| {
        let share = if total > 0.0 { milliseconds / total } else { 0.0 };
        (share * width as f64).round() as usize
    };
    let ink = if unicode { &BLOCKS } else { &ASCII };
    spans
        .iter()
        .map(|span| {
            let offset = column(begin(span));
            let length = column(begin(span) + span.duration_ms).saturating_sub(offset);
            bar(span, offset, length, ink)
        })
        .collect()
}

fn bar(span: &TimelineSpan, offset: usize, length: usize, ink: &Ink) -> Bar {
    let works = span.kind == SpanKind::Execution;
    let body = if works { ink.work } else { ink.wait };
    let open = span.finished_at.is_none();
    let time = format::millis(span.duration_ms);
    Bar {
        label: span.label.clone(),
        offset,
        bar: format!(
            "{}{}{}",
            ink.begin,
            body.repeat(length),
            if open { "" } else { ink.end }
        ),
        tone: tone(span),
        time: if open { format!("{time} so far") } else { time },
        verdict: span
            .outcome
            .map(|outcome| verdict(outcome, span.error.as_deref())),
    }
}

fn tone(span: &TimelineSpan) -> Tone {
    match (span.kind, span.outcome) {
        (SpanKind::Execution, Some(outcome)) => of_outcome(outcome).1,
        (SpanKind::Execution, None) => Tone::Working,
        (SpanKind::Backoff | SpanKind::Recovery, _) => Tone::Attention,
        _ => Tone::Waiting,
    }
}

fn verdict(outcome: AttemptOutcome, error: Option<&str>) -> (Glyph, Tone, String) {
    let (glyph, tone) = of_outcome(outcome);
    let text = match (outcome, error) {
        (AttemptOutcome::Succeeded, _) => String::new(),
        (_, Some(error)) => error.lines().next().unwrap_or_default().to_owned(),
        (AttemptOutcome::TimedOut, None) => "timeout".to_owned(),
        (_, None) => outcome.name().to_owned(),
    };
    (glyph, tone, text)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use odd_contracts::Timestamp;

    use super::*;

    fn span(kind: SpanKind, label: &str, from_ms: u64, ms: u64) -> TimelineSpan {
        let at = |ms| Timestamp::from_micros(1_764_000_000_000_000).plus(Duration::from_millis(ms));
        TimelineSpan {
            kind,
            label: label.to_owned(),
            attempt: 1,
            started_at: at(from_ms),
            finished_at: Some(at(from_ms + ms)),
            duration_ms: ms as f64,
            outcome: None,
            error: None,
        }
    }

    fn life() -> Vec<TimelineSpan> {
        let mut spans = vec![
            span(SpanKind::QueueWait, "queue wait", 0, 1),
            span(SpanKind::Execution, "attempt 1", 1, 399),
            span(SpanKind::Backoff, "backoff", 400, 200),
            span(SpanKind::Execution, "attempt 2", 600, 400),
        ];
        spans[1].outcome = Some(AttemptOutcome::Failed);
        spans[1].error = Some("upstream 502\nmore".to_owned());
        spans[3].outcome = Some(AttemptOutcome::Succeeded);
        spans
    }

    fn lines(spans: &[TimelineSpan], unicode: bool) -> Vec<String> {
        draw(spans, 10, unicode)
            .into_iter()
            .map(|bar| {
                format!(
                    "{:<10} {}{} {}",
                    bar.label,
                    " ".repeat(bar.offset),
                    bar.bar,
                    bar.time
                )
            })
            .collect()
    }

    #[test]
    fn bars_follow_each_other_on_one_scale() {
        assert_eq!(
            lines(&life(), true),
            [
                "queue wait ▕▏ 1.0 ms",
                "attempt 1  ▕████▏ 399 ms",
                "backoff        ▕░░▏ 200 ms",
                "attempt 2        ▕████▏ 400 ms",
            ]
        );
        assert_eq!(lines(&life(), false)[2], "backoff        [..] 200 ms");
    }

    #[test]
    fn verdicts_are_one_line_and_an_open_span_has_no_end() {
        let mut spans = life();
        let verdict = draw(&spans, 10, true)[1].verdict.clone().unwrap();
        assert_eq!(verdict, (Glyph::Bad, Tone::Bad, "upstream 502".to_owned()));
        spans[3].finished_at = None;
        spans[3].outcome = None;
        assert_eq!(lines(&spans, true)[3], "attempt 2        ▕████ 400 ms so far");
    }

    #[test]
    fn a_life_without_length_or_spans_is_drawn_too() {
        assert!(draw(&[], 10, true).is_empty());
        let instant = [span(SpanKind::QueueWait, "queue wait", 0, 0)];
        assert_eq!(lines(&instant, true), ["queue wait ▕▏ 0 µs"]);
    }
}
