use crossterm::event::{KeyCode, KeyModifiers};
use odd_contracts::{JobAccepted, JobStatus};
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::bed::{self, SIZES};
use crate::options::Mode;

fn typed(task: &mut NewTask, world: &World, text: &str) {
    for letter in text.chars() {
        bed::press(task, world, letter);
    }
}

fn snapshots(name: &str, task: &mut NewTask, world: &World) {
    for (width, height) in SIZES {
        insta::assert_snapshot!(
            format!("{name}_{width}x{height}"),
            bed::drawn(task, world, (width, height))
        );
    }
}

fn submitted(effects: &[Effect]) -> (serde_json::Value, u32) {
    match effects {
        [Effect::Ask(Ask::Submit(submission, count))] => ((**submission).clone(), *count),
        _ => panic!("nothing was submitted"),
    }
}

fn answer(task: &mut NewTask, world: &World, answer: Result<Answer, Failure>) -> Vec<Effect> {
    let ask = Ask::Submit(Box::new(json!({})), 1);
    task.reply(&Reply::Answer(ask, answer), world)
}

fn accepted(count: u32) -> Result<Answer, Failure> {
    let accepted = JobAccepted {
        job_id: Uuid::from_u128(0x9f31_c2ab << 96),
        event_id: Uuid::from_u128(2),
        status: JobStatus::Pending,
        correlation_id: "7be0".to_owned(),
        duplicate: false,
    };
    Ok(Answer::Submitted(accepted, count))
}

fn refusal(text: &str) -> Result<Answer, Failure> {
    Err(Failure {
        text: text.to_owned(),
        not_found: false,
    })
}

#[test]
fn the_form_begins_ready_to_submit() {
    let world = bed::world();
    let mut task = NewTask::new();
    snapshots("form", &mut task, &world);
    let effects = bed::press_key(&mut task, &world, KeyCode::F(2));
    assert_eq!(
        submitted(&effects),
        (json!({ "type": "hello", "payload": {} }), 1)
    );
    snapshots("submitting", &mut task, &world);
    assert!(
        bed::press(&mut task, &world, 'x').is_empty(),
        "nothing changes meanwhile"
    );
}

#[test]
fn types_are_offered_with_an_example() {
    let world = bed::world();
    let mut task = NewTask::new();
    bed::press_key(&mut task, &world, KeyCode::Down);
    let effects = bed::press_key(&mut task, &world, KeyCode::F(2));
    assert_eq!(
        submitted(&effects).0,
        json!({ "type": "hash", "payload": { "rounds": 100_000 } })
    );
    let mut task = NewTask::new();
    bed::press_key(&mut task, &world, KeyCode::Up);
    snapshots("resize", &mut task, &world);
}

#[test]
fn what_is_wrong_is_said_while_it_is_typed() {
    let world = bed::world();
    let mut task = NewTask::new();
    typed(&mut task, &world, " 1");
    bed::press_key(&mut task, &world, KeyCode::Tab);
    task.paste("{\n  \"rounds\": 1,\n}", &world);
    bed::press_key(&mut task, &world, KeyCode::Tab);
    typed(&mut task, &world, "99");
    snapshots("wrong", &mut task, &world);
    let effects = bed::press_key(&mut task, &world, KeyCode::F(2));
    assert!(matches!(effects[..], [Effect::Notice(..)]), "it is not submitted");
    assert_eq!(task.focus, Field::Payload, "the first place that is wrong");
}

#[test]
fn one_job_is_opened_and_many_are_told() {
    let world = bed::world();
    let mut task = NewTask::new();
    assert!(matches!(
        answer(&mut task, &world, accepted(1))[..],
        [Effect::Replace(_), Effect::Notice(Tone::Ok, _)]
    ));
    task.form.set(Field::Count, "1000");
    let effects = answer(&mut task, &world, accepted(1_000));
    assert!(
        matches!(&effects[..], [Effect::Back, Effect::Refresh, Effect::Notice(Tone::Ok, text)]
            if text == "1,000 jobs were accepted   $ odd submit hello --count 1000")
    );
}

#[test]
fn what_the_gateway_refuses_stays_in_the_form() {
    let world = bed::world();
    let mut task = NewTask::new();
    bed::press_key(&mut task, &world, KeyCode::F(2));
    let text = "http://127.0.0.1:3000/jobs answered 400: The document breaks its contract\n  /options/maxAttempts: must be at most 25";
    answer(&mut task, &world, refusal(text));
    snapshots("refused", &mut task, &world);
    for (text, told) in [
        (
            "http://g/jobs answered 429: too many requests at once",
            "fewer at once",
        ),
        ("http://g/jobs answered 503: no confirm within 2 s", "odd status"),
        ("http://g/jobs did not answer within 2 s", "may or may not"),
        ("http://g/jobs does not answer: connection refused", "odd up"),
    ] {
        answer(&mut task, &world, refusal(text));
        let shown = bed::drawn(&mut task, &world, (120, 40));
        assert!(shown.contains(told), "{text}: {shown}");
    }
    bed::press(&mut task, &world, 'x');
    assert!(matches!(task.stage, Stage::Typing), "it can be mended");
}

