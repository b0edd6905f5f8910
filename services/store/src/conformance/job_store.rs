//! The suite that every job store passes. Each function is one property, run on an empty store.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use odd_contracts::{AttemptOutcome, EventType, Job, JobId, JobStatus, Producer, Timestamp, history};
use uuid::Uuid;

use crate::job_store::{
    CancelOutcome, CancelRequest, Claim, ClaimToken, Claimed, Commit, Committed, Due, JobCursor, JobFilter,
    JobStore, MAX_LOST_TAKES, Poison, Renewal, Taken, Work, WorkMode,
};

pub(crate) type Store = Arc<dyn JobStore>;

pub(crate) const LONG: Duration = Duration::from_secs(60);

/// Generates one test per property. `$open` is an async expression that yields an empty store and
/// whatever must outlive it.
#[macro_export]
macro_rules! job_store_conformance {
    ($open:expr) => {
        $crate::job_store_conformance!(@each $open;
            a_new_job_runs_once, a_finished_job_is_final, another_payload_is_a_conflict, an_ended_job_returns_its_history,
            a_replaced_claim_commits_nothing, two_claimers_never_overlap, a_scheduled_job_waits, a_retry_counts_attempts,
            a_lost_attempt_keeps_its_number, too_many_losses_fail_the_job, parking_moves_the_promise_to_the_row,
            a_parked_delivery_is_due_at_once, cancel_in_every_state, poison_fails_only_what_is_unknown,
            renewal_tells_the_truth, released_jobs_are_due_at_once, lists_filter_and_page, export_is_ordered_and_complete,
            a_batch_keeps_its_order, a_batch_may_hold_two_takings_of_a_job, ended_jobs_can_be_claimed_alone, texts_survive,
            a_waiting_job_has_no_holder, a_running_job_is_not_settled, the_longest_due_come_first, far_instants_are_kept,
            nothing_comes_of_nothing, what_is_asked_twice_is_done_once, filters_combine);
    };
    (@each $open:expr; $($name:ident),+) => {
        $(#[tokio::test]
        async fn $name() {
            let (store, _guard) = $open.await;
            $crate::conformance::job_store::$name(store).await;
        })+
    };
}

pub(crate) fn producer(service: &str) -> Producer {
    Producer {
        service: service.to_owned(),
        instance_id: "conformance-1".to_owned(),
        version: "0.0.0".to_owned(),
    }
}

pub(crate) fn claim(lease: Duration) -> Claim {
    Claim {
        token: ClaimToken::fresh(),
        by: producer("processor"),
        lease,
    }
}

pub(crate) fn job(id: JobId) -> Job {
    Job {
        id,
        job_type: "hello".parse().expect("a valid type"),
        status: JobStatus::Pending,
        created_at: Timestamp::now(),
        updated_at: None,
        payload: Default::default(),
        metadata: Default::default(),
        options: Default::default(),
        retry_of: None,
    }
}

pub(crate) fn work_of(job: Job) -> Work {
    Work {
        digest: job.digest(),
        submitted_at: job.created_at,
        submitted_by: producer("gateway"),
        correlation_id: "correlation".to_owned(),
        traceparent: None,
        scheduled_for: None,
        mode: WorkMode::Run,
        job,
    }
}

pub(crate) fn work(id: JobId) -> Work {
    work_of(job(id))
}

pub(crate) async fn take_one(store: &Store, work: Work, claim: &Claim) -> Taken {
    store.take([work].into(), claim).await.expect("take").remove(0)
}

/// Takes a new job and returns it running.
pub(crate) async fn run(store: &Store, id: JobId, lease: Duration) -> Claimed {
    match take_one(store, work(id), &claim(lease)).await {
        Taken::Run(claimed) => *claimed,
        other => panic!("expected a job to run, got {other:?}"),
    }
}

/// The state that ends the open attempt.
pub(crate) fn conclude(claimed: &Claimed, status: JobStatus, outcome: AttemptOutcome, due: Due) -> Commit {
    let now = Timestamp::now();
    let mut record = claimed.record.clone();
    let mut attempts = claimed.attempts.clone();
    record.job.status = status;
    record.job.updated_at = Some(now);
    record.finished_at = status.is_terminal().then_some(now);
    if let Some(last) = attempts.last_mut() {
        last.finished_at = Some(now);
        last.outcome = Some(outcome);
        if status == JobStatus::Retrying {
            last.retry_at = Some(now);
        }
    }
    Commit {
        record,
        attempts,
        token: claimed.token,
        due,
    }
}

pub(crate) fn completed(claimed: &Claimed) -> Commit {
    conclude(
        claimed,
        JobStatus::Completed,
        AttemptOutcome::Succeeded,
        Due::Ended(LONG),
    )
}

