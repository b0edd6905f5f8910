//! Which deliveries of a consumer are unacknowledged, and how few words acknowledge some of them.

use std::collections::BTreeSet;

/// Numbers of the deliveries that were handed out and not acknowledged.
#[derive(Default)]
pub(super) struct Unacknowledged(BTreeSet<u64>);

/// What to tell the broker.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Words {
    /// Everything up to this number, where there is something.
    pub(super) up_to: Option<u64>,
    /// These besides.
    pub(super) single: Vec<u64>,
}

impl Unacknowledged {
    /// A delivery was handed out. Numbers grow.
    pub(super) fn insert(&mut self, number: u64) {
        self.0.insert(number);
    }

    /// Whether a delivery is still unacknowledged.
    pub(super) fn contains(&self, number: u64) -> bool {
        self.0.contains(&number)
    }

    /// Takes out these deliveries. Those that are not there, or no more, are passed over: the broker ends a
    /// channel on which something is acknowledged twice.
    pub(super) fn take(&mut self, numbers: impl Iterator<Item = u64>) -> Words {
        let mut taken: Vec<u64> = numbers.filter(|number| self.0.remove(number)).collect();
        taken.sort_unstable();
        let finished = match self.0.first() {
            // What was delivered and not yet handed out has greater numbers than all of these.
            None => taken.len(),
            Some(oldest) => taken.partition_point(|number| number < oldest),
        };
        let single = taken.split_off(finished);
        Words {
            up_to: taken.pop(),
            single,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_word_for_a_finished_prefix_and_one_for_each_other() {
        let mut held = Unacknowledged::default();
        (1..=10).for_each(|number| held.insert(number));
        let words = |up_to, single: &[u64]| Words {
            up_to,
            single: single.to_vec(),
        };
        assert_eq!(held.take([8, 3, 10].into_iter()), words(None, &[3, 8, 10]));
        assert_eq!(held.take([2, 1, 2, 5].into_iter()), words(Some(2), &[5]));
        assert_eq!(held.take([3, 99, 1].into_iter()), words(None, &[]), "not theirs");
        assert_eq!(held.take([6, 4].into_iter()), words(Some(6), &[]));
        assert_eq!(held.take([7, 9].into_iter()), words(Some(9), &[]));
        assert_eq!(held.take([7, 9].into_iter()), words(None, &[]));
    }
}
