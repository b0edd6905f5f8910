//! What Alertmanager last told, and how far that can be relied on.

use std::collections::BTreeMap;
use std::time::Duration;

use odd_contracts::alert::source;
use odd_contracts::alertmanager::ToldAlert;
use odd_contracts::api::{AlertSource, HealthState};
use odd_contracts::{Alert, AlertState, Timestamp};

/// Questions in a row without an answer after which it counts as away. One may be lost in a busy moment.
const FAILURES_TO_DISTRUST: u32 = 2;
/// Time after its start until it was told of all that fires: Prometheus repeats every alert at least once a minute
/// (`--rules.alert.resend-delay`).
const SETTLING: Duration = Duration::from_secs(75);
/// Time for which an alert is held that it neither listed again nor ended, where it did not say when it would end.
const HELD: Duration = Duration::from_secs(5 * 60);

/// How far what Alertmanager told can be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// What it does not tell of is not there.
    Full,
    /// What it tells holds, but it was not told of everything yet.
    Partial,
    /// It is away, or Prometheus is, without which it learns nothing.
    None,
}

/// What Alertmanager last told. Depends on no clock but that of what it is given.
#[derive(Debug, Default)]
pub(super) struct Manager {
    /// By fingerprint.
    alerts: BTreeMap<String, Held>,
    /// When its process started, in its own words.
    started: String,
    /// When this process was first heard of.
    met_at: Option<Timestamp>,
    answered_at: Option<Timestamp>,
    trouble: Trouble,
    /// Of Prometheus, without which it learns nothing.
    evaluation: Trouble,
}

/// Questions in a row without an answer, and why there was none to the last.
#[derive(Debug, Default)]
struct Trouble {
    failures: u32,
    why: String,
}

impl Trouble {
    fn note(&mut self, why: String) {
        self.failures = self.failures.saturating_add(1);
        self.why = why;
    }

    fn why(&self) -> Option<&str> {
        (self.failures >= FAILURES_TO_DISTRUST).then_some(&self.why)
    }
}

#[derive(Debug)]
struct Held {
    told: ToldAlert,
    /// Until when it is believed though the present process never listed it; none while that does.
    until: Option<Timestamp>,
}

impl Held {
    fn new(told: ToldAlert) -> Self {
        Self { told, until: None }
    }

    /// Lets it stay a while without being listed.
    fn hold(&mut self, now: Timestamp) {
        let end = self.told.ends_at.unwrap_or_else(|| now.plus(HELD));
        self.until.get_or_insert(end);
    }

    fn ended(&self, at: Timestamp) -> Alert {
        Alert {
            state: AlertState::Resolved,
            resolved_at: Some(at.max(self.told.alert.since)),
            ..self.told.alert.clone()
        }
    }
}

impl Manager {
    /// It listed all alerts that have not ended. Returns what changed since it was last asked: alerts that fire now, and
    /// alerts that ended. What it does not list has ended, unless it forgot everything because it was started anew: then
    /// an alert is held until it is listed again or its own end comes.
    pub(super) fn answered(
        &mut self,
        now: Timestamp,
        started: &str,
        told: Vec<ToldAlert>,
    ) -> Vec<(String, Alert)> {
        if self.started != started {
            started.clone_into(&mut self.started);
            self.met_at = Some(now);
            self.alerts.values_mut().for_each(|held| held.hold(now));
        }
        self.answered_at = Some(now);
        self.trouble = Trouble::default();
        let mut before = std::mem::take(&mut self.alerts);
        let mut changes = Vec::new();
        for told in told {
            let known = before.remove(&told.fingerprint);
            note(&mut changes, known.as_ref(), &told);
            self.alerts.insert(told.fingerprint.clone(), Held::new(told));
        }
        for (fingerprint, held) in before {
            match held.until {
                Some(until) if now < until => {
                    self.alerts.insert(fingerprint, held);
                }
                _ if held.told.suppressed => {}
                until => changes.push((fingerprint, held.ended(until.unwrap_or(now)))),
            }
        }
        changes
    }

