//! The screens, one on top of the other, and what every one of them has in common: keys that work everywhere, the notice at the
//! foot, and who is told what.

use std::time::Duration;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind};
use odd_contracts::Timestamp;
use odd_look::sign::Tone;
use ratatui::Frame;

use crate::ascii;
use crate::effect::{Effect, Feed, Reply};
use crate::frame;
use crate::options::Options;
use crate::screens::{
    Alerts, Confirm, DeadLetters, Help, Interfaces, Launcher, Logs, NewTask, Palette, Screen, Splash, plain,
    with_control,
};
use crate::world::World;

/// How long a notice stands.
const NOTICE: Duration = Duration::from_secs(6);

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
            quits: false,
        };
        let first: Box<dyn Screen> = if options.launcher && options.mode.has_machine() {
            Box::new(Launcher::new())
        } else {
            Box::new(Splash::new())
        };
        let mut orders = Vec::new();
        app.push(first, &mut orders);
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
        let Some(opened) = self.screens.iter_mut().find(|opened| opened.id == to) else {
            return Vec::new();
        };
        let effects = opened.screen.reply(reply, &self.world);
        self.settle(to, effects)
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
            frame::header(target, world);
            frame::footer(target, world, &hints, &command, self.notice.as_ref());
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
            let by = self.owner();
            return self.settle(if self.is_open(by) { by } else { id }, effects);
        }
        if takes_text {
            return Vec::new();
        }
        let effects = self.key_of_all(key);
        let by = self.owner();
        self.settle(by, effects)
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

    /// The screen that what is asked for now belongs to: the top one, but for those that lie over another.
    fn owner(&self) -> ScreenId {
        let owner = self
            .screens
            .iter()
            .rev()
            .find(|opened| !opened.screen.is_overlay());
        owner.or(self.screens.last()).map_or(0, |opened| opened.id)
    }

    fn is_open(&self, id: ScreenId) -> bool {
        self.screens.iter().any(|opened| opened.id == id)
    }

    fn on_top(&mut self, act: impl FnOnce(&mut dyn Screen, &World) -> Vec<Effect>) -> Vec<Order> {
        let Some(top) = self.screens.last_mut() else {
            return Vec::new();
        };
        let effects = act(top.screen.as_mut(), &self.world);
        let by = self.owner();
        self.settle(by, effects)
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

    /// Does what concerns the screens themselves; the rest is for the runner.
    fn settle(&mut self, by: ScreenId, effects: Vec<Effect>) -> Vec<Order> {
        let mut orders = Vec::new();
        for effect in effects {
            match effect {
                Effect::Push(screen) => self.push(screen, &mut orders),
                Effect::Replace(screen) => {
                    self.close_top();
                    self.push(screen, &mut orders);
                }
                Effect::Home(screen) => {
                    while !self.screens.is_empty() {
                        self.close_top();
                    }
                    self.push(screen, &mut orders);
                }
                Effect::Back => self.back(&mut orders),
                Effect::Notice(tone, text) => self.tell(tone, text),
                Effect::Theme(theme) => self.world.theme = self.world.theme.named(theme),
                Effect::Refresh => {
                    self.reopen(&mut orders);
                    orders.push(Order { by, effect });
                }
                Effect::Quit => self.quits = true,
                effect => orders.push(Order { by, effect }),
            }
        }
        orders
    }

    fn push(&mut self, screen: Box<dyn Screen>, orders: &mut Vec<Order>) {
        self.next += 1;
        self.screens.push(Opened {
            id: self.next,
            screen,
        });
        self.reopen(orders);
    }

    /// The lowest screen stays: it is left by quitting.
    fn back(&mut self, orders: &mut Vec<Order>) {
        if self.screens.len() > 1 {
            self.close_top();
            self.reopen(orders);
        }
    }

    fn close_top(&mut self) {
        if let Some(closed) = self.screens.pop() {
            self.closed.push(closed.id);
        }
    }

    fn reopen(&mut self, orders: &mut Vec<Order>) {
        let Some(top) = self.screens.last_mut() else {
            return;
        };
        let (id, effects) = (top.id, top.screen.opened(&self.world));
        orders.extend(self.settle(id, effects));
    }
}
