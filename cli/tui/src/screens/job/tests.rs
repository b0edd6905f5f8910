//! How one job is shown, asked for again, and changed.

use std::time::Duration;

use odd_contracts::api::{SpanKind, TimelineSpan};
use odd_contracts::{AttemptOutcome, EventType, JobAccepted, JobAttempt};
use odd_look::sign::Tone;
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::bed::{self, SIZES, ago, drawn, press, press_key};
use crate::options::Mode;

const ID: u128 = 0x9f31_c2ab_0000_4000_8000_0000_0000_0001;

fn id() -> JobId {
    Uuid::from_u128(ID)
}

fn attempt(number: u32, seconds_ago: u64, outcome: AttemptOutcome, error: Option<&str>) -> JobAttempt {
    JobAttempt {
        number,
        take: number,
        started_at: ago(seconds_ago),
        finished_at: Some(ago(seconds_ago).plus(Duration::from_millis(1_400))),
        outcome: Some(outcome),
        error: error.map(str::to_owned),
        retry_at: (number < 3).then(|| ago(seconds_ago).plus(Duration::from_millis(2_200))),
        executor: bed::event(ID, EventType::Executed, 11).producer,
    }
}

fn detail(status: JobStatus) -> JobDetail {
    let is_over = status.is_terminal();
    let document = json!({
        "id": id(), "type": "resize", "status": status, "createdAt": ago(10).minus(Duration::from_micros(900)),
        "payload": { "width": 640, "height": 480, "file": "uploads/2025/a.png" },
        "metadata": { "customer": "acme" }, "options": { "maxAttempts": 3, "timeoutMs": 1_400 },
        "correlationId": "7be0aa11-0000-4000-8000-000000000002", "submittedAt": ago(10),
        "submittedBy": { "service": "gateway", "instanceId": "g-1", "version": "0.1.0" },
        "takenAt": ago(10).plus(Duration::from_millis(1)),
        "takenBy": { "service": "processor", "instanceId": "p-1", "version": "0.1.0" },
        "valid": true, "attempt": 3, "takes": 3,
        "error": "upstream 502: the image server did not answer within the time that it was given",
    });
    let mut record: JobRecord = serde_json::from_value(document).unwrap();
    record.finished_at = is_over.then(|| ago(4));
    JobDetail {
        record,
        attempts: vec![
            attempt(1, 10, AttemptOutcome::TimedOut, None),
            attempt(
                2,
                7,
                AttemptOutcome::Failed,
                Some("upstream 502\nat image-server:80"),
            ),
            attempt(3, 5, AttemptOutcome::Failed, Some("upstream 502: no answer")),
        ],
    }
}

fn timeline(status: JobStatus) -> Timeline {
    let span = |kind, label: &str, from_ms: u64, ms: u64, outcome, error: Option<&str>| TimelineSpan {
        kind,
        label: label.to_owned(),
        attempt: 1,
        started_at: ago(10).plus(Duration::from_millis(from_ms)),
        finished_at: Some(ago(10).plus(Duration::from_millis(from_ms + ms))),
        duration_ms: ms as f64,
        outcome,
        error: error.map(str::to_owned),
    };
    use SpanKind::{Backoff, Completion, Execution, QueueWait};
    let failed = Some(AttemptOutcome::Failed);
    Timeline {
        id: id(),
        job_type: "resize".to_owned(),
        status,
        correlation_id: "7be0aa11-0000-4000-8000-000000000002".to_owned(),
        created_at: ago(10),
        total_ms: 6_002.0,
        spans: vec![
            span(QueueWait, "queue wait", 0, 1, None, None),
            span(
                Execution,
                "attempt 1",
                1,
                1_400,
                Some(AttemptOutcome::TimedOut),
                None,
            ),
            span(Backoff, "backoff", 1_401, 800, None, None),
            span(Execution, "attempt 2", 2_201, 1_400, failed, Some("upstream 502")),
            span(Backoff, "backoff", 3_601, 1_000, None, None),
            span(
                Execution,
                "attempt 3",
                4_601,
                1_400,
                failed,
                Some("upstream 502: no answer"),
            ),
            span(Completion, "completion", 6_001, 1, None, None),
        ],
        events: vec![
            bed::event(ID, EventType::Created, 0),
            bed::event(ID, EventType::Validated, 1),
            bed::event(ID, EventType::Executed, 11),
            bed::event(ID, EventType::Retrying, 12),
            bed::event(ID, EventType::Failed, 34),
        ],
        complete: status.is_terminal(),
    }
}

fn answered(screen: &mut Job, detail: JobDetail, timeline: Timeline, world: &World) {
    let answer = Answer::Job(Box::new((detail, timeline)));
    assert!(
        screen
            .reply(&Reply::Answer(Ask::Job(id()), Ok(answer)), world)
            .is_empty()
    );
}

fn opened(status: JobStatus) -> (Job, World) {
    let (mut screen, world) = (Job::new(id()), bed::world());
    assert!(matches!(screen.opened(&world)[..], [Effect::Ask(Ask::Job(asked))] if asked == id()));
    answered(&mut screen, detail(status), timeline(status), &world);
    (screen, world)
}

