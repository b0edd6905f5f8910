//! How many messages may be on their way here at once, by their size.
//!
//! A broker counts messages, not bytes, and sends as many as it may before anybody looks at the first. Where messages
//! are large, the consumer is therefore opened anew with a smaller prefetch.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::room::CAPACITY;

/// Messages that tell how large the next ones will be.
const SAMPLE: usize = 64;
/// Messages after which a judgement is possible.
const ENOUGH: usize = 16;
/// Least messages on their way.
const LEAST: usize = 16;
/// Time that a small prefetch stays at least.
const STAY: Duration = Duration::from_secs(10);

/// The prefetch of work messages.
#[derive(Debug)]
pub(crate) struct Prefetch {
    most: usize,
    now: usize,
    since: Instant,
    sizes: VecDeque<usize>,
    bytes: usize,
}

impl Prefetch {
    /// As many as `most` while messages are small.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            now: most,
            since: Instant::now(),
            sizes: VecDeque::with_capacity(SAMPLE),
            bytes: 0,
        }
    }

    /// Messages that may be on their way.
    pub(crate) fn now(&self) -> usize {
        self.now
    }

    /// A message of this size came.
    pub(crate) fn note(&mut self, size: usize) {
        if self.sizes.len() == SAMPLE {
            self.bytes -= self.sizes.pop_front().unwrap_or_default();
        }
        self.sizes.push_back(size);
        self.bytes += size;
    }

    /// Messages to take together where there is room for so many bytes, at most `most`.
    pub(crate) fn batch(&self, room: usize, most: usize) -> usize {
        (room / self.average()).clamp(1, most)
    }

    /// Whether the consumer is to be opened anew, because messages have another size than they had.
    pub(crate) fn adapt(&mut self) -> bool {
        let expected = self.now.saturating_mul(self.average());
        let too_much = self.sizes.len() >= ENOUGH && self.now > LEAST && expected > 2 * CAPACITY;
        let too_little = self.now < self.most && self.since.elapsed() > STAY && expected < CAPACITY / 4;
        if too_much || too_little {
            let least = LEAST.min(self.most);
            self.now = (CAPACITY / self.average()).clamp(least, self.most);
            self.since = Instant::now();
        }
        too_much || too_little
    }

    fn average(&self) -> usize {
        (self.bytes / self.sizes.len().max(1)).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    fn after(sizes: impl IntoIterator<Item = usize>) -> Prefetch {
        let mut prefetch = Prefetch::new(1_280);
        sizes.into_iter().for_each(|size| prefetch.note(size));
        prefetch
    }

    #[test]
    fn small_messages_and_a_few_large_ones_change_nothing() {
        let mut prefetch = after((0..1_000).map(|n| if n % 64 == 0 { MIB } else { 500 }));
        assert!(!prefetch.adapt());
        assert_eq!((prefetch.now(), prefetch.batch(CAPACITY, 256)), (1_280, 256));
        assert!(!after([MIB; 3]).adapt(), "too few to judge by");
    }

    #[test]
    fn large_messages_make_it_small_and_small_ones_large_again() {
        let mut prefetch = after([MIB; ENOUGH]);
        assert!(prefetch.adapt());
        assert_eq!(prefetch.now(), 32);
        assert_eq!(prefetch.batch(5 * MIB, 256), 5);
        assert_eq!(prefetch.batch(0, 256), 1);
        assert!(!prefetch.adapt(), "it fits now");
        (0..SAMPLE).for_each(|_| prefetch.note(500));
        assert!(!prefetch.adapt(), "not at once");
        prefetch.since = Instant::now().checked_sub(2 * STAY).unwrap();
        assert!(prefetch.adapt());
        assert_eq!(prefetch.now(), 1_280);
    }

    #[test]
    fn it_never_gets_too_small_to_work() {
        let mut prefetch = after([64 * MIB; SAMPLE]);
        assert!(prefetch.adapt());
        assert_eq!(prefetch.now(), LEAST);
        assert!(!prefetch.adapt());
    }
}
