//! A recorded stream of events, and a stream faster than anybody reads, through the whole of the dashboard.
//!
//! `replay/` is what an embedded instance told while 42 jobs went through it: done at once, delayed, retried, failed for good,
//! and cancelled while they ran. The figures, the job and its timeline are what the read-model answered after the last of them.

use std::collections::BTreeSet;
use std::time::Duration;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use odd_contracts::api::{JobPage, Overview, Stats};
use odd_contracts::{EventEnvelope, EventType, Timestamp};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use serde::de::DeserializeOwned;

use crate::app::{App, Order};
use crate::bed;
use crate::effect::{Answer, Ask, Effect, Feed, Reply};
use crate::picture;
use crate::world::Stream;

const EVENTS: &str = include_str!("replay/events.ndjson");
/// Most events that the feed hands over together.
const TOGETHER: usize = 512;

fn recorded<T: DeserializeOwned>(text: &str) -> T {
    serde_json::from_str(text).unwrap()
}

fn events() -> Vec<EventEnvelope> {
    EVENTS.lines().map(recorded).collect()
}

/// The dashboard, with a read-model that answers each question for jobs once, with none: what it shows it has from events.
struct Stage {
    app: App,
    now: Timestamp,
    answered: bool,
}

impl Stage {
    fn new(now: Timestamp) -> Self {
        let (app, orders) = App::new(&bed::options(), now);
        assert!(orders.is_empty(), "a splash asks for nothing");
        let mut stage = Self {
            app,
            now,
            answered: false,
        };
        stage.feed(Feed::Stream(Stream::Live));
        let overview: Overview = recorded(include_str!("replay/overview.json"));
        stage.feed(Feed::Overview(Ok(Box::new(overview))));
        let stats: Stats = recorded(include_str!("replay/stats.json"));
        stage.feed(Feed::Stats(Ok(Box::new(stats))));
        stage
    }

    fn feed(&mut self, feed: Feed) {
        let orders = self.app.feed(feed, self.now);
        self.settle(orders);
    }

    fn press(&mut self, key: KeyCode) {
        let key = KeyEvent::new(key, KeyModifiers::NONE);
        let orders = self.app.input(Event::Key(key), self.now);
        self.settle(orders);
    }

    fn settle(&mut self, orders: Vec<Order>) {
        for Order { by, effect } in orders {
            let Effect::Ask(ask) = effect else { continue };
            let answer = match &ask {
                Ask::Jobs(_) if !self.answered => Answer::Jobs(JobPage::default()),
                Ask::Job(_) => Answer::Job(Box::new((
                    recorded(include_str!("replay/job.json")),
                    recorded(include_str!("replay/timeline.json")),
                ))),
                _ => continue,
            };
            self.answered = true;
            let orders = self.app.reply(by, &Reply::Answer(ask, Ok(answer)), self.now);
            self.settle(orders);
        }
    }

    /// Time passes until then, twice a second.
    fn pass(&mut self, until: Timestamp) {
        while self.now < until {
            self.now = self.now.plus(Duration::from_millis(500)).min(until);
            let orders = self.app.tick(self.now);
            self.settle(orders);
        }
    }

    fn picture(&mut self, (width, height): (u16, u16)) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| self.app.draw(frame)).unwrap();
        terminal.backend().to_string()
    }

    fn svg(&mut self, (width, height): (u16, u16), title: &str) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| self.app.draw(frame)).unwrap();
        let base = self.app.world.theme.base();
        let (ground, letters) = base.bg.zip(base.fg).expect("a theme of 24 bits sets both");
        picture::svg(terminal.backend().buffer(), title, ground, letters)
    }
}

/// The recording, handed over in pieces of this many events.
fn replayed(events: &[EventEnvelope], together: usize) -> Stage {
    let (first, last) = (events[0].occurred_at, events[events.len() - 1].occurred_at);
    let mut stage = Stage::new(first);
    for batch in events.chunks(together) {
        // Sorted by the job's own order and not by the clock: time never goes back.
        let told = batch.iter().map(|event| event.occurred_at).max().unwrap();
        stage.pass(told.max(stage.now));
        stage.feed(Feed::Events(batch.to_vec()));
    }
    stage.pass(last.plus(Duration::from_secs(1)));
    let stats: Stats = recorded(include_str!("replay/stats.json"));
    stage.feed(Feed::Stats(Ok(Box::new(stats))));
    let overview: Overview = recorded(include_str!("replay/overview.json"));
    stage.feed(Feed::Overview(Ok(Box::new(overview))));
    stage
}

