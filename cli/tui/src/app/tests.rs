use std::sync::atomic::{AtomicU32, Ordering};

use crossterm::event::KeyModifiers;
use odd_contracts::JobId;
use ratatui::layout::Rect;
use uuid::Uuid;

use super::*;
use crate::bed;
use crate::effect::{Answer, Ask};
use crate::screens::Hint;

/// A screen that asks for what it is told to, by a letter or when something is answered.
#[derive(Default)]
struct Probe {
    name: &'static str,
    is_overlay: bool,
    unfinished: bool,
    on_key: Vec<Effect>,
    on_reply: Vec<Effect>,
    on_tick: Vec<Effect>,
}

impl Probe {
    fn named(name: &'static str) -> Box<Self> {
        Box::new(Self {
            name,
            ..Self::default()
        })
    }
}

impl Screen for Probe {
    fn title(&self) -> &'static str {
        self.name
    }

    fn draw(&mut self, _: &World, _: &mut Frame<'_>, _: Rect) {}

    fn hints(&self, _: &World) -> Vec<Hint> {
        Vec::new()
    }

    fn command(&self, _: &World) -> String {
        format!("odd {}", self.name)
    }

    fn key(&mut self, key: KeyEvent, _: &World) -> Option<Vec<Effect>> {
        (key.code == KeyCode::Enter).then(|| std::mem::take(&mut self.on_key))
    }

    fn reply(&mut self, _: &Reply, _: &World) -> Vec<Effect> {
        std::mem::take(&mut self.on_reply)
    }

    fn tick(&mut self, _: &World) -> Vec<Effect> {
        std::mem::take(&mut self.on_tick)
    }

    fn is_overlay(&self) -> bool {
        self.is_overlay
    }

    fn unfinished(&self, _: &World) -> Option<(String, String)> {
        self.unfinished
            .then(|| ("Leave?".to_owned(), "Something ends.".to_owned()))
    }
}

/// The app over a splash, with this on top.
fn app(screens: impl IntoIterator<Item = Box<Probe>>) -> App {
    let (mut app, _) = App::new(&bed::options(), bed::now());
    for screen in screens {
        push(&mut app, screen);
    }
    app
}

fn push(app: &mut App, screen: Box<dyn Screen>) -> ScreenId {
    let top = app.screens.last().unwrap().id;
    app.push(top, screen, &mut Vec::new());
    app.screens.last().unwrap().id
}

fn titles(app: &App) -> Vec<&'static str> {
    app.screens.iter().map(|opened| opened.screen.title()).collect()
}

fn press(app: &mut App, code: KeyCode) -> Vec<Order> {
    app.input(Event::Key(KeyEvent::new(code, KeyModifiers::NONE)), bed::now())
}

fn answer(app: &mut App, to: ScreenId) -> Vec<Order> {
    let reply = Reply::Answer(Ask::Cancel(JobId::nil()), Ok(Answer::Done));
    app.reply(to, &reply, bed::now())
}

fn notice(app: &App) -> &str {
    app.notice.as_ref().map_or("", |notice| &notice.text)
}

#[test]
fn what_an_answer_leads_to_concerns_the_screen_that_asked() {
    let with = |effect| {
        let asked = Box::new(Probe {
            name: "asked",
            on_reply: vec![effect],
            ..Probe::default()
        });
        let mut app = app([asked]);
        let asked = app.screens.last().unwrap().id;
        push(&mut app, Probe::named("over"));
        answer(&mut app, asked);
        app
    };
    assert_eq!(titles(&with(Effect::Back)), ["connecting", "over"]);
    let replaced = with(Effect::Replace(Probe::named("new")));
    assert_eq!(titles(&replaced), ["connecting", "new", "over"]);
    assert_eq!(titles(&with(Effect::Home(Probe::named("new")))), ["new", "over"]);
    let pushed = with(Effect::Push(Probe::named("new")));
    assert_eq!(titles(&pushed), ["connecting", "asked", "over"]);
    assert_eq!(notice(&pushed), "done; see: odd new");
}

