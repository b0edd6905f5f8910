use super::*;
use uuid::Uuid;

const DONE: [u32; 4] = [0, 1, 11, 13];

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn id(n: u128) -> JobId {
    Uuid::from_u128(n)
}

fn job(n: u128, status: JobStatus, due: Option<i64>, sequences: &[u32]) -> ExportedJob {
    ExportedJob {
        id: id(n),
        status,
        submitted_at: at(10),
        updated_at: at(11),
        due_at: due.map(at),
        sequences: sequences.to_vec(),
    }
}

fn history(n: u128, sequences: &[u32]) -> ExportedHistory {
    ExportedHistory {
        id: id(n),
        created_at: (sequences.first() == Some(&0)).then(|| at(10)),
        sequences: sequences.to_vec(),
    }
}

fn counters(entries: &[(JobStatus, u64)]) -> Counters {
    Counters {
        total: entries.iter().map(|(_, count)| count).sum(),
        by_status: entries.iter().copied().collect(),
        ..Default::default()
    }
}

fn verify(jobs: &[ExportedJob], log: &[ExportedHistory], ledger: &[u128], counters: &Counters) -> Verdict {
    verify_while(OnTheirWay::default(), jobs, log, ledger, counters)
}

fn verify_while(
    on_their_way: OnTheirWay,
    jobs: &[ExportedJob],
    log: &[ExportedHistory],
    ledger: &[u128],
    counters: &Counters,
) -> Verdict {
    let jobs: Jobs = jobs.iter().map(|job| (job.id, job.clone())).collect();
    let ledger = ledger.iter().map(|n| id(*n)).collect();
    let mut reconciliation = Reconciliation::new(&jobs, ledger, on_their_way, at(100), at(200), None);
    for history in log {
        reconciliation.history(history);
    }
    reconciliation.finish(counters)
}

#[test]
fn a_clean_system_is_clean() {
    let done = counters(&[(JobStatus::Completed, 1)]);
    let verdict = verify(
        &[job(1, JobStatus::Completed, None, &DONE)],
        &[history(1, &DONE)],
        &[1],
        &done,
    );
    assert!(verdict.is_settled(), "{verdict:?}");
    assert_eq!((verdict.accepted, verdict.terminal), (1, 1));
}

#[test]
fn lost_jobs_are_found_by_log_and_by_ledger() {
    let verdict = verify(
        &[],
        &[history(1, &[0])],
        &[2],
        &counters(&[(JobStatus::Pending, 1)]),
    );
    assert_eq!((verdict.accepted, verdict.lost.count), (2, 2));
    assert_eq!(verdict.lost.listed[1].id, Some(id(2)));
}

#[test]
fn events_that_are_queued_are_not_missing_yet() {
    let on_their_way = |events| OnTheirWay { jobs: 0, events };
    let jobs = [
        job(1, JobStatus::Completed, None, &DONE),
        job(2, JobStatus::Completed, None, &DONE),
    ];
    let log = [history(1, &[0]), history(2, &[0])];
    let counted = counters(&[(JobStatus::Pending, 2)]);
    let verdict = verify_while(on_their_way(6), &jobs, &log, &[], &counted);
    assert!(verdict.is_ok() && !verdict.is_settled(), "{verdict:?}");
    assert_eq!((verdict.in_flight, verdict.counters_compared), (2, false));

    let verdict = verify_while(on_their_way(5), &jobs, &log, &[], &counted);
    assert_eq!((verdict.in_flight, verdict.drifted.count), (1, 1), "{verdict:?}");
}

#[test]
fn stuck_is_overdue_or_owed_by_nobody() {
    let jobs = [
        job(1, JobStatus::Executing, Some(130), &[0, 1]),
        job(2, JobStatus::Executing, None, &[0, 1]),
        job(3, JobStatus::Executing, Some(150), &[0, 1]),
        job(4, JobStatus::Scheduled, Some(9_000), &[0, 1, 2]),
    ];
    let verdict = verify(&jobs, &[], &[], &counters(&[]));
    assert_eq!((verdict.stuck.count, verdict.in_flight), (2, 2));
    assert!(!verdict.counters_compared);
}