    /// It did not answer.
    pub(super) fn failed(&mut self, why: String) {
        self.trouble.note(why);
    }

    /// Prometheus is ready or not.
    pub(super) fn evaluated(&mut self, ready: Result<(), String>) {
        match ready {
            Ok(()) => self.evaluation = Trouble::default(),
            Err(why) => self.evaluation.note(why),
        }
    }

    /// It notified of an alert. While it answers questions, these say what fires; else the notification does.
    pub(super) fn notified(&mut self, now: Timestamp, told: &ToldAlert) {
        let known = self.alerts.get(&told.fingerprint);
        if told.alert.state == AlertState::Resolved {
            let same = known
                .is_some_and(|held| held.told.alert.since <= told.alert.since.plus(Duration::from_millis(1)));
            if same {
                self.alerts.remove(&told.fingerprint);
            }
        } else if known.is_none() && self.trust(now) == Trust::None {
            let mut held = Held::new(told.clone());
            held.hold(now);
            self.alerts.insert(told.fingerprint.clone(), held);
        }
    }

    /// How far it can be relied on.
    pub(super) fn trust(&self, now: Timestamp) -> Trust {
        let Some(met_at) = self.met_at else {
            return Trust::None;
        };
        if self.trouble.why().or(self.evaluation.why()).is_some() {
            Trust::None
        } else if now.since(met_at) < SETTLING {
            Trust::Partial
        } else {
            Trust::Full
        }
    }

    /// Alerts that fire as far as it told, by fingerprint. While it cannot be relied on, each until its own end.
    pub(super) fn firing(&self, now: Timestamp) -> BTreeMap<&str, &Alert> {
        let away = self.trust(now) == Trust::None;
        let holds = |held: &Held| {
            let end = held.until.or(if away { held.told.ends_at } else { None });
            !held.told.suppressed && end.is_none_or(|end| now < end)
        };
        let held = self.alerts.iter().filter(|(_, held)| holds(held));
        held.map(|(fingerprint, held)| (fingerprint.as_str(), &held.told.alert))
            .collect()
    }

    /// Whether it answers.
    pub(super) fn source(&self, now: Timestamp) -> AlertSource {
        let trust = self.trust(now);
        let detail = match trust {
            Trust::Full => None,
            Trust::Partial => Some(
                "Alertmanager was met lately and may not have been told of every alert yet; \
                 the read-model's own evaluation is shown beside it"
                    .to_owned(),
            ),
            Trust::None => Some(self.away(now)),
        };
        AlertSource {
            name: source::ALERTMANAGER.to_owned(),
            state: match trust {
                Trust::None => HealthState::Degraded,
                Trust::Full | Trust::Partial => HealthState::Healthy,
            },
            checked_at: self.answered_at,
            detail,
        }
    }

    fn away(&self, now: Timestamp) -> String {
        let why = self.trouble.why().or(self.evaluation.why());
        let why = why.unwrap_or("Alertmanager was not asked yet");
        let age = match self.answered_at {
            Some(at) => format!("the last answer is {} s old", now.since(at).as_secs()),
            None => "there was no answer yet".to_owned(),
        };
        format!("{why}; {age}; the read-model's own evaluation stands in")
    }
}

/// Notes what the history does not know: an alert that fires anew, and that the one before it ended.
fn note(changes: &mut Vec<(String, Alert)>, known: Option<&Held>, told: &ToldAlert) {
    let since = told.alert.since;
    let same = known.is_some_and(|held| held.told.alert.since == since);
    if let Some(held) = known.filter(|held| !same && !held.told.suppressed) {
        changes.push((told.fingerprint.clone(), held.ended(since)));
    }
    let was_shown = same && known.is_some_and(|held| !held.told.suppressed);
    if !told.suppressed && !was_shown {
        changes.push((told.fingerprint.clone(), told.alert.clone()));
    }
}

#[cfg(test)]
pub(super) mod tests;
