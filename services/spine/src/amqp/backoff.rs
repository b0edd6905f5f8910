//! Waits between tries.

use std::time::Duration;

use uuid::Uuid;

/// Growing waits with jitter, so that those who failed together do not come again together.
pub(super) struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    /// The first wait after a failure; each further one is twice as long, up to the longest.
    pub(super) const fn new(first: Duration, longest: Duration) -> Self {
        Self {
            first,
            longest,
            failures: 0,
        }
    }

    /// The next wait: between half and all of its full length.
    pub(super) fn next(&mut self) -> Duration {
        let full = self
            .first
            .saturating_mul(1 << self.failures.min(10))
            .min(self.longest);
        self.failures += 1;
        let jitter = (Uuid::new_v4().as_u128() & 0xff) as u32;
        full / 2 + (full / 2) * jitter / 0xff
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_differ() {
        let (first, longest) = (Duration::from_millis(100), Duration::from_secs(3));
        let mut backoff = Backoff::new(first, longest);
        let waits: Vec<_> = (0..40).map(|_| backoff.next()).collect();
        assert!((first / 2..=first).contains(&waits[0]));
        assert!(waits.iter().all(|wait| *wait <= longest));
        assert!(waits[20..].iter().all(|wait| *wait >= longest / 2));
        assert!(waits[20..].windows(2).any(|pair| pair[0] != pair[1]));
    }
}
