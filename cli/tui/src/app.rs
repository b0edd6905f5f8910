//! The screens, one on top of the other, and what every one of them has in common: keys that work everywhere, the notice at the
//! foot, and who is told what.

use std::collections::HashSet;
use std::time::Duration;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind};
use odd_contracts::{JobId, Timestamp};
use odd_look::sign::Tone;
use ratatui::Frame;

use crate::ascii;
use crate::effect::{Ask, Effect, Feed, Reply};
use crate::frame;
use crate::options::Options;
use crate::screens::{
    Alerts, Confirm, DeadLetters, Help, Interfaces, Launcher, Logs, NewTask, Palette, Screen, Splash,
    outcome, plain, with_control,
};
use crate::world::World;

/// How long a notice stands.
const NOTICE: Duration = Duration::from_secs(6);
/// Screens that are open at most; beyond, the oldest but the lowest is closed. Some of them run a command.
const DEEPEST: usize = 12;

/// One opened screen.
pub(crate) type ScreenId = u64;

struct Opened {
    id: ScreenId,
    screen: Box<dyn Screen>,
}

/// What the runner is to do: the effects that reach beyond the screens, and whose they are.
pub(crate) struct Order {
    /// The screen that is told what comes of it.
    pub(crate) by: ScreenId,
    /// What to do; never one of those that the app deals with itself.
    pub(crate) effect: Effect,
}

/// A line at the foot.
pub(crate) struct Notice {
    pub(crate) tone: Tone,
    pub(crate) text: String,
    since: Timestamp,
}

/// Everything between the terminal and the network.
pub(crate) struct App {
    pub(crate) world: World,
    screens: Vec<Opened>,
    notice: Option<Notice>,
    next: ScreenId,
    /// Screens that were closed: whatever runs for them ends.
    closed: Vec<ScreenId>,
    /// Jobs that are to be repeated, and nobody has answered yet.
    repeated: HashSet<JobId>,
    quits: bool,
}

impl App {
    /// Opens the first screen.
    pub(crate) fn new(options: &Options, now: Timestamp) -> (Self, Vec<Order>) {
        let mut app = Self {
            world: World::new(options, now),
            screens: Vec::new(),
            notice: None,
            next: 0,
            closed: Vec::new(),
            repeated: HashSet::new(),
            quits: false,
        };
        let first: Box<dyn Screen> = if options.launcher && options.mode.has_machine() {
            Box::new(Launcher::new())
        } else {
            Box::new(Splash::new())
        };
        let mut orders = Vec::new();
        app.insert(0, first, &mut orders);
        (app, orders)
    }

    pub(crate) const fn quits(&self) -> bool {
        self.quits
    }

    /// Whether something moves, so that it has to be drawn often.
    pub(crate) fn is_moving(&self) -> bool {
        self.screens.last().is_some_and(|top| top.screen.is_moving())
    }

    /// Screens that were closed since the last call.
    pub(crate) fn closed(&mut self) -> Vec<ScreenId> {
        std::mem::take(&mut self.closed)
    }

    /// Tells at the foot what happened.
    pub(crate) fn tell(&mut self, tone: Tone, text: impl Into<String>) {
        self.notice = Some(Notice {
            tone,
            text: text.into(),
            since: self.world.now,
        });
    }