#[test]
fn a_screen_that_is_closed_leads_nowhere() {
    let mut app = app([Probe::named("asked")]);
    let asked = app.screens.last().unwrap().id;
    press(&mut app, KeyCode::Esc);
    assert_eq!(app.closed(), [asked]);
    app.settle(asked, vec![Effect::Back, Effect::Replace(Probe::named("new"))]);
    app.settle(asked, vec![Effect::Home(Probe::named("new"))]);
    assert_eq!(titles(&app), ["connecting"]);
}

#[test]
fn the_first_figures_open_the_dashboard_below_what_was_opened_meanwhile() {
    let mut app = app([Probe::named("over")]);
    for feed in bed::feeds() {
        app.feed(feed, bed::now());
    }
    app.tick(bed::now());
    assert_eq!(titles(&app), ["dashboard", "over"]);
}

#[test]
fn what_an_overlay_asks_for_is_for_the_screen_below() {
    let question = Box::new(Probe {
        name: "question",
        is_overlay: true,
        on_key: vec![Effect::Back, Effect::Ask(Ask::Cancel(JobId::nil()))],
        ..Probe::default()
    });
    let mut app = app([Probe::named("asks"), question]);
    let asks = app.screens[1].id;
    let orders = press(&mut app, KeyCode::Enter);
    assert_eq!(titles(&app), ["connecting", "asks"]);
    assert!(matches!(orders[..], [Order { by, effect: Effect::Ask(_) }] if by == asks));
}

#[test]
fn of_most_screens_there_is_one_and_of_all_not_many() {
    let mut app = app([]);
    for letter in "GDGADG".chars() {
        press(&mut app, KeyCode::Char(letter));
    }
    assert_eq!(titles(&app), ["connecting", "alerts", "dead letters", "logs"]);
    for job in 0..100 {
        push(&mut app, Box::new(crate::screens::Job::new(Uuid::from_u128(job))));
    }
    assert_eq!(app.screens.len(), DEEPEST);
    assert_eq!(titles(&app)[..2], ["connecting", "job"]);
    let closed = app.closed();
    assert!(closed.iter().all(|id| app.place_of(*id).is_none()));
    assert!(closed.len() > 80, "whatever runs for them is told to end");
}

#[test]
fn the_lowest_stays_where_it_is_when_it_is_asked_for_again() {
    let mut app = app([]);
    let lowest = app.screens[0].id;
    for letter in "LGDL".chars() {
        press(&mut app, KeyCode::Char(letter));
    }
    assert_eq!(titles(&app), ["connecting", "logs", "dead letters", "launcher"]);
    let root = Box::new(crate::screens::Launcher::new());
    app.settle(lowest, vec![Effect::Home(root)]);
    app.screens.truncate(1);
    for letter in "GDL".chars() {
        press(&mut app, KeyCode::Char(letter));
    }
    assert_eq!(titles(&app), ["launcher"]);
}

#[test]
fn a_key_that_is_held_repeats_a_job_once() {
    let id = Uuid::from_u128(7);
    let mut app = app([]);
    let lowest = app.screens[0].id;
    let mut wished = || app.settle(lowest, vec![Effect::Ask(Ask::Retry(id))]).len();
    assert_eq!((wished(), wished()), (1, 0));
    let refused = crate::world::Failure {
        text: "no".to_owned(),
        not_found: false,
    };
    app.reply(lowest, &Reply::Answer(Ask::Retry(id), Err(refused)), bed::now());
    let again = app.settle(lowest, vec![Effect::Ask(Ask::Retry(id))]);
    assert_eq!(again.len(), 1, "it was answered");
}

