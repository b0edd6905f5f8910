//! Acceptance: a submission is accepted exactly when the spine has confirmed its work message.

use std::sync::Arc;

use bytes::Bytes;
use odd_contracts::{
    EventType, Job, JobAccepted, JobStatus, Problem, ProblemCode, Producer, Timestamp, history, ids,
};
use odd_runtime::ApiError;
use odd_spine::{Message, codec};
use uuid::Uuid;

use crate::created::{Created, CreatedEvents};
use crate::publisher::{Publisher, Refusal};
use crate::submission::Submission;
use crate::trace::Trace;
use crate::window::{Claim, Outcome, Racing, Ticket, Window};

/// Accepts submissions. Keeps nothing that a restart could lose.
pub(crate) struct Acceptor {
    pub(crate) publisher: Publisher,
    pub(crate) window: Arc<Window>,
    pub(crate) created: CreatedEvents,
    pub(crate) producer: Producer,
}

/// A submission whose work message has to be published.
struct Outgoing {
    id: Uuid,
    event_id: Uuid,
    envelope: Bytes,
    ticket: Option<Ticket>,
}

/// How far a submission came without the spine.
enum Step {
    Publish(Box<Outgoing>, Message),
    Wait(Box<Submission>, Racing),
    Done(Result<JobAccepted, ApiError>),
}

impl Acceptor {
    /// Publishes a submission and waits for its confirm.
    ///
    /// # Errors
    /// `id_conflict`, `overloaded` and `spine_unavailable`; each carries the job's id, to be repeated under.
    pub(crate) async fn accept(
        &self,
        submission: Submission,
        trace: &Trace,
    ) -> Result<JobAccepted, ApiError> {
        match self.begin(submission, trace) {
            Step::Done(answer) => answer,
            Step::Publish(outgoing, message) => {
                before_publish();
                let result = self.publisher.publish_one(message).await;
                self.settle(*outgoing, result, trace)
            }
            Step::Wait(submission, racing) => self.join(*submission, racing, trace).await,
        }
    }

    /// Publishes submissions together and waits for every confirm. One answer each, in order.
    pub(crate) async fn accept_all(
        &self,
        submissions: Vec<Submission>,
        trace: &Trace,
    ) -> Vec<Result<JobAccepted, ApiError>> {
        let mut answers = Vec::with_capacity(submissions.len());
        let (mut outgoing, mut messages, mut waiting) = (Vec::new(), Vec::new(), Vec::new());
        for (index, submission) in submissions.into_iter().enumerate() {
            match self.begin(submission, trace) {
                Step::Done(answer) => answers.push((index, answer)),
                Step::Publish(step, message) => {
                    outgoing.push((index, step));
                    messages.push(message);
                }
                Step::Wait(submission, racing) => waiting.push((index, submission, racing)),
            }
        }
        if !messages.is_empty() {
            before_publish();
            let results = self.publisher.publish(messages).await;
            for ((index, step), result) in outgoing.into_iter().zip(results) {
                answers.push((index, self.settle(*step, result, trace)));
            }
        }
        // Some may wait for a line of this very batch: it is settled now.
        for (index, submission, racing) in waiting {
            answers.push((index, self.join(*submission, racing, trace).await));
        }
        answers.sort_unstable_by_key(|(index, _)| *index);
        answers.into_iter().map(|(_, answer)| answer).collect()
    }

    /// Waits for another submission of the same id, and takes its place should it be given up.
    async fn join(
        &self,
        submission: Submission,
        racing: Racing,
        trace: &Trace,
    ) -> Result<JobAccepted, ApiError> {
        let id = submission.job.id;
        match racing.outcome().await {
            Some(outcome) => shared(id, outcome),
            None => Box::pin(self.accept(submission, trace)).await,
        }
    }

