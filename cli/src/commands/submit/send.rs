//! One request of submissions and what became of each of them.

use std::fmt::Write;

use odd_client::{ClientError, Gateway};
use odd_contracts::Problem;
use odd_contracts::names::spine::JSON;

use super::plan::{Group, Planned};
use crate::patience::Patience;

/// Jobs that travel in one request.
pub(super) struct Chunk {
    pub(super) jobs: Vec<Planned>,
    pub(super) patience: Patience,
    /// Why they are sent again.
    pub(super) again_because: Option<ClientError>,
}

/// What the gateway said about a job.
pub(super) enum Verdict {
    Accepted { duplicate: bool },
    Refused(Box<Problem>),
}

/// What became of a request.
pub(super) struct Sent {
    /// Jobs that are settled.
    pub(super) verdicts: Vec<(Planned, Verdict)>,
    /// Jobs that may be accepted later, and why they were not now.
    pub(super) left: Option<(Chunk, ClientError)>,
    /// Jobs that will not be: nobody takes them any more.
    pub(super) given_up: Option<ClientError>,
}

/// Sends a chunk once; one that was sent before, after a pause and under the same ids.
pub(super) async fn send(gateway: &Gateway, groups: &[Group], mut chunk: Chunk) -> Sent {
    if let Some(cause) = chunk.again_because.take()
        && !chunk.patience.wait(&cause).await
    {
        return Sent {
            verdicts: Vec::new(),
            left: None,
            given_up: Some(cause),
        };
    }
    let answer = match chunk.jobs.as_slice() {
        [job] => one(gateway, groups, job).await,
        _ => batch(gateway, groups, &chunk.jobs).await,
    };
    settle(chunk, answer, gateway.base())
}

type Answers = Result<Vec<Verdict>, ClientError>;

async fn one(gateway: &Gateway, groups: &[Group], job: &Planned) -> Answers {
    let body = groups[job.group].body(job.id);
    let accepted = gateway.submit_bytes(JSON, body.into()).await?;
    Ok(vec![Verdict::Accepted {
        duplicate: accepted.duplicate,
    }])
}

async fn batch(gateway: &Gateway, groups: &[Group], jobs: &[Planned]) -> Answers {
    let mut body = String::new();
    for job in jobs {
        // Writing to a text cannot fail.
        let _ = writeln!(body, "{}", groups[job.group].body(job.id));
    }
    let answer = gateway.submit_batch(body.into()).await?;
    if answer.results.len() != jobs.len() {
        return Err(ClientError::Unexpected {
            url: format!("{}/jobs/batch", gateway.base()),
            status: 200,
            detail: format!("{} results for {} jobs", answer.results.len(), jobs.len()),
        });
    }
    let verdicts = answer.results.into_iter().map(|result| match result.problem {
        Some(problem) => Verdict::Refused(Box::new(problem)),
        None => Verdict::Accepted {
            duplicate: result.duplicate,
        },
    });
    Ok(verdicts.collect())
}

/// Tells apart what is settled, what is sent again, and what cannot be.
fn settle(chunk: Chunk, answer: Answers, base: &str) -> Sent {
    let mut sent = Sent {
        verdicts: Vec::new(),
        left: None,
        given_up: None,
    };
    let verdicts = match answer {
        Ok(verdicts) => verdicts,
        Err(cause) if cause.is_retryable() => {
            sent.left = Some((chunk, cause));
            return sent;
        }
        Err(ClientError::Problem { problem, .. }) => chunk
            .jobs
            .iter()
            .map(|_| Verdict::Refused(problem.clone()))
            .collect(),
        Err(cause) => {
            sent.given_up = Some(cause);
            return sent;
        }
    };
    let (mut again, mut cause) = (Vec::new(), None);
    for (job, verdict) in chunk.jobs.into_iter().zip(verdicts) {
        match verdict {
            Verdict::Refused(problem) if problem.code.is_retryable() => {
                again.push(job);
                cause = Some(problem);
            }
            verdict => sent.verdicts.push((job, verdict)),
        }
    }
    sent.left = cause.map(|problem| {
        let jobs = Chunk { jobs: again, ..chunk };
        let url = format!("{base}/jobs/batch");
        let retry_after = None;
        (
            jobs,
            ClientError::Problem {
                url,
                problem,
                retry_after,
            },
        )
    });
    sent
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use odd_contracts::ProblemCode;
    use uuid::Uuid;

    use super::*;

    fn chunk(count: usize) -> Chunk {
        let jobs = (0..count).map(|index| Planned {
            index,
            group: 0,
            id: Uuid::from_u128(index as u128),
        });
        Chunk {
            jobs: jobs.collect(),
            patience: Patience::new(Duration::from_secs(1)),
            again_because: None,
        }
    }

    fn refused(code: ProblemCode) -> Verdict {
        Verdict::Refused(Box::new(Problem::new(code, "because")))
    }

    fn indices<'a>(jobs: impl IntoIterator<Item = &'a Planned>) -> Vec<usize> {
        jobs.into_iter().map(|job| job.index).collect()
    }

    #[test]
    fn lines_that_may_succeed_later_are_sent_again_alone() {
        let answers = vec![
            Verdict::Accepted { duplicate: false },
            refused(ProblemCode::SpineUnavailable),
            refused(ProblemCode::ValidationFailed),
            refused(ProblemCode::Overloaded),
        ];
        let sent = settle(chunk(4), Ok(answers), "http://127.0.0.1:3000");
        assert_eq!(indices(sent.verdicts.iter().map(|(job, _)| job)), [0, 2]);
        let (left, cause) = sent.left.expect("two are left");
        assert_eq!(indices(&left.jobs), [1, 3]);
        assert!(cause.is_retryable());
        assert!(sent.given_up.is_none());
    }

    #[test]
    fn a_refused_request_refuses_each_of_its_jobs() {
        let problem = |code| ClientError::Problem {
            url: String::new(),
            problem: Box::new(Problem::new(code, "because")),
            retry_after: None,
        };
        let sent = settle(chunk(2), Err(problem(ProblemCode::PayloadTooLarge)), "");
        assert_eq!((sent.verdicts.len(), sent.left.is_none()), (2, true));
        let sent = settle(chunk(2), Err(problem(ProblemCode::ShuttingDown)), "");
        assert_eq!(sent.left.map(|(chunk, _)| chunk.jobs.len()), Some(2));
        let strange = ClientError::Unexpected {
            url: String::new(),
            status: 200,
            detail: String::new(),
        };
        assert!(settle(chunk(2), Err(strange), "").given_up.is_some());
    }
}