pub(crate) async fn commit(store: &Store, commit: Commit) -> Committed {
    store.commit([commit].into()).await.expect("commit")[0]
}

pub(crate) async fn due(store: &Store) -> Vec<Claimed> {
    store.claim_due(&claim(LONG), 1_000).await.expect("claim")
}

pub(crate) async fn status(store: &Store, id: JobId) -> JobStatus {
    store
        .get(id)
        .await
        .expect("get")
        .expect("the job is stored")
        .record
        .job
        .status
}

/// A job is handed out once, with its first attempt open; a second message finds it owed.
pub async fn a_new_job_runs_once(store: Store) {
    let id = Uuid::new_v4();
    let claimed = run(&store, id, LONG).await;
    assert_eq!(
        (claimed.record.attempt, claimed.record.takes, claimed.backed),
        (1, 1, true)
    );
    assert_eq!(claimed.attempts.len(), 1);
    assert!(matches!(
        take_one(&store, work(id), &claim(LONG)).await,
        Taken::Owed
    ));
    assert!(due(&store).await.is_empty(), "a job in hand is not due");
    let stored = store.get(id).await.unwrap().unwrap();
    assert_eq!(stored.record, claimed.record);
    assert_eq!(stored.attempts, claimed.attempts);
    // The second message was acknowledged against the row: it is unbacked now.
    assert_eq!(commit(&store, completed(&claimed)).await, Committed::Unbacked);
}

/// A terminal state is never left, not even by its own holder.
pub async fn a_finished_job_is_final(store: Store) {
    let id = Uuid::new_v4();
    let claimed = run(&store, id, LONG).await;
    assert_eq!(commit(&store, completed(&claimed)).await, Committed::Backed);
    let failed = conclude(
        &claimed,
        JobStatus::Failed,
        AttemptOutcome::Failed,
        Due::Ended(LONG),
    );
    assert_eq!(commit(&store, failed).await, Committed::Discarded);
    assert_eq!(status(&store, id).await, JobStatus::Completed);
    assert_eq!(
        store.get(id).await.unwrap().unwrap().due_at,
        None,
        "nobody owes a finished, backed job anything"
    );
}

/// The first payload stored under an id wins.
pub async fn another_payload_is_a_conflict(store: Store) {
    let id = Uuid::new_v4();
    run(&store, id, LONG).await;
    let mut other = job(id);
    other.payload.insert("n".to_owned(), 1.into());
    assert!(matches!(
        take_one(&store, work_of(other), &claim(LONG)).await,
        Taken::Conflict
    ));
    assert_eq!(status(&store, id).await, JobStatus::Executing);
}

/// A message that comes again after the end finds the whole history to publish again.
pub async fn an_ended_job_returns_its_history(store: Store) {
    let id = Uuid::new_v4();
    let claimed = run(&store, id, LONG).await;
    let commit_of = completed(&claimed);
    let expected = history::events(&commit_of.record, &commit_of.attempts);
    commit(&store, commit_of).await;
    let Taken::Ended(again) = take_one(&store, work(id), &claim(LONG)).await else {
        panic!("it ended")
    };
    assert_eq!(
        history::events(&again.record, &again.attempts),
        expected,
        "to the byte"
    );
}

/// The late result of a replaced processor is discarded.
pub async fn a_replaced_claim_commits_nothing(store: Store) {
    let id = Uuid::new_v4();
    let first = run(&store, id, Duration::ZERO).await;
    let second = due(&store).await.remove(0);
    assert_eq!(commit(&store, completed(&first)).await, Committed::Discarded);
    assert_eq!(status(&store, id).await, JobStatus::Executing);
    assert_eq!(commit(&store, completed(&second)).await, Committed::Unbacked);
    assert_eq!(status(&store, id).await, JobStatus::Completed);
}

/// Due jobs go to one claimer each, whoever asks at the same time.
pub async fn two_claimers_never_overlap(store: Store) {
    let ids: HashSet<Uuid> = (0..300).map(|_| Uuid::new_v4()).collect();
    let work = ids.iter().map(|id| work(*id)).collect();
    store.take(work, &claim(Duration::ZERO)).await.unwrap();
    let claimers = (0..3).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut mine = Vec::new();
            loop {
                let got = store.claim_due(&claim(LONG), 7).await.unwrap();
                if got.is_empty() {
                    return mine;
                }
                mine.extend(got.into_iter().map(|claimed| claimed.record.job.id));
            }
        })
    });
    let mut all = Vec::new();
    for claimer in claimers.collect::<Vec<_>>() {
        all.extend(claimer.await.unwrap());
    }
    assert_eq!(all.len(), ids.len());
    assert_eq!(all.into_iter().collect::<HashSet<_>>(), ids);
}

