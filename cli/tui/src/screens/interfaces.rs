//! The user interfaces of the instance: where each is, and whether it answers.

use crossterm::event::{KeyCode, KeyEvent, MouseEvent};
use odd_contracts::ui::{UiEngine, registry};
use odd_contracts::{Role, Timestamp};
use odd_look::format;
use odd_look::sign::{Glyph, Tone};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Padding, Paragraph};
use serde_json::Value;

use super::launcher::told::{Failed, Told, list, text};
use super::list::{ListState, Pointed};
use super::{Hint, Screen, hint, plain};
use crate::effect::{Effect, Reply, Run};
use crate::fit;
use crate::frame::region;
use crate::world::World;

#[cfg(test)]
mod tests;

/// Name of the command that runs.
const URLS: &str = "urls";
/// Columns of a name and of an address.
const NAME: usize = 16;
const ADDRESS: usize = 36;
/// Rows for what is said of the chosen one.
const BELOW: u16 = 8;
/// From this width on each line also tells what the page is good for.
const WIDE: u16 = 100;

/// One address.
#[derive(Clone, Debug)]
struct Place {
    name: String,
    url: String,
    what: String,
    /// Whether somebody listens there; none where that cannot be known.
    reachable: Option<bool>,
}

/// The screen.
pub(crate) struct Interfaces {
    told: Told,
    places: Vec<Place>,
    /// When the command told them.
    at: Option<Timestamp>,
    running: bool,
    failed: Option<Failed>,
    asking: bool,
    list: ListState,
}

impl Interfaces {
    pub(crate) fn new() -> Self {
        Self {
            told: Told::default(),
            places: Vec::new(),
            at: None,
            running: true,
            failed: None,
            asking: false,
            list: ListState::default(),
        }
    }

    fn chosen(&self) -> Option<&Place> {
        self.places.get(self.list.row())
    }

    fn answered(&mut self, ended: &Result<i32, String>, world: &World) {
        self.asking = false;
        let answer = match (ended, self.told.answer()) {
            (Ok(0), Some(answer)) => answer,
            _ => {
                self.failed = Some(self.told.failure(ended));
                if self.places.is_empty() {
                    self.places = known(world);
                }
                return;
            }
        };
        self.failed = None;
        self.at = Some(world.now);
        self.running = answer.get("running").and_then(Value::as_bool).unwrap_or(false);
        self.places = list(&answer, "urls").filter_map(place).collect();
        let last = self.places.len().saturating_sub(1);
        self.list.choose(self.list.row().min(last));
    }

    fn open(&self) -> Option<Vec<Effect>> {
        let place = self.chosen()?;
        let url = place.url.clone();
        let command = opened_as(&place.name).map(|id| format!("odd open {id}"));
        Some(vec![Effect::Browse { url, command }])
    }

    /// What is to be known beside the list.
    fn note(&self, world: &World) -> (Tone, String) {
        if let Some(failed) = &self.failed {
            let text = format!(
                "whether they answer is not known: {}: {}",
                failed.what, failed.why
            );
            return (Tone::Attention, text);
        }
        if !world.mode.has_machine() {
            let text = "whether they answer cannot be seen from here; the addresses are those on the machine of the stack";
            return (Tone::Muted, text.to_owned());
        }
        match self.at {
            None => (Tone::Muted, "asking which of them answer".to_owned()),
            Some(_) if !self.running => (Tone::Attention, "nothing runs there now; L starts it".to_owned()),
            Some(at) => {
                let count = self
                    .places
                    .iter()
                    .filter(|place| place.reachable == Some(true))
                    .count();
                let age = format::age(at, world.now);
                (
                    Tone::Muted,
                    format!("{count} of {} answer, looked at {age}", self.places.len()),
                )
            }
        }
    }

    /// The chosen one in full, and what is to be known beside the list.
    fn about(&self, world: &World, columns: usize) -> Vec<Line<'static>> {
        let theme = world.theme;
        let mut lines = Vec::new();
        if let Some(place) = self.chosen() {
            let (_, tone, word) = state(place);
            lines.push(Line::from(vec![
                Span::styled(fit::cut(&place.name, 40).into_owned(), theme.strong()),
                Span::styled(format!("  {word}"), theme.tone(tone)),
            ]));
            let about = [(&place.url, theme.accent()), (&place.what, theme.text())];
            for (text, style) in about.into_iter().filter(|(text, _)| !text.is_empty()) {
                let wrapped = fit::wrap(text, columns).into_iter().take(2);
                lines.extend(wrapped.map(|line| Line::styled(line, style)));
            }
        }
        let (tone, note) = self.note(world);
        let wrapped = fit::wrap(&note, columns).into_iter().take(3);
        lines.extend(wrapped.map(|line| Line::styled(line, theme.tone(tone))));
        lines
    }
}

fn place(value: &Value) -> Option<Place> {
    Some(Place {
        name: text(value, "name")?,
        url: text(value, "url")?,
        what: text(value, "what").unwrap_or_default(),
        reachable: value.get("reachable").and_then(Value::as_bool),
    })
}

