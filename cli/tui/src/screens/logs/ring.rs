//! The last lines, bounded in number and size, and which of them are shown.

use std::collections::VecDeque;

use odd_contracts::Role;

use super::line::{LogLine, find};

/// Most lines that are kept.
pub(super) const LINES: usize = 5_000;
/// Most bytes of them.
const BYTES: usize = 8 << 20;
/// Most roles and servers that can be chosen.
const ROLES: usize = 32;

/// The last lines. A line is known by its number, which goes on when older ones are dropped.
pub(super) struct Ring {
    lines: VecDeque<LogLine>,
    /// Number of the oldest line.
    oldest: u64,
    bytes: usize,
    /// Roles first, then what else has written something.
    roles: Vec<String>,
    /// The one whose lines are shown; all where none.
    role: Option<usize>,
    /// Numbers of the lines that are shown.
    shown: VecDeque<u64>,
}

impl Ring {
    pub(super) fn new() -> Self {
        Self {
            lines: VecDeque::new(),
            oldest: 0,
            bytes: 0,
            roles: Role::ALL.into_iter().map(|role| role.name().to_owned()).collect(),
            role: None,
            shown: VecDeque::new(),
        }
    }

    pub(super) fn push(&mut self, line: LogLine) {
        if !line.role.is_empty() && !self.roles.contains(&line.role) && self.roles.len() < ROLES {
            self.roles.push(line.role.clone());
        }
        if self.is_of_role(&line) {
            self.shown.push_back(self.oldest + self.lines.len() as u64);
        }
        self.bytes += line.size();
        self.lines.push_back(line);
        while self.lines.len() > LINES || self.bytes > BYTES && self.lines.len() > 1 {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some(line) = self.lines.pop_front() {
            self.bytes -= line.size();
            if self.shown.front() == Some(&self.oldest) {
                self.shown.pop_front();
            }
            self.oldest += 1;
        }
    }

    /// Forgets every line; roles stay.
    pub(super) fn clear(&mut self) {
        self.oldest += self.lines.len() as u64;
        self.lines.clear();
        self.shown.clear();
        self.bytes = 0;
    }

    fn is_of_role(&self, line: &LogLine) -> bool {
        let wanted = self.role.and_then(|role| self.roles.get(role));
        wanted.is_none_or(|role| *role == line.role)
    }

    /// Shows one role only, or all.
    pub(super) fn choose(&mut self, role: Option<usize>) {
        self.role = role.filter(|role| *role < self.roles.len());
        let numbered = (self.oldest..).zip(&self.lines);
        self.shown = numbered
            .filter(|(_, line)| self.is_of_role(line))
            .map(|(number, _)| number)
            .collect();
    }

    pub(super) fn roles(&self) -> &[String] {
        &self.roles
    }

    pub(super) const fn role(&self) -> Option<usize> {
        self.role
    }

    /// How many lines are shown.
    pub(super) fn len(&self) -> usize {
        self.shown.len()
    }

    /// The line at a place among those that are shown.
    pub(super) fn get(&self, place: usize) -> Option<&LogLine> {
        self.lines
            .get(usize::try_from(*self.shown.get(place)? - self.oldest).ok()?)
    }

    /// The number of the line at a place.
    pub(super) fn number(&self, place: usize) -> Option<u64> {
        self.shown.get(place).copied()
    }

    /// The place of a line, or of the one after it where it is not shown or no longer kept.
    pub(super) fn place(&self, number: u64) -> usize {
        let place = self.shown.partition_point(|shown| *shown < number);
        place.min(self.shown.len().saturating_sub(1))
    }

    /// The nearest place after (or before) `place` whose line has the text, beginning anew at the other end.
    pub(super) fn search(&self, text: &str, place: usize, forwards: bool) -> Option<usize> {
        let count = self.len();
        let has = |at: &usize| {
            let line = self.get(*at);
            line.is_some_and(|line| find(&line.text, text, 0).is_some())
        };
        let further = |by| if forwards { place + by } else { place + count - by };
        (1..=count).map(|by| further(by) % count).find(has)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(role: &str, message: &str) -> LogLine {
        LogLine::new(&serde_json::json!({ "service": role, "message": message }).to_string())
    }

    #[test]
    fn the_oldest_lines_go_first() {
        let mut ring = Ring::new();
        for number in 0..LINES + 10 {
            ring.push(line("gateway", &number.to_string()));
        }
        assert_eq!((ring.len(), ring.number(0)), (LINES, Some(10)));
        assert_eq!(ring.get(0).unwrap().text, "10");
        assert_eq!(
            (ring.place(3), ring.place(12), ring.place(u64::MAX)),
            (0, 2, LINES - 1)
        );
    }

    #[test]
    fn large_lines_are_bounded_too() {
        let mut ring = Ring::new();
        for _ in 0..600 {
            ring.push(line("gateway", &"x".repeat(60_000)));
        }
        assert!(
            ring.bytes <= BYTES && ring.len() > 100,
            "{} of {}",
            ring.bytes,
            ring.len()
        );
    }

    #[test]
    fn one_role_alone() {
        let mut ring = Ring::new();
        for (role, message) in [("gateway", "a"), ("redis", "b"), ("gateway", "c")] {
            ring.push(line(role, message));
        }
        let redis = ring.roles().iter().position(|role| role == "redis").unwrap();
        assert_eq!(redis, Role::ALL.len());
        ring.choose(Some(redis));
        ring.push(line("redis", "d"));
        ring.push(line("gateway", "e"));
        assert_eq!((ring.len(), ring.get(1).unwrap().text.as_str()), (2, "d"));
        ring.choose(None);
        assert_eq!(ring.len(), 5);
        ring.clear();
        assert_eq!(
            (ring.len(), ring.get(0), ring.search("a", 0, true)),
            (0, None, None)
        );
    }

    #[test]
    fn a_search_goes_round() {
        let mut ring = Ring::new();
        for message in ["refused", "b", "Refused", "d"] {
            ring.push(line("gateway", message));
        }
        assert_eq!(ring.search("refused", 0, true), Some(2));
        assert_eq!(ring.search("refused", 2, true), Some(0));
        assert_eq!(ring.search("refused", 0, false), Some(2));
        assert_eq!(ring.search("nowhere", 0, true), None);
    }
}
