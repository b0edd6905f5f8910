//! How logs are run, followed, searched and filtered.

use serde_json::json;

use super::*;
use crate::bed::{self, SIZES, drawn, press, press_key};
use crate::options::Mode;

fn out(text: String) -> Printed {
    Printed {
        to_stderr: false,
        text,
    }
}

fn line(second: usize, level: &str, role: &str, message: &str) -> Printed {
    out(json!({
        "timestamp": format!("2025-11-24T16:00:{:02}.204567Z", second % 60), "level": level, "service": role,
        "message": message, "target": "odd", "instance": "observatory", "job": "9f31c2ab",
    })
    .to_string())
}

fn several() -> Vec<Printed> {
    vec![
        line(1, "INFO", "gateway", "listening"),
        line(2, "WARN", "processor", "the spine does not answer: connection refused"),
        line(3, "ERROR", "read-model", "the store Refused it"),
        out(json!({ "timestamp": "2025-11-24T16:00:04.5Z", "service": "redis", "message": "Ready", "replica": 2 }).to_string()),
        out("thread 'main' panicked \u{1b}[31m".to_owned()),
        line(6, "DEBUG", "gateway", "accepted"),
    ]
}

fn opened(printed: Vec<Printed>) -> (Logs, World) {
    let world = bed::world();
    let mut screen = Logs::new(&world);
    let effects = screen.opened(&world);
    let [Effect::Run(run)] = &effects[..] else {
        panic!("a run");
    };
    assert_eq!(
        run.arguments.join(" "),
        "logs --follow --tail 200 --output ndjson"
    );
    screen.reply(&Reply::Printed(RUN, printed), &world);
    (screen, world)
}

fn chosen(screen: &Logs) -> &str {
    &screen.ring.get(screen.place()).unwrap().text
}

#[test]
fn lines_of_all_roles_are_interleaved() {
    for size in SIZES {
        let (mut screen, world) = opened(several());
        let picture = drawn(&mut screen, &world, size);
        assert!(!picture.contains('\u{1b}'));
        insta::assert_snapshot!(format!("logs_{}", size.0), picture);
    }
    let (mut screen, world) = opened(Vec::new());
    assert!(drawn(&mut screen, &world, (80, 24)).contains("waiting for lines"));
}

#[test]
fn scrolling_up_holds_and_the_end_follows_again() {
    let (mut screen, world) = opened(
        (0..100)
            .map(|n| line(n, "INFO", "gateway", &format!("line {n}.")))
            .collect(),
    );
    assert!(drawn(&mut screen, &world, (80, 24)).contains("line 99."));
    press(&mut screen, &world, 'k');
    screen.reply(
        &Reply::Printed(RUN, vec![line(1, "INFO", "gateway", "line 100.")]),
        &world,
    );
    let picture = drawn(&mut screen, &world, (80, 24));
    assert!(
        picture.contains("held") && !picture.contains("line 100."),
        "{picture}"
    );
    assert!(chosen(&screen).starts_with("line 98."));
    press_key(&mut screen, &world, KeyCode::End);
    assert!(drawn(&mut screen, &world, (80, 24)).contains("line 100."));
    press(&mut screen, &world, 'f');
    screen.reply(
        &Reply::Printed(RUN, vec![line(1, "INFO", "gateway", "line 101.")]),
        &world,
    );
    assert!(chosen(&screen).starts_with("line 100."));
    press(&mut screen, &world, 'f');
    assert!(chosen(&screen).starts_with("line 101."));
}

#[test]
fn a_search_leads_to_its_matches() {
    let (mut screen, world) = opened(several());
    press(&mut screen, &world, '/');
    assert!(screen.takes_text());
    for letter in "refuse".chars() {
        press(&mut screen, &world, letter);
    }
    screen.paste("d\n", &world);
    press_key(&mut screen, &world, KeyCode::Enter);
    assert!(chosen(&screen).starts_with("the store Refused"));
    press(&mut screen, &world, 'p');
    assert!(chosen(&screen).starts_with("the spine"));
    press(&mut screen, &world, 'n');
    assert!(chosen(&screen).starts_with("the store"));
    insta::assert_snapshot!("logs_search", drawn(&mut screen, &world, (80, 24)));
    press(&mut screen, &world, '/');
    press(&mut screen, &world, 'Q');
    press_key(&mut screen, &world, KeyCode::Enter);
    assert!(drawn(&mut screen, &world, (80, 24)).contains("is in no line"));
}

