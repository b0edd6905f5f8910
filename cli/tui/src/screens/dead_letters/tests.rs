//! How dead letters are listed, opened and put back.

use serde_json::json;

use super::*;
use crate::bed::{self, SIZES, ago, drawn, press, press_key};
use crate::options::Mode;

fn letter(number: u128, reason: &str, text: Option<&str>) -> DeadLetter {
    let document = json!({
        "id": Uuid::from_u128(number << 96), "reason": reason,
        "detail": "payload/type: \"\" is shorter than 1 character",
        "queue": "jobs.created", "deadLetteredAt": ago(75), "jobId": Uuid::from_u128(0x51d0_e77c_u128 << 96),
        "contentType": "application/json", "headers": { "x-odd-reason": reason, "x-tries": 1 },
        "size": 26, "bodyBase64": "/wB7ImlkIjoieCJ9", "bodyText": text,
    });
    serde_json::from_value(document).unwrap()
}

fn page(numbers: std::ops::Range<u128>, next: Option<&str>) -> DeadLetterPage {
    DeadLetterPage {
        dead_letters: numbers
            .map(|number| letter(number, "invalid_job", None))
            .collect(),
        next_cursor: next.map(str::to_owned),
    }
}

fn answered(
    screen: &mut DeadLetters,
    cursor: Option<&str>,
    page: DeadLetterPage,
    world: &World,
) -> Vec<Effect> {
    let ask = Ask::DeadLetters(cursor.map(str::to_owned));
    screen.reply(&Reply::Answer(ask, Ok(Answer::DeadLetters(page))), world)
}

fn opened(page: DeadLetterPage) -> (DeadLetters, World) {
    let (mut screen, world) = (DeadLetters::new(), bed::world());
    assert!(matches!(
        screen.opened(&world)[..],
        [Effect::Ask(Ask::DeadLetters(None))]
    ));
    answered(&mut screen, None, page, &world);
    (screen, world)
}

#[test]
fn the_list_says_why() {
    for size in SIZES {
        let (mut screen, world) = opened(page(1..4, None));
        insta::assert_snapshot!(
            format!("dead_letters_{}", size.0),
            drawn(&mut screen, &world, size)
        );
    }
}

#[test]
fn none_is_said_with_what_it_means() {
    let (mut screen, world) = opened(page(0..0, None));
    insta::assert_snapshot!("dead_letters_none", drawn(&mut screen, &world, (80, 24)));
    assert_eq!(screen.hints(&world), [hint("Esc", "back")]);
}

#[test]
fn a_question_that_failed_is_told_and_asked_again() {
    let (mut screen, mut world) = (DeadLetters::new(), bed::world());
    screen.opened(&world);
    let failure = Failure {
        text: "http://127.0.0.1:8080/dead-letters does not answer: connection refused".to_owned(),
        not_found: false,
    };
    screen.reply(&Reply::Answer(Ask::DeadLetters(None), Err(failure)), &world);
    assert!(drawn(&mut screen, &world, (80, 24)).contains("connection refused"));
    assert!(screen.tick(&world).is_empty());
    world.now = world.now.plus(SELDOM);
    assert!(matches!(screen.tick(&world)[..], [Effect::Ask(_)]));
}

#[test]
fn the_next_page_comes_when_the_end_is_near() {
    let (mut screen, world) = opened(page(1..51, Some("after-50")));
    drawn(&mut screen, &world, (80, 24));
    assert!(press(&mut screen, &world, 'j').is_empty());
    let asked = press_key(&mut screen, &world, KeyCode::End);
    assert!(matches!(&asked[..], [Effect::Ask(Ask::DeadLetters(Some(cursor)))] if cursor == "after-50"));
    assert!(
        press_key(&mut screen, &world, KeyCode::End).is_empty(),
        "one question at a time"
    );
    answered(&mut screen, Some("after-50"), page(51..61, None), &world);
    assert_eq!((screen.rows.len(), screen.list.row()), (60, 49));
    // A newer one arrives: what is older stays, and so does the choice.
    let event = bed::event(1, EventType::DeadLettered, 0);
    let mut later = world;
    later.now = later.now.plus(OFTEN);
    assert!(matches!(
        screen.events(&[event], &later)[..],
        [Effect::Ask(Ask::DeadLetters(None))]
    ));
    answered(&mut screen, None, page(0..50, Some("after-49")), &later);
    assert_eq!((screen.rows.len(), screen.list.row()), (61, 50));
    assert_eq!(screen.next, None);
}

