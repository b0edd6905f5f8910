//! A job by the first characters of its id: opened where one id begins so, else those that do, to choose from.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, MouseEvent};
use odd_client::JobQuery;
use odd_contracts::api::{JobPage, JobSummary};
use odd_contracts::{JobId, Timestamp};
use odd_look::format;
use odd_look::ident::{SHORTEST, prefix};
use odd_look::sign::{Glyph, Tone, of_status};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use uuid::Uuid;

use super::super::list::{ListState, Pointed};
use super::super::{Hint, Job, Screen, hint, plain};
use crate::effect::{Answer, Ask, Effect, Reply};
use crate::fit;
use crate::frame::region;
use crate::world::{Failure, World};

/// Jobs of one page, and pages that are looked through.
const PAGE: usize = 500;
const MOST_PAGES: usize = 20;
/// Most jobs that are listed.
const MOST: usize = 200;
/// Time after which it is asked again, where nothing was found or nobody answered.
const SELDOM: Duration = Duration::from_secs(2);
/// Columns of an id and of a type.
const ID: usize = 37;
const TYPE: usize = 12;

/// Jobs whose ids begin so.
pub(super) struct Named {
    /// In lower case, with hyphens where they belong.
    prefix: String,
    found: Vec<JobSummary>,
    pages: usize,
    /// Whether all that is to be looked at was.
    is_done: bool,
    /// Whether there is more than was looked at or is listed.
    has_more: bool,
    failure: Option<Failure>,
    asked: Option<Timestamp>,
    is_asked: bool,
    list: ListState,
}

impl Named {
    /// # Errors
    /// Where no id begins so.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        let prefix = prefix(text)
            .ok_or_else(|| format!("an id is a UUID; {SHORTEST} of its first characters will do"))?;
        Ok(Self {
            prefix,
            found: Vec::new(),
            pages: 0,
            is_done: false,
            has_more: false,
            failure: None,
            asked: None,
            is_asked: false,
            list: ListState::default(),
        })
    }

    /// Asks from the first page on.
    fn ask(&mut self, world: &World) -> Vec<Effect> {
        if self.is_asked {
            return Vec::new();
        }
        self.asked = Some(world.now);
        self.pages = 0;
        self.is_done = false;
        self.has_more = false;
        self.found.clear();
        self.ask_page(None)
    }

    fn ask_page(&mut self, cursor: Option<String>) -> Vec<Effect> {
        self.is_asked = true;
        self.pages += 1;
        vec![Effect::Ask(Ask::Jobs(JobQuery {
            id_contains: Some(self.prefix.clone()),
            limit: Some(PAGE),
            cursor,
            ..JobQuery::default()
        }))]
    }

    /// An id may contain what another begins with.
    fn take(&mut self, page: &JobPage) -> Vec<Effect> {
        self.is_asked = false;
        self.failure = None;
        for job in &page.jobs {
            let is_known = self.found.iter().any(|known| known.id == job.id);
            if job.id.to_string().starts_with(&self.prefix) && !is_known {
                self.found.push(job.clone());
            }
        }
        if page.next_cursor.is_some() && self.pages < MOST_PAGES && self.found.len() <= MOST {
            return self.ask_page(page.next_cursor.clone());
        }
        self.is_done = true;
        self.has_more = page.next_cursor.is_some() || self.found.len() > MOST;
        self.found.truncate(MOST);
        match &self.found[..] {
            [only] if !self.has_more => vec![Effect::Replace(Box::new(Job::new(only.id)))],
            _ => Vec::new(),
        }
    }

    fn chosen(&self) -> Option<JobId> {
        self.found.get(self.list.row()).map(|job| job.id)
    }

    fn open(&self) -> Option<Vec<Effect>> {
        Some(vec![Effect::Push(Box::new(Job::new(self.chosen()?)))])
    }

    /// What is said in place of rows.
    fn said(&self, world: &World, width: usize) -> Vec<Line<'static>> {
        let theme = world.theme;
        let again = "asked again every 2 s; R asks now";
        let (tone, text, more) = match &self.failure {
            Some(failure) => (
                Tone::Bad,
                format!("{} {}", theme.glyph(Glyph::Bad), failure.text),
                again,
            ),
            None if !self.is_done => (Tone::Muted, "looking for it".to_owned(), ""),
            None => {
                let text = format!(
                    "{} There is no job whose id begins so, or not yet.",
                    theme.glyph(Glyph::Waiting)
                );
                (Tone::Attention, text, again)
            }
        };
        let say = |text: &str, tone| {
            let rows = fit::wrap(text, width.saturating_sub(2)).into_iter();
            rows.map(move |row| Line::styled(format!(" {row}"), theme.tone(tone)))
        };
        say(&text, tone).chain(say(more, Tone::Muted)).collect()
    }

    fn heading(&self) -> String {
        if self.found.is_empty() {
            return format!("Jobs {}…", self.prefix);
        }
        let more = if self.has_more { "+" } else { "" };
        format!("Jobs {}…  {}{more} begin so", self.prefix, self.found.len())
    }
}

