use std::time::Duration;

use odd_contracts::api::{AlertList, AlertSource, HealthState, JobPage, JobSummary};
use odd_contracts::{EventType, JobStatus};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::Modifier;
use uuid::Uuid;

use super::*;
use crate::bed::{self, SIZES, drawn, press, press_key};
use crate::effect::Feed;
use crate::screens::hint;
use crate::world::Stream;

mod focus;

fn jobs() -> Vec<JobSummary> {
    let job = |n: u128, job_type: &str, status, attempt, queued_ms, ran_ms| JobSummary {
        id: Uuid::from_u128(0x9f31_c2ab_0000_4000_8000_0000_0000_0000 + (n << 96)),
        job_type: job_type.to_owned(),
        status,
        created_at: bed::ago(u64::try_from(n).unwrap() * 7 + 2),
        updated_at: bed::ago(1),
        attempt,
        max_attempts: 3,
        queued_ms,
        ran_ms,
        error: None,
    };
    vec![
        job(0, "resize", JobStatus::Failed, 3, Some(1.2), Some(4_100.0)),
        job(1, "hello", JobStatus::Completed, 1, Some(0.8), Some(0.1)),
        job(2, "hello", JobStatus::Executing, 1, Some(0.8), None),
        job(3, "report.monthly", JobStatus::Retrying, 2, Some(12.0), None),
        job(4, "resize", JobStatus::Scheduled, 0, None, None),
        job(5, "resize", JobStatus::Cancelled, 1, Some(3.0), Some(70_000.0)),
        job(6, "日本語\u{1b}[31m\u{202e}", JobStatus::Pending, 0, None, None),
    ]
}

fn answered(dashboard: &mut Dashboard, world: &World, jobs: Vec<JobSummary>) {
    let ask = Ask::Jobs(dashboard.table.first_page(world.now));
    let page = JobPage {
        jobs,
        next_cursor: None,
    };
    let _ = dashboard.reply(&Reply::Answer(ask, Ok(Answer::Jobs(page))), world);
}

fn loaded(world: &World) -> Dashboard {
    let mut dashboard = Dashboard::new();
    let _ = dashboard.opened(world);
    answered(&mut dashboard, world, jobs());
    dashboard
}

#[test]
fn it_shows_the_system_and_the_jobs() {
    let mut world = bed::world();
    let events = (0..30).map(|n| bed::event(n, EventType::Completed, 13));
    world.take(Feed::Events(events.collect()));
    for (width, height) in SIZES {
        let mut dashboard = loaded(&world);
        let shown = drawn(&mut dashboard, &world, (width, height));
        insta::assert_snapshot!(format!("full_{width}x{height}"), shown);
    }
}

#[test]
fn narrow_panels_are_one_behind_the_other() {
    let world = bed::world();
    let mut dashboard = loaded(&world);
    let _ = drawn(&mut dashboard, &world, SIZES[0]);
    press_key(&mut dashboard, &world, KeyCode::Tab);
    insta::assert_snapshot!("narrow_system", drawn(&mut dashboard, &world, SIZES[0]));
    press_key(&mut dashboard, &world, KeyCode::Tab);
    assert!(drawn(&mut dashboard, &world, SIZES[0]).contains("Live"));
    assert!(
        press_key(&mut dashboard, &world, KeyCode::Enter).is_empty(),
        "nothing has happened yet, and what is not seen is not opened"
    );
    press_key(&mut dashboard, &world, KeyCode::Tab);
    assert!(drawn(&mut dashboard, &world, SIZES[0]).contains("tries"));
}

#[test]
fn without_jobs_it_says_what_to_do() {
    let world = bed::world();
    let mut dashboard = Dashboard::new();
    assert!(drawn(&mut dashboard, &world, SIZES[0]).contains("asking for the jobs"));
    answered(&mut dashboard, &world, Vec::new());
    insta::assert_snapshot!("empty", drawn(&mut dashboard, &world, SIZES[0]));
}

#[test]
fn data_that_is_old_says_so() {
    let mut dashboard = loaded(&bed::world());
    let world = bed::away(42);
    let shown = drawn(&mut dashboard, &world, SIZES[1]);
    assert!(shown.contains("42 s old"), "{shown}");
    insta::assert_snapshot!("away", shown);
}