#[test]
fn the_recording_has_what_can_happen_to_a_job() {
    let types: BTreeSet<&str> = EVENTS
        .lines()
        .filter_map(|line| line.split("\"eventType\":\"").nth(1)?.split('"').next())
        .collect();
    for of in [
        "created",
        "validated",
        "executed",
        "completed",
        "failed",
        "retrying",
        "cancelled",
        "scheduled",
    ] {
        assert!(types.contains(format!("job.{of}").as_str()), "{types:?}");
    }
    assert!(EVENTS.len() < 200 * 1024);
}

#[test]
fn a_recording_gives_the_screens_that_it_gave() {
    let mut stage = replayed(&events(), 16);
    for (width, height) in bed::SIZES {
        insta::assert_snapshot!(
            format!("dashboard_{width}x{height}"),
            stage.picture((width, height))
        );
    }
    stage.press(KeyCode::Enter);
    for (width, height) in bed::SIZES {
        insta::assert_snapshot!(format!("job_{width}x{height}"), stage.picture((width, height)));
    }
}

/// The pictures in the documents, with what somebody hears who does not see them.
const PICTURES: [(&str, u16, &str); 2] = [
    (
        "watch",
        34,
        "odd watch: counters, throughput, queues, roles, the table of jobs and what happens now",
    ),
    (
        "job",
        24,
        "odd watch, one job: its attempts, waits and events on one line of time",
    ),
];

/// Set to 1, pictures that differ are written anew instead.
const UPDATE: &str = "ODD_UPDATE_PICTURES";

#[test]
fn the_pictures_in_the_documents_are_the_screens() {
    let mut stage = replayed(&events(), 16);
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/pictures");
    stage.feed(Feed::Alerts(Ok(Default::default())));
    for (name, rows, title) in PICTURES {
        if name == "job" {
            stage.press(KeyCode::Enter);
        }
        let picture = stage.svg((120, rows), title);
        let path = folder.join(format!("{name}.svg"));
        if std::env::var(UPDATE).is_ok_and(|update| update == "1") {
            std::fs::write(&path, &picture).unwrap();
        }
        assert!(
            std::fs::read_to_string(&path).is_ok_and(|kept| kept == picture),
            "docs/pictures/{name}.svg is not what is shown. To write it anew, then look at it:\n    \
             {UPDATE}=1 cargo test -p odd-tui pictures"
        );
    }
}

/// Where the stream is broken off and begins again, events come twice and in other portions.
#[test]
fn how_events_are_handed_over_makes_no_difference() {
    let events = events();
    let pictures = |stage: &mut Stage| bed::SIZES.map(|size| stage.picture(size));
    let expected = pictures(&mut replayed(&events, 16));
    assert_eq!(pictures(&mut replayed(&events, 1)), expected);
    let twice: Vec<EventEnvelope> = events
        .chunks(16)
        .flat_map(|batch| [batch, batch].concat())
        .collect();
    assert_eq!(pictures(&mut replayed(&twice, 32)), expected);
}

/// Ten seconds of 5,000 events a second, drawn as often as a screen is: everything that is kept has a bound.
#[test]
fn five_thousand_events_a_second_are_kept_within_bounds() {
    const SECONDS: u128 = 10;
    const RATE: u128 = 5_000;
    let mut stage = Stage::new(bed::now());
    for second in 0..SECONDS {
        let jobs = second * RATE..(second + 1) * RATE;
        let told: Vec<EventEnvelope> = jobs
            .map(|job| bed::event(job + 1, EventType::Created, 0))
            .collect();
        for batch in told.chunks(TOGETHER) {
            stage.feed(Feed::Events(batch.to_vec()));
            let picture = stage.picture((120, 40));
            assert!(picture.contains("job.created"), "{picture}");
        }
        stage.pass(stage.now.plus(Duration::from_secs(1)));
    }
    let live = &stage.app.world.live;
    assert_eq!(u128::from(live.received), SECONDS * RATE);
    assert_eq!(live.events.len(), 500);
    assert!(live.remembered() <= 4_096, "{}", live.remembered());
    let picture = stage.picture((120, 40));
    assert!(picture.contains("Jobs  10,000"), "{picture}");
}
