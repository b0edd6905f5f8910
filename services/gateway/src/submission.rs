//! From the bytes of a submission to the job they ask for. No input or output: what cannot be accepted is told here.

use std::time::Duration;

use odd_contracts::ids::PayloadDigest;
use odd_contracts::schema::{self, Schema};
use odd_contracts::{
    FieldError, Job, JobOptions, JobStatus, JobSubmission, JobType, JsonObject, ProblemCode, Timestamp,
};
use odd_runtime::ApiError;
use serde_json::Value;
use uuid::Uuid;

/// Most bytes of one submission.
pub(crate) const MAX_SUBMISSION_BYTES: usize = 1 << 20;

/// Deepest nesting of a payload or of metadata. A job travels and is shown inside other documents, and their readers
/// stop at 128 levels.
pub(crate) const MAX_DEPTH: usize = 100;

/// A job that keeps its contract and waits for its publication.
#[derive(Debug)]
pub(crate) struct Submission {
    /// The job, as it will travel.
    pub(crate) job: Job,
    /// What its repetitions are compared with; none where the gateway made the id, because nobody can repeat it.
    pub(crate) digest: Option<PayloadDigest>,
}

/// A submission that breaks its contract.
#[derive(Debug)]
pub(crate) struct Invalid {
    /// The answer to it.
    pub(crate) problem: ApiError,
    /// The id that it gave, where it is one.
    pub(crate) job_id: Option<Uuid>,
}

/// Reads a submission's JSON.
///
/// # Errors
/// `malformed_json` where the bytes are no JSON text in UTF-8, or nest beyond 128 levels.
pub(crate) fn parse(body: &[u8]) -> Result<Value, ApiError> {
    serde_json::from_slice(body).map_err(|error| ApiError::new(ProblemCode::MalformedJson, error.to_string()))
}

/// The type that a submission names, where it is a valid one.
pub(crate) fn named_type(document: &Value) -> Option<&str> {
    let name = document.get("type")?.as_str()?;
    name.parse::<JobType>().is_ok().then_some(name)
}

/// Makes the job that a document asks for, submitted at `now`.
///
/// # Errors
/// `validation_failed` with each place that breaks the contract.
pub(crate) fn read(document: Value, now: Timestamp) -> Result<Submission, Box<Invalid>> {
    let named_id = document
        .get("id")
        .and_then(Value::as_str)
        .and_then(|id| id.parse().ok());
    decode(document, now).map_err(|errors| {
        Box::new(Invalid {
            problem: ApiError::invalid(errors),
            job_id: named_id,
        })
    })
}

fn decode(document: Value, now: Timestamp) -> Result<Submission, Vec<FieldError>> {
    let submission: JobSubmission = schema::decode(Schema::JobSubmission, document)?;
    let errors = further_errors(&submission, now);
    if !errors.is_empty() {
        return Err(errors);
    }
    let job_type = submission
        .job_type
        .parse()
        .map_err(|error: odd_contracts::job::InvalidJobType| vec![at("/type", error.to_string())])?;
    let job = Job {
        id: submission.id.unwrap_or_else(Uuid::new_v4),
        job_type,
        status: JobStatus::Pending,
        created_at: submission.created_at.unwrap_or(now),
        updated_at: None,
        payload: submission.payload.unwrap_or_default(),
        metadata: submission.metadata.unwrap_or_default(),
        options: submission.options.unwrap_or_default(),
        retry_of: None,
    };
    let digest = submission.id.is_some().then(|| job.digest());
    Ok(Submission { job, digest })
}

/// What the schema cannot say.
fn further_errors(submission: &JobSubmission, now: Timestamp) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if submission
        .status
        .is_some_and(|status| status != JobStatus::Pending)
    {
        errors.push(at("/status", "a job is submitted PENDING".to_owned()));
    }
    let latest = now.plus(Duration::from_millis(JobOptions::MAX_DELAY_MS));
    if submission
        .options
        .as_ref()
        .and_then(|o| o.run_at)
        .is_some_and(|run_at| run_at > latest)
    {
        errors.push(at(
            "/options/runAt",
            "must not be more than 365 days ahead".to_owned(),
        ));
    }
    for (path, object) in [
        ("/payload", &submission.payload),
        ("/metadata", &submission.metadata),
    ] {
        if object.as_ref().is_some_and(|object| !fits(object)) {
            errors.push(at(path, format!("must not nest deeper than {MAX_DEPTH} levels")));
        }
    }
    errors
}

fn at(path: &str, message: String) -> FieldError {
    FieldError {
        path: path.to_owned(),
        message,
    }
}

fn fits(object: &JsonObject) -> bool {
    object.values().all(|value| value_fits(value, MAX_DEPTH - 1))
}

/// Recursion is bounded by `levels`.
fn value_fits(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(_) | Value::Object(_) if levels == 0 => false,
        Value::Array(items) => items.iter().all(|item| value_fits(item, levels - 1)),
        Value::Object(fields) => fields.values().all(|field| value_fits(field, levels - 1)),
        _ => true,
    }
}

