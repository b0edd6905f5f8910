//! Many jobs at once.

use std::time::Duration;

use odd_contracts::{JobId, JobStatus};
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::gate::{Gate, ensure, same, text};
use crate::patience::Patience;

/// Most jobs of one batch, and most ids of one question.
pub(super) const MOST: usize = 1_000;
/// Time before a batch is submitted again of which jobs were refused for now.
const PAUSE: Duration = Duration::from_millis(100);
/// Share of a check's time for which a batch is submitted again and again.
const TO_BE_ACCEPTED: f64 = 0.5;

impl Gate {
    /// Submits jobs in one batch, all of which must be accepted, and notes them. A gateway that is away or has too much to do
    /// is asked again: under the same ids, so that nothing is done twice.
    pub(super) async fn submit_all(&self, mut jobs: Vec<Value>) -> Result<Vec<JobId>, String> {
        let ids: Vec<JobId> = jobs.iter().map(|_| Uuid::new_v4()).collect();
        for (job, id) in jobs.iter_mut().zip(&ids) {
            job["id"] = json!(id);
        }
        let lines: Vec<String> = jobs.iter().map(Value::to_string).collect();
        let body = bytes::Bytes::from(lines.join("\n"));
        let mut patience = Patience::new(self.left().mul_f64(TO_BE_ACCEPTED)).with_unreachable(true);
        loop {
            let answer = match self.gateway().submit_batch(body.clone()).await {
                Ok(answer) => answer,
                Err(error) if patience.wait(&error).await => continue,
                Err(error) => return Err(text(error)),
            };
            let accepted = answer.results.iter().filter(|result| result.problem.is_none());
            self.note(accepted.filter_map(|result| result.job_id))?;
            match answer.results.into_iter().find_map(|result| result.problem) {
                None => {
                    same("jobs of a batch that were accepted", answer.accepted, ids.len())?;
                    return Ok(ids);
                }
                Some(problem) => {
                    let again = problem.code.is_retryable() && !self.left().is_zero();
                    ensure(again, || format!("a job was refused: {}", problem.title))?;
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// Waits until every one of these jobs stands so.
    pub(super) async fn all_are(&self, ids: &[JobId], status: JobStatus) -> Result<(), String> {
        for ids in ids.chunks(MOST) {
            self.wait(&format!("{} jobs to be {status}", ids.len()), || async {
                let known = self.read_model().lookup(ids).await.map_err(text)?.jobs;
                let there = known.iter().filter(|job| job.status == status).count();
                ensure(there == ids.len(), || format!("{there} are"))
            })
            .await?;
        }
        Ok(())
    }
}
