//! What tests of screens have in common: a world with something in it, and a terminal that is a buffer.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]
#![cfg_attr(not(test), allow(dead_code, reason = "benches take a part of it"))]

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use odd_contracts::api::{
    Counters, DependencyHealth, HealthState, LatencySummary, Overview, QueueDepth, RoleHealth, Stats,
};
use odd_contracts::{
    Alert, AlertState, EventEnvelope, EventType, JobStatus, Producer, Role, Severity, Timestamp,
};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use unicode_width::UnicodeWidthStr;
use uuid::Uuid;

use crate::ascii;
use crate::effect::{Effect, Feed};
use crate::options::{Addresses, Depth, Look, Mode, Options, ThemeName};
use crate::screens::Screen;
use crate::world::{Failure, World};

/// The sizes that every screen is shown in.
pub(crate) const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];

/// The instant that tests happen at: 2025-11-24 16:00:00 UTC.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_micros(1_764_000_000_000_000)
}

/// So long before.
pub(crate) fn ago(seconds: u64) -> Timestamp {
    now().minus(Duration::from_secs(seconds))
}

pub(crate) fn options() -> Options {
    Options {
        instance: "observatory".to_owned(),
        addresses: Addresses {
            gateway: "http://127.0.0.1:3000".to_owned(),
            read_model: "http://127.0.0.1:8080".to_owned(),
        },
        program: "odd".into(),
        arguments: Vec::new(),
        of_instance: String::new(),
        mode: Mode::Full,
        look: Look {
            theme: ThemeName::Dark,
            depth: Depth::True,
            unicode: true,
        },
        has_browser: true,
        launcher: false,
    }
}

/// A world of which nothing is known yet.
pub(crate) fn empty() -> World {
    World::new(&options(), now())
}

/// A world in which everything was told a moment ago.
pub(crate) fn world() -> World {
    let mut world = empty();
    for feed in feeds() {
        world.take(feed);
    }
    world
}

/// Everything, told once.
pub(crate) fn feeds() -> [Feed; 4] {
    let alerts = odd_contracts::api::AlertList {
        source: "native".to_owned(),
        alerts: vec![alert()],
        ..Default::default()
    };
    [
        Feed::Overview(Ok(Box::new(overview()))),
        Feed::Stats(Ok(Box::new(stats()))),
        Feed::Alerts(Ok(alerts)),
        Feed::Stream(crate::world::Stream::Live),
    ]
}

/// The same once the read-model has been away for so many seconds.
pub(crate) fn away(seconds: u64) -> World {
    let mut world = world();
    let failure = Failure {
        text: "http://127.0.0.1:8080/overview does not answer: connection refused".to_owned(),
        not_found: false,
    };
    world.take(Feed::Stream(crate::world::Stream::Away(failure.clone())));
    world.now = now().plus(Duration::from_secs(seconds));
    world.take(Feed::Overview(Err(failure.clone())));
    world.take(Feed::Stats(Err(failure.clone())));
    world.take(Feed::Alerts(Err(failure)));
    world
}

fn overview() -> Overview {
    let dependency = |name: &str, adapter: &str| DependencyHealth {
        name: name.to_owned(),
        adapter: adapter.to_owned(),
        state: HealthState::Healthy,
        latency_ms: Some(0.8),
        detail: None,
    };
    let queue = |name: &str, ready, oldest_ms| QueueDepth {
        name: name.to_owned(),
        ready,
        unacknowledged: 0,
        oldest_ms,
    };
    Overview {
        version: 1,
        instance: "observatory".to_owned(),
        engine: "docker".to_owned(),
        state: HealthState::Healthy,
        started_at: ago(22_320),
        generated_at: now(),
        roles: Role::ALL
            .into_iter()
            .map(|role| RoleHealth {
                role,
                state: HealthState::Healthy,
                url: format!("http://{role}"),
                version: Some("0.1.0".to_owned()),
                detail: None,
                replicas: None,
            })
            .collect(),
        dependencies: vec![
            dependency("spine", "amqp"),
            dependency("job-store", "postgres"),
            dependency("event-log", "mongodb"),
            dependency("counters", "redis"),
        ],
        queues: vec![
            queue("jobs.created", 12, Some(8)),
            queue("jobs.events", 0, None),
            queue("jobs.dead-letter", 3, Some(3_600_000)),
        ],
        queues_unknown: None,
        alerts: vec![alert()],
        alerts_omitted: 0,
        alert_source: None,
        event_retention_seconds: None,
    }
}

