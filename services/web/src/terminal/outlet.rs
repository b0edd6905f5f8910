//! What a program has written: its screen, and what of it waits for the client.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use tokio::sync::Notify;

use super::screen::{Screen, Size};
use super::sequence::Sequence;

/// Most bytes that wait for a client; beyond, it gets the whole screen instead.
const WAITING: usize = 256 * 1024;
/// Most bytes of one message to a client.
pub(super) const FRAME: usize = 16 * 1024;

/// The screen of one session, and the client that looks at it.
pub(super) struct Outlet {
    screen: Screen,
    sequence: Sequence,
    client: Option<Client>,
    /// When a key was pressed that nothing was written after yet.
    pressed: Option<Instant>,
    /// Whether anything was written.
    begun: bool,
    /// Whether everything was written.
    pub(super) ended: bool,
}

struct Client {
    generation: u64,
    wake: Arc<Notify>,
    /// What is left of a whole screen, before everything that waits.
    screen: Bytes,
    waiting: VecDeque<u8>,
    /// Whether it gets the whole screen next, after what is left of one.
    behind: bool,
}

/// What became of output.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Taken {
    /// Bytes that no client will see as they were.
    pub(super) dropped: usize,
    /// When the key was pressed that this may be the answer to.
    pub(super) pressed: Option<Instant>,
}

impl Outlet {
    /// An empty screen.
    pub(super) fn new(size: Size) -> Self {
        Self {
            screen: Screen::new(size),
            sequence: Sequence::new(),
            client: None,
            pressed: None,
            begun: false,
            ended: false,
        }
    }

    /// Takes what the program has written.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Taken {
        self.begun = true;
        let began = self.sequence.under_way().unwrap_or_default();
        self.screen.draw(began, bytes);
        self.sequence.follow(bytes);
        let dropped = self.client.as_mut().map_or(0, |client| client.offer(bytes));
        Taken {
            dropped,
            pressed: self.pressed.take(),
        }
    }

    /// Nothing more will come.
    pub(super) fn end(&mut self) {
        self.ended = true;
        if let Some(client) = &self.client {
            client.wake.notify_one();
        }
    }

    /// Another size.
    pub(super) fn resize(&mut self, size: Size) {
        self.screen.resize(size);
    }

    /// The size.
    pub(super) fn size(&self) -> Size {
        self.screen.size()
    }

    /// Whether the program has to draw its screen again, since that was asked last.
    pub(super) fn is_lost(&mut self) -> bool {
        self.screen.is_lost()
    }

    /// From now on output waits for this client, and for no other. It begins with the whole screen, unless nothing was
    /// written yet.
    pub(super) fn attach(&mut self, generation: u64, wake: Arc<Notify>) {
        self.client = Some(Client {
            generation,
            wake,
            screen: Bytes::new(),
            waiting: VecDeque::new(),
            behind: self.begun,
        });
    }

    /// Nothing waits for this client any more.
    pub(super) fn detach(&mut self, generation: u64) {
        self.client.take_if(|client| client.generation == generation);
    }

    /// A key was pressed.
    pub(super) fn press(&mut self) {
        self.pressed.get_or_insert_with(Instant::now);
    }

    /// Bytes that wait for this client.
    pub(super) fn waiting(&self, generation: u64) -> usize {
        let client = self
            .client
            .as_ref()
            .filter(|client| client.generation == generation);
        client.map_or(0, |client| client.screen.len() + client.waiting.len())
    }

    /// The next message to this client: at most [`FRAME`] bytes.
    pub(super) fn next(&mut self, generation: u64) -> Option<Bytes> {
        let client = self.client.as_mut()?;
        if client.generation != generation {
            return None;
        }
        if client.screen.is_empty() && client.behind {
            let under_way = self.sequence.under_way()?;
            let mut whole = self.screen.whole();
            whole.extend_from_slice(under_way);
            client.screen = whole.into();
            client.behind = false;
        }
        client.frame()
    }
}

impl Client {
    /// Has bytes wait, and returns how many do not.
    fn offer(&mut self, bytes: &[u8]) -> usize {
        self.wake.notify_one();
        if self.behind {
            return bytes.len();
        }
        if self.waiting.len() + bytes.len() <= WAITING {
            self.waiting.extend(bytes);
            return 0;
        }
        self.behind = true;
        let dropped = self.waiting.len() + bytes.len();
        self.waiting = VecDeque::new();
        dropped
    }

