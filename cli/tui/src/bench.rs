//! What `benches/draw.rs` measures: the dashboard at work, drawn into a buffer. Not part of what the crate offers.

#![expect(clippy::unwrap_used, reason = "a helper of a bench fails as the bench does")]

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use odd_contracts::api::{JobDetail, JobPage, JobSummary, Timeline};
use odd_contracts::{EventEnvelope, EventType, JobStatus};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use serde_json::json;
use uuid::Uuid;

use crate::app::{App, Order};
use crate::bed;
use crate::effect::{Answer, Ask, Effect, Feed, Reply};

/// The size that is measured.
const SIZE: (u16, u16) = (120, 40);

/// A dashboard with a terminal that is a buffer.
pub struct Bench {
    app: App,
    terminal: Terminal<TestBackend>,
    jobs: Vec<JobSummary>,
    next_event: u128,
}

impl Bench {
    /// The dashboard with this many jobs in its table.
    pub fn new(jobs: u32) -> Self {
        let (app, orders) = App::new(&bed::options(), bed::now());
        let mut bench = Self {
            app,
            terminal: Terminal::new(TestBackend::new(SIZE.0, SIZE.1)).unwrap(),
            jobs: (0..jobs).map(summary).collect(),
            next_event: 1,
        };
        bench.settle(orders);
        for feed in bed::feeds() {
            let orders = bench.app.feed(feed, bed::now());
            bench.settle(orders);
        }
        bench.frame();
        bench
    }

    /// Opens the chosen job, whose payload has a megabyte.
    pub fn open(&mut self) {
        self.press(KeyCode::Enter);
        self.frame();
    }

    /// One row down, as the key does.
    pub fn down(&mut self) {
        self.press(KeyCode::Down);
    }

    /// So many events that were not told before, in the portions that the feed hands over.
    pub fn events(&mut self, count: u128) -> Vec<Vec<EventEnvelope>> {
        let first = self.next_event;
        self.next_event += count;
        let events: Vec<EventEnvelope> = (first..first + count)
            .map(|job| bed::event(job, EventType::Created, 0))
            .collect();
        events.chunks(512).map(<[EventEnvelope]>::to_vec).collect()
    }

    /// Takes events.
    pub fn take(&mut self, portions: Vec<Vec<EventEnvelope>>) {
        for portion in portions {
            let orders = self.app.feed(Feed::Events(portion), bed::now());
            self.settle(orders);
        }
    }

    /// Draws a frame, and says how much of it is not empty.
    pub fn frame(&mut self) -> usize {
        let app = &mut self.app;
        let drawn = self.terminal.draw(|frame| app.draw(frame)).unwrap();
        drawn
            .buffer
            .content
            .iter()
            .filter(|cell| cell.symbol() != " ")
            .count()
    }

    fn press(&mut self, key: KeyCode) {
        let key = KeyEvent::new(key, KeyModifiers::NONE);
        let orders = self.app.input(Event::Key(key), bed::now());
        self.settle(orders);
    }

    fn settle(&mut self, orders: Vec<Order>) {
        for Order { by, effect } in orders {
            let Effect::Ask(ask) = effect else { continue };
            let answer = match &ask {
                Ask::Jobs(_) => Answer::Jobs(JobPage {
                    jobs: self.jobs.clone(),
                    next_cursor: None,
                }),
                Ask::Job(id) => Answer::Job(Box::new(detail(*id))),
                _ => continue,
            };
            let orders = self.app.reply(by, &Reply::Answer(ask, Ok(answer)), bed::now());
            self.settle(orders);
        }
    }
}

fn summary(number: u32) -> JobSummary {
    JobSummary {
        id: Uuid::from_u128(u128::from(u32::MAX - number) << 96),
        job_type: "resize".to_owned(),
        status: if number.is_multiple_of(7) {
            JobStatus::Failed
        } else {
            JobStatus::Completed
        },
        created_at: bed::ago(u64::from(number)),
        updated_at: bed::ago(u64::from(number)),
        attempt: 1,
        max_attempts: 3,
        queued_ms: Some(1.2),
        ran_ms: Some(4_100.0),
        error: None,
    }
}

/// A job with a payload of a megabyte, in lines and in one word.
fn detail(id: odd_contracts::JobId) -> (JobDetail, Timeline) {
    let lines: Vec<String> = (0..5_000)
        .map(|line| format!("{line}: {}", "word ".repeat(20)))
        .collect();
    let mut detail: JobDetail = serde_json::from_str(include_str!("replay/job.json")).unwrap();
    let payload = json!({ "lines": lines, "word": "x".repeat(500_000) });
    detail.record.job.payload = serde_json::from_value(payload).unwrap();
    detail.record.job.id = id;
    let mut timeline: Timeline = serde_json::from_str(include_str!("replay/timeline.json")).unwrap();
    timeline.id = id;
    (detail, timeline)
}
