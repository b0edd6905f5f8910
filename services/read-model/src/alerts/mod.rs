//! Alerts: what fires, what ended lately, and where that is known from.
//!
//! Where there is an Alertmanager, Prometheus evaluates the conditions and Alertmanager tells of them: it is asked every
//! second for those that fire ([`watch`]), and notifies of those that fired and ended ([`Alerts::notified`]). Else the
//! read-model evaluates the four conditions itself ([`native`]). That evaluation goes on beside an Alertmanager, too: it
//! stands in while Alertmanager or Prometheus is away, and beside one that started lately and was not told of everything
//! yet. So alerts never fall silent.
//!
//! **What a restart forgets, and what replicas share.** All of this is memory of one process. A read-model that starts
//! learns at once from Alertmanager what fires. What ended before is gone: the history fills again with what is asked
//! and notified from then on. Of several read-models each asks, so that they agree on what fires, and on what ended since
//! they started, to within a second; a notification goes to one of them and adds there only what began and ended between
//! two questions, and the exact end.

mod history;
mod manager;
mod native;
mod watch;

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use odd_contracts::alert::source;
use odd_contracts::alertmanager::ToldAlert;
use odd_contracts::api::{AlertSource, HealthState};
use odd_contracts::{Alert, AlertState, Timestamp};

use history::History;
use manager::{Manager, Trust};

use native::AlertBook;

pub(crate) use native::Sample;
pub(crate) use watch::{Sources, watch};

/// Time for which an alert that ended is shown among those that fire.
const RESOLVED_SHOWN: Duration = Duration::from_secs(15 * 60);
/// Most alerts that are shown together.
const MAX_SHOWN: usize = 500;

/// All that is known of alerts.
#[derive(Debug)]
pub(crate) struct Alerts(Mutex<Known>);

#[derive(Debug)]
struct Known {
    native: AlertBook,
    /// Where there is an Alertmanager.
    manager: Option<Manager>,
    history: History,
}

/// Alerts as they are shown.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shown {
    /// Those that fire, then those that ended lately, worst first; at most [`MAX_SHOWN`].
    pub(crate) alerts: Vec<Alert>,
    /// Those beyond.
    pub(crate) omitted: usize,
    /// How many fire, shown or not.
    pub(crate) firing: usize,
    /// Where those that fire come from.
    pub(crate) from: &'static str,
    /// Where they are to come from, and whether that answers.
    pub(crate) source: AlertSource,
}

/// What a notification told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    /// Alerts in it.
    pub(crate) alerts: usize,
    /// Those of them that told something new.
    pub(crate) news: usize,
}

impl Alerts {
    /// Nothing known yet; `managed` where there is an Alertmanager.
    pub(crate) fn new(managed: bool) -> Self {
        Self(Mutex::new(Known {
            native: AlertBook::default(),
            manager: managed.then(Manager::default),
            history: History::default(),
        }))
    }

    /// Takes in one poll of the system.
    pub(crate) fn observe(&self, sample: &Sample) {
        let mut known = self.known();
        known.native.observe(sample);
        let trusted = known
            .manager
            .as_ref()
            .is_some_and(|manager| manager.trust(sample.at) == Trust::Full);
        let shown = known.native.shown();
        for alert in &shown {
            // What began while it stood in is followed to its end; nothing else is news while Alertmanager tells.
            known.history.record(&native_identity(alert), alert, !trusted);
        }
    }

    /// Alertmanager, started at `started`, told of all alerts that have not ended.
    pub(crate) fn answered(&self, now: Timestamp, started: &str, told: Vec<ToldAlert>) {
        let mut known = self.known();
        let Some(manager) = &mut known.manager else { return };
        let changes = manager.answered(now, started, told);
        for (fingerprint, alert) in changes {
            known.history.record(&fingerprint, &alert, true);
        }
    }

    /// Alertmanager did not answer.
    pub(crate) fn failed(&self, why: String) {
        if let Some(manager) = &mut self.known().manager {
            manager.failed(why);
        }
    }

    /// Prometheus, without which Alertmanager learns nothing, is ready or not.
    pub(crate) fn evaluated(&self, ready: Result<(), String>) {
        if let Some(manager) = &mut self.known().manager {
            manager.evaluated(ready);
        }
    }