#[test]
fn putting_back_asks_first_and_lists_again() {
    let (mut screen, mut world) = opened(page(1..4, None));
    let id = screen.rows[0].id;
    let mut effects = press(&mut screen, &world, 'e');
    let [Effect::Push(question)] = &mut effects[..] else {
        panic!("a question");
    };
    assert!(drawn(question.as_mut(), &world, (80, 24)).contains("odd dead-letters requeue 00000001"));
    assert!(
        matches!(press(question.as_mut(), &world, 'y')[..], [Effect::Back, Effect::Ask(Ask::Requeue(of))] if of == id)
    );
    let reply = Reply::Answer(Ask::Requeue(id), Ok(Answer::Done));
    world.note(&reply);
    let told = screen.reply(&reply, &world);
    let [
        Effect::Notice(Tone::Ok, text),
        Effect::Ask(Ask::DeadLetters(None)),
    ] = &told[..]
    else {
        panic!("it is not told");
    };
    assert!(text.ends_with("$ odd dead-letters requeue 00000001"), "{text}");
    world.mode = Mode::ReadOnly;
    assert!(press(&mut screen, &world, 'e').is_empty());
}

#[test]
fn what_was_put_back_from_its_own_screen_is_marked_in_the_list() {
    let (mut screen, mut world) = opened(page(1..4, None));
    let offered = hint("e", "requeue");
    assert!(screen.hints(&world).contains(&offered));
    let id = screen.rows[0].id;
    let mut effects = press(&mut screen, &world, 'l');
    let [Effect::Push(letter)] = &mut effects[..] else {
        panic!("the letter");
    };
    let reply = Reply::Answer(Ask::Requeue(id), Ok(Answer::Done));
    world.note(&reply);
    assert!(matches!(
        letter.reply(&reply, &world)[..],
        [Effect::Notice(Tone::Ok, _), Effect::Back]
    ));
    screen.opened(&world);
    answered(&mut screen, None, page(1..4, None), &world);
    let picture = drawn(&mut screen, &world, (80, 24));
    assert_eq!(picture.matches("requeued").count(), 1, "{picture}");
    assert!(
        !screen.hints(&world).contains(&offered),
        "it is not offered again"
    );
    // The list cannot tell whether it is one again: who insists is asked.
    let mut effects = press(&mut screen, &world, 'e');
    let [Effect::Push(question)] = &mut effects[..] else {
        panic!("a question");
    };
    assert!(drawn(question.as_mut(), &world, (80, 24)).contains("back once more?"));
    press(&mut screen, &world, 'j');
    assert!(screen.hints(&world).contains(&offered), "another one is");
}

#[test]
fn a_click_chooses_and_a_second_opens() {
    let (mut screen, world) = opened(page(1..4, None));
    let (column, row) = bed::place_of(&drawn(&mut screen, &world, (80, 24)), "00000002");
    assert!(bed::click(&mut screen, &world, column, row).is_empty());
    assert_eq!(screen.list.row(), 1);
    assert!(matches!(
        bed::click(&mut screen, &world, column, row)[..],
        [Effect::Push(_)]
    ));
    assert!(bed::click(&mut screen, &world, column, 20).is_empty());
}

#[test]
fn a_letter_opens_with_its_message_and_its_job() {
    let (mut screen, world) = opened(page(1..4, None));
    let mut effects = press_key(&mut screen, &world, KeyCode::Enter);
    let [Effect::Push(opened)] = &mut effects[..] else {
        panic!("the letter");
    };
    let asked = opened.opened(&world);
    let [Effect::Ask(Ask::DeadLetter(id))] = asked[..] else {
        panic!("its question");
    };
    for (name, text) in [("bytes", None), ("text", Some("{\"type\":\"\u{1b}[2J\"}"))] {
        let answer = Answer::DeadLetter(Box::new(letter(1, "invalid_job", text)));
        opened.reply(&Reply::Answer(Ask::DeadLetter(id), Ok(answer)), &world);
        let picture = drawn(opened.as_mut(), &world, (80, 24));
        assert!(!picture.contains('\u{1b}'));
        insta::assert_snapshot!(format!("dead_letter_{name}"), picture);
    }
    let job = press(opened.as_mut(), &world, 'o');
    let [Effect::Push(job)] = &job[..] else {
        panic!("its job");
    };
    assert_eq!(job.command(&world), "odd jobs get 51d0e77c --timeline");
}