#[test]
fn a_second_end_and_a_repeated_event_are_duplicates() {
    let jobs = [
        job(1, JobStatus::Completed, None, &DONE),
        job(2, JobStatus::Completed, None, &DONE),
    ];
    let log = [history(1, &[0, 1, 11, 13, 14]), history(2, &[0, 1, 11, 13, 13])];
    let verdict = verify(
        &jobs,
        &log,
        &[],
        &counters(&[(JobStatus::Failed, 1), (JobStatus::Completed, 1)]),
    );
    // The repeated COMPLETED is both an event recorded twice and a second end.
    assert_eq!(verdict.duplicated.count, 3, "{verdict:?}");
    assert_eq!(verdict.drifted.count, 1, "FAILED is not implied");
}

#[test]
fn missing_events_and_wrong_counters_are_drift() {
    let jobs = [
        job(1, JobStatus::Completed, None, &DONE),
        job(2, JobStatus::Completed, None, &DONE),
    ];
    let verdict = verify(
        &jobs,
        &[history(1, &[0, 1, 13])],
        &[],
        &counters(&[(JobStatus::Completed, 9)]),
    );
    let details: Vec<_> = verdict
        .drifted
        .listed
        .iter()
        .map(|finding| finding.detail.as_str())
        .collect();
    assert_eq!(verdict.drifted.count, 4, "{details:?}");
    assert!(details[0].contains("EXECUTING of attempt 1"), "{details:?}");
}

#[test]
fn poison_is_no_accepted_job_and_later_jobs_are_left_out() {
    let mut later = job(2, JobStatus::Executing, None, &[0, 1]);
    later.submitted_at = at(150);
    let poison = job(1, JobStatus::Failed, None, &[4]);
    let verdict = verify(
        &[poison, later],
        &[history(1, &[4])],
        &[],
        &counters(&[(JobStatus::Failed, 1)]),
    );
    assert!(verdict.is_ok(), "{verdict:?}");
    assert_eq!(verdict.accepted, 0);
    assert!(!verdict.counters_compared);
}

#[test]
fn queued_work_is_on_its_way_and_not_lost() {
    let jobs = Jobs::new();
    let queued = OnTheirWay { jobs: 1, events: 0 };
    let mut reconciliation = Reconciliation::new(&jobs, [id(2)].into(), queued, at(100), at(200), None);
    reconciliation.history(&history(1, &[0]));
    let verdict = reconciliation.finish(&counters(&[(JobStatus::Pending, 1)]));
    assert_eq!(
        (verdict.accepted, verdict.in_flight, verdict.lost.count),
        (2, 1, 1)
    );
    assert!(!verdict.is_settled());
}

#[test]
fn waiting_for_a_slot_is_not_stuck_while_slots_are_taken() {
    let waiting = job(1, JobStatus::Validated, Some(100), &[0, 1]);
    let running = job(2, JobStatus::Executing, Some(220), &[0, 1]);
    let verdict = verify(&[waiting.clone(), running], &[], &[], &counters(&[]));
    assert_eq!((verdict.stuck.count, verdict.in_flight), (0, 2));
    let verdict = verify(&[waiting], &[], &[], &counters(&[]));
    assert_eq!(verdict.stuck.count, 1);
}

#[test]
fn an_end_whose_events_are_owed_is_in_flight_until_overdue() {
    let of = |due| {
        verify(
            &[job(1, JobStatus::Completed, Some(due), &DONE)],
            &[history(1, &[0])],
            &[],
            &counters(&[(JobStatus::Pending, 1)]),
        )
    };
    assert_eq!((of(220).in_flight, of(220).drifted.count), (1, 0));
    assert_eq!((of(130).stuck.count, of(130).drifted.count), (1, 0));
}

