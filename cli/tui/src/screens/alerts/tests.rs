//! How alerts are listed, explained, and remembered.

use odd_contracts::Severity;
use odd_contracts::api::{AlertHistory, AlertList, AlertSource, HealthState};

use super::*;
use crate::bed::{self, SIZES, ago, drawn, press, press_key};
use crate::effect::Feed;

fn told(alerts: Vec<Alert>, source: Option<AlertSource>) -> World {
    let mut world = bed::world();
    world.take(Feed::Alerts(Ok(AlertList {
        source: "native".to_owned(),
        alerts,
        omitted: 0,
        alert_source: source,
    })));
    world
}

fn three() -> Vec<Alert> {
    let over = Alert {
        state: AlertState::Resolved,
        subject: "jobs.created".to_owned(),
        name: "QueueBacklogGrowing".to_owned(),
        since: ago(600),
        resolved_at: Some(ago(480)),
        ..bed::alert()
    };
    let worst = Alert {
        name: "DatabaseUnavailable".to_owned(),
        severity: Severity::Critical,
        subject: "postgres".to_owned(),
        summary: "the job store does not answer: connection refused".to_owned(),
        runbook_url: Some("https://example.org/runbooks#databaseunavailable".to_owned()),
        since: ago(30),
        ..bed::alert()
    };
    vec![over, bed::alert(), worst]
}

fn manager(state: HealthState) -> AlertSource {
    AlertSource {
        name: "alertmanager".to_owned(),
        state,
        checked_at: Some(ago(95)),
        detail: Some("http://alertmanager:9093 does not answer".to_owned()),
    }
}

#[test]
fn the_worst_comes_first_with_what_to_do() {
    for size in SIZES {
        let world = told(three(), None);
        let picture = drawn(&mut Alerts::new(), &world, size);
        insta::assert_snapshot!(format!("alerts_{}", size.0), picture);
    }
}

#[test]
fn none_is_said_with_what_it_means() {
    let picture = drawn(&mut Alerts::new(), &told(Vec::new(), None), (80, 24));
    insta::assert_snapshot!("alerts_none", picture);
}

#[test]
fn a_source_that_is_away_is_told() {
    let world = told(three(), Some(manager(HealthState::Down)));
    let picture = drawn(&mut Alerts::new(), &world, (120, 40));
    insta::assert_snapshot!("alerts_source_away", picture);
    let picture = drawn(&mut Alerts::new(), &bed::away(12), (80, 24));
    insta::assert_snapshot!("alerts_away", picture);
    let mut nothing = bed::empty();
    assert!(drawn(&mut Alerts::new(), &nothing, (80, 24)).contains("asking for the alerts"));
    nothing.take(Feed::Alerts(Err(Failure {
        text: "connection refused".to_owned(),
        not_found: false,
    })));
    assert!(drawn(&mut Alerts::new(), &nothing, (80, 24)).contains("never told: connection refused"));
}

#[test]
fn the_history_is_asked_for_and_shown() {
    let (mut screen, mut world) = (Alerts::new(), told(Vec::new(), None));
    assert!(matches!(
        screen.opened(&world)[..],
        [Effect::Ask(Ask::AlertHistory)]
    ));
    press_key(&mut screen, &world, KeyCode::Tab);
    assert!(drawn(&mut screen, &world, (80, 24)).contains("asking for the alerts"));
    let answer = Answer::AlertHistory(AlertHistory { alerts: three() });
    screen.reply(&Reply::Answer(Ask::AlertHistory, Ok(answer)), &world);
    let picture = drawn(&mut screen, &world, (80, 24));
    insta::assert_snapshot!("alerts_history", picture);
    assert!(screen.tick(&world).is_empty());
    world.now = world.now.plus(OFTEN);
    assert!(matches!(
        screen.tick(&world)[..],
        [Effect::Ask(Ask::AlertHistory)]
    ));
}

#[test]
fn a_runbook_opens_where_there_is_one() {
    let (mut screen, world) = (Alerts::new(), told(three(), None));
    assert!(
        matches!(&press(&mut screen, &world, 'o')[..], [Effect::Browse { url, .. }] if url.starts_with("https://example.org"))
    );
    press(&mut screen, &world, 'j');
    assert!(press(&mut screen, &world, 'o').is_empty());
    assert!(!screen.hints(&world).contains(&hint("o", "runbook")));
    press(&mut screen, &world, 'j');
    assert_eq!(screen.chosen(&world).unwrap().state, AlertState::Resolved);
}

#[test]
fn what_an_alert_says_does_not_steer_the_terminal() {
    let mut alert = bed::alert();
    alert.summary = "\u{1b}[2J".repeat(300);
    alert.subject = "\u{202e}x".to_owned();
    let picture = drawn(&mut Alerts::new(), &told(vec![alert], None), (80, 24));
    assert!(!picture.contains(['\u{1b}', '\u{202e}']));
}