/// A job that was asked to wait is not run before its time, and then it is.
pub async fn a_scheduled_job_waits(store: Store) {
    let id = Uuid::new_v4();
    let mut later = work(id);
    later.scheduled_for = Some(Timestamp::now().plus(Duration::from_millis(300)));
    let Taken::Waiting(claimed) = take_one(&store, later.clone(), &claim(LONG)).await else {
        panic!("it waits")
    };
    assert_eq!(claimed.record.job.status, JobStatus::Scheduled);
    assert!(due(&store).await.is_empty());
    assert!(
        matches!(take_one(&store, later, &claim(LONG)).await, Taken::Waiting(_)),
        "a repeated message publishes"
    );
    let wait = store.next_due().await.unwrap().expect("something is due");
    assert!(wait <= Duration::from_millis(300));
    let ran = loop {
        match due(&store).await.pop() {
            Some(claimed) => break claimed,
            None => tokio::time::sleep(store.next_due().await.unwrap().unwrap_or_default()).await,
        }
    };
    assert!(
        Timestamp::now() >= ran.record.scheduled_for.unwrap(),
        "not before its time"
    );
    assert_eq!(
        (ran.record.job.status, ran.record.attempt),
        (JobStatus::Executing, 1)
    );
    let implied = history::events(&ran.record, &ran.attempts);
    assert!(
        implied
            .iter()
            .any(|event| event.event_type == EventType::Scheduled)
    );
}

/// A retry starts the next attempt; the history keeps the one before.
pub async fn a_retry_counts_attempts(store: Store) {
    let id = Uuid::new_v4();
    let first = run(&store, id, LONG).await;
    let retry = conclude(
        &first,
        JobStatus::Retrying,
        AttemptOutcome::Failed,
        Due::In(Duration::ZERO),
    );
    assert_eq!(commit(&store, retry).await, Committed::Unbacked);
    let second = due(&store).await.remove(0);
    assert_eq!((second.record.attempt, second.record.takes), (2, 2));
    let outcomes: Vec<_> = second.attempts.iter().map(|attempt| attempt.outcome).collect();
    assert_eq!(outcomes, [Some(AttemptOutcome::Failed), None]);
}

/// A processor that is lost uses up no attempt.
pub async fn a_lost_attempt_keeps_its_number(store: Store) {
    let id = Uuid::new_v4();
    run(&store, id, Duration::ZERO).await;
    // By its message, redelivered …
    let Taken::Run(second) = take_one(&store, work(id), &claim(Duration::ZERO)).await else {
        panic!("overdue")
    };
    assert_eq!(
        (second.record.attempt, second.record.takes, second.backed),
        (1, 2, true)
    );
    // … or by its lease.
    let third = due(&store).await.remove(0);
    assert_eq!(
        (third.record.attempt, third.record.takes, third.backed),
        (1, 3, false)
    );
    let outcomes: Vec<_> = third.attempts.iter().map(|attempt| attempt.outcome).collect();
    assert_eq!(
        outcomes,
        [Some(AttemptOutcome::Lost), Some(AttemptOutcome::Lost), None]
    );
}

/// A job that kills its processors is not taken for ever.
pub async fn too_many_losses_fail_the_job(store: Store) {
    let id = Uuid::new_v4();
    run(&store, id, Duration::ZERO).await;
    for _ in 0..MAX_LOST_TAKES {
        let taken = store.claim_due(&claim(Duration::ZERO), 10).await.unwrap();
        assert_eq!(taken[0].record.job.status, JobStatus::Executing);
    }
    let ended = due(&store).await.remove(0);
    assert_eq!(ended.record.job.status, JobStatus::Failed);
    assert!(ended.record.error.as_deref().unwrap_or_default().contains("lost"));
    store.settle(&[(id, ended.token)]).await.unwrap();
    assert_eq!(store.next_due().await.unwrap(), None);
}

/// Once parked, the row stands for the job's events until it is settled.
pub async fn parking_moves_the_promise_to_the_row(store: Store) {
    let id = Uuid::new_v4();
    let claimed = run(&store, id, LONG).await;
    assert_eq!(store.park(&[(id, claimed.token)]).await.unwrap(), [true]);
    let mut ending = completed(&claimed);
    ending.due = Due::Ended(Duration::ZERO);
    assert_eq!(commit(&store, ending).await, Committed::Unbacked);
    assert_eq!(
        store.park(&[(id, claimed.token)]).await.unwrap(),
        [false],
        "nothing is left to park"
    );
    let again = due(&store).await.remove(0);
    assert_eq!(
        again.record.job.status,
        JobStatus::Completed,
        "unconfirmed events are published again"
    );
    store.settle(&[(id, claimed.token)]).await.unwrap();
    assert!(
        store.get(id).await.unwrap().unwrap().due_at.is_some(),
        "an old token settles nothing"
    );
    store.settle(&[(id, again.token)]).await.unwrap();
    assert_eq!(store.get(id).await.unwrap().unwrap().due_at, None);
}