/// The job that repeats an ended one, to run at once under a new identity.
pub(crate) fn retry(ended: Job, id: Option<Uuid>, now: Timestamp) -> Submission {
    let job = Job {
        id: id.unwrap_or_else(Uuid::new_v4),
        status: JobStatus::Pending,
        created_at: now,
        updated_at: None,
        options: JobOptions {
            delay_ms: None,
            run_at: None,
            ..ended.options
        },
        retry_of: Some(ended.id),
        ..ended
    };
    let digest = id.is_some().then(|| job.digest());
    Submission { job, digest }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn now() -> Timestamp {
        Timestamp::from_micros(1_764_000_000_000_000)
    }

    fn paths(document: Value) -> Vec<String> {
        let invalid = read(document, now()).expect_err("must be refused");
        assert_eq!(invalid.problem.code(), ProblemCode::ValidationFailed);
        invalid
            .problem
            .0
            .errors
            .into_iter()
            .map(|error| error.path)
            .collect()
    }

    #[test]
    fn fills_what_is_absent() {
        let submission = read(json!({"type": "hello"}), now()).unwrap();
        let job = submission.job;
        assert_eq!(job.id.get_version_num(), 4);
        assert_eq!((job.status, job.created_at), (JobStatus::Pending, now()));
        assert!(job.payload.is_empty() && job.metadata.is_empty());
        assert!(
            submission.digest.is_none(),
            "nobody can repeat an id that the gateway made"
        );
    }

    #[test]
    fn keeps_what_is_given() {
        let id = Uuid::from_u128(7);
        let document = json!({
            "id": id, "type": "hash", "status": "PENDING", "createdAt": "2025-11-24T17:00:00+01:00",
            "payload": {"text": "a\u{0}b"}, "metadata": {"who": "me"}, "options": {"maxAttempts": 25}
        });
        let submission = read(document, now()).unwrap();
        assert_eq!(submission.digest, Some(submission.job.digest()));
        assert_eq!(submission.job.id, id);
        assert_eq!(submission.job.created_at, now());
        assert_eq!(submission.job.payload["text"], "a\u{0}b");
        assert_eq!(submission.job.options.max_attempts, Some(25));
    }

    #[test]
    fn a_job_begins_pending() {
        assert_eq!(paths(json!({"type": "t", "status": "COMPLETED"})), ["/status"]);
    }

    #[test]
    fn run_at_is_at_most_a_year_ahead() {
        let run_at = |at: Timestamp| json!({"type": "t", "options": {"runAt": at}});
        assert!(read(run_at(now().plus(365 * DAY)), now()).is_ok());
        let late = run_at(now().plus(365 * DAY).plus(Duration::from_micros(1)));
        assert_eq!(paths(late), ["/options/runAt"]);
    }

    #[test]
    fn nesting_is_bounded_so_that_every_reader_can_follow() {
        let nested = |levels: usize| {
            let open = "{\"a\":".repeat(levels);
            let text = format!("{{\"type\":\"t\",\"payload\":{open}1{}}}", "}".repeat(levels));
            serde_json::from_str::<Value>(&text).unwrap()
        };
        assert!(read(nested(MAX_DEPTH), now()).is_ok());
        assert_eq!(paths(nested(MAX_DEPTH + 1)), ["/payload"]);
    }

    #[test]
    fn every_fault_is_named_and_the_id_with_it() {
        let id = Uuid::from_u128(9);
        let document = json!({"id": id, "type": "", "payload": [], "options": {"maxAttempts": 0}});
        let invalid = read(document, now()).unwrap_err();
        assert_eq!(invalid.job_id, Some(id));
        let paths: Vec<_> = invalid.problem.0.errors.iter().map(|e| e.path.as_str()).collect();
        for path in ["/type", "/payload", "/options/maxAttempts"] {
            assert!(paths.contains(&path), "{path} missing in {paths:?}");
        }
    }

    #[test]
    fn a_retry_is_a_new_job_linked_to_the_old() {
        let document = json!({
            "id": Uuid::from_u128(1), "type": "t", "payload": {"a": 1}, "metadata": {"m": 2},
            "options": {"delayMs": 5000, "maxAttempts": 7}
        });
        let mut old = read(document, Timestamp::from_micros(5)).unwrap().job;
        old.status = JobStatus::Failed;
        old.updated_at = Some(now());
        let new = retry(old.clone(), None, now()).job;
        assert_ne!(new.id, old.id);
        assert_eq!(new.retry_of, Some(old.id));
        assert_eq!(
            (new.status, new.created_at, new.updated_at),
            (JobStatus::Pending, now(), None)
        );
        assert_eq!((&new.payload, &new.metadata), (&old.payload, &old.metadata));
        assert_eq!((new.options.delay_ms, new.options.max_attempts), (None, Some(7)));
    }

    #[test]
    fn bytes_that_are_no_json_are_malformed() {
        for body in [
            &b""[..],
            b"{",
            b"\xff\xfe",
            b"{\"a\":\"\xff\"}",
            b"{} {}",
            br#"{"a":"\ud800"}"#,
        ] {
            assert_eq!(
                parse(body).unwrap_err().code(),
                ProblemCode::MalformedJson,
                "{body:?}"
            );
        }
        let deep = [b"[".repeat(100_000), b"]".repeat(100_000)].concat();
        assert_eq!(parse(&deep).unwrap_err().code(), ProblemCode::MalformedJson);
    }
}