    /// Takes in what Alertmanager notified of.
    pub(crate) fn notified(&self, now: Timestamp, told: &[ToldAlert]) -> Taken {
        let mut known = self.known();
        let mut news = 0;
        for alert in told {
            news += usize::from(known.history.record(&alert.fingerprint, &alert.alert, true));
            if let Some(manager) = &mut known.manager {
                manager.notified(now, alert);
            }
        }
        Taken {
            alerts: told.len(),
            news,
        }
    }

    /// Alerts of whatever state, those that changed last first, at most `limit`.
    pub(crate) fn history(&self, limit: usize) -> Vec<Alert> {
        self.known().history.newest(limit)
    }

    /// What there is to show now.
    pub(crate) fn shown(&self, now: Timestamp) -> Shown {
        let known = self.known();
        match &known.manager {
            None => Shown::of(
                known.native.shown().iter().collect(),
                source::NATIVE,
                AlertSource {
                    name: source::NATIVE.to_owned(),
                    state: HealthState::Healthy,
                    checked_at: Some(now),
                    detail: None,
                },
            ),
            Some(manager) => known.managed(manager, now),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Nothing in here panics half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn managed(&self, manager: &Manager, now: Timestamp) -> Shown {
        let trust = manager.trust(now);
        let mut native = self.native.shown();
        native.retain(|alert| alert.state == AlertState::Firing);
        let mut told = manager.firing(now);
        match trust {
            Trust::Full => native.clear(),
            // Of what both know, the better informed one speaks.
            Trust::Partial => without(&mut native, &told),
            Trust::None => {
                let own: HashSet<_> = native.iter().map(condition_of).collect();
                told.retain(|_, alert| !own.contains(&condition_of(alert)));
            }
        }
        let ended = self.ended(&told, &native, now);
        let alerts = told.into_values().chain(&native).chain(&ended).collect();
        let from = match trust {
            Trust::None => source::NATIVE,
            Trust::Full | Trust::Partial => source::ALERTMANAGER,
        };
        Shown::of(alerts, from, manager.source(now))
    }

    /// What ended lately and does not fire again.
    fn ended(&self, told: &BTreeMap<&str, &Alert>, native: &[Alert], now: Timestamp) -> Vec<Alert> {
        let own: HashSet<_> = native.iter().map(native_identity).collect();
        let ended = self.history.ended(now, RESOLVED_SHOWN).into_iter();
        ended
            .filter(|(identity, _)| !told.contains_key(identity.as_str()) && !own.contains(identity))
            .map(|(_, alert)| alert)
            .collect()
    }
}

impl Shown {
    fn of(mut alerts: Vec<&Alert>, from: &'static str, source: AlertSource) -> Self {
        alerts.sort_by(|one, other| worst_first(one, other));
        let firing = alerts
            .iter()
            .filter(|alert| alert.state == AlertState::Firing)
            .count();
        let omitted = alerts.len().saturating_sub(MAX_SHOWN);
        alerts.truncate(MAX_SHOWN);
        Self {
            alerts: alerts.into_iter().cloned().collect(),
            omitted,
            firing,
            from,
            source,
        }
    }
}

/// Name and subject, by which the same trouble is known to both evaluations.
fn condition_of(alert: &Alert) -> (String, String) {
    (alert.name.clone(), alert.subject.clone())
}

/// Takes out those of whose trouble others speak.
fn without(alerts: &mut Vec<Alert>, others: &BTreeMap<&str, &Alert>) {
    let spoken: HashSet<_> = others.values().map(|alert| condition_of(alert)).collect();
    alerts.retain(|alert| !spoken.contains(&condition_of(alert)));
}

/// Identity of an alert of the read-model's own. No fingerprint of Alertmanager has a slash.
fn native_identity(alert: &Alert) -> String {
    format!("{}/{}/{}", source::NATIVE, alert.name, alert.subject)
}

/// Those that fire before those that are pending, and these before those that ended; of each, the most urgent, then the
/// oldest.
fn worst_first(one: &Alert, other: &Alert) -> Ordering {
    let order = |alert: &Alert| (rank(alert.state), Reverse(alert.severity), alert.since);
    order(one)
        .cmp(&order(other))
        .then_with(|| condition_of(one).cmp(&condition_of(other)))
}

const fn rank(state: AlertState) -> u8 {
    match state {
        AlertState::Firing => 0,
        AlertState::Pending => 1,
        AlertState::Resolved => 2,
    }
}

#[cfg(test)]
mod tests;