/// A message that finds no free slot leaves a row that is due at once.
pub async fn a_parked_delivery_is_due_at_once(store: Store) {
    let id = Uuid::new_v4();
    let mut parked = work(id);
    parked.mode = WorkMode::Park;
    let Taken::Waiting(waiting) = take_one(&store, parked, &claim(LONG)).await else {
        panic!("it waits")
    };
    assert_eq!(
        (waiting.record.job.status, waiting.record.attempt),
        (JobStatus::Validated, 0)
    );
    let claimed = due(&store).await.remove(0);
    assert_eq!(
        (claimed.record.job.status, claimed.record.attempt),
        (JobStatus::Executing, 1)
    );
}

/// Cancelling means the right thing in each state a job can be in.
pub async fn cancel_in_every_state(store: Store) {
    let [unknown, waiting, running, ended] = [(); 4].map(|()| Uuid::new_v4());
    let mut later = work(waiting);
    later.scheduled_for = Some(Timestamp::now().plus(LONG));
    take_one(&store, later, &claim(LONG)).await;
    let in_hand = run(&store, running, LONG).await;
    let done = run(&store, ended, LONG).await;
    commit(&store, completed(&done)).await;
    let requests = [unknown, waiting, running, ended].map(|id| CancelRequest {
        id,
        requested_at: Timestamp::now(),
    });
    let outcomes = store.cancel(&requests, &claim(LONG)).await.unwrap();
    assert!(matches!(outcomes[0], CancelOutcome::Remembered));
    let CancelOutcome::Cancelled(cancelled) = &outcomes[1] else {
        panic!("a waiting job is cancelled at once")
    };
    assert_eq!(cancelled.record.job.status, JobStatus::Cancelled);
    assert!(matches!(outcomes[2], CancelOutcome::Signalled));
    assert!(matches!(outcomes[3], CancelOutcome::TooLate));

    let renewed = store.renew(&[(running, in_hand.token)], LONG).await.unwrap();
    assert_eq!(renewed, [Renewal::CancelRequested]);
    let Taken::Ended(never_ran) = take_one(&store, work(unknown), &claim(LONG)).await else {
        panic!("the request was remembered")
    };
    assert_eq!(
        (never_ran.record.job.status, never_ran.record.attempt),
        (JobStatus::Cancelled, 0)
    );

    // A retry of a job whose cancellation was asked for ends it instead.
    let retry = conclude(
        &in_hand,
        JobStatus::Retrying,
        AttemptOutcome::Failed,
        Due::In(Duration::ZERO),
    );
    commit(&store, retry).await;
    let claimed = due(&store).await;
    assert_eq!(claimed.len(), 1);
    assert_eq!(claimed[0].record.job.status, JobStatus::Cancelled);
}

/// A message that is no job ends FAILED under its id, but never harms a job that has it.
pub async fn poison_fails_only_what_is_unknown(store: Store) {
    let [healthy, unknown] = [(); 2].map(|()| Uuid::new_v4());
    let in_hand = run(&store, healthy, LONG).await;
    let poison = |id| {
        let mut record = in_hand.record.clone();
        record.job.id = id;
        record.job.status = JobStatus::Failed;
        record.attempt = 0;
        record.takes = 0;
        record.error = Some("no job".to_owned());
        Poison {
            record,
            digest: odd_contracts::ids::PayloadDigest([0; 32]),
        }
    };
    let outcomes = store
        .fail_poison(vec![poison(healthy), poison(unknown)], &claim(LONG))
        .await
        .unwrap();
    assert!(outcomes[0].is_none());
    let failed = outcomes[1].as_ref().expect("stored");
    assert_eq!(failed.record.job.status, JobStatus::Failed);
    assert_eq!(history::sequences(&failed.record, &failed.attempts), [4]);
    assert_eq!(status(&store, healthy).await, JobStatus::Executing);
    assert!(matches!(
        take_one(&store, work(unknown), &claim(LONG)).await,
        Taken::Conflict
    ));
    store.settle(&[(unknown, failed.token)]).await.unwrap();
    assert_eq!(store.get(unknown).await.unwrap().unwrap().due_at, None);
}

