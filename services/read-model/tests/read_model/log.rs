//! The event log and dead letters.

use odd_contracts::api::{DeadLetter, DeadLetterPage, EventPage};
use odd_contracts::names::spine::reason;
use odd_contracts::{EventType, JobStatus, ProblemCode};
use odd_spine::Queue;
use odd_spine::dead_letter::{self, DeadLetterRequest};
use uuid::Uuid;

use crate::support::{System, created, job, producer};

#[tokio::test]
async fn events_page_newest_first_and_filter() {
    let system = System::start().await;
    let one = system.seed(job("hello"), JobStatus::Completed).await;
    let other = system.seed(job("hello"), JobStatus::Failed).await;
    let (mut all, mut path) = (Vec::new(), "/events?limit=3".to_owned());
    loop {
        let page: EventPage = system.get(&path).await;
        all.extend(page.events);
        let Some(cursor) = page.next_cursor else { break };
        path = format!("/events?limit=3&cursor={cursor}");
    }
    let mut recorded = [one.events(), other.events()].concat();
    recorded.reverse();
    assert_eq!(all, recorded);

    let of_one: EventPage = system.get(&format!("/events?jobId={}", one.id())).await;
    assert_eq!(of_one.events.len(), one.events().len());
    let ends: EventPage = system.get("/events?type=job.completed,job.failed").await;
    assert_eq!(ends.events.len(), 2);
    let none: EventPage = system.get("/events?correlationId=c-2").await;
    assert_eq!(none.events, []);
    system.stop().await;
}

#[tokio::test]
async fn a_follower_sees_what_comes_oldest_first() {
    let system = System::start().await;
    let empty: EventPage = system.get("/events").await;
    assert_eq!((empty.events, empty.follow_cursor), (Vec::new(), None));

    let first = system.seed(job("hello"), JobStatus::Completed).await.events();
    let beginning: EventPage = system.get("/events?after=&limit=2").await;
    assert_eq!(beginning.events, first[..2]);
    let rest: EventPage = follow(&system, &beginning).await;
    assert_eq!(rest.events, first[2..]);
    let nothing: EventPage = follow(&system, &rest).await;
    assert_eq!(
        (nothing.events.len(), &nothing.follow_cursor),
        (0, &rest.follow_cursor)
    );

    // From the present on, also where nothing fits the filter yet.
    let filtered: EventPage = system.get("/events?type=job.failed").await;
    let second = system.seed(job("hello"), JobStatus::Failed).await.events();
    let later: EventPage = follow(&system, &filtered).await;
    assert_eq!(later.events, second);
    system.stop().await;
}

async fn follow(system: &System, page: &EventPage) -> EventPage {
    let after = page.follow_cursor.as_deref().unwrap();
    system.get(&format!("/events?after={after}")).await
}

#[tokio::test]
async fn dead_letters_come_from_their_events() {
    let system = System::start().await;
    let request = |bytes: &'static [u8]| DeadLetterRequest {
        bytes: bytes.into(),
        headers: [("x-from".to_owned(), "a test".to_owned())].into(),
        content_type: Some("text/plain".to_owned()),
        queue: Queue::Work,
        reason: reason::NOT_JSON,
        detail: "expected value at line 1 column 1".to_owned(),
        job_id: None,
    };
    let letters = [request(b"one"), request(b"\xff\xfe"), request(b"three")];
    let ids: Vec<Uuid> = letters.iter().map(DeadLetterRequest::id).collect();
    let spine = system.ports.spine.as_ref();
    for letter in letters {
        dead_letter::put_aside(spine, &producer("processor"), vec![letter])
            .await
            .unwrap();
    }
    system.record_published(3).await;
    system.record(&[created(&job("hello"))]).await;

    let first: DeadLetterPage = system.get("/dead-letters?limit=2").await;
    let path = format!("/dead-letters?cursor={}", first.next_cursor.unwrap());
    let second: DeadLetterPage = system.get(&path).await;
    let shown: Vec<Uuid> = first
        .dead_letters
        .iter()
        .chain(&second.dead_letters)
        .map(|letter| letter.id)
        .collect();
    assert_eq!(shown, [ids[2], ids[1], ids[0]]);
    assert_eq!(second.next_cursor, None);

    let letter: DeadLetter = system.get(&format!("/dead-letters/{}", ids[0])).await;
    assert_eq!((letter.reason.as_str(), letter.size), (reason::NOT_JSON, 3));
    assert_eq!(letter.body_text.as_deref(), Some("one"));
    assert_eq!(letter.headers["x-from"], "a test");
    let missing = system.problem(&format!("/dead-letters/{}", Uuid::new_v4())).await;
    assert_eq!(missing.code, ProblemCode::NotFound);

    let events: EventPage = system.get("/events?type=job.dead_lettered").await;
    assert!(
        events
            .events
            .iter()
            .all(|event| event.event_type == EventType::DeadLettered)
    );
    assert_eq!(events.events.len(), 3);
    system.stop().await;
}
