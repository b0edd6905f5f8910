use odd_contracts::names::spine;

use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros((1_700_000_000 + seconds) * 1_000_000)
}

fn well(seconds: i64) -> Sample {
    Sample {
        at: at(seconds),
        roles: Role::ALL.into_iter().map(|role| (role, None)).collect(),
        stores: vec![("job-store".to_owned(), None)],
        queues: Vec::new(),
        outcomes: Outcomes::default(),
    }
}

fn without_processor(seconds: i64) -> Sample {
    let mut sample = well(seconds);
    sample.roles[1].1 = Some("connection refused".to_owned());
    sample
}

fn depth(name: &str, ready: u64, oldest_ms: Option<u64>) -> QueueDepth {
    QueueDepth {
        name: name.to_owned(),
        ready,
        unacknowledged: 0,
        oldest_ms,
    }
}

/// Alerts after one sample a second, each made from its second.
fn after(seconds: std::ops::Range<i64>, sample: impl Fn(i64) -> Sample) -> Vec<Alert> {
    let mut book = AlertBook::default();
    seconds.for_each(|second| book.observe(&sample(second)));
    book.alerts()
}

#[test]
fn nothing_is_wrong() {
    assert_eq!(after(0..100, well), []);
}

#[test]
fn a_role_that_is_away_for_three_polls() {
    let mut book = AlertBook::default();
    for second in 0..2 {
        book.observe(&without_processor(second));
        assert_eq!(book.alerts()[0].state, AlertState::Pending);
        assert_eq!(book.shown(), [], "a pending alert is not shown");
    }
    book.observe(&without_processor(2));
    let firing = &book.shown()[0];
    assert_eq!(
        (
            firing.name.as_str(),
            firing.subject.as_str(),
            firing.state,
            firing.since
        ),
        (condition::SERVICE_DOWN, "processor", AlertState::Firing, at(0))
    );
    assert!(firing.summary.contains("connection refused") && firing.runbook.contains("odd logs"));

    book.observe(&well(10));
    let resolved = &book.shown()[0];
    assert_eq!(
        (resolved.state, resolved.since, resolved.resolved_at),
        (AlertState::Resolved, at(0), Some(at(10)))
    );
    book.observe(&well(10 + 899));
    assert_eq!(book.shown().len(), 1, "shown for 15 minutes");
    book.observe(&well(10 + 900));
    assert_eq!(book.alerts(), []);
}

#[test]
fn two_bad_polls_leave_nothing_behind() {
    let mut book = AlertBook::default();
    for second in 0..30 {
        let sample = if second % 3 == 2 {
            well(second)
        } else {
            without_processor(second)
        };
        book.observe(&sample);
        assert_eq!(book.shown(), []);
    }
}

#[test]
fn an_alert_that_comes_back_starts_anew() {
    let mut book = AlertBook::default();
    (0..3).for_each(|second| book.observe(&without_processor(second)));
    book.observe(&well(3));
    book.observe(&without_processor(4));
    let again = &book.alerts()[0];
    assert_eq!((again.state, again.since), (AlertState::Pending, at(4)));
    assert_eq!(again.resolved_at, None);
}

#[test]
fn a_store_that_is_away() {
    let alerts = after(0..3, |second| {
        let mut sample = well(second);
        sample.stores[0].1 = Some("disk I/O error".to_owned());
        sample
    });
    assert_eq!(alerts.len(), 1);
    assert_eq!(
        (
            alerts[0].name.as_str(),
            alerts[0].subject.as_str(),
            alerts[0].state
        ),
        (condition::DATABASE_UNAVAILABLE, "job-store", AlertState::Firing)
    );
}

#[test]
fn failure_rate_at_its_bounds() {
    let fires = |ended, failed| {
        let alerts = after(0..3, |second| {
            let mut sample = well(second);
            sample.outcomes = Outcomes { ended, failed };
            sample
        });
        alerts
            .iter()
            .any(|alert| alert.name == condition::JOB_FAILURE_RATE_HIGH)
    };
    assert!(!fires(19, 19), "too few to tell");
    assert!(!fires(20, 1), "exactly 5 %");
    assert!(fires(20, 2));
    assert!(!fires(1_000, 50), "exactly 5 %");
    assert!(fires(1_000, 51));
    assert!(!fires(0, 0));
}