#[test]
fn a_filter_is_typed_told_and_applied() {
    let world = bed::world();
    let mut dashboard = loaded(&world);
    press(&mut dashboard, &world, '/');
    for letter in "colour:red ".chars() {
        press(&mut dashboard, &world, letter);
    }
    assert!(drawn(&mut dashboard, &world, SIZES[1]).contains("colour: is unknown"));
    for _ in 0..11 {
        press_key(&mut dashboard, &world, KeyCode::Backspace);
    }
    for letter in "status:failed".chars() {
        press(&mut dashboard, &world, letter);
    }
    let effects = press_key(&mut dashboard, &world, KeyCode::Enter);
    let [Effect::Ask(Ask::Jobs(query))] = &effects[..] else {
        panic!("the list is asked for");
    };
    assert_eq!(query.statuses, [JobStatus::Failed]);
    assert_eq!(dashboard.command(&world), "odd jobs list --status failed");
    assert!(!dashboard.takes_text());
    press_key(&mut dashboard, &world, KeyCode::Esc);
    assert_eq!(dashboard.command(&world), "odd jobs list");
}

#[test]
fn what_may_not_be_done_is_not_offered() {
    let mut world = bed::world();
    let mut dashboard = loaded(&world);
    assert!(dashboard.hints(&world).contains(&hint("r", "retry")));
    assert_eq!(press(&mut dashboard, &world, 'r').len(), 1);
    world.mode = crate::options::Mode::ReadOnly;
    assert!(
        !dashboard
            .hints(&world)
            .iter()
            .any(|hint| ["r", "c", "N"].contains(&hint.key))
    );
    assert!(press(&mut dashboard, &world, 'r').is_empty());
}

#[test]
fn the_list_is_asked_for_again_while_things_happen() {
    let mut world = bed::world();
    let mut dashboard = loaded(&world);
    world.now = bed::now().plus(Duration::from_secs(3));
    assert!(dashboard.tick(&world).is_empty(), "nothing has happened");
    dashboard.events(&[bed::event(1, EventType::Created, 0)], &world);
    assert_eq!(dashboard.tick(&world).len(), 1);
    dashboard.events(&[bed::event(2, EventType::Created, 0)], &world);
    assert!(dashboard.tick(&world).is_empty(), "just asked");
}

/// As happens before the stream is connected.
#[test]
fn what_no_event_told_of_shows_in_the_counters() {
    let mut world = bed::world();
    let mut dashboard = loaded(&world);
    world.now = bed::now().plus(Duration::from_secs(3));
    let mut stats = world.stats.value.clone().unwrap();
    stats.counters.total += 1;
    world.take(Feed::Stats(Ok(Box::new(stats))));
    assert_eq!(dashboard.tick(&world).len(), 1);
}

#[test]
fn a_click_chooses_and_a_second_one_opens() {
    let world = bed::world();
    let mut dashboard = loaded(&world);
    let _ = drawn(&mut dashboard, &world, SIZES[0]);
    let (column, row) = (dashboard.rows.x + 5, dashboard.rows.y + 2);
    assert!(bed::click(&mut dashboard, &world, column, row).is_empty());
    assert_eq!(dashboard.table.row(), 2);
    let opened = bed::click(&mut dashboard, &world, column, row);
    assert!(matches!(opened[..], [Effect::Push(_)]));
}

fn buffer(dashboard: &mut Dashboard, world: &World, (width, height): (u16, u16)) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal
        .draw(|frame| dashboard.draw(world, frame, frame.area()))
        .unwrap();
    terminal.backend().buffer().clone()
}

/// Whether the cell where this text begins is greyed.
fn is_grey(buffer: &Buffer, text: &str) -> bool {
    let width = usize::from(buffer.area.width);
    let mut rows = buffer.content.chunks(width);
    let cell = rows.find_map(|row| {
        let line: String = row.iter().map(|cell| cell.symbol()).collect();
        let at = line[..line.find(text)?].chars().count();
        Some(&row[at])
    });
    cell.unwrap_or_else(|| panic!("{text:?} is drawn"))
        .modifier
        .contains(Modifier::DIM)
}

/// A world in which these jobs, the last one last, were completed.
fn happened(jobs: std::ops::Range<u128>) -> World {
    let mut world = bed::world();
    let event = |n: u128| bed::event(n << 96, EventType::Completed, 13);
    world.take(Feed::Events(jobs.map(event).collect()));
    world
}

#[test]
fn what_is_no_longer_certain_is_grey_and_says_how_old_it_is() {
    let world = happened(1..3);
    let mut dashboard = loaded(&world);
    let certain = buffer(&mut dashboard, &world, SIZES[1]);
    let texts = [
        "✗ FAILED",
        "job.completed",
        "JobFailureRateHigh",
        "jobs.created",
        "p50",
    ];
    for text in texts {
        assert!(!is_grey(&certain, text), "{text}");
    }
    let mut away = bed::away(42);
    away.live.events = world.live.events.clone();
    let old = buffer(&mut dashboard, &away, SIZES[1]);
    for text in texts {
        assert!(is_grey(&old, text), "{text}");
    }
    let shown = drawn(&mut dashboard, &away, SIZES[1]);
    for title in ["Live, 42 s old", "Alerts, 42 s old", "Jobs  7, 42 s old"] {
        assert!(shown.contains(title), "{title}: {shown}");
    }
}

