use odd_contracts::Role;
use odd_contracts::alert::condition;

use super::history::MAX_KEPT;
use super::manager::tests::{at, resolved, suppressed, told};
use super::*;
use crate::live::Outcomes;

/// A poll in which these roles do not answer.
fn sample(second: i64, down: &[Role]) -> Sample {
    let why = |role: &Role| down.contains(role).then(|| "no connection".to_owned());
    Sample {
        at: at(second),
        roles: Role::ALL.into_iter().map(|role| (role, why(&role))).collect(),
        stores: Vec::new(),
        queues: Vec::new(),
        outcomes: Outcomes::default(),
    }
}

/// Name, subject, state and source of what is shown.
fn shown(alerts: &Alerts, second: i64) -> Vec<(String, String, AlertState, String)> {
    let shown = alerts.shown(at(second)).alerts;
    shown
        .into_iter()
        .map(|alert| {
            (
                alert.name,
                alert.subject,
                alert.state,
                alert.source.unwrap_or_default(),
            )
        })
        .collect()
}

fn line(name: &str, subject: &str, state: AlertState, source: &str) -> (String, String, AlertState, String) {
    (name.to_owned(), subject.to_owned(), state, source.to_owned())
}

/// With an Alertmanager that was met long ago and answered last in the second 100.
fn settled() -> Alerts {
    let alerts = Alerts::new(true);
    alerts.answered(at(0), "first", Vec::new());
    alerts.answered(at(100), "first", Vec::new());
    alerts
}

fn lost(alerts: &Alerts) {
    alerts.failed("Alertmanager is away".to_owned());
    alerts.failed("Alertmanager is away".to_owned());
}

#[test]
fn without_an_alertmanager_the_own_evaluation_is_shown() {
    let alerts = Alerts::new(false);
    (0..3).for_each(|second| alerts.observe(&sample(second, &[Role::Processor])));
    let state = |second| {
        let shown = alerts.shown(at(second));
        assert_eq!((shown.from, shown.source.name.as_str()), ("native", "native"));
        (shown.source.state, shown.firing, shown.alerts.len())
    };
    assert_eq!(state(3), (HealthState::Healthy, 1, 1));
    alerts.observe(&sample(4, &[]));
    assert_eq!(state(4), (HealthState::Healthy, 0, 1));
    let history = alerts.history(10);
    assert_eq!(history.len(), 1);
    assert_eq!(
        (history[0].state, history[0].resolved_at),
        (AlertState::Resolved, Some(at(4)))
    );
    alerts.notified(at(5), &[told("a", 1, 5)]);
    assert_eq!(state(5), (HealthState::Healthy, 0, 1), "nothing vouches for it");
    assert_eq!(alerts.history(10)[0].subject, "a");
}

#[test]
fn with_one_that_answers_only_that_is_shown() {
    let alerts = settled();
    (100..110).for_each(|second| alerts.observe(&sample(second, &[Role::Processor])));
    assert_eq!(shown(&alerts, 110), []);
    alerts.answered(at(110), "first", vec![told("a", 109, 110)]);
    assert_eq!(
        shown(&alerts, 110),
        [line("Odd", "a", AlertState::Firing, "alertmanager")]
    );
    assert_eq!(alerts.shown(at(110)).from, "alertmanager");
    alerts.answered(at(111), "first", Vec::new());
    let ended = [line("Odd", "a", AlertState::Resolved, "alertmanager")];
    assert_eq!(shown(&alerts, 111), ended);
    assert_eq!(shown(&alerts, 111 + 899), ended);
    assert_eq!(shown(&alerts, 111 + 900), [], "a quarter of an hour is enough");
    assert_eq!(
        alerts.history(10).len(),
        1,
        "the history knows nothing of the other"
    );
}

#[test]
fn while_it_is_away_the_own_evaluation_stands_in_at_once() {
    let alerts = settled();
    let mut same = told("a", 90, 100);
    same.alert.name = condition::SERVICE_DOWN.to_owned();
    same.alert.subject = "processor".to_owned();
    alerts.answered(at(100), "first", vec![same, told("b", 90, 100)]);
    (97..103).for_each(|second| alerts.observe(&sample(second, &[Role::Processor])));
    lost(&alerts);
    let expected = [
        line(condition::SERVICE_DOWN, "processor", AlertState::Firing, "native"),
        line("Odd", "b", AlertState::Firing, "alertmanager"),
    ];
    assert_eq!(shown(&alerts, 103), expected, "no trouble is shown twice");
    let away = alerts.shown(at(103));
    assert_eq!((away.from, away.source.state), ("native", HealthState::Degraded));
    // It comes back, and what the own evaluation found meanwhile ends with it.
    alerts.observe(&sample(103, &[Role::Processor]));
    alerts.answered(at(104), "first", Vec::new());
    alerts.observe(&sample(104, &[]));
    let states: BTreeMap<_, _> = alerts
        .history(10)
        .into_iter()
        .map(|alert| ((alert.subject, alert.source.unwrap()), alert.state))
        .collect();
    assert_eq!(states.len(), 3, "{states:?}");
    assert!(
        states.values().all(|state| *state == AlertState::Resolved),
        "{states:?}"
    );
}

