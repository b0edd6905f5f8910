//! What a program has written: its screen, and what of it waits for the client.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::Notify;

use super::sequence::Sequence;

/// Most bytes that wait for a client; beyond, it gets the whole screen instead.
const WAITING: usize = 256 * 1024;
/// Most bytes of one message to a client, but for the whole screen.
pub(super) const FRAME: usize = 16 * 1024;
/// Sizes of a terminal that are kept; the sizes that clients name are brought within.
const COLUMNS: (u16, u16) = (2, 500);
const ROWS: (u16, u16) = (2, 200);

/// Columns and rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) columns: u16,
    pub(super) rows: u16,
}

impl Size {
    /// What a client names, within bounds.
    pub(super) fn within(columns: u16, rows: u16) -> Self {
        Self {
            columns: columns.clamp(COLUMNS.0, COLUMNS.1),
            rows: rows.clamp(ROWS.0, ROWS.1),
        }
    }
}

/// The screen of one session, and the client that looks at it.
pub(super) struct Outlet {
    screen: vt100::Parser,
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
    waiting: VecDeque<u8>,
    /// Whether it gets the whole screen next.
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
            screen: vt100::Parser::new(size.rows, size.columns, 0),
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
        self.draw(bytes);
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

    /// A screen that cannot be told from what was written is no reason to lose the session.
    fn draw(&mut self, bytes: &[u8]) {
        let screen = &mut self.screen;
        if catch_unwind(AssertUnwindSafe(|| screen.process(bytes))).is_err() {
            tracing::warn!("the screen of a terminal could not be followed; it begins anew");
            let (rows, columns) = self.screen.screen().size();
            self.screen = vt100::Parser::new(rows, columns, 0);
        }
    }

    /// Another size.
    pub(super) fn resize(&mut self, size: Size) {
        let screen = &mut self.screen;
        let resized = catch_unwind(AssertUnwindSafe(|| {
            screen.screen_mut().set_size(size.rows, size.columns);
        }));
        if resized.is_err() {
            self.screen = vt100::Parser::new(size.rows, size.columns, 0);
        }
    }

    /// From now on output waits for this client, and for no other. It begins with the whole screen, unless nothing was
    /// written yet.
    pub(super) fn attach(&mut self, generation: u64, wake: Arc<Notify>) {
        self.client = Some(Client {
            generation,
            wake,
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
        client.map_or(0, |client| client.waiting.len())
    }

    /// The next message to this client.
    pub(super) fn next(&mut self, generation: u64) -> Option<Vec<u8>> {
        let client = self.client.as_mut()?;
        if client.generation != generation {
            return None;
        }
        if client.behind {
            let under_way = self.sequence.under_way()?;
            let mut whole = whole(self.screen.screen());
            whole.extend_from_slice(under_way);
            client.behind = false;
            return Some(whole);
        }
        let length = client.waiting.len().min(FRAME);
        let frame: Vec<u8> = client.waiting.drain(..length).collect();
        if client.waiting.is_empty() {
            client.waiting.shrink_to(FRAME);
        }
        (!frame.is_empty()).then_some(frame)
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
}

/// Draws the whole screen, whatever the client's terminal shows: reset, the screen that the program is on, what is on it, and
/// the modes that keys and the mouse depend on.
fn whole(screen: &vt100::Screen) -> Vec<u8> {
    let mut bytes = b"\x1bc".to_vec();
    if screen.alternate_screen() {
        bytes.extend_from_slice(b"\x1b[?1049h");
    }
    bytes.extend_from_slice(&screen.state_formatted());
    bytes
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

    #[test]
    fn sizes_are_bounded() {
        let of = |columns, rows| {
            let size = Size::within(columns, rows);
            (size.columns, size.rows)
        };
        assert_eq!(of(1, 1), (2, 2));
        assert_eq!(of(1_000, 1_000), (500, 200));
        assert_eq!(of(80, 24), (80, 24));
    }
}