fn row(job: &JobSummary, is_chosen: bool, world: &World) -> Line<'static> {
    let theme = world.theme;
    let (glyph, tone) = of_status(job.status);
    let pointer = if is_chosen { theme.pointer() } else { " " };
    let status = format!("{} {}", theme.glyph(glyph), job.status);
    let line = Line::from(vec![
        Span::styled(format!(" {pointer} "), theme.accent()),
        Span::styled(fit::left(&job.id.to_string(), ID), theme.text()),
        Span::styled(fit::left(&job.job_type, TYPE), theme.text()),
        Span::styled(fit::left(&status, 12), theme.tone(tone)),
        Span::styled(format::age(job.created_at, world.now), theme.muted()),
    ]);
    if is_chosen {
        line.style(theme.chosen())
    } else {
        line
    }
}

impl Screen for Named {
    fn title(&self) -> &'static str {
        "jobs of that name"
    }

    /// Another beginning is another screen.
    fn subject(&self) -> Option<Uuid> {
        let digits = self.prefix.replace('-', "");
        let begin = u128::from_str_radix(&format!("{digits:0<32}"), 16).ok()?;
        Some(Uuid::from_u128(begin ^ digits.len() as u128))
    }

    fn draw(&mut self, world: &World, frame: &mut Frame<'_>, area: Rect) {
        let heading = fit::cut(&self.heading(), usize::from(area.width).saturating_sub(4)).into_owned();
        let block = region(world, heading);
        let inner = block.inner(area);
        frame.render_widget(block, area);
        if self.found.is_empty() {
            let lines = self.said(world, usize::from(inner.width));
            frame.render_widget(Paragraph::new(lines), inner);
            return;
        }
        let visible = self.list.visible(inner, self.found.len());
        let lines: Vec<Line<'_>> = visible
            .map(|at| row(&self.found[at], at == self.list.row(), world))
            .collect();
        frame.render_widget(Paragraph::new(lines), inner);
    }

    fn hints(&self, _world: &World) -> Vec<Hint> {
        let mut hints = vec![hint("Esc", "back")];
        if !self.found.is_empty() {
            hints.extend([hint("↵", "open"), hint("y", "copy id")]);
        }
        hints.push(hint("R", "look again"));
        hints
    }

    fn command(&self, _world: &World) -> String {
        format!("odd jobs list --id {}", self.prefix)
    }

    fn opened(&mut self, world: &World) -> Vec<Effect> {
        self.ask(world)
    }

    fn key(&mut self, key: KeyEvent, _world: &World) -> Option<Vec<Effect>> {
        match (key.code, plain(key)) {
            (KeyCode::Enter | KeyCode::Right, _) | (_, Some('l')) => self.open(),
            (_, Some('y')) => Some(vec![Effect::Copy("the id", self.chosen()?.to_string())]),
            _ => self.list.key(key, self.found.len()).then(Vec::new),
        }
    }

    fn mouse(&mut self, event: MouseEvent, _world: &World) -> Vec<Effect> {
        match self.list.mouse(event, self.found.len()) {
            Pointed::Opened => self.open().unwrap_or_default(),
            Pointed::Nothing | Pointed::Chosen => Vec::new(),
        }
    }

    fn reply(&mut self, reply: &Reply, _world: &World) -> Vec<Effect> {
        match reply {
            Reply::Answer(Ask::Jobs(_), Ok(Answer::Jobs(page))) => self.take(page),
            Reply::Answer(Ask::Jobs(_), Err(failure)) => {
                self.is_asked = false;
                self.failure = Some(failure.clone());
                // What was found is not all there may be.
                self.has_more = !self.found.is_empty();
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    /// A job that was accepted a moment ago appears when it is recorded.
    fn tick(&mut self, world: &World) -> Vec<Effect> {
        let since = self.asked.map_or(Duration::MAX, |asked| world.now.since(asked));
        if (self.found.is_empty() || self.failure.is_some()) && since >= SELDOM {
            self.ask(world)
        } else {
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use odd_contracts::JobStatus;

    use super::*;
    use crate::bed::{self, ago, drawn, press_key};

    fn job(id: &str) -> JobSummary {
        JobSummary {
            id: id.parse().unwrap(),
            job_type: "resize".to_owned(),
            status: JobStatus::Failed,
            created_at: ago(75),
            updated_at: ago(70),
            attempt: 3,
            max_attempts: 3,
            queued_ms: None,
            ran_ms: None,
            error: None,
        }
    }

    fn answered(screen: &mut dyn Screen, world: &World, ids: &[&str], next: Option<&str>) -> Vec<Effect> {
        let page = JobPage {
            jobs: ids.iter().map(|id| job(id)).collect(),
            next_cursor: next.map(str::to_owned),
        };
        let reply = Reply::Answer(Ask::Jobs(JobQuery::default()), Ok(Answer::Jobs(page)));
        screen.reply(&reply, world)
    }

    fn asked(effects: &[Effect]) -> &JobQuery {
        match effects {
            [Effect::Ask(Ask::Jobs(query))] => query,
            _ => panic!("no question"),
        }
    }

    const ONE: &str = "9f31c2ab-0000-4000-8000-000000000001";
    const TWO: &str = "9f31c2ab-1000-4000-8000-000000000002";
    /// Contains what the others begin with.
    const OTHER: &str = "00000000-9f31-c2ab-8000-000000000003";

    #[test]
    fn the_only_job_whose_id_begins_so_is_opened() {
        let world = bed::world();
        let mut screen = Job::named("9F31C2AB").unwrap();
        assert_eq!(screen.command(&world), "odd jobs list --id 9f31c2ab");
        assert_eq!(
            asked(&screen.opened(&world)).id_contains.as_deref(),
            Some("9f31c2ab")
        );
        assert!(screen.opened(&world).is_empty(), "one question at a time");
        // An older one may begin so as well.
        let further = answered(screen.as_mut(), &world, &[ONE], Some("older"));
        assert_eq!(asked(&further).cursor.as_deref(), Some("older"));
        let effects = answered(screen.as_mut(), &world, &[OTHER, ONE], None);
        let [Effect::Replace(job)] = &effects[..] else {
            panic!("it is not opened");
        };
        assert_eq!(job.subject(), Some(ONE.parse().unwrap()));
    }

    #[test]
    fn of_several_one_is_chosen() {
        let world = bed::world();
        let mut screen = Job::named("9f31").unwrap();
        screen.opened(&world);
        assert!(answered(screen.as_mut(), &world, &[ONE, OTHER, TWO], None).is_empty());
        insta::assert_snapshot!("job_named", drawn(screen.as_mut(), &world, (80, 24)));
        press_key(screen.as_mut(), &world, KeyCode::Down);
        let effects = press_key(screen.as_mut(), &world, KeyCode::Enter);
        let [Effect::Push(job)] = &effects[..] else {
            panic!("it is not opened");
        };
        assert_eq!(job.subject(), Some(TWO.parse().unwrap()));
    }

    #[test]
    fn that_there_is_none_is_said_and_asked_again() {
        let mut world = bed::world();
        let mut screen = Job::named("9f31c2ab-0000").unwrap();
        screen.opened(&world);
        assert!(answered(screen.as_mut(), &world, &[TWO, OTHER], None).is_empty());
        assert!(drawn(screen.as_mut(), &world, (80, 24)).contains("There is no job whose id begins so"));
        assert!(screen.tick(&world).is_empty());
        world.now = world.now.plus(SELDOM);
        asked(&screen.tick(&world));
        let failure = Failure {
            text: "http://127.0.0.1:8080/jobs does not answer: connection refused".to_owned(),
            not_found: false,
        };
        screen.reply(
            &Reply::Answer(Ask::Jobs(JobQuery::default()), Err(failure)),
            &world,
        );
        assert!(drawn(screen.as_mut(), &world, (80, 24)).contains("connection refused"));
    }

    #[test]
    fn what_is_no_beginning_of_an_id_is_refused() {
        for text in ["", "9f3", "resize", &"a".repeat(33)] {
            assert!(Job::named(text).is_err(), "{text}");
        }
        let (one, other) = (Job::named("9f31").unwrap(), Job::named("9f310").unwrap());
        assert_ne!(one.subject(), other.subject(), "each is a screen of its own");
        assert_eq!(Job::named(ONE).unwrap().title(), "job");
    }
}
