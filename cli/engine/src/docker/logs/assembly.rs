//! Lines out of what the engine hands out.

use std::collections::BTreeMap;

use bollard::container::LogOutput;

/// Makes lines of pieces: the engine cuts long lines, and puts the time before each piece.
#[derive(Default)]
pub(super) struct Assembly {
    /// The begin of a line, by whether it is of standard error, with its time.
    begun: BTreeMap<bool, (String, String)>,
}

impl Assembly {
    pub(super) fn add(&mut self, piece: LogOutput) -> Vec<(String, bool, String)> {
        let stderr = matches!(piece, LogOutput::StdErr { .. });
        let bytes = piece.into_bytes();
        let text = String::from_utf8_lossy(&bytes);
        let mut complete = Vec::new();
        for part in text.split_inclusive('\n') {
            let (at, rest) = match part.split_once(' ') {
                Some((at, rest)) if is_time(at) => (at, rest),
                _ => ("", part),
            };
            let begun = self
                .begun
                .entry(stderr)
                .or_insert_with(|| (at.to_owned(), String::new()));
            begun.1.push_str(rest.strip_suffix('\n').unwrap_or(rest));
            if part.ends_with('\n')
                && let Some((at, line)) = self.begun.remove(&stderr)
            {
                complete.push((at, stderr, line.trim_end_matches('\r').to_owned()));
            }
        }
        complete
    }

    /// What had no end of line.
    pub(super) fn rest(&mut self) -> Vec<(String, bool, String)> {
        let begun = std::mem::take(&mut self.begun);
        begun
            .into_iter()
            .map(|(stderr, (at, line))| (at, stderr, line))
            .collect()
    }
}

fn is_time(text: &str) -> bool {
    text.len() >= 20
        && text.starts_with(|c: char| c.is_ascii_digit())
        && text.as_bytes().get(10) == Some(&b'T')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn out(text: &str) -> LogOutput {
        LogOutput::StdOut {
            message: text.to_owned().into(),
        }
    }

    #[test]
    fn pieces_become_lines_with_the_time_of_their_begin() {
        let mut assembly = Assembly::default();
        assert!(
            assembly
                .add(out("2026-01-31T12:00:00.000000001Z first, "))
                .is_empty()
        );
        let error = LogOutput::StdErr {
            message: "2026-01-31T12:00:00.000000002Z other\r\n".into(),
        };
        let other = (
            "2026-01-31T12:00:00.000000002Z".to_owned(),
            true,
            "other".to_owned(),
        );
        assert_eq!(assembly.add(error), [other]);
        let first = (
            "2026-01-31T12:00:00.000000001Z".to_owned(),
            false,
            "first, second".to_owned(),
        );
        assert_eq!(
            assembly.add(out("2026-01-31T12:00:00.000000003Z second\n")),
            [first]
        );
        assert!(assembly.add(out("2026-01-31T12:00:00.000000004Z cut")).is_empty());
        assert_eq!(assembly.rest()[0].2, "cut");
    }
}
