//! Which input passes where the terminal is for looking only.
//!
//! The program knows that it may only show; this is the second wall. What a person presses to look around passes: characters,
//! arrows and the like, function keys, the mouse. Pastes do not, nor sequences of any other kind, nor control characters that
//! a terminal would act on.

/// Most bytes of one key, or of what is typed between two messages; more at once is a paste.
const TYPED: usize = 64;
/// Most bytes of a sequence; a report of the mouse is the longest.
const SEQUENCE: usize = 32;
/// What ends a paste.
const PASTED: &[u8] = b"\x1b[201~";

/// Keeps, from one message to the next, whether a paste is under way.
#[derive(Debug, Default)]
pub(super) struct Filter {
    /// So many bytes of [`PASTED`] were seen; `None` outside a paste.
    pasting: Option<usize>,
}

impl Filter {
    /// What of the input passes.
    pub(super) fn pass(&mut self, input: &[u8]) -> Vec<u8> {
        let (mut passed, mut rest) = (Vec::new(), input);
        while let Some((&byte, after)) = rest.split_first() {
            if let Some(seen) = self.pasting {
                self.pasting = past(seen, byte);
                rest = after;
            } else if byte == ESC {
                rest = self.sequence(rest, &mut passed);
            } else {
                if is_key(byte) {
                    passed.push(byte);
                }
                rest = after;
            }
        }
        // Terminals that were not asked for brackets paste without.
        if passed.len() > TYPED && !passed.contains(&ESC) {
            passed.clear();
        }
        passed
    }

    /// Takes what begins with escape, and returns what follows it.
    fn sequence<'a>(&mut self, input: &'a [u8], passed: &mut Vec<u8>) -> &'a [u8] {
        let length = length(input);
        let (sequence, rest) = input.split_at(length);
        if sequence == b"\x1b[200~" {
            self.pasting = Some(0);
        } else if is_looking(sequence) {
            passed.extend_from_slice(sequence);
        }
        rest
    }
}

const ESC: u8 = 0x1b;

/// How much of the end of a paste was seen after one more byte; `None` where that was all.
fn past(seen: usize, byte: u8) -> Option<usize> {
    let seen = if PASTED[seen] == byte {
        seen + 1
    } else {
        usize::from(byte == ESC)
    };
    (seen < PASTED.len()).then_some(seen)
}

/// Characters; return, tab, backspace, and what leaves the program or draws it anew.
const fn is_key(byte: u8) -> bool {
    matches!(byte, 0x20..=0xff | b'\r' | b'\t' | 0x08 | 0x03 | 0x0c)
}

/// Bytes of the sequence that this begins with; all of it where it does not end.
fn length(input: &[u8]) -> usize {
    match input.get(1) {
        Some(b'[') => {
            let ends = |byte: &u8| (0x40..=0x7e).contains(byte);
            input
                .iter()
                .skip(2)
                .position(ends)
                .map_or(input.len(), |at| at + 3)
        }
        Some(b'O') => input.len().min(3),
        Some(b']' | b'P' | b'X' | b'^' | b'_') => {
            let bell = input.iter().position(|byte| *byte == 0x07).map(|at| at + 1);
            let string = input
                .windows(2)
                .position(|pair| pair == b"\x1b\\")
                .map(|at| at + 2);
            bell.into_iter().chain(string).min().unwrap_or(input.len())
        }
        Some(&ESC) | None => 1,
        Some(_) => 2,
    }
}

/// Escape itself, arrows and what is near them, function keys, focus, and the mouse.
fn is_looking(sequence: &[u8]) -> bool {
    if sequence.len() > SEQUENCE {
        return false;
    }
    match sequence {
        [ESC] => true,
        [ESC, b'O', key] => matches!(key, b'A'..=b'D' | b'F' | b'H' | b'P'..=b'S'),
        [ESC, b'[', parameters @ .., key] => {
            let plain = parameters.iter().all(|byte| matches!(byte, b'0'..=b'9' | b';'));
            match key {
                b'A'..=b'D' | b'F' | b'H' | b'Z' | b'I' | b'O' => plain,
                // With a modifier; a report of where the cursor is ends alike.
                b'P'..=b'S' => matches!(parameters, [b'1', b';', b'2'..=b'9']),
                b'~' => plain && is_function(parameters),
                b'M' | b'm' => parameters
                    .strip_prefix(b"<")
                    .is_some_and(|report| report.iter().all(|byte| matches!(byte, b'0'..=b'9' | b';'))),
                _ => false,
            }
        }
        _ => false,
    }
}

/// Numbers of keys: home to page down are 1 to 8, function keys 11 to 34; 200 and 201 are around pastes.
fn is_function(parameters: &[u8]) -> bool {
    let number = parameters.split(|byte| *byte == b';').next().unwrap_or_default();
    let number = std::str::from_utf8(number)
        .ok()
        .and_then(|text| text.parse().ok());
    number.is_some_and(|number: u16| (1..=34).contains(&number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pass(input: &str) -> String {
        String::from_utf8(Filter::default().pass(input.as_bytes())).unwrap()
    }

    #[test]
    fn keys_for_looking_pass() {
        for keys in [
            "j",
            "?",
            "é🦀",
            "\r",
            "\t",
            "\x7f",
            "\x03",
            "\x1b",
            "\x1b\x1b",
            "\x1b[A",
            "\x1b[1;5C",
            "\x1bOB",
            "\x1bOP",
            "\x1b[5~",
            "\x1b[15;2~",
            "\x1b[1;2R",
            "\x1b[Z",
            "\x1b[I",
            "\x1b[<0;10;20M",
            "\x1b[<64;500;200m",
            "/mail\r\x1b[B",
        ] {
            assert_eq!(pass(keys), keys, "{keys:?}");
        }
    }

    #[test]
    fn pastes_and_other_sequences_do_not() {
        for (input, passed) in [
            ("a\x1b[200~rm -rf\x1b[B\r\x1b[201~b", "ab"),
            ("\x1b[200~never ends", ""),
            ("\x1b[201~", ""),
            ("\x1b]52;c;aGk=\x07x", "x"),
            ("\x1bP+q\x1b\\x", "x"),
            ("\x1b[?1;2c\x1b[12;40R\x1b[>0;1c", ""),
            ("\x1b[M !!", " !!"),
            ("\x1bd\x1bf", ""),
            ("\x1b[3", ""),
            ("\x1b[21t\x1b[99~\x1b[200;1~", ""),
            ("\x1a\x1c\x04\x00\x13\x11q", "q"),
        ] {
            assert_eq!(pass(input), passed, "{input:?}");
        }
        assert_eq!(pass(&"x".repeat(TYPED)).len(), TYPED);
        assert_eq!(pass(&"x".repeat(TYPED + 1)), "", "pasted without brackets");
        assert_eq!(pass(&format!("\x1b[{}A", "1".repeat(SEQUENCE))), "");
    }

    #[test]
    fn a_paste_may_come_in_parts() {
        let whole = b"\x1b[200~x\x1b[20\x1b[201~y";
        for at in 6..whole.len() {
            let mut filter = Filter::default();
            let mut passed = filter.pass(&whole[..at]);
            passed.extend(filter.pass(&whole[at..]));
            assert_eq!(passed, b"y", "{at}");
        }
    }
}