#[test]
fn a_list_that_cannot_be_had_again_is_grey_although_the_rest_is_new() {
    let mut world = bed::world();
    let mut dashboard = loaded(&world);
    world.now = bed::now().plus(Duration::from_secs(3));
    let ask = Ask::Jobs(dashboard.table.first_page(world.now));
    let failure = Failure {
        text: "the job store does not answer".to_owned(),
        not_found: false,
    };
    let _ = dashboard.reply(&Reply::Answer(ask, Err(failure)), &world);
    let shown = drawn(&mut dashboard, &world, SIZES[1]);
    assert!(shown.contains("Jobs  7, 3.0 s old"), "{shown}");
    assert!(shown.contains("✗ the job store does not answer"), "{shown}");
    let drawn = buffer(&mut dashboard, &world, SIZES[1]);
    assert!(is_grey(&drawn, "✗ FAILED") && !is_grey(&drawn, "JobFailureRateHigh"));
}

#[test]
fn that_none_fires_is_not_said_while_nobody_looks() {
    let mut world = bed::world();
    let told = |source: &str, state| AlertList {
        source: source.to_owned(),
        alert_source: Some(AlertSource {
            name: "alertmanager".to_owned(),
            state,
            checked_at: Some(bed::ago(95)),
            detail: None,
        }),
        ..AlertList::default()
    };
    let mut dashboard = loaded(&world);
    world.take(Feed::Alerts(Ok(told("alertmanager", HealthState::Healthy))));
    let shown = drawn(&mut dashboard, &world, SIZES[1]);
    assert!(
        shown.contains("✓ none fires") && !shown.contains("away"),
        "{shown}"
    );
    world.take(Feed::Alerts(Ok(told("native", HealthState::Degraded))));
    let shown = drawn(&mut dashboard, &world, SIZES[1]);
    assert!(!shown.contains("none fires"), "{shown}");
    insta::assert_snapshot!("alerts_away", shown);
}

#[test]
fn the_live_list_says_that_it_is_away() {
    let mut world = happened(1..3);
    let mut dashboard = loaded(&world);
    let failure = Failure {
        text: "the stream fell silent".to_owned(),
        not_found: false,
    };
    world.take(Feed::Stream(Stream::Away(failure)));
    world.now = bed::now().plus(Duration::from_secs(3));
    world.take(Feed::Stream(Stream::Connecting));
    assert!(drawn(&mut dashboard, &world, SIZES[1]).contains("Live, 3.0 s old"));
    world.take(Feed::Stream(Stream::Live));
    assert!(!drawn(&mut dashboard, &world, SIZES[1]).contains("s old"));
}

#[test]
fn minutes_of_a_filter_move_with_the_clock() {
    let mut world = bed::world();
    let mut dashboard = loaded(&world);
    press(&mut dashboard, &world, '/');
    dashboard.paste("since:5m type:it's", &world);
    press_key(&mut dashboard, &world, KeyCode::Enter);
    assert_eq!(
        dashboard.command(&world),
        r"odd jobs list --since 5m --type 'it'\''s'"
    );
    world.now = bed::now().plus(Duration::from_secs(600));
    dashboard.events(&[bed::event(1, EventType::Created, 0)], &world);
    let effects = dashboard.tick(&world);
    let [Effect::Ask(Ask::Jobs(query))] = &effects[..] else {
        panic!("the list is asked for");
    };
    assert_eq!(query.since, Some(world.now.minus(Duration::from_secs(300))));
}

#[test]
fn a_status_is_read_without_colours_and_in_ascii() {
    let mut world = bed::world();
    for (unicode, signs) in [
        (true, ["✗", "✓", "●", "↻", "◌", "⊘"]),
        (false, ["x", "+", "*", "~", ".", "-"]),
    ] {
        world.theme = crate::theme::Theme::new(crate::options::Look {
            theme: crate::options::ThemeName::Dark,
            depth: crate::options::Depth::None,
            unicode,
        });
        let mut dashboard = loaded(&world);
        let shown = drawn(&mut dashboard, &world, SIZES[1]);
        let names = [
            "FAILED",
            "COMPLETED",
            "EXECUTING",
            "RETRYING",
            "SCHEDULED",
            "CANCELLED",
        ];
        for (sign, name) in signs.iter().zip(names) {
            assert!(
                shown.contains(&format!("{sign} {name}")),
                "{sign} {name}: {shown}"
            );
        }
        let buffer = buffer(&mut dashboard, &world, SIZES[1]);
        let mut colours = buffer.content.iter().flat_map(|cell| [cell.fg, cell.bg]);
        assert!(colours.all(|colour| colour == ratatui::style::Color::Reset));
    }
}
