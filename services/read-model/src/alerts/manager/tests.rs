use odd_contracts::Severity;

use super::*;

pub(in crate::alerts) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros((1_700_000_000 + seconds) * 1_000_000)
}

/// An alert that fires since `since` and ends, unless it is told of again, four minutes after `now`.
pub(in crate::alerts) fn told(fingerprint: &str, since: i64, now: i64) -> ToldAlert {
    ToldAlert {
        fingerprint: fingerprint.to_owned(),
        ends_at: Some(at(now + 240)),
        suppressed: false,
        alert: Alert {
            name: "Odd".to_owned(),
            severity: Severity::Warning,
            state: AlertState::Firing,
            subject: fingerprint.to_owned(),
            summary: "it is odd".to_owned(),
            runbook: String::new(),
            runbook_url: None,
            since: at(since),
            resolved_at: None,
            source: Some(source::ALERTMANAGER.to_owned()),
        },
    }
}

pub(in crate::alerts) fn suppressed(mut alert: ToldAlert) -> ToldAlert {
    alert.suppressed = true;
    alert
}

pub(in crate::alerts) fn resolved(mut alert: ToldAlert, when: i64) -> ToldAlert {
    alert.alert.state = AlertState::Resolved;
    alert.alert.resolved_at = Some(at(when));
    alert
}

/// Fingerprint, state and end of each change, in the order of fingerprints.
fn brief(changes: Vec<(String, Alert)>) -> Vec<(String, AlertState, Option<i64>)> {
    let second = |at: Timestamp| at.micros() / 1_000_000 - 1_700_000_000;
    changes
        .into_iter()
        .map(|(fingerprint, alert)| (fingerprint, alert.state, alert.resolved_at.map(second)))
        .collect()
}

fn firing(manager: &Manager, now: i64) -> Vec<String> {
    manager.firing(at(now)).into_keys().map(str::to_owned).collect()
}

/// One that was met long ago.
fn settled() -> Manager {
    let mut manager = Manager::default();
    assert_eq!(manager.trust(at(0)), Trust::None);
    manager.answered(at(0), "first", Vec::new());
    assert_eq!(manager.trust(at(74)), Trust::Partial);
    assert_eq!(manager.trust(at(75)), Trust::Full);
    manager
}

#[test]
fn changes_are_told_once() {
    let mut manager = settled();
    let begun = manager.answered(at(100), "first", vec![told("a", 90, 100), told("b", 95, 100)]);
    assert_eq!(
        brief(begun),
        [
            ("a".to_owned(), AlertState::Firing, None),
            ("b".to_owned(), AlertState::Firing, None)
        ]
    );
    let again = manager.answered(at(101), "first", vec![told("b", 95, 101), told("a", 90, 101)]);
    assert_eq!(brief(again), []);
    let ended = manager.answered(at(102), "first", vec![told("b", 95, 102)]);
    assert_eq!(brief(ended), [("a".to_owned(), AlertState::Resolved, Some(102))]);
    assert_eq!(firing(&manager, 102), ["b"]);
}

#[test]
fn one_that_ended_and_fires_again_between_two_answers_is_two() {
    let mut manager = settled();
    manager.answered(at(100), "first", vec![told("a", 90, 100)]);
    let changes = manager.answered(at(130), "first", vec![told("a", 120, 130)]);
    assert_eq!(
        brief(changes),
        [
            ("a".to_owned(), AlertState::Resolved, Some(120)),
            ("a".to_owned(), AlertState::Firing, None)
        ]
    );
}

#[test]
fn what_is_silenced_neither_fires_nor_ends() {
    let mut manager = settled();
    let begun = manager.answered(at(100), "first", vec![suppressed(told("a", 90, 100))]);
    assert_eq!(brief(begun), []);
    assert_eq!(firing(&manager, 100), [""; 0]);
    let unsilenced = manager.answered(at(101), "first", vec![told("a", 90, 101)]);
    assert_eq!(brief(unsilenced), [("a".to_owned(), AlertState::Firing, None)]);
    let silenced = manager.answered(at(102), "first", vec![suppressed(told("a", 90, 102))]);
    assert_eq!(brief(silenced), []);
    assert_eq!(firing(&manager, 102), [""; 0]);
    assert_eq!(brief(manager.answered(at(103), "first", Vec::new())), []);
}