    /// The next of what is there for it.
    fn frame(&mut self) -> Option<Bytes> {
        if !self.screen.is_empty() {
            let length = self.screen.len().min(FRAME);
            return Some(self.screen.split_to(length));
        }
        let length = self.waiting.len().min(FRAME);
        let frame: Vec<u8> = self.waiting.drain(..length).collect();
        if self.waiting.is_empty() {
            self.waiting.shrink_to(FRAME);
        }
        (!frame.is_empty()).then(|| frame.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size { columns: 40, rows: 6 };

    fn watched() -> Outlet {
        let mut outlet = Outlet::new(SIZE);
        outlet.attach(1, Arc::new(Notify::new()));
        outlet
    }

    fn all(outlet: &mut Outlet) -> Vec<u8> {
        std::iter::from_fn(|| outlet.next(1)).flatten().collect()
    }

    /// What a terminal that was used before shows after these bytes.
    fn shown(bytes: &[u8]) -> vt100::Parser {
        let mut terminal = vt100::Parser::new(SIZE.rows, SIZE.columns, 0);
        terminal.process(b"\x1b[?1049hold\x1b[?1000h\x1b[31m\x1b[2;3r\x1b[");
        terminal.process(bytes);
        terminal
    }

    #[test]
    fn output_passes_as_it_is() {
        let mut outlet = watched();
        assert_eq!(outlet.take(b"\x1b[1mab").dropped, 0);
        outlet.take(b"\xe2\x82");
        outlet.take(b"\xac");
        assert_eq!(all(&mut outlet), "\x1b[1mab€".as_bytes());
        outlet.take(&[b'x'; 3 * FRAME]);
        assert_eq!(outlet.next(1).unwrap().len(), FRAME);
        assert_eq!(outlet.waiting(1), 2 * FRAME);
        assert_eq!(outlet.next(2), None, "another client gets nothing of it");
    }

    #[test]
    fn a_slow_client_gets_the_screen_and_memory_stays_bounded() {
        let mut outlet = watched();
        let line = format!("{}\r\n", "x".repeat(38));
        let mut dropped = 0;
        for _ in 0..20_000 {
            dropped += outlet.take(line.as_bytes()).dropped;
            assert!(outlet.waiting(1) <= WAITING);
        }
        assert_eq!(dropped, 20_000 * line.len());
        outlet.take(b"\x1b[2J\x1b[3;4H\x1b[32mlast\x1b[?25l");
        let screen = all(&mut outlet);
        assert!(screen.len() < 2_000, "{}", screen.len());
        let terminal = shown(&screen);
        assert_eq!(terminal.screen().contents().trim(), "last");
        assert_eq!(
            terminal.screen().cell(2, 3).unwrap().fgcolor(),
            vt100::Color::Idx(2)
        );
        assert!(terminal.screen().hide_cursor() && !terminal.screen().alternate_screen());
        outlet.take(b"!");
        assert_eq!(all(&mut outlet), b"!", "then output passes again");
    }

    #[test]
    fn who_comes_back_sees_what_was_there_even_within_a_sequence() {
        let mut outlet = watched();
        outlet.take(b"\x1b[?1049h\x1b[?2004h\x1b[?1002h\x1b[?1006hon the other screen\x1b[3");
        outlet.attach(1, Arc::new(Notify::new()));
        let mut bytes = all(&mut outlet);
        outlet.take(b"1mred\xe2\x82");
        bytes.extend(all(&mut outlet));
        outlet.take(b"\xac");
        bytes.extend(all(&mut outlet));
        let terminal = shown(&bytes);
        assert_eq!(terminal.screen().contents(), "on the other screenred€");
        assert_eq!(
            terminal.screen().cell(0, 19).unwrap().fgcolor(),
            vt100::Color::Idx(1)
        );
        assert!(terminal.screen().alternate_screen() && terminal.screen().bracketed_paste());
        assert_eq!(
            terminal.screen().mouse_protocol_mode(),
            vt100::MouseProtocolMode::ButtonMotion
        );
    }

    #[test]
    fn within_a_sequence_too_long_to_keep_the_screen_waits_for_its_end() {
        let mut outlet = watched();
        outlet.take(b"seen\x1b]0;");
        outlet.take(&[b't'; 10_000]);
        outlet.attach(1, Arc::new(Notify::new()));
        assert_eq!(outlet.next(1), None);
        outlet.take(b"\x07 and more");
        assert_eq!(shown(&all(&mut outlet)).screen().contents(), "seen and more");
    }

    #[test]
    fn the_time_of_a_key_is_told_once() {
        let mut outlet = watched();
        outlet.press();
        outlet.press();
        assert!(outlet.take(b"x").pressed.is_some());
        assert!(outlet.take(b"y").pressed.is_none());
    }

    /// A terminal that is as large as it may be, with a colour in every cell.
    #[test]
    fn a_large_screen_comes_in_frames_and_what_follows_it_after_it() {
        let large = Size::within(1_000, 1_000);
        let mut outlet = Outlet::new(large);
        for row in 1..=large.rows {
            let cells: String = (0..large.columns)
                .map(|column| format!("\x1b[38;2;{row};{};{}m#", column % 256, column % 7))
                .collect();
            outlet.take(format!("\x1b[{row};1H{cells}").as_bytes());
        }
        outlet.attach(1, Arc::new(Notify::new()));
        let first = outlet.next(1).unwrap();
        assert!(first.starts_with(b"\x1bc") && outlet.waiting(1) > WAITING);
        outlet.take(b"\x1b[1;1H\x1b[0mafter");
        let mut screen = vt100::Parser::new(large.rows, large.columns, 0);
        screen.process(&first);
        while let Some(frame) = outlet.next(1) {
            assert!(frame.len() <= FRAME);
            screen.process(&frame);
        }
        assert!(screen.screen().contents().starts_with("after###"));
        assert_eq!(
            screen.screen().cell(199, 499).unwrap().fgcolor(),
            vt100::Color::Rgb(200, 243, 2)
        );
    }

    #[test]
    fn who_falls_behind_within_a_screen_gets_that_and_then_the_last() {
        let large = Size::within(500, 200);
        let mut outlet = Outlet::new(large);
        outlet.take("\x1b[31mx\x1b[32my".repeat(50_000).as_bytes());
        outlet.attach(1, Arc::new(Notify::new()));
        let mut screen = vt100::Parser::new(large.rows, large.columns, 0);
        screen.process(&outlet.next(1).unwrap());
        assert!(outlet.waiting(1) > 0);
        outlet.take(&b"z".repeat(WAITING + 1));
        outlet.take(b"\x1b[2J\x1b[Hlast");
        while let Some(frame) = outlet.next(1) {
            screen.process(&frame);
        }
        assert_eq!(screen.screen().contents(), "last");
    }
}
