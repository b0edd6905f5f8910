//! Jobs of every fate, so that every figure has something to show.

use std::fmt::Write as _;

use odd_client::Gateway;
use odd_contracts::names::spine;
use odd_contracts::{JobOptions, JobSubmission, Role};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::bed::Stack;

/// Jobs that end well for each that does not: fewer than 5 % fail, so that no alert fires.
const WELL: usize = 38;
/// Port of RabbitMQ's management interface.
const MANAGEMENT: u16 = 15672;

/// Makes jobs on a stack.
pub(super) struct Jobs {
    gateway: Gateway,
    http: reqwest::Client,
    web: String,
    management: String,
    password: String,
}

impl Jobs {
    /// On this stack.
    pub(super) fn on(stack: &Stack) -> Self {
        Self {
            gateway: Gateway::new(&stack.url(Role::Gateway)).unwrap(),
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            web: stack.url(Role::Web),
            management: stack.address(MANAGEMENT),
            password: password(stack),
        }
    }

    /// Many jobs that end well, one that does so at its second attempt, one that fails, one that is cancelled, one that is
    /// refused, and a message that is none.
    pub(super) async fn of_every_fate(&self) {
        let mut lines = String::new();
        for _ in 0..WELL {
            writeln!(lines, "{}", json!({"type": "hello"})).unwrap();
        }
        let twice = json!({"type": "resize", "payload": {"simulate": {"failTimes": 1}}, "options": {"backoffMs": 50}});
        let never = json!({"type": "resize", "payload": {"simulate": {"error": "upstream 502"}}, "options": {"maxAttempts": 1}});
        write!(lines, "{twice}\n{never}\n{}\n", json!({"type": "no type"})).unwrap();
        let answer = self.gateway.submit_batch(lines.into()).await.unwrap();
        assert_eq!((answer.accepted, answer.rejected), (WELL + 2, 1));
        self.cancelled().await;
        self.garbage().await;
        self.through_the_web().await;
    }

    /// What a dashboard in a browser asks for.
    async fn through_the_web(&self) {
        let answer = self.http.get(format!("{}/api/jobs", self.web)).send().await;
        answer.and_then(reqwest::Response::error_for_status).unwrap();
    }

    /// A job that waits for an hour and is cancelled.
    async fn cancelled(&self) {
        let job = JobSubmission {
            id: Some(Uuid::new_v4()),
            job_type: "report".to_owned(),
            options: Some(JobOptions {
                delay_ms: Some(3_600_000),
                ..JobOptions::default()
            }),
            ..JobSubmission::default()
        };
        let accepted = self.gateway.submit(&job).await.unwrap();
        self.gateway.cancel(accepted.job_id).await.unwrap();
    }

    /// A work message that is no job: it ends among the dead letters.
    async fn garbage(&self) {
        let url = format!(
            "{}/api/exchanges/%2f/{}/publish",
            self.management,
            spine::WORK_EXCHANGE
        );
        let message = json!({
            "routing_key": spine::JOBS_CREATED, "payload": "no JSON", "payload_encoding": "string",
            "properties": {"delivery_mode": 2},
        });
        let request = self
            .http
            .post(url)
            .basic_auth("odd", Some(&self.password))
            .json(&message);
        let answer = request
            .send()
            .await
            .and_then(reqwest::Response::error_for_status)
            .unwrap();
        assert_eq!(answer.json::<Value>().await.unwrap()["routed"], true);
    }
}

/// The broker's password, which is the instance's own.
fn password(stack: &Stack) -> String {
    let file = stack
        .home()
        .join("instances")
        .join(stack.name())
        .join("credentials.json");
    let kept: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    kept["variables"]["RABBITMQ_PASSWORD"]
        .as_str()
        .unwrap()
        .to_owned()
}