    /// Takes what the terminal tells.
    pub(crate) fn input(&mut self, event: Event, now: Timestamp) -> Vec<Order> {
        self.world.now = now;
        match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => self.key(key),
            Event::Mouse(event) => self.on_top(|screen, world| screen.mouse(event, world)),
            Event::Paste(text) => self.on_top(|screen, world| {
                screen.paste(&text, world);
                Vec::new()
            }),
            _ => Vec::new(),
        }
    }

    /// Takes what the system tells.
    pub(crate) fn feed(&mut self, feed: Feed, now: Timestamp) -> Vec<Order> {
        self.world.now = now;
        let events = self.world.take(feed);
        if events.is_empty() {
            return self.tick(now);
        }
        self.on_each(|screen, world| screen.events(&events, world))
    }

    /// Takes what came of an effect.
    pub(crate) fn reply(&mut self, to: ScreenId, reply: &Reply, now: Timestamp) -> Vec<Order> {
        self.world.now = now;
        self.world.note(reply);
        if let Reply::Answer(Ask::Retry(id), _) = reply {
            self.repeated.remove(id);
        }
        let Some(opened) = self.screens.iter_mut().find(|opened| opened.id == to) else {
            return self.told_to_nobody(to, reply);
        };
        let effects = opened.screen.reply(reply, &self.world);
        self.settle(to, effects)
    }

    /// The screen that asked is closed by now. What it changed is changed all the same, and how that ended is told.
    fn told_to_nobody(&mut self, asked: ScreenId, reply: &Reply) -> Vec<Order> {
        let Reply::Answer(ask, answer) = reply else {
            return Vec::new();
        };
        let told = outcome::of(ask, answer, &self.world).into_iter().collect();
        self.settle(asked, told)
    }

    /// Time has passed.
    pub(crate) fn tick(&mut self, now: Timestamp) -> Vec<Order> {
        self.world.now = now;
        if self
            .notice
            .as_ref()
            .is_some_and(|notice| now.since(notice.since) > NOTICE)
        {
            self.notice = None;
        }
        self.on_each(|screen, world| screen.tick(world))
    }

    /// Draws the top screen with those that it lies over, and the frame around.
    pub(crate) fn draw(&mut self, target: &mut Frame<'_>) {
        let bottom = self
            .screens
            .iter()
            .rposition(|opened| !opened.screen.is_overlay())
            .unwrap_or(0);
        let world = &self.world;
        let body = frame::body(target.area());
        frame::ground(target, world);
        for opened in &mut self.screens[bottom..] {
            opened.screen.draw(world, target, body);
        }
        if let (Some(lowest), Some(top)) = (self.screens.get(bottom), self.screens.last()) {
            let hints = top.screen.hints(world);
            let command = format!("{}{}", lowest.screen.command(world), world.of_instance);
            let footer = frame::Footer {
                hints: &hints,
                command: &command,
                notice: self.notice.as_ref().map(|told| (told.tone, told.text.as_str())),
                takes_text: top.screen.takes_text(),
            };
            frame::header(target, world);
            frame::footer(target, world, &footer);
        }
        if !world.theme.unicode() {
            ascii::only(target.buffer_mut());
        }
    }

    fn key(&mut self, key: KeyEvent) -> Vec<Order> {
        if with_control(key) == Some('c') {
            self.quits = true;
            return Vec::new();
        }
        let Some(top) = self.screens.last_mut() else {
            return Vec::new();
        };
        let (id, takes_text) = (top.id, top.screen.takes_text());
        if let Some(effects) = top.screen.key(key, &self.world) {
            return self.settle(id, effects);
        }
        if takes_text {
            return Vec::new();
        }
        let effects = self.key_of_all(key);
        self.settle(id, effects)
    }

    /// What a key means wherever no screen takes it.
    fn key_of_all(&self, key: KeyEvent) -> Vec<Effect> {
        let mode = self.world.mode;
        if with_control(key) == Some('q') && mode.changes_stack() {
            return vec![Effect::Push(Box::new(Confirm::stop(&self.world)))];
        }
        if key.code == KeyCode::Esc {
            return vec![Effect::Back];
        }
        let Some(letter) = plain(key) else {
            return Vec::new();
        };
        vec![match letter {
            '?' => Effect::Push(Box::new(self.help())),
            ':' => Effect::Push(Box::new(Palette::new())),
            'R' => Effect::Refresh,
            'N' if mode.changes_jobs() => Effect::Push(Box::new(NewTask::new())),
            'D' => Effect::Push(Box::new(DeadLetters::new())),
            'A' => Effect::Push(Box::new(Alerts::new())),
            'G' => Effect::Push(Box::new(Logs::new(&self.world))),
            'U' => Effect::Push(Box::new(Interfaces::new())),
            'L' if mode.has_machine() => Effect::Push(Box::new(Launcher::new())),
            'q' | 'Q' => Effect::Quit,
            _ => return Vec::new(),
        }]
    }

    /// The keys of the lowest screen that is visible.
    fn help(&self) -> Help {
        let top = self
            .screens
            .iter()
            .rev()
            .find(|opened| !opened.screen.is_overlay());
        top.map_or_else(Help::everywhere, |top| Help::of(top.screen.as_ref(), &self.world))
    }

    fn on_top(&mut self, act: impl FnOnce(&mut dyn Screen, &World) -> Vec<Effect>) -> Vec<Order> {
        let Some(top) = self.screens.last_mut() else {
            return Vec::new();
        };
        let (id, effects) = (top.id, act(top.screen.as_mut(), &self.world));
        self.settle(id, effects)
    }

    fn on_each(&mut self, mut act: impl FnMut(&mut dyn Screen, &World) -> Vec<Effect>) -> Vec<Order> {
        let mut all = Vec::new();
        for opened in &mut self.screens {
            all.push((opened.id, act(opened.screen.as_mut(), &self.world)));
        }
        all.into_iter()
            .flat_map(|(id, effects)| self.settle(id, effects))
            .collect()
    }

    /// Does what concerns the screens themselves, as seen from the one that asks, wherever it is by now; the rest is for the
    /// runner.
    fn settle(&mut self, actor: ScreenId, effects: Vec<Effect>) -> Vec<Order> {
        let mut orders = Vec::new();
        let mut actor = actor;
        for effect in effects {
            let by = self.owner_of(actor);
            match effect {
                Effect::Push(screen) => self.push(actor, screen, &mut orders),
                Effect::Replace(screen) => actor = self.replace(actor, screen, &mut orders),
                Effect::Home(screen) => actor = self.home(actor, screen, &mut orders),
                Effect::Back => {
                    self.back(actor, &mut orders);
                    // What an overlay asks for beyond its own end is for the screen that it lay over.
                    actor = by;
                }
                Effect::Notice(tone, text) => self.tell(tone, text),
                Effect::Theme(theme) => self.world.theme = self.world.theme.named(theme),
                Effect::Refresh => {
                    self.reopen(&mut orders);
                    orders.push(Order { by, effect });
                }
                Effect::Quit => self.quit(&mut orders),
                // A key that is held is one wish.
                Effect::Ask(Ask::Retry(id)) if !self.repeated.insert(id) => {}
                Effect::Leave => self.quits = true,
                effect => orders.push(Order { by, effect }),
            }
        }
        orders
    }

    fn place_of(&self, id: ScreenId) -> Option<usize> {
        self.screens.iter().position(|opened| opened.id == id)
    }

    /// The screen that what this one asks for belongs to: itself, but for those that lie over another.
    fn owner_of(&self, id: ScreenId) -> ScreenId {
        let Some(place) = self.place_of(id) else { return id };
        let owner = self.screens[..=place]
            .iter()
            .rev()
            .find(|opened| !opened.screen.is_overlay());
        owner.map_or(id, |opened| opened.id)
    }

    /// Opens a screen on top of all, or brings it there where the same is open already. One that is no longer on top opens none
    /// over what somebody does meanwhile.
    fn push(&mut self, actor: ScreenId, screen: Box<dyn Screen>, orders: &mut Vec<Order>) {
        if self.screens.last().is_some_and(|top| top.id != actor) {
            let command = format!("{}{}", screen.command(&self.world), self.world.of_instance);
            self.tell(Tone::Accent, format!("done; see: {command}"));
            return;
        }
        let same = |opened: &Opened| is_same(opened.screen.as_ref(), screen.as_ref());
        let place = self.screens.iter().position(same);
        if place == Some(0) {
            // The lowest is what all others lie over: they are closed, it is not moved.
            while self.screens.len() > 1 {
                self.close(self.screens.len() - 1);
            }
        } else if let Some(place) = place {
            let known = self.screens.remove(place);
            self.screens.push(known);
        } else {
            self.make_room();
            let opened = self.new_screen(screen);
            self.screens.push(opened);
        }
        self.reopen(orders);
    }

    /// Closes the oldest but the lowest where there are many, unless that would break something off.
    fn make_room(&mut self) {
        if self.screens.len() < DEEPEST {
            return;
        }
        let ends = |opened: &Opened| opened.screen.unfinished(&self.world).is_none();
        if let Some(oldest) = self.screens.iter().skip(1).position(ends) {
            self.close(oldest + 1);
        }
    }

    fn new_screen(&mut self, screen: Box<dyn Screen>) -> Opened {
        self.next += 1;
        Opened {
            id: self.next,
            screen,
        }
    }

    /// Another screen in the place of this one, where it is open still.
    fn replace(&mut self, actor: ScreenId, screen: Box<dyn Screen>, orders: &mut Vec<Order>) -> ScreenId {
        let Some(place) = self.place_of(actor) else {
            return actor;
        };
        self.close(place);
        self.insert(place, screen, orders)
    }

    /// Another screen in the place of this one and of all below it.
    fn home(&mut self, actor: ScreenId, screen: Box<dyn Screen>, orders: &mut Vec<Order>) -> ScreenId {
        let Some(place) = self.place_of(actor) else {
            return actor;
        };
        for _ in 0..=place {
            self.close(0);
        }
        self.insert(0, screen, orders)
    }

    fn insert(&mut self, place: usize, screen: Box<dyn Screen>, orders: &mut Vec<Order>) -> ScreenId {
        let mut opened = self.new_screen(screen);
        let (id, effects) = (opened.id, opened.screen.opened(&self.world));
        self.screens.insert(place, opened);
        orders.extend(self.settle(id, effects));
        id
    }

    /// Closes this screen. The lowest stays: it is left by quitting.
    fn back(&mut self, actor: ScreenId, orders: &mut Vec<Order>) {
        let Some(place) = self.place_of(actor).filter(|_| self.screens.len() > 1) else {
            return;
        };
        self.close(place);
        if place == self.screens.len() {
            self.reopen(orders);
        }
    }

    fn close(&mut self, place: usize) {
        let closed = self.screens.remove(place);
        self.closed.push(closed.id);
    }

    fn reopen(&mut self, orders: &mut Vec<Order>) {
        let Some(top) = self.screens.last_mut() else {
            return;
        };
        let (id, effects) = (top.id, top.screen.opened(&self.world));
        orders.extend(self.settle(id, effects));
    }

    /// Ends, but asks first where that would break something off.
    fn quit(&mut self, orders: &mut Vec<Order>) {
        let question = self.screens.iter().find_map(|opened| {
            let (question, consequence) = opened.screen.unfinished(&self.world)?;
            let command = opened.screen.command(&self.world);
            Some(Confirm::new(question, consequence, command, vec![Effect::Leave]))
        });
        match (question, self.screens.last()) {
            (Some(question), Some(top)) => self.push(top.id, Box::new(question), orders),
            _ => self.quits = true,
        }
    }
}

fn is_same(one: &dyn Screen, other: &dyn Screen) -> bool {
    !other.is_overlay() && one.title() == other.title() && one.subject() == other.subject()
}

#[cfg(test)]
mod tests;