fn missing(screen: &mut Job, not_found: bool, world: &World) {
    let failure = Failure {
        text: "http://127.0.0.1:8080/jobs/9f31c2ab says: no such job".to_owned(),
        not_found,
    };
    screen.reply(&Reply::Answer(Ask::Job(id()), Err(failure)), world);
}

#[test]
fn the_timeline_is_the_centre() {
    for size in SIZES {
        let (mut screen, world) = opened(JobStatus::Failed);
        insta::assert_snapshot!(format!("job_{}", size.0), drawn(&mut screen, &world, size));
    }
}

#[test]
fn every_tab_has_its_text() {
    let (mut screen, world) = opened(JobStatus::Failed);
    for tab in Tab::ALL {
        assert_eq!(screen.tab, tab);
        let picture = drawn(&mut screen, &world, (120, 40));
        insta::assert_snapshot!(format!("job_tab_{}", tab.name()), picture);
        press_key(&mut screen, &world, KeyCode::Tab);
    }
    assert_eq!(screen.tab, Tab::Way);
    press(&mut screen, &world, 'h');
    assert_eq!(screen.tab, Tab::Events);
}

#[test]
fn ascii_is_enough() {
    let (mut screen, mut world) = opened(JobStatus::Retrying);
    let mut options = bed::options();
    options.look.unicode = false;
    world.theme = crate::theme::Theme::new(options.look);
    let picture = drawn(&mut screen, &world, (80, 24));
    assert!(picture.replace('µ', "u").is_ascii(), "{picture}");
}

#[test]
fn what_is_not_known_is_said_and_asked_for_again() {
    let (mut screen, mut world) = (Job::new(id()), bed::world());
    screen.opened(&world);
    insta::assert_snapshot!("job_asking", drawn(&mut screen, &world, (80, 24)));
    missing(&mut screen, true, &world);
    insta::assert_snapshot!("job_unknown", drawn(&mut screen, &world, (80, 24)));
    assert!(screen.tick(&world).is_empty());
    world.now = world.now.plus(SELDOM);
    assert!(matches!(screen.tick(&world)[..], [Effect::Ask(_)]));
    assert!(screen.tick(&world).is_empty(), "one question at a time");
    missing(&mut screen, false, &world);
    assert!(drawn(&mut screen, &world, (80, 24)).contains("no such job"));
}

#[test]
fn events_of_the_job_ask_at_most_twice_a_second() {
    let (mut screen, mut world) = opened(JobStatus::Executing);
    let own = [bed::event(ID, EventType::Executed, 31)];
    let other = [bed::event(ID + 1, EventType::Executed, 31)];
    assert!(screen.events(&own, &world).is_empty());
    world.now = world.now.plus(OFTEN);
    assert!(matches!(screen.tick(&world)[..], [Effect::Ask(_)]));
    answered(
        &mut screen,
        detail(JobStatus::Failed),
        timeline(JobStatus::Failed),
        &world,
    );
    world.now = world.now.plus(SELDOM * 10);
    assert!(screen.events(&other, &world).is_empty());
    assert!(screen.tick(&world).is_empty(), "nothing more is to come");
    assert!(matches!(screen.events(&own, &world)[..], [Effect::Ask(_)]));
}

#[test]
fn what_was_known_stays_while_nobody_answers() {
    let (mut screen, mut world) = opened(JobStatus::Executing);
    world.now = world.now.plus(Duration::from_secs(7));
    missing(&mut screen, false, &world);
    insta::assert_snapshot!("job_away", drawn(&mut screen, &world, (80, 24)));
}

#[test]
fn cancelling_asks_first_and_is_offered_only_while_it_can_help() {
    let (mut screen, world) = opened(JobStatus::Executing);
    assert!(screen.hints(&world).contains(&hint("c", "cancel")));
    assert!(press(&mut screen, &world, 'r').is_empty());
    let effects = press(&mut screen, &world, 'c');
    let [Effect::Push(confirm)] = &mut effects.into_iter().collect::<Vec<_>>()[..] else {
        panic!("a question");
    };
    let effects = press(confirm.as_mut(), &world, 'y');
    assert!(matches!(effects[..], [Effect::Back, Effect::Ask(Ask::Cancel(of))] if of == id()));
    let told = screen.reply(&Reply::Answer(Ask::Cancel(id()), Ok(Answer::Done)), &world);
    let [Effect::Notice(Tone::Ok, text)] = &told[..] else {
        panic!("it is not told");
    };
    assert!(text.ends_with("$ odd jobs cancel 9f31c2ab"), "{text}");
    let (mut screen, mut world) = opened(JobStatus::Failed);
    assert!(press(&mut screen, &world, 'c').is_empty());
    world.mode = Mode::ReadOnly;
    assert!(press(&mut screen, &world, 'r').is_empty());
    assert!(!screen.hints(&world).contains(&hint("r", "retry")));
}