/// Renewing holds a claim, and tells when it is lost.
pub async fn renewal_tells_the_truth(store: Store) {
    let [held, lost, done] = [(); 3].map(|()| Uuid::new_v4());
    let mine = run(&store, held, Duration::ZERO).await;
    let renewed = store.renew(&[(held, mine.token)], LONG).await.unwrap();
    assert_eq!(renewed, [Renewal::Held]);
    assert!(due(&store).await.is_empty(), "renewed in time");
    let replaced = run(&store, lost, Duration::ZERO).await;
    assert_eq!(due(&store).await.len(), 1);
    let finished = run(&store, done, LONG).await;
    commit(&store, completed(&finished)).await;
    let renewed = store
        .renew(
            &[(lost, replaced.token), (done, finished.token), (held, mine.token)],
            LONG,
        )
        .await;
    assert_eq!(renewed.unwrap(), [Renewal::Lost, Renewal::Lost, Renewal::Held]);
}

/// What a stopping processor gives back is taken at once.
pub async fn released_jobs_are_due_at_once(store: Store) {
    let id = Uuid::new_v4();
    let claimed = run(&store, id, LONG).await;
    store.release(&[(id, claimed.token)]).await.unwrap();
    assert_eq!(store.next_due().await.unwrap(), Some(Duration::ZERO));
    assert_eq!(due(&store).await.len(), 1);
}

/// Lists are newest first, page without gaps or repeats, and keep to their filter.
pub async fn lists_filter_and_page(store: Store) {
    let base = Timestamp::from_micros(1_700_000_000_000_000);
    let mut ids = Vec::new();
    let mut batch = Vec::new();
    for n in 0..50_u64 {
        let id = Uuid::new_v4();
        let mut one = job(id);
        // Pairs share an instant, so that the id decides.
        one.created_at = base.plus(Duration::from_secs(n / 2));
        one.job_type = if n % 5 == 0 { "rare" } else { "common" }.parse().unwrap();
        ids.push((one.created_at, id));
        batch.push(work_of(one));
    }
    let taken = store.take(batch.into(), &claim(LONG)).await.unwrap();
    let Taken::Run(first) = &taken[0] else {
        panic!("it runs")
    };
    commit(&store, completed(first)).await;

    ids.sort_unstable_by(|a, b| b.cmp(a));
    let mut seen = Vec::new();
    let mut cursor = None;
    loop {
        let page = store.list(&JobFilter::default(), cursor, 7).await.unwrap();
        let Some(last) = page.last() else { break };
        cursor = Some(JobCursor {
            created_at: last.created_at,
            id: last.id,
        });
        seen.extend(page.iter().map(|row| (row.created_at, row.id)));
    }
    assert_eq!(seen, ids);

    let count = async |filter: JobFilter| store.list(&filter, None, 1_000).await.unwrap().len();
    assert_eq!(
        count(JobFilter {
            job_type: Some("rare".to_owned()),
            ..Default::default()
        })
        .await,
        10
    );
    assert_eq!(
        count(JobFilter {
            statuses: vec![JobStatus::Completed],
            ..Default::default()
        })
        .await,
        1
    );
    assert_eq!(
        count(JobFilter {
            statuses: vec![JobStatus::Executing],
            ..Default::default()
        })
        .await,
        49
    );
    let both = vec![JobStatus::Executing, JobStatus::Completed];
    assert_eq!(
        count(JobFilter {
            statuses: both,
            ..Default::default()
        })
        .await,
        50
    );
    let since = Some(base.plus(Duration::from_secs(20)));
    assert_eq!(
        count(JobFilter {
            since,
            ..Default::default()
        })
        .await,
        10
    );
    let until = Some(base.plus(Duration::from_secs(5)));
    assert_eq!(
        count(JobFilter {
            until,
            ..Default::default()
        })
        .await,
        10
    );
    let part = ids[3].1.to_string().to_uppercase();
    assert_eq!(
        count(JobFilter {
            id_contains: Some(part[..23].to_owned()),
            ..Default::default()
        })
        .await,
        1
    );
    let wild = JobFilter {
        id_contains: Some("%".to_owned()),
        ..Default::default()
    };
    assert_eq!(count(wild).await, 0, "no character is a wildcard");

    let known = store.lookup(&[ids[0].1, Uuid::new_v4()]).await.unwrap();
    assert_eq!(known.len(), 1);
}