#[test]
fn one_role_can_be_shown_alone() {
    let (mut screen, world) = opened(several());
    press(&mut screen, &world, '1');
    assert_eq!(
        (screen.ring.len(), screen.command(&world).as_str()),
        (2, "odd logs gateway --follow")
    );
    press_key(&mut screen, &world, KeyCode::BackTab);
    assert_eq!(screen.ring.len(), 6);
    press_key(&mut screen, &world, KeyCode::BackTab);
    assert_eq!(chosen(&screen), "Ready");
    press(&mut screen, &world, '0');
    assert_eq!(screen.ring.role(), None);
}

#[test]
fn a_line_expands_to_its_document() {
    let (mut screen, world) = opened(several());
    let mut effects = press(&mut screen, &world, 'x');
    let [Effect::Push(reader)] = &mut effects[..] else {
        panic!("the document");
    };
    let picture = drawn(reader.as_mut(), &world, (80, 24));
    assert!(
        picture.contains("\"target\": \"odd\"") && picture.contains("gateway 16:00:06.204"),
        "{picture}"
    );
}

#[test]
fn a_run_that_ends_says_why_and_can_be_started_again() {
    let (mut screen, world) = opened(several());
    let said = Printed {
        to_stderr: true,
        text: "error: failed to show the logs: the instance observatory does not run".to_owned(),
    };
    screen.reply(&Reply::Printed(RUN, vec![said]), &world);
    assert!(screen.opened(&world).is_empty(), "it runs");
    screen.reply(&Reply::Ended(RUN, Ok(3)), &world);
    insta::assert_snapshot!("logs_ended", drawn(&mut screen, &world, (80, 24)));
    assert!(matches!(screen.opened(&world)[..], [Effect::Run(_)]));
    assert_eq!(
        screen.ring.len(),
        6,
        "what was there stays until there is something new"
    );
    screen.reply(
        &Reply::Printed(RUN, vec![line(9, "INFO", "gateway", "again")]),
        &world,
    );
    assert_eq!((screen.ring.len(), chosen(&screen)), (1, "again  job=9f31c2ab"));
    screen.reply(
        &Reply::Ended(RUN, Err("odd cannot be run: no such file".to_owned())),
        &world,
    );
    assert!(drawn(&mut screen, &world, (80, 24)).contains("odd cannot be run"));
}

#[test]
fn nothing_is_run_where_nothing_can_be_reached() {
    let mut world = bed::world();
    world.mode = Mode::Server;
    let mut screen = Logs::new(&world);
    assert!(screen.opened(&world).is_empty());
    insta::assert_snapshot!("logs_nowhere", drawn(&mut screen, &world, (80, 24)));
    assert_eq!(screen.hints(&world), [hint("Esc", "back")]);
}

#[test]
fn a_flood_is_paged_through() {
    let (mut screen, world) = opened(Vec::new());
    let flood: Vec<_> = (0..ring::LINES)
        .map(|n| line(n, "INFO", "gateway", "accepted a job"))
        .collect();
    screen.reply(&Reply::Printed(RUN, flood), &world);
    for _ in 0..50 {
        press_key(&mut screen, &world, KeyCode::PageUp);
        assert!(drawn(&mut screen, &world, (120, 40)).contains("accepted a job"));
    }
}

fn numbered(numbers: std::ops::Range<usize>) -> Vec<Printed> {
    numbers
        .map(|n| line(n, "INFO", "gateway", &format!("line {n}.")))
        .collect()
}

