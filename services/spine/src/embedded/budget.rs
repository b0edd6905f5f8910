//! How much may wait for the writer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bounds what waits for the writer. Whoever comes when nothing waits is let in whatever its size.
pub(super) struct Budget {
    messages: AtomicUsize,
    bytes: AtomicUsize,
    max_messages: usize,
    max_bytes: usize,
}

impl Budget {
    pub(super) fn new(max_messages: usize, max_bytes: usize) -> Self {
        Self {
            messages: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            max_messages,
            max_bytes,
        }
    }

    /// Room for these, until the reservation is dropped; none while too much waits.
    pub(super) fn reserve(self: &Arc<Self>, messages: usize, bytes: usize) -> Option<Reservation> {
        let messages_before = self.messages.fetch_add(messages, Ordering::AcqRel);
        let bytes_before = self.bytes.fetch_add(bytes, Ordering::AcqRel);
        // Made before the check, so that a refusal gives back what was added.
        let reservation = Reservation {
            budget: Arc::clone(self),
            messages,
            bytes,
        };
        let fits = messages_before == 0
            || (messages_before.saturating_add(messages) <= self.max_messages
                && bytes_before.saturating_add(bytes) <= self.max_bytes);
        fits.then_some(reservation)
    }
}

/// Room that was given.
pub(super) struct Reservation {
    budget: Arc<Budget>,
    messages: usize,
    bytes: usize,
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.messages.fetch_sub(self.messages, Ordering::AcqRel);
        self.budget.bytes.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lets_one_in_whatever_its_size_and_more_up_to_the_bounds() {
        let budget = Arc::new(Budget::new(4, 100));
        let large = budget.reserve(9, 9000).expect("nothing waits");
        assert!(budget.reserve(1, 1).is_none());
        drop(large);
        let first = budget.reserve(3, 50).expect("nothing waits");
        assert!(budget.reserve(2, 1).is_none(), "too many messages");
        assert!(budget.reserve(1, 51).is_none(), "too many bytes");
        let second = budget.reserve(1, 50).expect("it fits");
        drop((first, second));
        assert!(budget.reserve(5, 500).is_some(), "all room was given back");
    }
}
