//! The web role before the real gateway and the real read-model.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::StreamExt;
use odd_client::{ClientError, Gateway, HttpOptions, RawRequest, ReadModel, RoleClient};
use odd_contracts::{EventType, JobStatus, JobSubmission, ProblemCode, Role};
use odd_testkit::{Instance, wait_for};
use serde_json::Value;
use uuid::Uuid;

use crate::instance;

const LONG: Duration = Duration::from_secs(30);

/// Paths that are called by monitoring, by people directly, or by a server that has a token for it.
const NOT_PASSED: [&str; 4] = ["/healthz", "/readyz", "/metrics", "/alerts/webhook"];

fn client(odd: &Instance, role: Role) -> RoleClient {
    RoleClient::new(&odd.url(role), HttpOptions::default()).expect("an address")
}

/// Clients of both roles that know of the web role only.
fn through_the_web(odd: &Instance) -> (Gateway, ReadModel) {
    let base = odd.url(Role::Web);
    let gateway = Gateway::new(&format!("{base}/gateway")).expect("an address");
    (
        gateway,
        ReadModel::new(&format!("{base}/api")).expect("an address"),
    )
}

#[tokio::test]
async fn an_instance_has_the_page_and_a_job_goes_all_its_way_through_it() {
    let odd = instance();
    odd.up();
    let page = client(&odd, Role::Web)
        .exchange(RawRequest::get("/"))
        .await
        .unwrap();
    assert_eq!(
        (page.status, page.header("content-type")),
        (200, "text/html; charset=utf-8")
    );
    assert!(String::from_utf8_lossy(&page.body).contains("odd observatory"));

    let (gateway, read_model) = through_the_web(&odd);
    let mut live = read_model.stream(&[EventType::Completed]).await.unwrap();
    let job = JobSubmission {
        id: Some(Uuid::new_v4()),
        job_type: "hello".to_owned(),
        ..JobSubmission::default()
    };
    let accepted = gateway.submit(&job).await.unwrap();
    assert!(gateway.submit(&job).await.unwrap().duplicate);
    let event = tokio::time::timeout(LONG, live.next()).await.unwrap();
    assert_eq!(event.unwrap().unwrap().job_id(), Some(accepted.job_id));
    let timeline = wait_for(LONG, "the whole history", || async {
        let timeline = read_model.timeline(accepted.job_id).await.ok()?;
        timeline.complete.then_some(timeline)
    })
    .await;
    assert_eq!(timeline.status, JobStatus::Completed);

    let refused = gateway
        .submit_value(&serde_json::json!({ "type": "" }))
        .await
        .unwrap_err();
    assert!(
        matches!(&refused, ClientError::Problem { problem, .. } if problem.code == ProblemCode::ValidationFailed),
        "{refused}"
    );
    let roles = read_model.overview().await.unwrap().roles;
    let roles: BTreeSet<Role> = roles.into_iter().map(|role| role.role).collect();
    assert_eq!(roles, Role::ALL.into_iter().collect());
}

/// What the gateway or the read-model learns to answer has to be passed on, or to be closed on purpose.
#[tokio::test]
async fn everything_that_both_roles_describe_is_passed_on() {
    let odd = instance();
    odd.up();
    let paths = async |role: Role| {
        let description = client(&odd, role).openapi().await.unwrap();
        let Value::Object(paths) = description["paths"].clone() else {
            panic!("the {role} describes no paths");
        };
        paths
    };
    let passed = paths(Role::Web).await;
    for (role, prefix) in [(Role::Gateway, "/gateway"), (Role::ReadModel, "/api")] {
        for (path, operations) in paths(role).await {
            for method in operations.as_object().unwrap().keys() {
                let here = passed
                    .get(&format!("{prefix}{path}"))
                    .and_then(|item| item.get(method));
                let expected = !NOT_PASSED.contains(&path.as_str());
                assert_eq!(here.is_some(), expected, "{method} {path} of the {role}");
            }
        }
    }
}

/// Bodies that the gateway takes pass, and those that it does not are refused, at the same number of bytes.
#[tokio::test]
async fn limits_are_those_of_the_gateway() {
    let odd = instance();
    odd.up();
    let web = client(&odd, Role::Web);
    let gateway = client(&odd, Role::Gateway);
    for (path, content_type, limit) in [
        ("/jobs", "application/json", 1_usize << 20),
        ("/jobs/batch", "application/x-ndjson", 8 << 20),
    ] {
        for (bytes, too_large) in [(limit, false), (limit + 1, true)] {
            let body = vec![b'\n'; bytes];
            let request = |path: &str| RawRequest::post(path).body(content_type, body.clone());
            let direct = gateway.exchange(request(path)).await.unwrap();
            let passed = web.exchange(request(&format!("/gateway{path}"))).await.unwrap();
            assert_eq!(direct.status, passed.status, "{bytes} bytes to {path}");
            assert_eq!(passed.status == 413, too_large, "{bytes} bytes to {path}");
        }
    }
}

/// Without any address of a server, and beside an instance that runs: it needs neither.
#[tokio::test]
async fn the_web_role_alone_opens_no_database() {
    let odd = instance();
    let before = std::fs::read_dir(odd.home()).unwrap().count();
    let mut child = odd
        .command(["serve", "web"])
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let web = client(&odd, Role::Web);
    let ready = wait_for(LONG, "the web role to be ready", || async {
        let readiness = web.readyz().await.ok()?;
        readiness
            .health
            .checks
            .values()
            .all(|said| said.contains("reached"))
            .then_some(readiness)
    })
    .await;
    assert!(ready.ready, "{ready:?}");
    assert_eq!(
        std::fs::read_dir(odd.home()).unwrap().count(),
        before,
        "nothing of an instance is made"
    );
    odd_engine::platform::request_stop(child.id(), &odd.home().join("unused")).unwrap();
    assert!(child.wait().unwrap().success());
}