/// The export has every job once, in order of id, with what its state implies.
pub async fn export_is_ordered_and_complete(store: Store) {
    let mut ids: Vec<_> = (0..25).map(|_| Uuid::new_v4()).collect();
    let taken = store
        .take(ids.iter().map(|id| work(*id)).collect(), &claim(LONG))
        .await
        .unwrap();
    let Taken::Run(first) = &taken[0] else {
        panic!("it runs")
    };
    commit(&store, completed(first)).await;
    let done = ids[0];
    ids.sort_unstable();
    let mut seen = Vec::new();
    loop {
        let page = store
            .export(seen.last().map(|row: &odd_contracts::api::ExportedJob| row.id), 4)
            .await
            .unwrap();
        if page.is_empty() {
            break;
        }
        seen.extend(page);
    }
    assert_eq!(seen.iter().map(|row| row.id).collect::<Vec<_>>(), ids);
    for row in seen {
        let expected: &[u32] = if row.id == done { &[0, 1, 11, 13] } else { &[0, 1] };
        assert_eq!(row.sequences, expected);
        assert_eq!(row.due_at.is_none(), row.id == done);
    }
}

/// Answers come in the order of the questions, whatever the size of the batch.
pub async fn a_batch_keeps_its_order(store: Store) {
    let ids: Vec<_> = (0..200).map(|_| Uuid::new_v4()).collect();
    let claim = claim(LONG);
    let taken = store
        .take(ids.iter().map(|id| work(*id)).collect(), &claim)
        .await
        .unwrap();
    let claimed: Vec<_> = taken
        .into_iter()
        .map(|taken| match taken {
            Taken::Run(claimed) => *claimed,
            other => panic!("expected a job to run, got {other:?}"),
        })
        .collect();
    assert_eq!(
        claimed
            .iter()
            .map(|claimed| claimed.record.job.id)
            .collect::<Vec<_>>(),
        ids
    );
    let mut commits: Vec<_> = claimed.iter().map(completed).collect();
    commits[150].token = ClaimToken::fresh();
    let committed = store.commit(commits.into()).await.unwrap();
    for (index, outcome) in committed.into_iter().enumerate() {
        let expected = if index == 150 {
            Committed::Discarded
        } else {
            Committed::Backed
        };
        assert_eq!(outcome, expected, "at {index}");
    }
}

/// Payloads, results and errors come back as they were, NUL characters included.
pub async fn texts_survive(store: Store) {
    let id = Uuid::new_v4();
    let mut strange = job(id);
    strange
        .payload
        .insert("k\0ey".to_owned(), "\0 \u{1F980} \" \\ '".into());
    strange.metadata.insert(
        "deep".to_owned(),
        serde_json::json!({ "a": [1, 2.5, null, true] }),
    );
    strange.options.timeout_ms = Some(5);
    strange.retry_of = Some(Uuid::new_v4());
    let expected = strange.clone();
    let Taken::Run(claimed) = take_one(&store, work_of(strange), &claim(LONG)).await else {
        panic!("it runs")
    };
    let mut ending = completed(&claimed);
    ending.record.result = Some(serde_json::json!({ "said": "\0" }));
    ending.record.error = Some("it's\0fine".to_owned());
    commit(&store, ending.clone()).await;
    let stored = store.get(id).await.unwrap().unwrap();
    assert_eq!(stored.record, ending.record);
    assert_eq!(stored.record.job.payload, expected.payload);
    assert_eq!(stored.record.job.metadata, expected.metadata);
    assert_eq!(stored.record.job.options, expected.options);
    assert_eq!(stored.record.job.retry_of, expected.retry_of);
    assert_eq!(stored.attempts, ending.attempts);
}

/// Two takings of one job in one batch: only the latest counts, and only of it is said so.
pub async fn a_batch_may_hold_two_takings_of_a_job(store: Store) {
    let id = Uuid::new_v4();
    let stale = run(&store, id, Duration::ZERO).await;
    let current = due(&store).await.remove(0);
    let both = [(id, stale.token), (id, current.token)];
    assert_eq!(
        store.renew(&both, LONG).await.unwrap(),
        [Renewal::Lost, Renewal::Held]
    );
    assert_eq!(store.park(&both).await.unwrap(), [false, true]);
    let failed = conclude(
        &stale,
        JobStatus::Failed,
        AttemptOutcome::Failed,
        Due::Ended(LONG),
    );
    let outcomes = store.commit([failed, completed(&current)].into()).await.unwrap();
    assert_eq!(outcomes, [Committed::Discarded, Committed::Unbacked]);
    assert_eq!(status(&store, id).await, JobStatus::Completed);
}

/// Jobs that only need their history published again are claimed without those that need a slot.
pub async fn ended_jobs_can_be_claimed_alone(store: Store) {
    let [ended, running] = [(); 2].map(|()| Uuid::new_v4());
    let claimed = run(&store, ended, LONG).await;
    store.park(&[(ended, claimed.token)]).await.unwrap();
    let mut ending = completed(&claimed);
    ending.due = Due::Ended(Duration::ZERO);
    commit(&store, ending).await;
    run(&store, running, Duration::ZERO).await;
    let alone = store.claim_ended(&claim(LONG), 10).await.unwrap();
    let ids: Vec<_> = alone.iter().map(|claimed| claimed.record.job.id).collect();
    assert_eq!(ids, [ended]);
    assert_eq!(due(&store).await.len(), 1, "the other is still due");
}

