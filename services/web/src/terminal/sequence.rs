//! Where the sequences of a terminal's output begin and end (ECMA-48, and the state machine of the VT500), so that nobody
//! begins to read in the middle of one.

/// Most bytes of a sequence under way that are kept.
const KEPT: usize = 4 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Between sequences.
    Ground,
    /// So many bytes of a character of UTF-8 are missing.
    Character(u8),
    /// After escape.
    Escape,
    /// After escape and an intermediate character.
    Intermediate,
    /// After `ESC [`.
    Control,
    /// In a text, such as a title; whether BEL ends it.
    Text { bell: bool },
}

/// Follows output, and keeps the sequence under way.
#[derive(Debug)]
pub(super) struct Sequence {
    state: State,
    kept: Vec<u8>,
    /// Whether the sequence under way is longer than what is kept.
    cut: bool,
}

impl Sequence {
    /// At the beginning of output.
    pub(super) const fn new() -> Self {
        Self {
            state: State::Ground,
            kept: Vec::new(),
            cut: false,
        }
    }

    /// Follows these bytes.
    pub(super) fn follow(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.state = next(self.state, byte);
            if self.state == State::Ground {
                self.kept.clear();
                self.cut = false;
            } else if self.kept.len() < KEPT {
                self.kept.push(byte);
            } else {
                self.cut = true;
            }
        }
    }

    /// The bytes of the sequence under way, which belong before what follows; `None` where it is too long to be kept.
    pub(super) fn under_way(&self) -> Option<&[u8]> {
        (!self.cut).then_some(self.kept.as_slice())
    }
}

const ESC: u8 = 0x1b;

const fn next(state: State, byte: u8) -> State {
    match (state, byte) {
        // Cancel and substitute end any sequence.
        (_, 0x18 | 0x1a) => State::Ground,
        (_, ESC) => State::Escape,
        (State::Text { bell: true }, 0x07) => State::Ground,
        (State::Text { .. }, _) => state,
        (State::Character(missing), 0x80..=0xbf) => {
            if missing > 1 {
                State::Character(missing - 1)
            } else {
                State::Ground
            }
        }
        (State::Ground | State::Character(_), _) => begin(byte),
        (State::Escape, b'[') => State::Control,
        (State::Escape, b']') => State::Text { bell: true },
        (State::Escape, b'P' | b'X' | b'^' | b'_') => State::Text { bell: false },
        (State::Escape | State::Intermediate, 0x20..=0x2f) => State::Intermediate,
        (State::Escape | State::Intermediate, 0x30..=0x7e) => State::Ground,
        (State::Control, 0x40..=0x7e) => State::Ground,
        // Control characters are carried out within sequences.
        (State::Escape | State::Intermediate | State::Control, _) => state,
    }
}

const fn begin(byte: u8) -> State {
    match byte {
        0xc2..=0xdf => State::Character(1),
        0xe0..=0xef => State::Character(2),
        0xf0..=0xf4 => State::Character(3),
        _ => State::Ground,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn under_way(bytes: &[u8]) -> Vec<u8> {
        let mut sequence = Sequence::new();
        sequence.follow(bytes);
        sequence.under_way().unwrap().to_vec()
    }

    #[test]
    fn whole_sequences_leave_nothing_under_way() {
        for text in [
            "plain\r\n\t",
            "\x1b[1;31mred\x1b[0m",
            "\x1b[?1049h\x1b[>4;2m",
            "\x1b]0;title\x07after",
            "\x1b]0;title\x1b\\after",
            "\x1bP1$r0m\x1b\\",
            "\x1b(B\x1b7\x1bc",
            "é€🦀",
            "\x1b[12\x18after",
        ] {
            assert_eq!(under_way(text.as_bytes()), b"", "{text:?}");
        }
        assert_eq!(under_way(b"\xff\x80\xc3("), b"", "no UTF-8");
    }

    /// Whatever the place, what is under way and what follows are the whole sequence again.
    #[test]
    fn a_sequence_is_whole_wherever_it_is_parted() {
        for text in [
            "\x1b[1;31m",
            "\x1b]0;a title\x07",
            "\x1b]8;;odd\x1b\\",
            "\x1bPdata\x1b\\",
            "\x1b(B",
            "€",
            "🦀",
        ] {
            for at in 1..text.len() {
                let (before, _) = text.as_bytes().split_at(at);
                let all = [b"before".as_slice(), before].concat();
                assert_eq!(under_way(&all), before, "{text:?}");
            }
        }
    }

    #[test]
    fn a_sequence_that_never_ends_takes_no_memory() {
        let mut sequence = Sequence::new();
        sequence.follow(b"\x1b]0;");
        for _ in 0..100 {
            sequence.follow(&[b'x'; 1_000]);
        }
        assert_eq!(sequence.under_way(), None);
        assert!(sequence.kept.len() <= KEPT);
        sequence.follow(b"\x07");
        assert_eq!(sequence.under_way(), Some(&b""[..]));
    }
}