#[test]
fn beside_one_that_was_just_met_both_speak_but_not_twice_of_the_same() {
    let alerts = Alerts::new(true);
    let down = [Role::Processor, Role::Web];
    (0..3).for_each(|second| alerts.observe(&sample(second, &down)));
    let mut same = told("a", 1, 3);
    same.alert.name = condition::SERVICE_DOWN.to_owned();
    same.alert.subject = "processor".to_owned();
    alerts.answered(at(3), "first", vec![same]);
    let mut lines = shown(&alerts, 3);
    lines.sort_by(|one, other| one.1.cmp(&other.1));
    assert_eq!(
        lines,
        [
            line(
                condition::SERVICE_DOWN,
                "processor",
                AlertState::Firing,
                "alertmanager"
            ),
            line(condition::SERVICE_DOWN, "web", AlertState::Firing, "native"),
        ]
    );
    assert_eq!(alerts.shown(at(3)).source.state, HealthState::Healthy);
    assert!(alerts.shown(at(3)).source.detail.is_some());
    assert_eq!(shown(&alerts, 3 + 75).len(), 1);
}

#[test]
fn notifications_fill_the_history_and_may_be_repeated() {
    let alerts = settled();
    let notification = [told("a", 100, 101), told("b", 100, 101)];
    let taken = alerts.notified(at(101), &notification);
    assert_eq!((taken.alerts, taken.news), (2, 2));
    let before = alerts.history(10);
    assert_eq!(alerts.notified(at(102), &notification).news, 0);
    assert_eq!(alerts.history(10), before);
    // Alertmanager's answers give the same instant with three digits only.
    let mut exact = told("a", 100, 101);
    exact.alert.since = Timestamp::from_micros(at(100).micros() + 123);
    assert_eq!(alerts.notified(at(102), &[exact]).news, 0);
    assert_eq!(
        alerts
            .notified(at(110), &[resolved(told("a", 100, 110), 105)])
            .news,
        1
    );
    assert_eq!(
        alerts
            .notified(at(110), &[resolved(told("a", 100, 110), 105)])
            .news,
        0
    );
    let states: Vec<_> = alerts
        .history(10)
        .into_iter()
        .map(|alert| (alert.subject, alert.state, alert.resolved_at))
        .collect();
    assert_eq!(
        states,
        [
            ("a".to_owned(), AlertState::Resolved, Some(at(105))),
            ("b".to_owned(), AlertState::Firing, None)
        ]
    );
    assert_eq!(alerts.history(1).len(), 1);
}

#[test]
fn the_exact_end_of_a_notification_replaces_the_noticed_one() {
    let alerts = settled();
    alerts.answered(at(101), "first", vec![told("a", 100, 101)]);
    alerts.answered(at(103), "first", Vec::new());
    assert_eq!(alerts.history(1)[0].resolved_at, Some(at(103)));
    assert_eq!(
        alerts
            .notified(at(105), &[resolved(told("a", 100, 105), 102)])
            .news,
        0
    );
    assert_eq!(alerts.history(1)[0].resolved_at, Some(at(102)));
}

#[test]
fn what_fires_again_is_not_shown_as_ended_too() {
    let alerts = settled();
    alerts.answered(at(101), "first", vec![told("a", 100, 101)]);
    alerts.answered(at(102), "first", Vec::new());
    alerts.answered(at(110), "first", vec![told("a", 109, 110)]);
    assert_eq!(
        shown(&alerts, 110),
        [line("Odd", "a", AlertState::Firing, "alertmanager")]
    );
    assert_eq!(alerts.history(10).len(), 2, "two stretches");
    alerts.answered(at(111), "first", vec![suppressed(told("a", 109, 111))]);
    assert_eq!(shown(&alerts, 111).len(), 1, "the first stretch ended lately");
}

#[test]
fn very_many_are_bounded_with_the_worst_first() {
    let alerts = settled();
    let many = (0..10_000).map(|n| {
        let mut alert = told(&format!("f{n:05}"), 100, 101);
        if n == 9_999 {
            alert.alert.severity = odd_contracts::Severity::Critical;
        }
        alert
    });
    let many: Vec<_> = many.collect();
    alerts.answered(at(101), "first", many.clone());
    alerts.answered(at(102), "first", many.clone());
    let shown = alerts.shown(at(102));
    assert_eq!(
        (shown.alerts.len(), shown.omitted, shown.firing),
        (MAX_SHOWN, 9_500, 10_000)
    );
    assert_eq!(shown.alerts[0].subject, "f09999");
    assert_eq!(alerts.history(usize::MAX).len(), MAX_KEPT);
    let taken = alerts.notified(at(103), &many);
    assert_eq!(taken.alerts, 10_000);
    assert_eq!(alerts.history(usize::MAX).len(), MAX_KEPT);
    assert_eq!(alerts.history(1)[0].subject, "f09999", "the last are kept");
}
