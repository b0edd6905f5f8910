//! The read-model's own evaluation: the four conditions over polls of the system. It is what engines without Prometheus
//! have, and what stands in for Alertmanager while that is away.
//!
//! [`AlertBook::observe`] depends on nothing but the samples it is given; the clock is part of the sample.

mod conditions;

use std::collections::BTreeMap;

use odd_contracts::alert::{condition, source};
use odd_contracts::api::QueueDepth;
use odd_contracts::{Alert, AlertState, Role, Severity, Timestamp};

use super::{RESOLVED_SHOWN, worst_first};
use crate::live::Outcomes;
use conditions::{Backlog, Finding};

/// Polls in a row in which a condition must hold before its alert fires.
pub(crate) const POLLS_TO_FIRE: u32 = 3;

/// What one poll found.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    /// When.
    pub(crate) at: Timestamp,
    /// Each role, and why it is not ready where it is not.
    pub(crate) roles: Vec<(Role, Option<String>)>,
    /// Each store, and why it does not answer where it does not.
    pub(crate) stores: Vec<(String, Option<String>)>,
    /// Depths of the queues; empty where the spine does not tell.
    pub(crate) queues: Vec<QueueDepth>,
    /// Jobs that ended lately.
    pub(crate) outcomes: Outcomes,
}

/// Condition and subject of an alert.
type Key = (&'static str, String);

#[derive(Clone, Debug)]
struct Entry {
    severity: Severity,
    summary: String,
    since: Timestamp,
    polls: u32,
    resolved_at: Option<Timestamp>,
}

/// Alerts that hold or held lately.
#[derive(Debug, Default)]
pub(crate) struct AlertBook {
    entries: BTreeMap<Key, Entry>,
    backlog: Backlog,
}

impl AlertBook {
    /// Takes in one poll.
    pub(crate) fn observe(&mut self, sample: &Sample) {
        let mut findings = conditions::services(sample);
        findings.extend(conditions::stores(sample));
        findings.extend(conditions::failures(sample));
        findings.extend(self.backlog.observe(sample));
        self.resolve_all_but(&findings, sample.at);
        for finding in findings {
            self.note(finding, sample.at);
        }
    }

    /// Those that fire or were resolved lately, worst first.
    pub(crate) fn shown(&self) -> Vec<Alert> {
        let mut alerts = self.alerts();
        alerts.retain(|alert| alert.state != AlertState::Pending);
        alerts
    }

    /// The same and those that are pending.
    fn alerts(&self) -> Vec<Alert> {
        let mut alerts: Vec<Alert> = self.entries.iter().map(|(key, entry)| entry.alert(key)).collect();
        alerts.sort_by(worst_first);
        alerts
    }

    /// Ends what no longer holds, and forgets what ended long ago.
    fn resolve_all_but(&mut self, findings: &[Finding], now: Timestamp) {
        self.entries.retain(|key, entry| {
            let holds = findings.iter().any(|finding| finding.key == *key);
            match entry.resolved_at {
                _ if holds => true,
                Some(at) => now.since(at) < RESOLVED_SHOWN,
                // Never fired: nothing to resolve.
                None if entry.polls < POLLS_TO_FIRE => false,
                None => {
                    entry.resolved_at = Some(now);
                    true
                }
            }
        });
    }

    fn note(&mut self, finding: Finding, now: Timestamp) {
        let held = self
            .entries
            .get(&finding.key)
            .filter(|entry| entry.resolved_at.is_none());
        let entry = Entry {
            severity: finding.severity,
            summary: finding.summary,
            since: held.map_or(now, |entry| entry.since),
            polls: held.map_or(1, |entry| entry.polls.saturating_add(1)),
            resolved_at: None,
        };
        self.entries.insert(finding.key, entry);
    }
}

impl Entry {
    fn alert(&self, (name, subject): &Key) -> Alert {
        let state = match self.resolved_at {
            Some(_) => AlertState::Resolved,
            None if self.polls >= POLLS_TO_FIRE => AlertState::Firing,
            None => AlertState::Pending,
        };
        Alert {
            name: (*name).to_owned(),
            severity: self.severity,
            state,
            subject: subject.clone(),
            summary: self.summary.clone(),
            runbook: condition::runbook(name).unwrap_or_default().to_owned(),
            runbook_url: None,
            since: self.since,
            resolved_at: self.resolved_at,
            source: Some(source::NATIVE.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests;