fn stats() -> Stats {
    let by_status = [
        (JobStatus::Pending, 12),
        (JobStatus::Executing, 34),
        (JobStatus::Retrying, 55),
        (JobStatus::Completed, 127_911),
        (JobStatus::Failed, 402),
    ];
    Stats {
        counters: Counters {
            total: 128_414,
            by_status: by_status.into(),
            retries: 1_206,
            dead_lettered: 3,
            by_type: Default::default(),
            last_event_at: Some(now()),
        },
        completed: 127_911,
        failed: 402,
        retrying: 55,
        cancelled: 0,
        throughput: (0..60).map(|second| 1_100 + (second * 37) % 200).collect(),
        jobs_per_second: 1_204.0,
        latency_ms: Some(LatencySummary {
            p50: 3.1,
            p90: 9.4,
            p99: 18.2,
            max: 44.0,
        }),
    }
}

/// An alert that fires.
pub(crate) fn alert() -> Alert {
    Alert {
        name: "JobFailureRateHigh".to_owned(),
        severity: Severity::Warning,
        state: AlertState::Firing,
        subject: "processor".to_owned(),
        summary: "7.2% of the jobs that ended in the last 5 minutes FAILED".to_owned(),
        since: ago(120),
        resolved_at: None,
        runbook: odd_contracts::alert::condition::runbook("JobFailureRateHigh")
            .unwrap()
            .to_owned(),
        runbook_url: None,
        source: Some("native".to_owned()),
    }
}

/// The screen alone in a terminal of this size, as text.
pub(crate) fn drawn(screen: &mut dyn Screen, world: &World, (width, height): (u16, u16)) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal
        .draw(|frame| {
            screen.draw(world, frame, frame.area());
            if !world.theme.unicode() {
                ascii::only(frame.buffer_mut());
            }
        })
        .unwrap();
    terminal.backend().to_string()
}

/// Presses a key that has a letter or sign.
pub(crate) fn press(screen: &mut dyn Screen, world: &World, letter: char) -> Vec<Effect> {
    press_key(screen, world, KeyCode::Char(letter))
}

/// Presses any key.
pub(crate) fn press_key(screen: &mut dyn Screen, world: &World, key: KeyCode) -> Vec<Effect> {
    screen
        .key(KeyEvent::new(key, KeyModifiers::NONE), world)
        .unwrap_or_default()
}

/// Clicks at a place.
pub(crate) fn click(screen: &mut dyn Screen, world: &World, column: u16, row: u16) -> Vec<Effect> {
    pointed(
        screen,
        world,
        MouseEventKind::Down(MouseButton::Left),
        column,
        row,
    )
}

/// Turns the wheel, down or up.
pub(crate) fn turn(screen: &mut dyn Screen, world: &World, down: bool) -> Vec<Effect> {
    let kind = if down {
        MouseEventKind::ScrollDown
    } else {
        MouseEventKind::ScrollUp
    };
    pointed(screen, world, kind, 0, 0)
}

fn pointed(
    screen: &mut dyn Screen,
    world: &World,
    kind: MouseEventKind,
    column: u16,
    row: u16,
) -> Vec<Effect> {
    let event = MouseEvent {
        kind,
        column,
        row,
        modifiers: KeyModifiers::NONE,
    };
    screen.mouse(event, world)
}

/// Where a text stands in a picture: column and row of its beginning.
pub(crate) fn place_of(picture: &str, text: &str) -> (u16, u16) {
    let found = picture.lines().enumerate().find_map(|(row, line)| {
        let line = line.trim_start_matches('"');
        Some((line.split_once(text)?.0.width(), row))
    });
    let (column, row) = found.unwrap_or_else(|| panic!("{text:?} is not shown:\n{picture}"));
    (u16::try_from(column).unwrap(), u16::try_from(row).unwrap())
}

/// An event of the job with this number.
pub(crate) fn event(job: u128, event_type: EventType, sequence: u32) -> EventEnvelope {
    let id = Uuid::from_u128(job);
    let payload = serde_json::json!({ "id": id, "type": "resize" });
    EventEnvelope {
        contract_version: odd_contracts::CONTRACT_VERSION.to_owned(),
        event_type,
        event_id: Uuid::from_u128((job << 8) + u128::from(sequence)),
        occurred_at: now(),
        producer: Producer {
            service: "processor".to_owned(),
            instance_id: "p-1".to_owned(),
            version: "0.1.0".to_owned(),
        },
        correlation_id: "7be0".to_owned(),
        idempotency_key: id.to_string(),
        payload: payload.as_object().unwrap().clone(),
        sequence: Some(sequence),
        causation_id: None,
        traceparent: None,
    }
}
