//! `POST /jobs/batch` without HTTP: lines in, one result per line out.

use odd_contracts::api::{BatchResponse, BatchResult};
use odd_contracts::{JobAccepted, Problem, ProblemCode, Timestamp};
use odd_runtime::ApiError;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::accept::Acceptor;
use crate::metrics::GatewayMetrics;
use crate::submission::{self, MAX_SUBMISSION_BYTES, Submission};
use crate::trace::Trace;

/// HTTP status of an accepted line.
const ACCEPTED: u16 = 202;

/// The answer where the spine took none of a batch: a problem, and the result of every line with it, because
/// each has the id to be repeated under.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct BatchProblem {
    /// What befell the batch.
    #[serde(flatten)]
    pub(crate) problem: Problem,
    /// What befell each line.
    #[serde(flatten)]
    pub(crate) response: BatchResponse,
}

/// Accepts what can be accepted of a batch.
///
/// # Errors
/// Where no line is JSON at all; where the spine took none.
pub(crate) async fn accept(
    acceptor: &Acceptor,
    metrics: &GatewayMetrics,
    lines: Vec<&[u8]>,
    trace: &Trace,
) -> Result<BatchResponse, Box<BatchProblem>> {
    let now = Timestamp::now();
    let count = lines.len();
    let mut results = Vec::with_capacity(count);
    let (mut places, mut submissions) = (Vec::new(), Vec::new());
    for (index, line) in lines.into_iter().enumerate() {
        match read(line, now, metrics) {
            Ok(submission) => {
                places.push((index, submission.job.id));
                submissions.push(submission);
            }
            Err((error, id)) => results.push(refusal(index, id, error)),
        }
    }
    let answers = acceptor.accept_all(submissions, trace).await;
    for ((index, id), answer) in places.into_iter().zip(answers) {
        results.push(match answer {
            Ok(accepted) => acceptance(index, &accepted),
            Err(problem) => refusal(index, Some(id), problem),
        });
    }
    results.sort_unstable_by_key(|result| result.index);
    metrics.results(&results);
    judge(respond(results))
}

fn read(
    line: &[u8],
    now: Timestamp,
    metrics: &GatewayMetrics,
) -> Result<Submission, (ApiError, Option<Uuid>)> {
    if line.len() > MAX_SUBMISSION_BYTES {
        metrics.submitted(None);
        let detail = format!("a submission is at most {MAX_SUBMISSION_BYTES} bytes");
        return Err((ApiError::new(ProblemCode::PayloadTooLarge, detail), None));
    }
    let document = submission::parse(line).map_err(|problem| {
        metrics.submitted(None);
        (problem, None)
    })?;
    metrics.submitted(submission::named_type(&document));
    submission::read(document, now).map_err(|invalid| (invalid.problem, invalid.job_id))
}

fn acceptance(index: usize, accepted: &JobAccepted) -> BatchResult {
    BatchResult {
        index,
        status: ACCEPTED,
        job_id: Some(accepted.job_id),
        event_id: Some(accepted.event_id),
        duplicate: accepted.duplicate,
        problem: None,
    }
}

fn refusal(index: usize, job_id: Option<Uuid>, error: ApiError) -> BatchResult {
    let problem = Problem::from(error);
    BatchResult {
        index,
        status: problem.status,
        job_id,
        event_id: None,
        duplicate: false,
        problem: Some(problem),
    }
}

fn respond(results: Vec<BatchResult>) -> BatchResponse {
    let accepted = results.iter().filter(|result| result.problem.is_none()).count();
    BatchResponse {
        accepted,
        rejected: results.len() - accepted,
        results,
    }
}

/// A batch fails as a whole where no line is JSON, or where none was accepted and the spine is why.
fn judge(response: BatchResponse) -> Result<BatchResponse, Box<BatchProblem>> {
    if response.accepted > 0 {
        return Ok(response);
    }
    let mut codes = response
        .results
        .iter()
        .filter_map(|r| r.problem.as_ref().map(|p| p.code));
    let problem = if codes.clone().all(|code| code == ProblemCode::MalformedJson) {
        Problem::new(ProblemCode::MalformedJson, "no line of the batch is JSON")
    } else if let Some(code) = codes.find(|code| code.is_retryable()) {
        Problem::new(
            code,
            "the event spine took none of the batch; repeat each line under the jobId of its result",
        )
    } else {
        return Ok(response);
    };
    Err(Box::new(BatchProblem { problem, response }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(codes: &[ProblemCode]) -> Vec<BatchResult> {
        let problems = codes.iter().map(|code| ApiError::new(*code, "because"));
        problems
            .enumerate()
            .map(|(index, problem)| refusal(index, None, problem))
            .collect()
    }

    fn verdict(results: Vec<BatchResult>) -> Option<ProblemCode> {
        judge(respond(results)).err().map(|failed| failed.problem.code)
    }

    #[test]
    fn a_batch_fails_as_a_whole_only_where_nothing_can_be_said_by_line() {
        use ProblemCode::{MalformedJson, SpineUnavailable, ValidationFailed};
        assert_eq!(
            verdict(refused(&[MalformedJson, MalformedJson])),
            Some(MalformedJson)
        );
        assert_eq!(verdict(refused(&[MalformedJson, ValidationFailed])), None);
        assert_eq!(
            verdict(refused(&[ValidationFailed, SpineUnavailable])),
            Some(SpineUnavailable)
        );
        let mut mixed = refused(&[SpineUnavailable, MalformedJson]);
        mixed[1].problem = None;
        assert_eq!(verdict(mixed), None);
    }

    #[test]
    fn a_failed_batch_is_a_problem_and_a_batch_response_at_once() {
        let failed = judge(respond(refused(&[ProblemCode::SpineUnavailable]))).unwrap_err();
        let text = serde_json::to_string(&failed).unwrap();
        assert_eq!(serde_json::from_str::<Problem>(&text).unwrap(), failed.problem);
        assert_eq!(
            serde_json::from_str::<BatchResponse>(&text).unwrap(),
            failed.response
        );
    }
}