    fn begin(&self, submission: Submission, trace: &Trace) -> Step {
        let id = submission.job.id;
        let Some(digest) = submission.digest else {
            return self.outgoing(&submission.job, None, trace);
        };
        match self.window.claim(id, digest) {
            Claim::First(ticket) => self.outgoing(&submission.job, Some(ticket), trace),
            Claim::Repeat(correlation_id) => Step::Done(Ok(repeated(id, &correlation_id))),
            Claim::Racing(racing) => Step::Wait(Box::new(submission), racing),
            Claim::Conflict => Step::Done(Err(conflict(id))),
        }
    }

    fn outgoing(&self, job: &Job, ticket: Option<Ticket>, trace: &Trace) -> Step {
        let envelope = history::created(
            job,
            &self.producer,
            Timestamp::now(),
            trace.correlation_id.as_str(),
            trace.traceparent.as_deref(),
        );
        let message = codec::work_message(&envelope);
        let outgoing = Outgoing {
            id: job.id,
            event_id: envelope.event_id,
            envelope: message.body.clone(),
            ticket,
        };
        Step::Publish(Box::new(outgoing), message)
    }

    fn settle(
        &self,
        outgoing: Outgoing,
        result: Result<(), Refusal>,
        trace: &Trace,
    ) -> Result<JobAccepted, ApiError> {
        let Outgoing {
            id,
            event_id,
            envelope,
            ticket,
        } = outgoing;
        match result {
            Ok(()) => {
                if let Some(ticket) = ticket {
                    ticket.confirm(trace.correlation_id.as_str());
                }
                self.created.offer(Created { event_id, envelope });
                after_confirm();
                Ok(accepted(id, event_id, trace.correlation_id.as_str()))
            }
            Err(refusal) => {
                let problem = refused(id, &refusal);
                if let Some(ticket) = ticket {
                    ticket.refuse(refusal);
                }
                Err(problem)
            }
        }
    }
}

fn accepted(job_id: Uuid, event_id: Uuid, correlation_id: &str) -> JobAccepted {
    JobAccepted {
        job_id,
        event_id,
        status: JobStatus::Pending,
        correlation_id: correlation_id.to_owned(),
        duplicate: false,
    }
}

/// The answer to a repetition: the event and the correlation id of the first one, under which the job can be found.
fn repeated(id: Uuid, correlation_id: &str) -> JobAccepted {
    JobAccepted {
        duplicate: true,
        ..accepted(id, ids::event_id(id, EventType::Created, 0), correlation_id)
    }
}

/// The answer to a submission that waited for another of the same id.
fn shared(id: Uuid, outcome: Outcome) -> Result<JobAccepted, ApiError> {
    match outcome {
        Ok(correlation_id) => Ok(repeated(id, &correlation_id)),
        Err(refusal) => Err(refused(id, &refusal)),
    }
}

fn conflict(id: Uuid) -> ApiError {
    let detail = format!("{id} was submitted before with another type or payload; choose a new id");
    Problem::new(ProblemCode::IdConflict, detail)
        .with_job_id(id)
        .into()
}

fn refused(id: Uuid, refusal: &Refusal) -> ApiError {
    spine_problem(refusal, "repeat the submission under the id in jobId")
        .with_job_id(id)
        .into()
}

/// The problem of a message that the spine did not take over, with what to do about it.
pub(crate) fn spine_problem(refusal: &Refusal, remedy: &str) -> Problem {
    let code = match refusal {
        Refusal::Overloaded => ProblemCode::Overloaded,
        Refusal::Spine(_) => ProblemCode::SpineUnavailable,
    };
    Problem::new(code, format!("{refusal}; {remedy}"))
}

/// A test build can end the process here: nothing is published.
fn before_publish() {
    fail::fail_point!("gateway.before_publish", |_| std::process::abort());
}

/// A test build can end the process here: confirmed, and the submitter never hears of it.
fn after_confirm() {
    fail::fail_point!("gateway.after_confirm", |_| std::process::abort());
}