#[test]
fn one_that_was_started_anew_forgot_what_fires_and_that_is_held_until_its_own_end() {
    let mut manager = settled();
    manager.answered(at(100), "first", vec![told("a", 90, 100), told("b", 90, 100)]);
    assert_eq!(brief(manager.answered(at(101), "second", Vec::new())), []);
    assert_eq!(manager.trust(at(101)), Trust::Partial);
    assert_eq!(firing(&manager, 101), ["a", "b"]);
    // It is told of one again, and of the other no more.
    let again = manager.answered(at(130), "second", vec![told("a", 90, 130)]);
    assert_eq!(brief(again), []);
    assert_eq!(firing(&manager, 339), ["a", "b"]);
    assert_eq!(firing(&manager, 340), ["a"], "its end has come");
    let ended = manager.answered(at(345), "second", vec![told("a", 90, 345)]);
    assert_eq!(brief(ended), [("b".to_owned(), AlertState::Resolved, Some(340))]);
    let ended = manager.answered(at(346), "second", Vec::new());
    assert_eq!(brief(ended), [("a".to_owned(), AlertState::Resolved, Some(346))]);
}

#[test]
fn one_lost_answer_is_nothing_and_two_are_an_outage() {
    let mut manager = settled();
    manager.answered(at(100), "first", vec![told("a", 90, 100)]);
    manager.failed("no connection".to_owned());
    assert_eq!(manager.trust(at(101)), Trust::Full);
    manager.failed("no connection".to_owned());
    assert_eq!(manager.trust(at(102)), Trust::None);
    let source = manager.source(at(112));
    assert_eq!(
        (source.state, source.checked_at),
        (HealthState::Degraded, Some(at(100)))
    );
    let detail = source.detail.unwrap();
    assert!(
        detail.contains("no connection") && detail.contains("12 s old"),
        "{detail}"
    );
    assert_eq!(firing(&manager, 339), ["a"], "what fired is not forgotten");
    assert_eq!(firing(&manager, 340), [""; 0], "until its own end");
    manager.answered(at(400), "first", vec![told("a", 90, 400)]);
    assert_eq!(manager.trust(at(400)), Trust::Full);
    assert_eq!(manager.source(at(400)).detail, None);
}

#[test]
fn without_prometheus_it_learns_nothing() {
    let mut manager = settled();
    for second in 100..102 {
        manager.evaluated(Err("Prometheus is away".to_owned()));
        manager.answered(at(second), "first", vec![told("a", 90, 100)]);
    }
    assert_eq!(manager.trust(at(102)), Trust::None);
    assert!(
        manager
            .source(at(102))
            .detail
            .unwrap()
            .contains("Prometheus is away")
    );
    assert_eq!(firing(&manager, 102), ["a"]);
    manager.evaluated(Ok(()));
    assert_eq!(manager.trust(at(102)), Trust::Full);
}

#[test]
fn notifications_say_what_fires_only_while_it_answers_no_question() {
    let mut manager = settled();
    manager.notified(at(100), &told("a", 100, 100));
    assert_eq!(firing(&manager, 100), [""; 0], "the next answer tells");
    manager.failed("away".to_owned());
    manager.failed("away".to_owned());
    let mut endless = told("a", 100, 100);
    endless.ends_at = None;
    manager.notified(at(103), &endless);
    assert_eq!(firing(&manager, 402), ["a"]);
    assert_eq!(firing(&manager, 403), [""; 0], "five minutes are enough");
    manager.notified(at(110), &resolved(told("a", 99, 110), 109));
    assert_eq!(firing(&manager, 110), ["a"], "another stretch ended");
    manager.notified(at(110), &resolved(told("a", 100, 110), 109));
    assert_eq!(firing(&manager, 110), [""; 0]);
}
