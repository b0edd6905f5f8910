//! Every screen in a terminal that is far too small for it: it may show little, but it draws, and takes keys and clicks.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use odd_client::JobQuery;
use odd_contracts::api::{DeadLetterPage, JobPage};
use serde_json::json;
use uuid::Uuid;

use super::reader::Reader;
use super::*;
use crate::bed::{self, drawn};
use crate::effect::{Answer, Ask, Printed};
use crate::options::Depth;
use crate::pager::Pager;
use crate::theme::Theme;

/// Narrower and lower than anything that was thought of.
const SIZES: [(u16, u16); 8] = [
    (1, 1),
    (5, 3),
    (20, 5),
    (1, 60),
    (200, 1),
    (2, 2),
    (30, 8),
    (79, 4),
];

fn recorded<T: serde::de::DeserializeOwned>(text: &str) -> T {
    serde_json::from_str(text).unwrap()
}

fn answered(mut screen: impl Screen + 'static, world: &World, ask: Ask, answer: Answer) -> Box<dyn Screen> {
    screen.reply(&Reply::Answer(ask, Ok(answer)), world);
    Box::new(screen)
}

fn jobs() -> JobPage {
    let job = |number: u128| {
        json!({
            "id": Uuid::from_u128(0x9f31 << 112 | number), "type": "resize", "status": "FAILED", "createdAt": bed::ago(75),
            "updatedAt": bed::ago(70), "attempt": 3, "maxAttempts": 3, "error": "upstream 502: no answer",
        })
    };
    serde_json::from_value(json!({ "jobs": (1..40).map(job).collect::<Vec<_>>() })).unwrap()
}

fn dead_letters() -> DeadLetterPage {
    let letter = |number: u128| {
        json!({
            "id": Uuid::from_u128(number << 96), "reason": "invalid_job", "detail": "payload/type: too short",
            "queue": "jobs.created", "deadLetteredAt": bed::ago(75), "headers": {}, "size": 26, "bodyBase64": "e30=",
        })
    };
    serde_json::from_value(json!({ "deadLetters": (1..40).map(letter).collect::<Vec<_>>() })).unwrap()
}

fn refused() -> Box<dyn Screen> {
    let mut form = NewTask::new();
    form.paste("{\"a\": [1, 2", &bed::world());
    form.key(KeyEvent::new(KeyCode::F(2), KeyModifiers::NONE), &bed::world());
    Box::new(form)
}

fn launching(world: &World) -> Box<dyn Screen> {
    let mut launcher = Launcher::new();
    launcher.key(KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE), world);
    let lines = include_str!("launcher/recorded/up-trouble.ndjson").lines();
    let lines = lines.map(|text| Printed {
        to_stderr: false,
        text: text.to_owned(),
    });
    launcher.reply(&Reply::Printed("up", lines.collect()), world);
    Box::new(launcher)
}

/// Every screen, as it is at first and with what it shows.
fn screens(world: &World) -> Vec<Box<dyn Screen>> {
    let id = Uuid::from_u128(7);
    let job = (
        recorded(include_str!("../replay/job.json")),
        recorded(include_str!("../replay/timeline.json")),
    );
    let mut logs = Logs::new(world);
    let line = r#"{"role":"gateway","at":"2025-11-24T16:00:00Z","line":"{\"message\":\"ready\"}"}"#;
    let lines = (0..50).map(|_| Printed {
        to_stderr: false,
        text: line.to_owned(),
    });
    logs.reply(&Reply::Printed("logs", lines.collect()), world);
    vec![
        Box::new(Splash::new()),
        Box::new(Dashboard::new()),
        answered(
            Dashboard::new(),
            world,
            Ask::Jobs(JobQuery::default()),
            Answer::Jobs(jobs()),
        ),
        Box::new(Alerts::new()),
        answered(
            DeadLetters::new(),
            world,
            Ask::DeadLetters(None),
            Answer::DeadLetters(dead_letters()),
        ),
        Box::new(DeadLetters::new()),
        Box::new(Help::of(&Dashboard::new(), world)),
        Box::new(Interfaces::new()),
        Box::new(Job::new(id)),
        answered(Job::new(id), world, Ask::Job(id), Answer::Job(Box::new(job))),
        Job::named("9f31").unwrap(),
        Box::new(Launcher::new()),
        launching(world),
        Box::new(Launcher::stopping()),
        Box::new(logs),
        Box::new(NewTask::new()),
        refused(),
        Box::new(Palette::new()),
        Box::new(Confirm::stop(world)),
        Box::new(Reader::new("text", Pager::json(&json!({ "日本": "語" })), "odd")),
    ]
}

fn use_all(world: &World) {
    let keys = [
        KeyCode::Down,
        KeyCode::End,
        KeyCode::PageUp,
        KeyCode::Tab,
        KeyCode::Right,
        KeyCode::Char('/'),
        KeyCode::Char('日'),
        KeyCode::Left,
        KeyCode::Tab,
        KeyCode::Enter,
        KeyCode::Tab,
    ];
    for mut screen in screens(world) {
        let screen = screen.as_mut();
        screen.opened(world);
        for size in SIZES {
            drawn(screen, world, size);
            for (column, row) in [(0, 0), (size.0 - 1, size.1 - 1), (size.0 / 2, size.1 / 2)] {
                bed::click(screen, world, column, row);
                bed::turn(screen, world, true);
                drawn(screen, world, size);
            }
            for key in keys {
                for effect in bed::press_key(screen, world, key) {
                    if let Effect::Push(mut pushed) = effect {
                        drawn(pushed.as_mut(), world, size);
                    }
                }
                drawn(screen, world, size);
            }
            screen.hints(world);
            screen.command(world);
            screen.tick(world);
        }
    }
}

#[test]
fn no_terminal_is_too_small_to_be_drawn_into() {
    use_all(&bed::world());
}

#[test]
fn nor_while_nothing_is_known_or_the_read_model_is_away() {
    use_all(&bed::empty());
    let mut world = bed::away(90);
    let mut look = bed::options().look;
    (look.unicode, look.depth) = (false, Depth::None);
    world.theme = Theme::new(look);
    use_all(&world);
}