#[test]
fn a_view_that_is_held_stays_while_older_lines_are_dropped() {
    let (mut screen, world) = opened(numbered(0..ring::LINES));
    let _ = drawn(&mut screen, &world, (80, 24));
    for _ in 0..40 {
        press_key(&mut screen, &world, KeyCode::PageUp);
    }
    let _ = drawn(&mut screen, &world, (80, 24));
    // The chosen line is in the middle: what is visible does not follow from it.
    for _ in 0..8 {
        press(&mut screen, &world, 'j');
    }
    let rows = |picture: &str| -> Vec<String> {
        let rows = picture.lines().filter(|line| line.contains("line "));
        rows.map(str::to_owned).collect()
    };
    let before = rows(&drawn(&mut screen, &world, (80, 24)));
    let mut from = ring::LINES;
    for count in [1, 3, 50, 200] {
        screen.reply(&Reply::Printed(RUN, numbered(from..from + count)), &world);
        from += count;
        assert_eq!(rows(&drawn(&mut screen, &world, (80, 24))), before);
    }
    // What is dropped itself gives its place to the oldest that is kept.
    screen.reply(&Reply::Printed(RUN, numbered(from..11_000)), &world);
    assert!(drawn(&mut screen, &world, (80, 24)).contains("line 6000."));
}

#[test]
fn what_is_copied_does_not_steer_a_terminal() {
    let (mut screen, world) = opened(vec![out("\u{1b}[31mred\tblue\u{7}\u{202e}\u{9b}".to_owned())]);
    let copied = press(&mut screen, &world, 'y');
    assert!(
        matches!(&copied[..], [Effect::Copy("the line", text)] if text == "[31mred\tblue"),
        "only the tab stays"
    );
    let document = several().remove(0);
    let (mut screen, world) = opened(vec![document.clone()]);
    assert!(
        matches!(&press(&mut screen, &world, 'y')[..], [Effect::Copy(_, text)] if *text == document.text)
    );
}

#[test]
fn the_job_of_a_line_opens() {
    let id = "9f31c2ab-0000-4000-8000-000000000000";
    let of_job = json!({ "service": "processor", "message": "late", "job": id }).to_string();
    let (mut screen, world) = opened(vec![out(of_job), line(1, "INFO", "gateway", "listening")]);
    assert!(screen.hints(&world).contains(&hint("↵", "whole line")));
    press(&mut screen, &world, 'k');
    assert!(screen.hints(&world).contains(&hint("↵", "its job")));
    let opened = press_key(&mut screen, &world, KeyCode::Enter);
    let [Effect::Push(job)] = &opened[..] else {
        panic!("the job");
    };
    assert_eq!(job.command(&world), "odd jobs get 9f31c2ab --timeline");
    let opened = press(&mut screen, &world, 'x');
    assert!(matches!(&opened[..], [Effect::Push(text)] if text.title() == "text"));
}

#[test]
fn a_click_holds_and_chooses_and_a_second_opens() {
    let (mut screen, world) = opened(several());
    let picture = drawn(&mut screen, &world, (80, 24));
    let (column, row) = bed::place_of(&picture, "the store Refused");
    assert!(bed::click(&mut screen, &world, column, row).is_empty());
    assert!(chosen(&screen).starts_with("the store Refused") && !screen.follows);
    assert!(matches!(
        bed::click(&mut screen, &world, column, row)[..],
        [Effect::Push(_)]
    ));
    assert!(
        bed::click(&mut screen, &world, column, 20).is_empty(),
        "below the last line"
    );
}

#[test]
fn long_lines_are_read_to_the_side() {
    let long = format!("{} the end", "word ".repeat(40));
    let (mut screen, world) = opened(vec![
        out(json!({ "service": "gateway", "message": long }).to_string()),
        line(1, "INFO", "gateway", "short"),
    ]);
    assert!(!drawn(&mut screen, &world, (80, 24)).contains("the end"));
    for _ in 0..30 {
        press(&mut screen, &world, 'l');
    }
    let picture = drawn(&mut screen, &world, (80, 24));
    assert!(
        picture.contains("the end") && picture.contains("gateway"),
        "{picture}"
    );
    for _ in 0..30 {
        press_key(&mut screen, &world, KeyCode::Left);
    }
    assert!(drawn(&mut screen, &world, (80, 24)).contains("short"));
    // What is found is brought into view.
    press(&mut screen, &world, '/');
    screen.paste("the end", &world);
    press_key(&mut screen, &world, KeyCode::Enter);
    assert!(drawn(&mut screen, &world, (80, 24)).contains("the end"));
}
