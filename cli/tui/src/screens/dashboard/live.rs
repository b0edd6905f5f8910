//! Events as they happen, newest first. Whoever moves in them holds them: nothing slips away under a choice.

use std::collections::VecDeque;

use crossterm::event::{KeyEvent, MouseEvent, MouseEventKind};
use odd_contracts::JobId;
use odd_look::format;
use odd_look::sign::of_event;
use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use crate::fit;
use crate::frame::focusable;
use crate::screens::Step;
use crate::screens::list::{ListState, Pointed};
use crate::world::{LiveEvent, Stream, World};

/// Columns of the time and of the job.
const TIME: usize = 14;
const JOB: usize = 10;

/// The events as they were when somebody began to move in them.
struct Held {
    events: VecDeque<LiveEvent>,
    /// How many had been received by then.
    received: u64,
}

/// The live list.
#[derive(Default)]
pub(super) struct LiveList {
    list: ListState,
    held: Option<Held>,
    area: Rect,
}

impl LiveList {
    fn events<'a>(&'a self, world: &'a World) -> &'a VecDeque<LiveEvent> {
        self.held.as_ref().map_or(&world.live.events, |held| &held.events)
    }

    fn hold(&mut self, world: &World) {
        self.held.get_or_insert_with(|| Held {
            events: world.live.events.clone(),
            received: world.live.received,
        });
    }

    /// Goes on with what happens now.
    pub(super) fn follow(&mut self) {
        self.held = None;
        self.list.choose(0);
    }

    pub(super) const fn is_held(&self) -> bool {
        self.held.is_some()
    }

    /// The job of the chosen event.
    pub(super) fn job(&self, world: &World) -> Option<JobId> {
        self.events(world).get(self.list.row())?.job
    }

    /// Moves, where the key means that.
    pub(super) fn key(&mut self, key: KeyEvent, world: &World) -> bool {
        if Step::of(key) == Some(Step::First) {
            self.follow();
            return true;
        }
        let is_step = self.list.key(key, self.events(world).len());
        if self.list.row() > 0 {
            self.hold(world);
        }
        is_step
    }

    /// Whether this is over the list.
    pub(super) const fn is_at(&self, event: MouseEvent) -> bool {
        self.area.contains(Position::new(event.column, event.row))
    }

    /// Chooses by a click, moves by the wheel.
    pub(super) fn mouse(&mut self, event: MouseEvent, world: &World) -> Pointed {
        let pointed = self.list.mouse(event, self.events(world).len());
        let is_click = matches!(event.kind, MouseEventKind::Down(_));
        if pointed != Pointed::Nothing && (is_click || self.list.row() > 0) {
            self.hold(world);
        }
        pointed
    }

    fn title(&self, world: &World) -> String {
        let age = world.live.away_since.map(|since| world.now.since(since));
        let mut title = match (&world.live.stream, age) {
            (Stream::Live, _) => "Live".to_owned(),
            (_, Some(age)) if !world.live.events.is_empty() => {
                format!("Live, {} old", format::duration(age))
            }
            (Stream::Connecting, _) => "Live, connecting".to_owned(),
            (Stream::Away(_), _) => "Live, away".to_owned(),
        };
        if let Some(held) = &self.held {
            let newer = world.live.received.saturating_sub(held.received);
            title.push_str(&format!(", held, {} newer", format::count(newer)));
        }
        title
    }

    pub(super) fn draw(&mut self, frame: &mut Frame<'_>, world: &World, area: Rect, has_focus: bool) {
        let block = focusable(world, self.title(world), has_focus);
        let inner = block.inner(area);
        frame.render_widget(block, area);
        self.area = area;
        let count = self.events(world).len();
        let visible = self.list.visible(inner, count);
        if count == 0 {
            let text = match &world.live.stream {
                Stream::Away(failure) => &failure.text,
                _ => "events show as they happen",
            };
            let text = fit::cut(text, usize::from(inner.width).saturating_sub(1));
            let line = Line::styled(format!(" {text}"), world.theme.muted());
            frame.render_widget(Paragraph::new(line), inner);
            return;
        }
        let events = self.events(world);
        let first = visible.start;
        let chosen = self.list.row();
        let lines: Vec<Line<'_>> = events
            .range(visible)
            .zip(first..)
            .map(|(event, at)| line(world, event, has_focus && at == chosen, usize::from(inner.width)))
            .collect();
        frame.render_widget(Paragraph::new(lines), inner);
    }
}

fn line(world: &World, event: &LiveEvent, is_chosen: bool, width: usize) -> Line<'static> {
    let theme = world.theme;
    let is_certain = world.live.stream == Stream::Live;
    let ink = |style| if is_certain { style } else { theme.stale() };
    let pointer = if is_chosen { theme.pointer() } else { " " };
    let id = event.job.map(format::short_id).unwrap_or_default();
    let room = width.saturating_sub(TIME + JOB);
    let tone = of_event(event.event_type);
    let line = Line::from(vec![
        Span::styled(pointer, theme.accent()),
        Span::styled(format!("{} ", format::clock(event.at)), ink(theme.muted())),
        Span::styled(fit::left(event.event_type.name(), room), ink(theme.tone(tone))),
        Span::styled(format!(" {id}"), ink(theme.muted())),
    ]);
    if is_chosen {
        line.style(theme.chosen())
    } else {
        line
    }
}
