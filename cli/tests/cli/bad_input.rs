//! Bad input from outside, all of it to one running observatory: each is refused as its contract says, nothing of it
//! becomes a job, and in the end the observatory is as healthy as before and has lost nothing.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

mod addresses;
mod bodies;
mod load;

use std::time::Duration;

use odd_client::{Gateway, RawAnswer, RawRequest, ReadModel};
use odd_contracts::names::spine::JSON;
use odd_contracts::{JobId, JobStatus, ProblemCode, Role};
use odd_testkit::{Instance, wait_for};
use serde_json::json;

use crate::instance;

const LONG: Duration = Duration::from_secs(60);

/// An observatory that is badly treated.
struct Target {
    odd: Instance,
    gateway: Gateway,
    read_model: ReadModel,
}

impl Target {
    fn start() -> Self {
        let odd = instance();
        odd.up();
        Self {
            gateway: Gateway::new(&odd.url(Role::Gateway)).unwrap(),
            read_model: ReadModel::new(&odd.url(Role::ReadModel)).unwrap(),
            odd,
        }
    }

    async fn post(&self, path: &str, content_type: &str, body: impl Into<Vec<u8>>) -> RawAnswer {
        let request = RawRequest::post(path).body(content_type, body.into());
        self.gateway.exchange(request).await.unwrap()
    }

    async fn submit(&self, body: impl Into<Vec<u8>>) -> RawAnswer {
        self.post("/jobs", JSON, body).await
    }

    async fn ended(&self, id: JobId) -> JobStatus {
        wait_for(LONG, "the job to end", || async {
            let known = self.read_model.lookup(&[id]).await.ok()?;
            let status = known.jobs.first()?.status;
            status.is_terminal().then_some(status)
        })
        .await
    }
}

/// The answer is a problem of this code; where it broke a contract, each of these places is named.
#[track_caller]
fn refused(what: &str, answer: &RawAnswer, code: ProblemCode, paths: &[&str]) {
    let text = String::from_utf8_lossy(&answer.body);
    assert_eq!(answer.status, code.status(), "{what}: {text}");
    let problem: odd_contracts::Problem = answer.json().unwrap_or_else(|e| panic!("{what}: {e}"));
    assert_eq!(problem.code, code, "{what}: {text}");
    assert!(
        answer
            .header("content-type")
            .starts_with("application/problem+json"),
        "{what}"
    );
    let found: Vec<&str> = problem.errors.iter().map(|error| error.path.as_str()).collect();
    for path in paths {
        assert!(found.contains(path), "{what}: {path} is not among {found:?}");
    }
}

#[track_caller]
fn accepted(what: &str, answer: &RawAnswer) -> JobId {
    assert_eq!(
        answer.status,
        202,
        "{what}: {}",
        String::from_utf8_lossy(&answer.body)
    );
    answer.json::<odd_contracts::JobAccepted>().unwrap().job_id
}

#[tokio::test]
async fn an_observatory_survives_all_bad_input_unharmed() {
    let target = Target::start();
    bodies::bodies_that_are_no_json(&target).await;
    bodies::documents_that_break_the_contract(&target).await;
    bodies::too_large_and_wrongly_declared(&target).await;
    bodies::nesting(&target).await;
    bodies::odd_but_valid(&target).await;
    bodies::batches(&target).await;
    addresses::ids_in_paths(&target).await;
    addresses::queries(&target).await;
    addresses::no_http_at_all(&target).await;
    load::one_id_from_everywhere(&target).await;
    load::ten_thousand_types(&target).await;
    unharmed(&target).await;
}

async fn unharmed(target: &Target) {
    let verdict = target.odd.run(["verify", "-o", "json"]);
    assert_eq!(verdict.code, Some(0), "{verdict:?}");
    let verdict = verdict.json();
    assert_eq!(
        (&verdict["inFlight"], &verdict["countersCompared"]),
        (&json!(0), &json!(true)),
        "{verdict}"
    );
    let _ = target.odd.run(["status", "--check"]).expect_code(0);
    let gate = target.odd.run(["test", "-o", "json"]);
    assert_eq!(gate.code, Some(0), "{gate:?}");
    let panics = std::fs::read_to_string(target.odd.engine().log_file()).unwrap();
    assert!(!panics.contains("panicked"), "a role panicked");
    let letters = target.read_model.dead_letters(None, None).await.unwrap();
    assert!(
        letters.dead_letters.is_empty(),
        "what the gateway accepts is never dead-lettered"
    );
}
