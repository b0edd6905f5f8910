//! The last alerts, however they became known: from Alertmanager's answers, its notifications, or the read-model's own
//! evaluation.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use odd_contracts::{Alert, AlertState, Timestamp};

/// Most alerts that are kept; those whose state changed longest ago go first.
pub(super) const MAX_KEPT: usize = 500;

/// One stretch in which a condition held: who it is, and the millisecond in which it began. Alertmanager's answers and
/// its notifications give the instant with different precision; milliseconds they share.
type Key = (String, i64);

/// The last alerts. Telling it twice of the same changes nothing.
#[derive(Debug, Default)]
pub(super) struct History {
    places: HashMap<Key, u64>,
    /// In the order in which they last changed their state.
    entries: BTreeMap<u64, (Key, Alert)>,
    next: u64,
}

impl History {
    /// Notes an alert as it is now; one that is not there yet only where `begin` says so. Tells whether that is news: an
    /// alert not known before, or in another state.
    pub(super) fn record(&mut self, identity: &str, alert: &Alert, begin: bool) -> bool {
        let key = (identity.to_owned(), alert.since.micros() / 1_000);
        if let Some(place) = self.places.get(&key)
            && let Some((_, known)) = self.entries.get_mut(place)
        {
            if known.state == alert.state {
                // Words and figures may be newer, and the end more exact.
                known.clone_from(alert);
                return false;
            }
            let place = *place;
            self.entries.remove(&place);
        } else if !begin {
            return false;
        }
        self.places.insert(key.clone(), self.next);
        self.entries.insert(self.next, (key, alert.clone()));
        self.next += 1;
        while self.entries.len() > MAX_KEPT {
            let Some((_, (oldest, _))) = self.entries.pop_first() else {
                break;
            };
            self.places.remove(&oldest);
        }
        true
    }

    /// Those whose state changed last, these first.
    pub(super) fn newest(&self, limit: usize) -> Vec<Alert> {
        let newest = self.entries.values().rev().take(limit);
        newest.map(|(_, alert)| alert.clone()).collect()
    }

    /// Who ended within `lately`, each as it last did.
    pub(super) fn ended(&self, now: Timestamp, lately: Duration) -> BTreeMap<String, Alert> {
        let mut ended: BTreeMap<String, Alert> = BTreeMap::new();
        for ((identity, _), alert) in self.entries.values() {
            let is_late = alert.resolved_at.is_some_and(|at| now.since(at) < lately);
            if alert.state == AlertState::Resolved && is_late {
                ended.insert(identity.clone(), alert.clone());
            }
        }
        ended
    }
}
