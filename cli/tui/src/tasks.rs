//! Executes what screens ask of the roles.

use std::time::Duration;

use bytes::Bytes;
use odd_client::{ClientError, Gateway, HttpOptions, ReadModel};
use odd_contracts::api::RetryRequest;
use odd_contracts::{JobAccepted, JobId, Problem};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::effect::{Answer, Ask};
use crate::options::Addresses;
use crate::world::Failure;

/// Longest time for something that somebody waits for after a key.
const CHANGE: Duration = Duration::from_secs(2);
/// Longest time for a question.
const QUESTION: Duration = Duration::from_secs(5);
/// Most jobs of one batch.
const BATCH: u32 = 1_000;
/// Most bytes of one batch, unless one job alone has more: half of what a gateway takes.
const BATCH_BYTES: usize = 4 << 20;

/// Clients of the roles.
#[derive(Clone)]
pub(crate) struct Roles {
    pub(crate) gateway: Gateway,
    pub(crate) read_model: ReadModel,
}

impl Roles {
    pub(crate) fn new(addresses: &Addresses) -> Result<Self, ClientError> {
        let within = |timeout| HttpOptions {
            timeout,
            ..HttpOptions::default()
        };
        Ok(Self {
            gateway: Gateway::with_options(&addresses.gateway, within(CHANGE))?,
            read_model: ReadModel::with_options(&addresses.read_model, within(QUESTION))?,
        })
    }

    /// Asks.
    pub(crate) async fn answer(&self, ask: &Ask) -> Result<Answer, Failure> {
        let read = &self.read_model;
        Ok(match ask {
            Ask::Jobs(query) => Answer::Jobs(read.jobs(query).await?),
            Ask::Job(id) => {
                let (job, timeline) = tokio::try_join!(read.job(*id), read.timeline(*id))?;
                Answer::Job(Box::new((job, timeline)))
            }
            Ask::DeadLetters(cursor) => {
                Answer::DeadLetters(read.dead_letters(cursor.as_deref(), None).await?)
            }
            Ask::DeadLetter(id) => Answer::DeadLetter(Box::new(read.dead_letter(*id).await?)),
            Ask::AlertHistory => Answer::AlertHistory(read.alert_history(None).await?),
            Ask::Submit(submission, count) => self.submit(submission, *count).await?,
            Ask::Cancel(id) => {
                self.gateway.cancel(*id).await?;
                Answer::Done
            }
            Ask::Retry(id) => Answer::Retried(self.retry(*id).await?),
            Ask::Requeue(id) => {
                self.gateway.requeue_dead_letter(*id).await?;
                Answer::Done
            }
        })
    }

    async fn retry(&self, id: JobId) -> Result<JobAccepted, ClientError> {
        self.gateway.retry(id, &RetryRequest::default()).await
    }

    /// One job, or so many of them in batches. What was accepted before one is refused is said with the refusal.
    async fn submit(&self, submission: &Value, count: u32) -> Result<Answer, Failure> {
        let first = self.gateway.submit_value(&identified(submission)).await?;
        let mut accepted = 1;
        let fit = BATCH_BYTES / (identified(submission).to_string().len() + 1);
        let most = u32::try_from(fit.max(1)).unwrap_or(BATCH).min(BATCH);
        while accepted < count {
            let wanted = (count - accepted).min(most);
            let lines: Vec<String> = (0..wanted).map(|_| identified(submission).to_string()).collect();
            let told = |error: ClientError| partly(accepted, count, Failure::from(error));
            let answer = self
                .gateway
                .submit_batch(Bytes::from(lines.join("\n")))
                .await
                .map_err(told)?;
            accepted += u32::try_from(answer.accepted).unwrap_or(wanted);
            if let Some(problem) = answer.results.into_iter().find_map(|result| result.problem) {
                return Err(partly(accepted, count, refused(&problem)));
            }
        }
        Ok(Answer::Submitted(first, accepted))
    }
}

/// The submission under an id of its own, so that a repetition would be no second job.
fn identified(submission: &Value) -> Value {
    let mut submission = submission.clone();
    submission["id"] = json!(Uuid::new_v4());
    submission
}

fn refused(problem: &Problem) -> Failure {
    Failure {
        text: problem.detail.clone().unwrap_or_else(|| problem.title.clone()),
        not_found: false,
    }
}

fn partly(accepted: u32, count: u32, failure: Failure) -> Failure {
    Failure {
        text: format!("{accepted} of {count} jobs were accepted; then: {}", failure.text),
        ..failure
    }
}
