//! Asks the read-model for a job that is to be repeated.

use std::time::Duration;

use odd_contracts::names::header::CORRELATION_ID;
use odd_contracts::{Job, ProblemCode};
use odd_runtime::ApiError;
use reqwest::StatusCode;
use uuid::Uuid;

/// Longest time the read-model may take.
const TIME_LIMIT: Duration = Duration::from_secs(2);

/// Client of the read-model.
#[derive(Debug)]
pub(crate) struct ReadModel {
    http: reqwest::Client,
    base: String,
}

impl ReadModel {
    /// A client of the read-model at this base address.
    ///
    /// # Errors
    /// Where the HTTP client cannot be made.
    pub(crate) fn new(base: &str) -> Result<Self, reqwest::Error> {
        Ok(Self {
            http: reqwest::Client::builder().timeout(TIME_LIMIT).build()?,
            base: base.trim_end_matches('/').to_owned(),
        })
    }

    /// The job as it stands.
    ///
    /// # Errors
    /// `not_found`, or `store_unavailable` where the read-model gives no proper answer.
    pub(crate) async fn job(&self, id: Uuid, correlation_id: &str) -> Result<Job, ApiError> {
        let request = self
            .http
            .get(format!("{}/jobs/{id}", self.base))
            .header(CORRELATION_ID, correlation_id);
        let response = request.send().await.map_err(|error| unavailable(&error))?;
        match response.status() {
            StatusCode::OK => response.json().await.map_err(|error| unavailable(&error)),
            StatusCode::NOT_FOUND => Err(ApiError::not_found(format!("there is no job {id}"))),
            status => Err(away(format!("the read-model answered {status}"))),
        }
    }
}

fn unavailable(error: &reqwest::Error) -> ApiError {
    tracing::warn!(error = %Chain(error), "the read-model gave no answer");
    let why = if error.is_timeout() {
        "did not answer in time"
    } else if error.is_decode() {
        "answered with something that is no job"
    } else {
        "cannot be reached"
    };
    away(format!("the read-model {why}"))
}

fn away(what: String) -> ApiError {
    ApiError::new(
        ProblemCode::StoreUnavailable,
        format!("{what}, and it knows the job to be repeated; nothing was submitted, try again later"),
    )
}

/// An error with its sources, for the log.
struct Chain<'a>(&'a dyn std::error::Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}
