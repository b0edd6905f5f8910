//! How pages and events become one list.

use std::time::Duration;

use uuid::Uuid;

use super::*;
use crate::bed;

fn job(n: u128) -> JobSummary {
    JobSummary {
        id: Uuid::from_u128(n),
        job_type: "resize".to_owned(),
        status: JobStatus::Pending,
        created_at: Timestamp::from_micros(i64::try_from(n).unwrap()),
        updated_at: Timestamp::from_micros(i64::try_from(n).unwrap()),
        attempt: 0,
        max_attempts: 3,
        queued_ms: None,
        ran_ms: None,
        error: None,
    }
}

fn page(numbers: impl Iterator<Item = u128>, next: Option<&str>) -> JobPage {
    JobPage {
        jobs: numbers.map(job).collect(),
        next_cursor: next.map(str::to_owned),
    }
}

fn ids(table: &Table) -> Vec<u128> {
    table.rows.iter().map(|job| job.id.as_u128()).collect()
}

/// The answer to the first page.
fn answered(table: &mut Table, page: JobPage) {
    let asked = table.first_page(bed::now());
    table.take(&asked, page);
}

#[test]
fn the_first_page_again_keeps_what_is_older() {
    let mut table = Table::default();
    answered(&mut table, page((7..10).rev(), Some("c")));
    table.step(Step::Last);
    let further = table.next_page(bed::now()).unwrap();
    assert!(table.next_page(bed::now()).is_none(), "one at a time");
    table.take(&further, page((3..7).rev(), Some("d")));
    answered(&mut table, page((9..12).rev(), Some("e")));
    assert_eq!(ids(&table), [11, 10, 9, 8, 7, 6, 5, 4, 3]);
    assert_eq!(table.next.as_deref(), Some("d"));
    assert_eq!(
        table.chosen().unwrap().id.as_u128(),
        7,
        "the chosen job stays chosen"
    );
    answered(&mut table, page((9..12).rev(), None));
    assert_eq!(ids(&table), [11, 10, 9]);
}

/// As after the stream was away for more than a page of jobs.
#[test]
fn a_first_page_that_does_not_reach_what_was_known_leaves_no_hole() {
    let mut table = Table::default();
    answered(&mut table, page((1..4).rev(), Some("c")));
    let further = table.next_page(bed::now()).unwrap();
    // The stream is there again: what it tells of is on the new page too, and says nothing of what is between.
    assert!(table.event(&bed::event(50, EventType::Created, 0), bed::now()));
    answered(&mut table, page((48..51).rev(), Some("n")));
    assert_eq!(ids(&table), [50, 49, 48]);
    assert_eq!(table.next.as_deref(), Some("n"));
    table.take(&further, page((0..1).rev(), Some("z")));
    assert_eq!(ids(&table), [50, 49, 48], "an answer that belongs further down");
    let further = table.next_page(bed::now()).unwrap();
    assert_eq!(further.cursor.as_deref(), Some("n"));
    table.take(&further, page((2..48).rev(), Some("o")));
    assert_eq!(table.len(), 49);
}

#[test]
fn events_move_rows_and_add_them_in_front() {
    let mut table = Table::default();
    answered(&mut table, page((1..9).rev(), None));
    let event =
        |table: &mut Table, job, what, sequence| table.event(&bed::event(job, what, sequence), bed::now());
    table.step(Step::Rows(4));
    let line = table.visible(3).1;
    assert_eq!((line, table.first), (2, 2));
    assert!(event(&mut table, 20, EventType::Created, 0));
    assert_eq!(ids(&table)[0], 20);
    let line = table.visible(3).1;
    assert_eq!((line, table.first), (2, 3), "the same rows are seen");
    assert!(event(&mut table, 4, EventType::Completed, 13));
    let row = &table.rows[table.index(Uuid::from_u128(4)).unwrap()];
    assert_eq!((row.status, row.attempt), (JobStatus::Completed, 1));
    assert!(!event(&mut table, 4, EventType::Executed, 11), "an end is an end");
    assert!(!event(&mut table, 99, EventType::Executed, 11));
}

#[test]
fn a_filter_keeps_others_out() {
    let mut table = Table::default();
    table.want(Filter::parse("status:failed").unwrap());
    let all = Table::default().first_page(bed::now());
    table.take(&all, page(1..3, None));
    assert_eq!(table.len(), 0, "an answer to another question");
    answered(&mut table, page(1..3, None));
    assert!(!table.event(&bed::event(20, EventType::Created, 0), bed::now()));
    assert_eq!(table.len(), 2);
}

#[test]
fn the_last_five_minutes_move_with_the_clock() {
    let mut table = Table::default();
    table.want(Filter::parse("since:5m").unwrap());
    let asked = table.first_page(bed::now());
    assert_eq!(asked.since, Some(bed::ago(300)));
    let jobs = [10, 100, 290].map(|seconds| JobSummary {
        created_at: bed::ago(seconds),
        ..job(u128::from(seconds))
    });
    let told = JobPage {
        jobs: jobs.into(),
        next_cursor: Some("c".to_owned()),
    };
    table.take(&asked, told);
    let later = bed::now().plus(Duration::from_secs(60));
    table.age(later);
    assert_eq!(ids(&table), [10, 100]);
    assert!(!table.has_more(), "what comes after it is older still");
    assert_eq!(
        table.first_page(later).since,
        Some(later.minus(Duration::from_secs(300)))
    );
    let much_later = later.plus(Duration::from_secs(300));
    assert!(!table.event(&bed::event(20, EventType::Created, 0), much_later));
    table.age(much_later);
    assert_eq!(table.len(), 0);
}

#[test]
fn rows_are_bounded() {
    let mut table = Table::default();
    answered(&mut table, page((1..3).rev(), None));
    for n in 0..u128::try_from(MOST).unwrap() {
        table.event(&bed::event(100 + n, EventType::Created, 0), bed::now());
    }
    assert_eq!((table.len(), table.places.len()), (MOST, MOST));
    table.step(Step::Last);
    assert_eq!(table.row(), MOST - 1);
}
