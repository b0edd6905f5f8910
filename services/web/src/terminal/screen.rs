//! The screen of a session, as its program has drawn it.
//!
//! Some sequences of output are too much for the parser, such as a character of two columns of which a smaller window has left
//! one. That is no reason to lose the session: the screen then begins anew, and the program is asked to draw it.

use std::panic::{AssertUnwindSafe, catch_unwind};

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

/// What a terminal of this size shows.
pub(super) struct Screen {
    parser: vt100::Parser,
    size: Size,
    /// Whether it began anew since that was asked last.
    lost: bool,
}

impl Screen {
    /// An empty screen.
    pub(super) fn new(size: Size) -> Self {
        Self {
            parser: empty(size),
            size,
            lost: false,
        }
    }

    /// Its size.
    pub(super) fn size(&self) -> Size {
        self.size
    }

    /// Draws output, which continues a sequence that began with these bytes.
    pub(super) fn draw(&mut self, began: &[u8], output: &[u8]) {
        if guarded(&mut self.parser, |parser| parser.process(output)).is_some() {
            return;
        }
        self.begin_anew();
        // On an empty screen it may be harmless, and it may set modes that nobody would set again.
        let again = |parser: &mut vt100::Parser| {
            parser.process(began);
            parser.process(output);
        };
        if guarded(&mut self.parser, again).is_none() {
            self.begin_anew();
        }
    }

    /// Has another size.
    pub(super) fn resize(&mut self, size: Size) {
        self.size = size;
        let resize = |parser: &mut vt100::Parser| parser.screen_mut().set_size(size.rows, size.columns);
        if guarded(&mut self.parser, resize).is_none() {
            self.begin_anew();
        }
    }

    /// Draws the whole screen, whatever the client's terminal shows: reset, the screen that the program is on, what is on it,
    /// and the modes that keys, pastes and the mouse depend on.
    pub(super) fn whole(&mut self) -> Vec<u8> {
        let whole = guarded(&mut self.parser, |parser| whole(parser.screen()));
        whole.unwrap_or_else(|| {
            self.begin_anew();
            [b"\x1bc".as_slice(), &modes(self.parser.screen())].concat()
        })
    }

    /// Whether something of it was lost since this was asked last, so that the program has to draw it again.
    pub(super) fn is_lost(&mut self) -> bool {
        std::mem::take(&mut self.lost)
    }

    /// Empty, with the modes that the program has set, which it does not set again when it draws.
    fn begin_anew(&mut self) {
        tracing::warn!(
            "the screen of a terminal could not be followed; its program is asked to draw it again"
        );
        let modes = modes(self.parser.screen());
        self.parser = empty(self.size);
        self.parser.process(&modes);
        self.lost = true;
    }
}

fn empty(size: Size) -> vt100::Parser {
    vt100::Parser::new(size.rows, size.columns, 0)
}

/// What this returns; `None` where it panics.
fn guarded<T>(parser: &mut vt100::Parser, act: impl FnOnce(&mut vt100::Parser) -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(|| act(parser))).ok()
}

const OTHER_SCREEN: &[u8] = b"\x1b[?1049h";

fn whole(screen: &vt100::Screen) -> Vec<u8> {
    let mut bytes = b"\x1bc".to_vec();
    if screen.alternate_screen() {
        bytes.extend_from_slice(OTHER_SCREEN);
    }
    bytes.extend_from_slice(&screen.state_formatted());
    bytes
}

/// Everything but what is on the screen. Of these only flags are read.
fn modes(screen: &vt100::Screen) -> Vec<u8> {
    let mut bytes = Vec::new();
    if screen.alternate_screen() {
        bytes.extend_from_slice(OTHER_SCREEN);
    }
    if screen.hide_cursor() {
        bytes.extend_from_slice(b"\x1b[?25l");
    }
    bytes.extend_from_slice(&screen.input_mode_formatted());
    bytes.extend_from_slice(&screen.attributes_formatted());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size { columns: 40, rows: 6 };
    /// What a program such as `odd watch` sets when it begins: screen, cursor, keys, pastes, mouse.
    const MODES: &[u8] =
        b"\x1b[?1049h\x1b[?25l\x1b[?1h\x1b=\x1b[?2004h\x1b[?1000h\x1b[?1002h\x1b[?1003h\x1b[?1006h";

    fn has_modes(screen: &vt100::Screen) -> bool {
        screen.alternate_screen()
            && screen.hide_cursor()
            && screen.application_cursor()
            && screen.application_keypad()
            && screen.bracketed_paste()
            && screen.mouse_protocol_mode() == vt100::MouseProtocolMode::AnyMotion
            && screen.mouse_protocol_encoding() == vt100::MouseProtocolEncoding::Sgr
    }

    /// What a terminal shows that was used before.
    fn shown(bytes: &[u8]) -> vt100::Parser {
        let mut terminal = vt100::Parser::new(SIZE.rows, SIZE.columns, 0);
        terminal.process(b"old\x1b[?1000h\x1b[31m\x1b[2;3r\x1b[");
        terminal.process(bytes);
        terminal
    }

    #[test]
    fn the_whole_screen_has_what_was_drawn_and_every_mode() {
        let mut screen = Screen::new(SIZE);
        screen.draw(b"", MODES);
        screen.draw(b"", b"\x1b[2;3Hhere");
        let terminal = shown(&screen.whole());
        assert_eq!(terminal.screen().contents().trim(), "here");
        assert!(has_modes(terminal.screen()));
        assert!(!screen.is_lost());
    }

    /// A window that becomes smaller leaves half a character behind, which the parser does not expect.
    #[test]
    fn what_cannot_be_followed_costs_the_picture_and_no_mode() {
        let mut screen = Screen::new(SIZE);
        screen.draw(b"", MODES);
        screen.draw(b"", "\x1b[1;39H漢".as_bytes());
        let narrow = Size { columns: 39, rows: 6 };
        screen.resize(narrow);
        assert!(!screen.is_lost());
        screen.draw(b"", b"\x1b[1;39Hx\x1b[3;1Hdrawn again\x1b[?1000l\x1b[?1000h");
        assert!(
            screen.is_lost(),
            "the parser follows it by now: nothing has to be caught any more"
        );
        assert!(!screen.is_lost(), "told once");
        assert_eq!(screen.size(), narrow);
        assert_eq!(screen.parser.screen().size(), (6, 39));
        let terminal = shown(&screen.whole());
        assert!(terminal.screen().contents().contains("drawn again"));
        assert!(terminal.screen().alternate_screen() && terminal.screen().application_cursor());
        assert!(terminal.screen().bracketed_paste() && terminal.screen().hide_cursor());
        assert_eq!(
            terminal.screen().mouse_protocol_mode(),
            vt100::MouseProtocolMode::PressRelease,
            "of what came with it, too"
        );
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