#[test]
fn leaving_asks_where_something_was_typed() {
    let world = bed::world();
    let mut task = NewTask::new();
    assert!(matches!(
        bed::press_key(&mut task, &world, KeyCode::Esc)[..],
        [Effect::Back]
    ));
    task.focus = Field::Payload;
    typed(&mut task, &world, "x");
    assert!(matches!(
        bed::press_key(&mut task, &world, KeyCode::Esc)[..],
        [Effect::Push(_)]
    ));
}

#[test]
fn leaving_while_it_is_submitted_says_what_that_means_first() {
    let world = bed::world();
    let mut task = NewTask::new();
    task.form.set(Field::Count, "1000");
    bed::press_key(&mut task, &world, KeyCode::F(2));
    assert!(task.unfinished(&world).unwrap().0.contains("1,000 jobs are"));
    let told = bed::press_key(&mut task, &world, KeyCode::Esc);
    assert!(
        matches!(&told[..], [Effect::Notice(Tone::Attention, text)] if text.contains("still submitting 1,000 jobs"))
    );
    assert!(bed::drawn(&mut task, &world, (80, 24)).contains("Esc again leaves"));
    assert!(matches!(
        bed::press_key(&mut task, &world, KeyCode::Esc)[..],
        [Effect::Back]
    ));
    let mut task = NewTask::new();
    bed::press_key(&mut task, &world, KeyCode::F(2));
    bed::press_key(&mut task, &world, KeyCode::Esc);
    answer(
        &mut task,
        &world,
        refusal("http://g/jobs answered 503: no confirm within 2 s"),
    );
    assert!(task.unfinished(&world).is_none());
    assert!(
        bed::drawn(&mut task, &world, (80, 24)).contains("answered 503"),
        "it can be mended"
    );
}

#[test]
fn fields_are_edited_where_the_cursor_stands() {
    let world = bed::world();
    let mut task = NewTask::new();
    for key in [
        KeyCode::Home,
        KeyCode::Delete,
        KeyCode::Char('j'),
        KeyCode::End,
        KeyCode::Char('w'),
    ] {
        bed::press_key(&mut task, &world, key);
    }
    assert_eq!(task.form.text(Field::Type), "jellow");
    let word = KeyEvent::new(KeyCode::Char('w'), KeyModifiers::CONTROL);
    task.key(word, &world);
    assert_eq!(task.form.text(Field::Type), "");
}

#[test]
fn fields_and_the_button_are_reached_by_keys() {
    let world = bed::world();
    let mut task = NewTask::new();
    for _ in 0..6 {
        bed::press_key(&mut task, &world, KeyCode::Tab);
    }
    typed(&mut task, &world, "100");
    bed::press_key(&mut task, &world, KeyCode::Enter);
    assert_eq!(task.focus, Field::Submit);
    assert_eq!(task.command(&world), "odd submit hello --count 100");
    let effects = bed::press_key(&mut task, &world, KeyCode::Enter);
    assert_eq!(submitted(&effects).1, 100);
    let mut task = NewTask::new();
    bed::press_key(&mut task, &world, KeyCode::BackTab);
    assert_eq!(task.focus, Field::Submit);
    let save = KeyEvent::new(KeyCode::Char('s'), KeyModifiers::CONTROL);
    submitted(&task.key(save, &world).unwrap());
}

#[test]
fn a_click_goes_to_a_field_and_the_button_submits() {
    let mut world = bed::world();
    let mut task = NewTask::new();
    let click = |task: &mut NewTask, world: &World, text: &str| {
        let (column, row) = bed::place_of(&bed::drawn(task, world, (80, 24)), text);
        bed::click(task, world, column, row)
    };
    for (text, field) in [
        ("count", Field::Count),
        ("at once", Field::Start),
        ("time limit", Field::Timeout),
        ("1 {}", Field::Payload),
    ] {
        assert!(click(&mut task, &world, text).is_empty());
        assert_eq!(task.focus, field);
    }
    world.mode = Mode::ReadOnly;
    assert!(click(&mut task, &world, "Submit").is_empty());
    world.mode = Mode::Full;
    submitted(&click(&mut task, &world, "Submit"));
    assert!(click(&mut task, &world, "Submit").is_empty(), "once");
}

#[test]
fn a_megabyte_is_drawn_at_once() {
    let world = bed::world();
    let mut task = NewTask::new();
    task.focus = Field::Payload;
    task.paste(
        &format!("{{\"text\": \"{}\"}}", "\u{202e}x".repeat(130_000)),
        &world,
    );
    for _ in 0..20 {
        let shown = bed::drawn(&mut task, &world, (120, 40));
        assert!(!shown.contains('\u{202e}'));
    }
    assert!(bed::drawn(&mut task, &world, (120, 40)).contains("too long to be edited here"));
}

#[test]
fn looking_only_submits_nothing() {
    let mut world = bed::world();
    world.mode = Mode::ReadOnly;
    let mut task = NewTask::new();
    assert!(bed::press_key(&mut task, &world, KeyCode::F(2)).is_empty());
    assert!(bed::drawn(&mut task, &world, (80, 24)).contains("--read-only"));
}
