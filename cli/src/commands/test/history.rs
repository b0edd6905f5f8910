//! What the history of a job must be.

use odd_contracts::api::{JobDetail, Timeline};
use odd_contracts::{EventEnvelope, EventType, JobId, JobStatus, ids};

use super::gate::{Gate, ensure, same, text};

/// An event type and the attempt it belongs to; 0 before the first.
pub(super) type Step = (EventType, u32);

/// Largest difference in milliseconds between a job's time and the sum of its stretches: rounding.
const ROUNDING: f64 = 0.5;

/// Waits for the end of a job and for its history, and holds them against what was to happen.
pub(super) async fn ends(
    gate: &Gate,
    id: JobId,
    status: JobStatus,
    steps: &[Step],
) -> Result<(JobDetail, Timeline), String> {
    let job = gate.reaches(id, status).await?;
    let timeline = recorded(gate, id).await?;
    same("status of the timeline", timeline.status, status)?;
    events(&timeline.events, &job, steps)?;
    spans(&timeline, &job)?;
    Ok((job, timeline))
}

/// Waits until the event log has the whole history of a job.
pub(super) async fn recorded(gate: &Gate, id: JobId) -> Result<Timeline, String> {
    gate.wait(&format!("the whole history of job {id}"), || async move {
        let timeline = gate.read_model().timeline(id).await.map_err(text)?;
        if timeline.complete {
            Ok(timeline)
        } else {
            Err(format!("{} events", timeline.events.len()))
        }
    })
    .await
}

/// Exactly these events, in order, with the ids and numbers that they must have.
fn events(events: &[EventEnvelope], job: &JobDetail, steps: &[Step]) -> Result<(), String> {
    let id = job.record.job.id;
    let expected: Vec<_> = steps.iter().map(|(event, _)| event.name()).collect();
    let found: Vec<_> = events.iter().map(|event| event.event_type.name()).collect();
    same("events", found, expected)?;
    for (event, (event_type, attempt)) in events.iter().zip(steps) {
        let name = event_type.name();
        let id_of_event = ids::event_id(id, *event_type, *attempt);
        same(&format!("id of {name}"), event.event_id, id_of_event)?;
        let sequence = ids::sequence(*event_type, *attempt);
        same(&format!("sequence of {name}"), event.sequence, sequence)?;
        same(&format!("job of {name}"), event.job_id(), Some(id))?;
        same(
            &format!("correlation id of {name}"),
            &event.correlation_id,
            &job.record.correlation_id,
        )?;
    }
    let rises = events.windows(2).all(|pair| pair[0].sequence < pair[1].sequence);
    ensure(rises, || "the sequence of events does not rise".to_owned())
}

/// A life without gaps, from publication to end.
fn spans(timeline: &Timeline, job: &JobDetail) -> Result<(), String> {
    let (Some(first), Some(last)) = (timeline.spans.first(), timeline.spans.last()) else {
        return Err("the timeline has no spans".to_owned());
    };
    same(
        "begin of the first span",
        first.started_at,
        job.record.submitted_at,
    )?;
    same("end of the last span", last.finished_at, job.record.finished_at)?;
    for pair in timeline.spans.windows(2) {
        ensure(pair[0].finished_at == Some(pair[1].started_at), || {
            format!("a gap between «{}» and «{}»", pair[0].label, pair[1].label)
        })?;
    }
    let sum: f64 = timeline.spans.iter().map(|span| span.duration_ms).sum();
    ensure((sum - timeline.total_ms).abs() < ROUNDING, || {
        format!("spans of {sum} ms make up a life of {} ms", timeline.total_ms)
    })
}

#[cfg(test)]
mod tests {
    use odd_contracts::api::{SpanKind, TimelineSpan};
    use odd_contracts::{Job, JobAttempt, JobOptions, JobRecord, JsonObject, Producer, Timestamp, history};

    use super::*;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    fn completed() -> JobDetail {
        let producer = Producer {
            service: "processor".to_owned(),
            instance_id: "i".to_owned(),
            version: "0.1.0".to_owned(),
        };
        let attempt = JobAttempt {
            number: 1,
            take: 1,
            started_at: at(2_000),
            finished_at: Some(at(3_000)),
            outcome: Some(odd_contracts::AttemptOutcome::Succeeded),
            error: None,
            retry_at: None,
            executor: producer.clone(),
        };
        let record = JobRecord {
            job: Job {
                id: JobId::from_u128(1),
                job_type: "odd-test".parse().unwrap(),
                status: JobStatus::Completed,
                created_at: at(1_000),
                updated_at: None,
                payload: JsonObject::new(),
                metadata: JsonObject::new(),
                options: JobOptions::default(),
                retry_of: None,
            },
            correlation_id: "c".to_owned(),
            traceparent: None,
            submitted_at: at(1_000),
            submitted_by: producer.clone(),
            taken_at: at(2_000),
            taken_by: producer,
            valid: true,
            attempt: 1,
            takes: 1,
            scheduled_for: None,
            finished_at: Some(at(3_000)),
            result: None,
            error: None,
            cancel_requested: false,
        };
        JobDetail {
            record,
            attempts: vec![attempt],
        }
    }

    fn timeline(job: &JobDetail, spans: &[(i64, i64)]) -> Timeline {
        let span = |(from, to): &(i64, i64)| TimelineSpan {
            kind: SpanKind::Execution,
            label: format!("from {from}"),
            attempt: 1,
            started_at: at(*from),
            finished_at: Some(at(*to)),
            duration_ms: (to - from) as f64 / 1_000.0,
            outcome: None,
            error: None,
        };
        Timeline {
            id: job.record.job.id,
            job_type: "odd-test".to_owned(),
            status: JobStatus::Completed,
            correlation_id: "c".to_owned(),
            created_at: at(1_000),
            total_ms: 2.0,
            spans: spans.iter().map(span).collect(),
            events: history::events(&job.record, &job.attempts),
            complete: true,
        }
    }

    const STEPS: [Step; 4] = [
        (EventType::Created, 0),
        (EventType::Validated, 0),
        (EventType::Executed, 1),
        (EventType::Completed, 1),
    ];

    #[test]
    fn a_history_is_held_against_what_was_to_happen() {
        let job = completed();
        let whole = timeline(&job, &[]).events;
        assert_eq!(events(&whole, &job, &STEPS), Ok(()));
        assert!(events(&whole[..3], &job, &STEPS).is_err(), "one event short");
        let mut swapped = whole.clone();
        swapped.swap(1, 2);
        assert!(events(&swapped, &job, &STEPS).unwrap_err().starts_with("events:"));
        let mut foreign = whole.clone();
        foreign[2].event_id = JobId::from_u128(9);
        assert!(events(&foreign, &job, &STEPS).unwrap_err().starts_with("id of"));
        let mut other = whole;
        other[3].correlation_id = "d".to_owned();
        assert!(
            events(&other, &job, &STEPS)
                .unwrap_err()
                .starts_with("correlation id")
        );
    }

    #[test]
    fn gaps_in_a_life_are_found() {
        let job = completed();
        let judge = |line: &[(i64, i64)]| spans(&timeline(&job, line), &job);
        assert_eq!(judge(&[(1_000, 2_000), (2_000, 3_000)]), Ok(()));
        assert!(
            judge(&[(1_000, 2_000), (2_100, 3_000)])
                .unwrap_err()
                .contains("a gap")
        );
        assert!(judge(&[(1_000, 2_000)]).unwrap_err().starts_with("end"));
        assert!(judge(&[(1_100, 3_000)]).unwrap_err().starts_with("begin"));
        assert!(judge(&[]).is_err());
    }
}