/// What the engine of the instance offers, by the registry: where no command can be asked.
fn known(world: &World) -> Vec<Place> {
    let overview = world.overview.value.as_ref();
    let name = overview.map_or("", |overview| overview.engine.as_str());
    let engine = UiEngine::ALL.into_iter().find(|engine| engine.name() == name);
    let gateway = world.addresses.gateway.rsplit(':').next();
    let port: Option<u16> = gateway.and_then(|port| port.trim_end_matches('/').parse().ok());
    let offset = port.and_then(|port| port.checked_sub(Role::Gateway.default_port()));
    let entries = registry().entries.iter();
    entries
        .filter(|entry| match engine {
            Some(engine) => entry.engines.contains(&engine) && entry.profiles.is_empty(),
            None => entry.engines.len() == UiEngine::ALL.len(),
        })
        .filter_map(|entry| {
            Some(Place {
                name: entry.name.clone(),
                url: entry.url(offset.unwrap_or(0))?,
                what: entry.description.clone(),
                reachable: None,
            })
        })
        .collect()
}

/// What `odd open` calls a page; none for what it does not open.
fn opened_as(name: &str) -> Option<&'static str> {
    let entry = registry().entries.iter().find(|entry| entry.name == name)?;
    Some(entry.id.as_str())
}

fn state(place: &Place) -> (Glyph, Tone, &'static str) {
    match place.reachable {
        Some(true) => (Glyph::Ok, Tone::Ok, "answers"),
        Some(false) => (Glyph::Bad, Tone::Bad, "nobody answers there"),
        None => (Glyph::Waiting, Tone::Waiting, "not known"),
    }
}

fn row<'a>(place: &Place, chosen: bool, wide: bool, world: &World, columns: usize) -> Line<'a> {
    let theme = world.theme;
    let (glyph, tone, _) = state(place);
    let pointer = if chosen { theme.pointer() } else { " " };
    let mut spans = vec![
        Span::styled(format!("{pointer} "), theme.accent()),
        Span::styled(format!("{} ", theme.glyph(glyph)), theme.tone(tone)),
        Span::styled(format!("{} ", fit::left(&place.name, NAME)), theme.strong()),
    ];
    let room = columns.saturating_sub(NAME + 5);
    if wide {
        spans.push(Span::styled(
            format!("{} ", fit::left(&place.url, ADDRESS)),
            theme.accent(),
        ));
        let what = fit::cut(&place.what, room.saturating_sub(ADDRESS + 1)).into_owned();
        spans.push(Span::styled(what, theme.muted()));
    } else {
        let url = fit::cut(&place.url, room).into_owned();
        spans.push(Span::styled(url, theme.accent()));
    }
    let line = Line::from(spans);
    if chosen { line.style(theme.chosen()) } else { line }
}

impl Screen for Interfaces {
    fn title(&self) -> &'static str {
        "interfaces"
    }

    fn draw(&mut self, world: &World, frame: &mut Frame<'_>, area: Rect) {
        let theme = world.theme;
        let columns = usize::from(area.width.saturating_sub(4));
        let rows = u16::try_from(self.places.len()).unwrap_or(u16::MAX);
        let tall = rows
            .saturating_add(2)
            .max(3)
            .min(area.height.saturating_sub(BELOW));
        let [table, below] = Layout::vertical([Constraint::Length(tall), Constraint::Fill(1)]).areas(area);
        let wide = area.width >= WIDE;
        let block = region(world, "User interfaces").padding(Padding::horizontal(1));
        let shown = self.list.visible(block.inner(table), self.places.len());
        let mut lines: Vec<Line<'_>> = shown
            .map(|at| row(&self.places[at], at == self.list.row(), wide, world, columns))
            .collect();
        if lines.is_empty() {
            lines.push(Line::styled("looking for them", theme.muted()));
        }
        frame.render_widget(Paragraph::new(lines).block(block), table);
        let lines = self.about(world, columns);
        let padded = Rect {
            x: below.x.saturating_add(2),
            width: below.width.saturating_sub(4),
            ..below
        };
        frame.render_widget(Paragraph::new(lines), padded);
    }

    fn hints(&self, _world: &World) -> Vec<Hint> {
        if self.places.is_empty() {
            return Vec::new();
        }
        vec![
            hint("↵", "open"),
            hint("y", "copy the address"),
            hint("R", "look again"),
        ]
    }

    fn command(&self, _world: &World) -> String {
        match self.chosen().and_then(|place| opened_as(&place.name)) {
            Some(id) => format!("odd open {id}"),
            None => "odd urls".to_owned(),
        }
    }

    fn opened(&mut self, world: &World) -> Vec<Effect> {
        if !world.mode.has_machine() {
            self.places = known(world);
            return Vec::new();
        }
        if self.asking {
            return Vec::new();
        }
        self.asking = true;
        self.told = Told::default();
        vec![Effect::Run(Run::new(URLS, &["urls", "--output", "json"]))]
    }

    fn key(&mut self, key: KeyEvent, _world: &World) -> Option<Vec<Effect>> {
        if self.list.key(key, self.places.len()) {
            return Some(Vec::new());
        }
        match (key.code, plain(key)) {
            (KeyCode::Enter, _) | (_, Some('o')) => self.open(),
            (_, Some('y')) => Some(vec![Effect::Copy("the address", self.chosen()?.url.clone())]),
            _ => None,
        }
    }

    fn mouse(&mut self, event: MouseEvent, _world: &World) -> Vec<Effect> {
        match self.list.mouse(event, self.places.len()) {
            Pointed::Opened => self.open().unwrap_or_default(),
            Pointed::Nothing | Pointed::Chosen => Vec::new(),
        }
    }

    fn reply(&mut self, reply: &Reply, world: &World) -> Vec<Effect> {
        match reply {
            Reply::Printed(URLS, lines) => self.told.take(lines),
            Reply::Ended(URLS, ended) => self.answered(ended, world),
            _ => {}
        }
        Vec::new()
    }
}
