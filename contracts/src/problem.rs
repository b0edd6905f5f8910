//! Errors over HTTP: RFC 9457 `application/problem+json` with a stable code.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use uuid::Uuid;

/// Media type of [`Problem`].
pub const PROBLEM_JSON: &str = "application/problem+json";

/// The closed set of error codes. A client may branch on them; texts may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProblemCode {
    /// The body is no JSON.
    MalformedJson,
    /// The document breaks its contract; `errors` names each place.
    ValidationFailed,
    /// A parameter of path or query is wrong.
    InvalidParameter,
    /// The `Content-Type` is not one this endpoint takes.
    UnsupportedMediaType,
    /// The body is larger than permitted.
    PayloadTooLarge,
    /// The request does not show the token that is asked for here.
    Unauthorized,
    /// There is no such thing.
    NotFound,
    /// What the request is about was not set up; the detail names the setting.
    NotConfigured,
    /// The path exists, the method does not.
    MethodNotAllowed,
    /// The id was accepted before with another payload.
    IdConflict,
    /// The request cannot be met in the job's present state.
    StateConflict,
    /// The client is too fast for the system as it is now.
    Overloaded,
    /// The request took longer than its limit.
    RequestTimeout,
    /// The event spine does not confirm; nothing was accepted.
    SpineUnavailable,
    /// A store does not answer.
    StoreUnavailable,
    /// The role is stopping.
    ShuttingDown,
    /// The role that the request was passed on to does not answer, or not as HTTP has it.
    UpstreamUnavailable,
    /// The role that the request was passed on to did not answer in time.
    UpstreamTimeout,
    /// A page of another origin asked for what only our own pages may.
    ForeignOrigin,
    /// A defect of the role itself.
    Internal,
}

impl ProblemCode {
    /// Every code.
    pub const ALL: [Self; 20] = [
        Self::MalformedJson,
        Self::ValidationFailed,
        Self::InvalidParameter,
        Self::UnsupportedMediaType,
        Self::PayloadTooLarge,
        Self::Unauthorized,
        Self::NotFound,
        Self::NotConfigured,
        Self::MethodNotAllowed,
        Self::IdConflict,
        Self::StateConflict,
        Self::Overloaded,
        Self::RequestTimeout,
        Self::SpineUnavailable,
        Self::StoreUnavailable,
        Self::ShuttingDown,
        Self::UpstreamUnavailable,
        Self::UpstreamTimeout,
        Self::ForeignOrigin,
        Self::Internal,
    ];

    /// HTTP status that carries the code. The only such table in the product.
    pub const fn status(self) -> u16 {
        match self {
            Self::MalformedJson | Self::ValidationFailed | Self::InvalidParameter => 400,
            Self::Unauthorized => 401,
            Self::ForeignOrigin => 403,
            Self::NotFound | Self::NotConfigured => 404,
            Self::MethodNotAllowed => 405,
            Self::RequestTimeout => 408,
            Self::IdConflict | Self::StateConflict => 409,
            Self::PayloadTooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::Overloaded => 429,
            Self::Internal => 500,
            Self::UpstreamUnavailable => 502,
            Self::SpineUnavailable | Self::StoreUnavailable | Self::ShuttingDown => 503,
            Self::UpstreamTimeout => 504,
        }
    }

    /// Short summary of the kind of problem.
    pub const fn title(self) -> &'static str {
        match self {
            Self::MalformedJson => "The body is no valid JSON",
            Self::ValidationFailed => "The document breaks its contract",
            Self::InvalidParameter => "A parameter is invalid",
            Self::UnsupportedMediaType => "The content type is not supported",
            Self::PayloadTooLarge => "The body is too large",
            Self::Unauthorized => "A valid token is needed",
            Self::NotFound => "Not found",
            Self::NotConfigured => "Not set up here",
            Self::MethodNotAllowed => "The method is not allowed here",
            Self::IdConflict => "The id belongs to another payload",
            Self::StateConflict => "Not possible in the present state",
            Self::Overloaded => "Too many requests",
            Self::RequestTimeout => "The request took too long",
            Self::SpineUnavailable => "The event spine does not answer",
            Self::StoreUnavailable => "A store does not answer",
            Self::ShuttingDown => "The service is stopping",
            Self::UpstreamUnavailable => "The service behind does not answer",
            Self::UpstreamTimeout => "The service behind did not answer in time",
            Self::ForeignOrigin => "Not for pages of other origins",
            Self::Internal => "Internal error",
        }
    }

    /// Whether the same request may succeed later.
    pub const fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::Overloaded
                | Self::RequestTimeout
                | Self::SpineUnavailable
                | Self::StoreUnavailable
                | Self::ShuttingDown
                | Self::UpstreamUnavailable
                | Self::UpstreamTimeout
        )
    }
}

/// One place in a document that breaks its contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldError {
    /// JSON Pointer (RFC 6901) to the place; empty for the document itself.
    pub path: String,
    /// What is wrong there.
    pub message: String,
}

/// An error answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// URI of the kind of problem: `urn:odd:problem:` and the code.
    #[serde(rename = "type")]
    pub problem_type: String,
    /// Short summary of the kind of problem.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// Stable code to branch on.
    pub code: ProblemCode,
    /// What happened this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Under which the request can be found in the logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// Each place that breaks the contract.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// Id under which the submission can be repeated without making a second job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<Uuid>,
}

impl Problem {
    /// A problem of this kind, with what happened this time.
    pub fn new(code: ProblemCode, detail: impl Into<String>) -> Self {
        let name = serde_json::to_value(code)
            .ok()
            .and_then(|v| v.as_str().map(str::to_owned))
            .unwrap_or_default();
        Self {
            problem_type: format!("urn:odd:problem:{name}"),
            title: code.title().to_owned(),
            status: code.status(),
            code,
            detail: Some(detail.into()),
            correlation_id: None,
            errors: Vec::new(),
            job_id: None,
        }
    }

    /// With the places that break the contract.
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<FieldError>) -> Self {
        self.errors = errors;
        self
    }

    /// With the id to repeat the submission under.
    #[must_use]
    pub fn with_job_id(mut self, id: Uuid) -> Self {
        self.job_id = Some(id);
        self
    }
}
