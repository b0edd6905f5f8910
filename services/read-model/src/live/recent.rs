//! Bounded memories of what was seen lately: the newest part is always kept, the oldest forgotten.

use std::collections::{HashMap, HashSet};

use odd_contracts::{JobId, Timestamp};
use uuid::Uuid;

/// Entries of one half of a memory. Both memories together stay below 6 MB when full.
const HALF: usize = 32_768;

/// Event ids seen lately: at least the last 32,768, at most twice as many.
#[derive(Debug)]
pub(crate) struct SeenIds {
    half: usize,
    current: HashSet<Uuid>,
    previous: HashSet<Uuid>,
}

impl SeenIds {
    /// An empty memory.
    pub(crate) fn new() -> Self {
        Self::with_half(HALF)
    }

    fn with_half(half: usize) -> Self {
        Self {
            half,
            current: HashSet::new(),
            previous: HashSet::new(),
        }
    }

    /// Remembers an id; false where it was known.
    pub(crate) fn insert(&mut self, id: Uuid) -> bool {
        if self.previous.contains(&id) || !self.current.insert(id) {
            return false;
        }
        if self.current.len() >= self.half {
            self.previous = std::mem::take(&mut self.current);
        }
        true
    }
}

/// When jobs were published that have not ended yet.
#[derive(Debug)]
pub(crate) struct Published {
    half: usize,
    current: HashMap<JobId, Timestamp>,
    previous: HashMap<JobId, Timestamp>,
}

impl Published {
    /// An empty memory.
    pub(crate) fn new() -> Self {
        Self::with_half(HALF)
    }

    fn with_half(half: usize) -> Self {
        Self {
            half,
            current: HashMap::new(),
            previous: HashMap::new(),
        }
    }

    /// Remembers when a job was published.
    pub(crate) fn insert(&mut self, job: JobId, at: Timestamp) {
        self.current.insert(job, at);
        if self.current.len() >= self.half {
            self.previous = std::mem::take(&mut self.current);
        }
    }

    /// When the job was published, where that is still known; forgets it.
    pub(crate) fn remove(&mut self, job: JobId) -> Option<Timestamp> {
        let previous = self.previous.remove(&job);
        self.current.remove(&job).or(previous)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_new_once() {
        let mut seen = SeenIds::with_half(4);
        for n in 0..4 {
            assert!(seen.insert(Uuid::from_u128(n)), "{n} is new");
        }
        // The four moved to the older half, and are still known.
        for n in 0..4 {
            assert!(!seen.insert(Uuid::from_u128(n)), "{n} is known");
        }
    }

    #[test]
    fn memory_is_bounded_and_keeps_the_newest() {
        let mut seen = SeenIds::with_half(4);
        for n in 0..1_000 {
            seen.insert(Uuid::from_u128(n));
        }
        assert!(seen.current.len() + seen.previous.len() <= 8);
        for n in 996..1_000 {
            assert!(!seen.insert(Uuid::from_u128(n)), "{n} is known");
        }
        assert!(seen.insert(Uuid::from_u128(0)), "the oldest is forgotten");

        let mut published = Published::with_half(4);
        for n in 0..1_000 {
            published.insert(Uuid::from_u128(n), Timestamp::from_micros(n as i64));
        }
        assert!(published.current.len() + published.previous.len() <= 8);
        let last = Uuid::from_u128(999);
        assert_eq!(published.remove(last), Some(Timestamp::from_micros(999)));
        assert_eq!(published.remove(last), None);
    }
}