#[test]
fn a_retry_leads_to_the_new_job() {
    let (mut screen, world) = opened(JobStatus::Failed);
    assert!(matches!(press(&mut screen, &world, 'r')[..], [Effect::Ask(Ask::Retry(of))] if of == id()));
    let accepted = JobAccepted {
        job_id: Uuid::from_u128(7),
        event_id: Uuid::from_u128(8),
        status: JobStatus::Pending,
        correlation_id: "c".to_owned(),
        duplicate: false,
    };
    let reply = Reply::Answer(Ask::Retry(id()), Ok(Answer::Retried(accepted)));
    let effects = screen.reply(&reply, &world);
    let [Effect::Push(new), Effect::Notice(Tone::Ok, text)] = &effects[..] else {
        panic!("the new job");
    };
    assert!(text.ends_with("$ odd jobs retry 9f31c2ab"), "{text}");
    assert_eq!(new.command(&world), "odd jobs get 00000000 --timeline");
    assert!(
        matches!(&press(&mut screen, &world, 'y')[..], [Effect::Copy(_, text)] if *text == id().to_string())
    );
}

#[test]
fn an_event_opens_as_its_document() {
    let (mut screen, world) = opened(JobStatus::Failed);
    press(&mut screen, &world, 'h');
    drawn(&mut screen, &world, (80, 24));
    press(&mut screen, &world, 'j');
    let effects = press_key(&mut screen, &world, KeyCode::Enter);
    let [Effect::Push(reader)] = &mut effects.into_iter().collect::<Vec<_>>()[..] else {
        panic!("the event");
    };
    let picture = drawn(reader.as_mut(), &world, (80, 24));
    assert!(picture.contains("job.validated of 9f31c2ab"), "{picture}");
    assert!(picture.contains("\"sequence\": 1"), "{picture}");
}

#[test]
fn tabs_and_events_are_clicked() {
    let (mut screen, world) = opened(JobStatus::Failed);
    let (column, row) = bed::place_of(&drawn(&mut screen, &world, (80, 24)), "events 5");
    assert!(bed::click(&mut screen, &world, column, row).is_empty());
    assert_eq!(screen.tab, Tab::Events);
    let (column, row) = bed::place_of(&drawn(&mut screen, &world, (80, 24)), "job.retrying");
    assert!(
        bed::click(&mut screen, &world, column, row).is_empty(),
        "a click chooses"
    );
    let opened = bed::click(&mut screen, &world, column, row);
    assert!(matches!(&opened[..], [Effect::Push(reader)] if reader.title() == "text"));
}

#[test]
fn a_large_payload_of_hostile_text_is_harmless() {
    let (mut screen, world) = (Job::new(id()), bed::world());
    let mut large = detail(JobStatus::Failed);
    let text = "\u{1b}[31m\u{202e}x".repeat(100_000);
    large.record.job.payload.insert("text".to_owned(), json!(text));
    large.record.error = Some("\u{1b}]0;owned\u{7} bad".to_owned());
    answered(&mut screen, large.clone(), timeline(JobStatus::Failed), &world);
    answered(&mut screen, large, timeline(JobStatus::Failed), &world);
    for _ in Tab::ALL {
        let picture = drawn(&mut screen, &world, (80, 24));
        assert!(!picture.contains(['\u{1b}', '\u{7}', '\u{202e}']));
        press_key(&mut screen, &world, KeyCode::Tab);
    }
}

#[test]
fn an_error_of_a_megabyte_is_not_laid_out_with_every_frame() {
    let (mut screen, world) = (Job::new(id()), bed::world());
    let (mut detail, mut timeline) = (detail(JobStatus::Failed), timeline(JobStatus::Failed));
    let long = "upstream 502 ".repeat(80_000);
    detail.record.error = Some(long.clone());
    timeline.spans[1].error = Some(long);
    let way = Way::new(&detail, &timeline);
    assert!(way.kept() < 10_000, "{} bytes", way.kept());
    answered(&mut screen, detail, timeline, &world);
    let picture = drawn(&mut screen, &world, (80, 24));
    assert!(
        picture.contains("the whole of it is with the result"),
        "{picture}"
    );
    screen.tab = Tab::Result;
    press_key(&mut screen, &world, KeyCode::End);
    assert!(
        drawn(&mut screen, &world, (80, 24)).contains(" of 1"),
        "all of it can be read"
    );
}

#[test]
fn many_attempts_scroll() {
    let (mut screen, world) = (Job::new(id()), bed::world());
    let mut long = timeline(JobStatus::Failed);
    long.spans = (0..60).map(|_| long.spans[1].clone()).collect();
    answered(&mut screen, detail(JobStatus::Failed), long, &world);
    assert!(drawn(&mut screen, &world, (120, 24)).contains("1-"));
    press_key(&mut screen, &world, KeyCode::End);
    assert!(drawn(&mut screen, &world, (120, 24)).contains("upstream 502: the image"));
    press_key(&mut screen, &world, KeyCode::Tab);
    assert!(drawn(&mut screen, &world, (120, 40)).contains("the first tab shows all"));
}