/// Whoever ran a job that waits now has nothing to do with it any more.
pub async fn a_waiting_job_has_no_holder(store: Store) {
    let id = Uuid::new_v4();
    let claimed = run(&store, id, LONG).await;
    let retry = conclude(
        &claimed,
        JobStatus::Retrying,
        AttemptOutcome::Failed,
        Due::In(LONG * 10),
    );
    assert_eq!(commit(&store, retry).await, Committed::Unbacked);
    let before = store.get(id).await.unwrap().unwrap();
    let held = [(id, claimed.token)];
    assert_eq!(store.renew(&held, LONG).await.unwrap(), [Renewal::Lost]);
    assert_eq!(store.park(&held).await.unwrap(), [false]);
    store.release(&held).await.unwrap();
    store.settle(&held).await.unwrap();
    assert_eq!(commit(&store, completed(&claimed)).await, Committed::Discarded);
    let after = store.get(id).await.unwrap().unwrap();
    assert_eq!(after.due_at, before.due_at, "it waits as long as it was told to");
    assert_eq!(after.record, before.record);
}

/// A job that has not ended is always owed something.
pub async fn a_running_job_is_not_settled(store: Store) {
    let id = Uuid::new_v4();
    let claimed = run(&store, id, LONG).await;
    store.settle(&[(id, claimed.token)]).await.unwrap();
    assert!(store.get(id).await.unwrap().unwrap().due_at.is_some());
    assert_eq!(commit(&store, completed(&claimed)).await, Committed::Backed);
}

