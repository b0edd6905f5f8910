//! Too much of a good thing: one id from everywhere, ten thousand types.

use std::collections::BTreeSet;

use futures::future::join_all;
use odd_client::{RawAnswer, RawRequest};
use odd_contracts::names::metric::MAX_TYPES;
use odd_contracts::{JobStatus, Role};
use odd_testkit::wait_for;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{LONG, Target};

/// Most different types of which `/stats` keeps counts, beside `other`.
const MAX_COUNTED_TYPES: usize = 200;
/// Types that are submitted.
const TYPES: usize = 10_000;

/// Many at once under one id: one job, and everybody is told the same.
pub(super) async fn one_id_from_everywhere(target: &Target) {
    let id = Uuid::now_v7();
    let body = |n: usize| json!({ "id": id, "type": "a", "payload": { "n": n } }).to_string();
    let answers = join_all((0..60).map(|n| target.submit(body(n % 2)))).await;
    let told = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((told(202), told(409)), (30, 30));
    let first = |answer: &&RawAnswer| {
        answer.status == 202
            && answer
                .json::<odd_contracts::JobAccepted>()
                .is_ok_and(|accepted| !accepted.duplicate)
    };
    assert_eq!(answers.iter().filter(first).count(), 1);
    assert_eq!(target.ended(id).await, JobStatus::Completed);
    assert_eq!(target.read_model.job(id).await.unwrap().record.takes, 1);
}

/// Metrics and counters stay bounded, whatever clients call their jobs.
pub(super) async fn ten_thousand_types(target: &Target) {
    for chunk in 0..TYPES / 1_000 {
        let lines: String = (0..1_000)
            .map(|n| format!("{{\"type\":\"kind-{}\"}}\n", chunk * 1_000 + n))
            .collect();
        let answer = target.gateway.submit_batch(lines.into()).await.unwrap();
        assert_eq!(answer.accepted, 1_000);
    }
    wait_for(LONG, "every job to be counted as ended", || async {
        let counters = target.read_model.stats().await.ok()?.counters;
        let ended = [JobStatus::Completed, JobStatus::Failed, JobStatus::Cancelled];
        let ended: u64 = ended.into_iter().map(|status| counters.in_status(status)).sum();
        (counters.total >= TYPES as u64 && ended == counters.total).then_some(())
    })
    .await;
    let counters = target.read_model.stats().await.unwrap().counters;
    assert!(
        counters.by_type.len() <= MAX_COUNTED_TYPES + 1,
        "{}",
        counters.by_type.len()
    );
    let by_type: u64 = counters.by_type.values().map(|counts| counts.total).sum();
    assert_eq!(by_type, counters.total, "every job counts under some type");
    for role in Role::ALL {
        let text = odd_client::RoleClient::new(&target.odd.url(role), Default::default())
            .unwrap()
            .metrics()
            .await
            .unwrap();
        let types: BTreeSet<&str> = text
            .split("type=\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .filter(|value| !value.starts_with("job."))
            .collect();
        assert!(types.len() <= MAX_TYPES + 2, "{role} has {} types", types.len());
        assert!(text.len() < 256 * 1024, "{role} exposes {} bytes", text.len());
    }
    let page = target
        .read_model
        .exchange(RawRequest::get("/jobs?type=kind-9999"))
        .await
        .unwrap();
    assert_eq!(page.json::<Value>().unwrap()["jobs"].as_array().unwrap().len(), 1);
}