#[test]
fn what_is_not_finished_is_neither_left_nor_closed_unasked() {
    let starts = Box::new(Probe {
        name: "starts",
        unfinished: true,
        ..Probe::default()
    });
    let mut app = app([starts]);
    press(&mut app, KeyCode::Char('Q'));
    assert!(!app.quits());
    assert_eq!(titles(&app), ["connecting", "starts", "question"]);
    press(&mut app, KeyCode::Char('n'));
    for job in 0..20 {
        push(&mut app, Box::new(crate::screens::Job::new(Uuid::from_u128(job))));
    }
    assert_eq!(titles(&app)[1], "starts");
    press(&mut app, KeyCode::Char('Q'));
    press(&mut app, KeyCode::Char('y'));
    assert!(app.quits());
}

#[test]
fn control_and_c_always_ends_it() {
    let mut app = app([Box::new(Probe {
        unfinished: true,
        ..Probe::default()
    })]);
    let key = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    app.input(Event::Key(key), bed::now());
    assert!(app.quits());
}

#[test]
fn a_screen_that_opens_others_by_itself_is_called_each_time_once() {
    static TICKS: AtomicU32 = AtomicU32::new(0);
    struct Counts;
    impl Screen for Counts {
        fn title(&self) -> &'static str {
            "counts"
        }
        fn draw(&mut self, _: &World, _: &mut Frame<'_>, _: Rect) {}
        fn hints(&self, _: &World) -> Vec<Hint> {
            Vec::new()
        }
        fn command(&self, _: &World) -> String {
            String::new()
        }
        fn key(&mut self, _: KeyEvent, _: &World) -> Option<Vec<Effect>> {
            None
        }
        fn tick(&mut self, _: &World) -> Vec<Effect> {
            TICKS.fetch_add(1, Ordering::Relaxed);
            Vec::new()
        }
    }
    let replaces = Box::new(Probe {
        name: "replaces",
        on_tick: vec![Effect::Replace(Box::new(Counts))],
        ..Probe::default()
    });
    let mut app = app([replaces]);
    app.tick(bed::now());
    assert_eq!((titles(&app)[1], TICKS.load(Ordering::Relaxed)), ("counts", 0));
    app.tick(bed::now());
    assert_eq!(TICKS.load(Ordering::Relaxed), 1);
}

#[test]
fn a_dead_letter_that_was_sent_back_is_remembered() {
    let mut app = app([]);
    let id = Uuid::from_u128(7);
    let refused = crate::world::Failure {
        text: "no".to_owned(),
        not_found: false,
    };
    app.reply(0, &Reply::Answer(Ask::Requeue(id), Err(refused)), bed::now());
    assert!(app.world.requeued.is_empty());
    app.reply(0, &Reply::Answer(Ask::Requeue(id), Ok(Answer::Done)), bed::now());
    assert!(app.world.requeued.contains(&id));
}

#[test]
fn a_notice_stands_for_a_while() {
    let mut app = app([]);
    app.tell(Tone::Ok, "done");
    app.tick(bed::now().plus(NOTICE));
    assert_eq!(notice(&app), "done");
    app.tick(bed::now().plus(NOTICE + Duration::from_secs(1)));
    assert_eq!(notice(&app), "");
}

#[test]
fn how_a_change_ended_is_told_where_its_screen_is_closed_by_now() {
    let mut app = app([Probe::named("form")]);
    let form = app.screens.last().unwrap().id;
    let escape = KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE);
    app.input(Event::Key(escape), bed::now());
    let failure = crate::world::Failure {
        text: "300 of 1000 jobs were accepted; then: no confirm".to_owned(),
        not_found: false,
    };
    let ask = Ask::Submit(Box::default(), 1_000);
    app.reply(form, &Reply::Answer(ask, Err(failure)), bed::now());
    let notice = app.notice.as_ref().unwrap();
    assert!(notice.text.contains("300 of 1000"), "{}", notice.text);
    app.notice = None;
    let read = Reply::Answer(Ask::Job(JobId::from_u128(7)), Ok(Answer::Done));
    app.reply(form, &read, bed::now());
    assert!(
        app.notice.is_none(),
        "a question that nobody waits for is none of anybody's"
    );
}