/// Who has waited longest is claimed first, and no more than were asked for.
pub async fn the_longest_due_come_first(store: Store) {
    let mut expected = Vec::new();
    for milliseconds in [0, 1, 2, 3, 4] {
        let id = Uuid::new_v4();
        run(&store, id, Duration::from_millis(milliseconds * 5)).await;
        expected.push(id);
    }
    loop {
        let last = store.get(expected[4]).await.unwrap().unwrap();
        if last.due_at.is_some_and(|at| at < Timestamp::now()) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let mut seen = Vec::new();
    for limit in [2, 0, 1, 9] {
        let got = store.claim_due(&claim(LONG), limit).await.unwrap();
        assert!(got.len() <= limit);
        seen.extend(got.iter().map(|claimed| claimed.record.job.id));
    }
    assert_eq!(seen, expected);
}

/// Instants and times at the end of what can be written are stored, and nothing comes due for them.
pub async fn far_instants_are_kept(store: Store) {
    let [scheduled, retried] = [(); 2].map(|()| Uuid::new_v4());
    let mut later = work(scheduled);
    later.scheduled_for = Some(Timestamp::MAX);
    later.job.created_at = Timestamp::from_micros(0);
    let Taken::Waiting(waiting) = take_one(&store, later, &claim(LONG)).await else {
        panic!("it waits")
    };
    assert_eq!(waiting.record.scheduled_for, Some(Timestamp::MAX));
    let stored = store.get(scheduled).await.unwrap().unwrap();
    assert_eq!(stored.due_at, Some(Timestamp::MAX));
    assert_eq!(stored.record.job.created_at, Timestamp::from_micros(0));
    let claimed = run(&store, retried, Duration::MAX).await;
    let held = [(retried, claimed.token)];
    assert_eq!(store.renew(&held, Duration::MAX).await.unwrap(), [Renewal::Held]);
    let retry = conclude(
        &claimed,
        JobStatus::Retrying,
        AttemptOutcome::Failed,
        Due::In(Duration::MAX),
    );
    assert_eq!(commit(&store, retry).await, Committed::Unbacked);
    assert!(due(&store).await.is_empty());
}

/// Empty batches and unknown jobs are no errors.
pub async fn nothing_comes_of_nothing(store: Store) {
    let claim = claim(LONG);
    assert!(store.take([].into(), &claim).await.unwrap().is_empty());
    assert!(store.commit([].into()).await.unwrap().is_empty());
    assert!(store.renew(&[], LONG).await.unwrap().is_empty());
    assert!(store.park(&[]).await.unwrap().is_empty());
    assert!(store.cancel(&[], &claim).await.unwrap().is_empty());
    assert!(store.fail_poison(Vec::new(), &claim).await.unwrap().is_empty());
    assert!(store.lookup(&[]).await.unwrap().is_empty());
    assert!(store.export(None, 10).await.unwrap().is_empty());
    store.settle(&[]).await.unwrap();
    store.release(&[]).await.unwrap();
    assert_eq!(store.next_due().await.unwrap(), None);
    assert!(store.claim_ended(&claim, 10).await.unwrap().is_empty());

    let unknown = [(Uuid::new_v4(), ClaimToken::fresh())];
    assert_eq!(store.renew(&unknown, LONG).await.unwrap(), [Renewal::Lost]);
    assert_eq!(store.park(&unknown).await.unwrap(), [false]);
    store.settle(&unknown).await.unwrap();
    store.release(&unknown).await.unwrap();
    assert!(store.get(unknown[0].0).await.unwrap().is_none());
}

/// The same request or the same poison twice in one batch has one effect.
pub async fn what_is_asked_twice_is_done_once(store: Store) {
    let [waiting, unknown, poisoned] = [(); 3].map(|()| Uuid::new_v4());
    let mut later = work(waiting);
    later.scheduled_for = Some(Timestamp::now().plus(LONG));
    take_one(&store, later, &claim(LONG)).await;
    let requests = [waiting, unknown, waiting, unknown].map(|id| CancelRequest {
        id,
        requested_at: Timestamp::now(),
    });
    let outcomes = store.cancel(&requests, &claim(LONG)).await.unwrap();
    assert!(matches!(outcomes[0], CancelOutcome::Cancelled(_)));
    assert!(matches!(outcomes[1], CancelOutcome::Remembered));
    assert!(matches!(outcomes[2], CancelOutcome::TooLate));
    assert!(matches!(outcomes[3], CancelOutcome::Remembered));

    let mut record = store.get(waiting).await.unwrap().unwrap().record;
    record.job.id = poisoned;
    record.error = Some("no job".to_owned());
    let poison = Poison {
        record,
        digest: odd_contracts::ids::PayloadDigest([0; 32]),
    };
    let outcomes = store
        .fail_poison(vec![poison.clone(), poison], &claim(LONG))
        .await
        .unwrap();
    assert!(outcomes[0].is_some() && outcomes[1].is_none());
}

/// Parts of a filter narrow each other, on every page.
pub async fn filters_combine(store: Store) {
    let base = Timestamp::from_micros(1_700_000_000_000_000);
    let statuses = [
        JobStatus::Executing,
        JobStatus::Failed,
        JobStatus::Cancelled,
        JobStatus::Completed,
    ];
    let mut all = Vec::new();
    for n in 0..48_u64 {
        let id = Uuid::new_v4();
        let mut one = job(id);
        one.created_at = base.plus(Duration::from_secs(n / 3));
        one.job_type = if n % 2 == 0 { "even" } else { "odd" }.parse().unwrap();
        let end = statuses[(n % 4) as usize];
        all.push((one.created_at, id, n % 2 == 0, end));
        let Taken::Run(claimed) = take_one(&store, work_of(one), &claim(LONG)).await else {
            panic!("it runs")
        };
        if end.is_terminal() {
            let ending = conclude(&claimed, end, AttemptOutcome::Failed, Due::Ended(LONG));
            commit(&store, ending).await;
        }
    }
    all.sort_unstable_by_key(|job| std::cmp::Reverse((job.0, job.1)));
    let (since, until) = (
        base.plus(Duration::from_secs(3)),
        base.plus(Duration::from_secs(13)),
    );
    let wanted: [&[JobStatus]; 4] = [
        &[JobStatus::Failed, JobStatus::Executing],
        &[JobStatus::Completed, JobStatus::Cancelled],
        &[JobStatus::Cancelled, JobStatus::Failed, JobStatus::Failed],
        &[],
    ];
    for statuses in wanted {
        for job_type in [None, Some("even")] {
            let filter = JobFilter {
                statuses: statuses.to_vec(),
                job_type: job_type.map(str::to_owned),
                since: Some(since),
                until: Some(until),
                id_contains: Some("-".to_owned()),
            };
            let expected: Vec<_> = all
                .iter()
                .filter(|(at, _, even, status)| {
                    (since..until).contains(at)
                        && (job_type.is_none() || *even)
                        && (statuses.is_empty() || statuses.contains(status))
                })
                .map(|(_, id, ..)| *id)
                .collect();
            assert_eq!(pages(&store, &filter).await, expected, "{filter:?}");
        }
    }
}

/// The ids of the whole list, read in pages of four.
async fn pages(store: &Store, filter: &JobFilter) -> Vec<JobId> {
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let page = store.list(filter, cursor, 4).await.unwrap();
        let Some(last) = page.last() else { return seen };
        cursor = Some(JobCursor {
            created_at: last.created_at,
            id: last.id,
        });
        seen.extend(page.iter().map(|row| row.id));
    }
}