/// Of a log that keeps events for an hour, and jobs submitted just outside (1) and inside (2) of what is checked.
fn verify_within_an_hour(log: &[ExportedHistory], due: Option<i64>, ledger: &[u128]) -> Verdict {
    let now = at(10_000);
    let kept = Duration::from_secs(3_600);
    let edge = now.minus(kept).plus(MARGIN);
    let (mut old, mut new) = (
        job(1, JobStatus::Completed, due, &DONE),
        job(2, JobStatus::Completed, None, &DONE),
    );
    (old.submitted_at, new.submitted_at) = (edge.minus(Duration::from_micros(1)), edge);
    let jobs: Jobs = [(id(1), old), (id(2), new)].into();
    let ledger = ledger.iter().map(|n| id(*n)).collect();
    let mut reconciliation = Reconciliation::new(&jobs, ledger, OnTheirWay::default(), now, now, Some(kept));
    for history in log {
        reconciliation.history(history);
    }
    let verdict = reconciliation.finish(&counters(&[(JobStatus::Completed, 2)]));
    assert_eq!(verdict.checked_since, Some(edge));
    verdict
}

#[test]
fn what_the_log_has_deleted_is_not_missed() {
    for log in [
        vec![history(2, &DONE)],
        vec![history(1, &[11, 13]), history(2, &DONE)],
        vec![history(1, &DONE), history(2, &DONE)],
    ] {
        let verdict = verify_within_an_hour(&log, None, &[1, 2]);
        assert!(verdict.is_settled(), "{verdict:?}");
        assert_eq!((verdict.accepted, verdict.terminal, verdict.expired), (2, 2, 1));
        assert!(!verdict.counters_compared);
    }
}

#[test]
fn what_a_log_still_keeps_is_checked_as_ever() {
    let verdict = verify_within_an_hour(&[history(2, &[0, 1, 11])], None, &[]);
    assert_eq!(verdict.drifted.count, 1, "{verdict:?}");
    assert_eq!(verdict.drifted.listed[0].id, Some(id(2)));
}

#[test]
fn of_an_old_job_everything_is_checked_that_can_be() {
    // Ended twice, and lost.
    let log = [history(1, &[13, 14]), history(2, &DONE)];
    let verdict = verify_within_an_hour(&log, None, &[3]);
    let counts = (
        verdict.duplicated.count,
        verdict.drifted.count,
        verdict.lost.count,
    );
    assert_eq!(counts, (1, 1, 1), "{verdict:?}");
    // Its events are still owed, in time or overdue.
    let owed = |due| verify_within_an_hour(&[history(2, &DONE)], Some(due), &[]);
    assert_eq!((owed(10_020).in_flight, owed(10_020).stuck.count), (1, 0));
    assert_eq!((owed(9_900).in_flight, owed(9_900).stuck.count), (0, 1));
}

#[test]
fn counters_are_compared_while_nothing_can_have_been_deleted() {
    let jobs: Jobs = [(id(1), job(1, JobStatus::Completed, None, &DONE))].into();
    let (now, kept) = (at(10_000), MARGIN + Duration::from_secs(9_990));
    let mut reconciliation = Reconciliation::new(
        &jobs,
        BTreeSet::new(),
        OnTheirWay::default(),
        now,
        now,
        Some(kept),
    );
    reconciliation.history(&history(1, &DONE));
    let verdict = reconciliation.finish(&counters(&[(JobStatus::Completed, 9)]));
    assert!(verdict.counters_compared);
    assert_eq!((verdict.expired, verdict.drifted.count), (0, 2));
}

#[test]
fn what_a_role_that_is_not_ready_has_not_recorded_is_no_verdict() {
    let mut drifted = Findings::default();
    drifted.add(None, "the event log lacks VALIDATED");
    let mut verdict = Verdict {
        drifted,
        ..Verdict::default()
    };
    assert_eq!(verdict.doubt(), None, "every role was ready");
    verdict.unready = vec![Role::MetricsEngine];
    assert_eq!(verdict.doubt(), Some(&[Role::MetricsEngine][..]));
    verdict.duplicated.add(None, "it ended 2 times");
    assert_eq!(verdict.doubt(), None, "that cannot be mended by waiting");
    let settled = Verdict {
        unready: vec![Role::MetricsEngine],
        ..Verdict::default()
    };
    assert_eq!(settled.doubt(), None, "nothing was found");
}