#[test]
fn a_backlog_grows_only_over_a_whole_minute_and_with_old_messages() {
    let growing = |seconds: i64, step: u64, oldest: Option<u64>| {
        let alerts = after(0..seconds, |second| {
            let mut sample = well(second);
            sample.queues = vec![depth(spine::JOBS_CREATED, 10 + step * second as u64, oldest)];
            sample
        });
        alerts.first().map(|alert| alert.state)
    };
    assert_eq!(growing(60, 1, Some(30_001)), None, "59 s are no minute");
    assert_eq!(growing(61, 1, Some(30_001)), Some(AlertState::Pending));
    assert_eq!(growing(63, 1, Some(30_001)), Some(AlertState::Firing));
    assert_eq!(growing(300, 1, Some(30_001)), Some(AlertState::Firing));
    assert_eq!(growing(300, 1, Some(30_000)), None, "the oldest is young");
    assert_eq!(
        growing(300, 1, None),
        None,
        "the age is unknown, and the growth small"
    );
    assert_eq!(growing(60, 2, None), None, "59 s are no minute");
    assert_eq!(growing(63, 2, None), Some(AlertState::Firing));
    assert_eq!(growing(300, 2, None), Some(AlertState::Firing));
    assert_eq!(growing(300, 0, Some(90_000)), None, "it does not grow");
}

#[test]
fn a_backlog_of_unknown_age_that_is_worked_off_now_and_then_is_none() {
    let alerts = after(0..300, |second| {
        let mut sample = well(second);
        // Longer and longer, but every half minute all that waited is taken.
        let ready = if second % 30 == 0 {
            0
        } else {
            1_000 + 10 * second as u64
        };
        sample.queues = vec![depth(spine::JOBS_CREATED, ready, None)];
        sample
    });
    // The samples in which the queue was empty a minute ago compare with nothing.
    assert!(
        alerts.iter().all(|alert| alert.state != AlertState::Firing),
        "{alerts:?}"
    );
}

#[test]
fn a_backlog_that_shrinks_again_is_resolved() {
    let mut book = AlertBook::default();
    for second in 0..200 {
        let mut sample = well(second);
        let ready = if second < 100 { second as u64 } else { 50 };
        sample.queues = vec![depth(spine::JOBS_EVENTS, ready, Some(40_000))];
        book.observe(&sample);
    }
    let alerts = book.shown();
    assert_eq!(alerts.len(), 1);
    assert_eq!(
        (alerts[0].state, alerts[0].subject.as_str()),
        (AlertState::Resolved, spine::JOBS_EVENTS)
    );
}

#[test]
fn other_queues_may_grow() {
    let alerts = after(0..100, |second| {
        let mut sample = well(second);
        sample.queues = vec![depth(spine::JOBS_DEAD_LETTER, second as u64, Some(90_000))];
        sample
    });
    assert_eq!(alerts, []);
}

#[test]
fn the_worst_come_first_and_every_condition_has_a_runbook() {
    let mut book = AlertBook::default();
    for second in 0..5 {
        let mut sample = well(second);
        sample.outcomes = Outcomes {
            ended: 100,
            failed: 50,
        };
        if second >= 2 {
            sample.roles[0].1 = Some("draining".to_owned());
        }
        if second == 4 {
            sample.stores[0].1 = Some("timed out".to_owned());
        }
        book.observe(&sample);
    }
    let order: Vec<_> = book
        .alerts()
        .into_iter()
        .map(|alert| (alert.name, alert.state))
        .collect();
    assert_eq!(
        order,
        [
            (condition::SERVICE_DOWN.to_owned(), AlertState::Firing),
            (condition::JOB_FAILURE_RATE_HIGH.to_owned(), AlertState::Firing),
            (condition::DATABASE_UNAVAILABLE.to_owned(), AlertState::Pending),
        ]
    );
    for name in condition::ALL {
        assert!(condition::runbook(name).is_some(), "{name} needs a runbook");
    }
}
