//! Errors as answers: [`ApiError`] is RFC 9457 `application/problem+json` with a stable code.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use odd_contracts::problem::PROBLEM_JSON;
use odd_contracts::{FieldError, Problem, ProblemCode};

/// Seconds after which a client may try again what was refused for now.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("1");

/// A problem as the answer of a handler. The server adds the correlation id of the request. A retryable 429
/// or 503 carries `Retry-After: 1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError(pub Box<Problem>);

impl ApiError {
    /// A problem of this kind, with what happened this time.
    pub fn new(code: ProblemCode, detail: impl Into<String>) -> Self {
        Problem::new(code, detail).into()
    }

    /// A document that breaks its contract in these places.
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [only] if only.path.is_empty() => only.message.clone(),
            [only] => format!("{}: {}", only.path, only.message),
            many => format!("{} places break the contract", many.len()),
        };
        Problem::new(ProblemCode::ValidationFailed, detail)
            .with_errors(errors)
            .into()
    }

    /// There is no such thing.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(ProblemCode::NotFound, detail)
    }

    /// A parameter of path or query is wrong.
    pub fn parameter(detail: impl Into<String>) -> Self {
        Self::new(ProblemCode::InvalidParameter, detail)
    }

    /// A defect of the role. The client learns no more than that; the error goes to the log.
    pub fn internal(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "internal error");
        Self::new(
            ProblemCode::Internal,
            "the request could not be served; the log of the service says why",
        )
    }

    /// The code.
    pub fn code(&self) -> ProblemCode {
        self.0.code
    }
}

impl From<Problem> for ApiError {
    fn from(problem: Problem) -> Self {
        Self(Box::new(problem))
    }
}

impl From<ApiError> for Problem {
    fn from(error: ApiError) -> Self {
        *error.0
    }
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.detail.as_deref().unwrap_or(&self.0.title))
    }
}

impl std::error::Error for ApiError {}

/// The problem that an answer shows, kept beside it so that the server can add the correlation id.
#[derive(Clone)]
struct Shown(ApiError);

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = render(&self.0);
        response.extensions_mut().insert(Shown(self));
        response
    }
}

fn render(problem: &Problem) -> Response {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = serde_json::to_vec(problem).unwrap_or_default();
    let mut response = (status, Body::from(body)).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    if problem.code.is_retryable() && matches!(problem.status, 429 | 503) {
        headers.insert(RETRY_AFTER, RETRY_AFTER_SECONDS);
    }
    response
}

/// Makes an error answer tell its correlation id. An error in plain text or without a body, as the framework
/// itself answers, becomes a problem.
pub(crate) fn complete(mut response: Response, correlation: &str) -> Response {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let shown = response
        .extensions_mut()
        .remove::<Shown>()
        .map(|shown| shown.0.into());
    let Some(mut problem) = shown.or_else(|| is_bare(&response).then(|| of_status(status))) else {
        return response;
    };
    if problem.correlation_id.is_none() {
        problem.correlation_id = Some(correlation.to_owned());
    }
    let rendered = render(&problem);
    for (name, value) in rendered.headers() {
        response.headers_mut().insert(name, value.clone());
    }
    response.headers_mut().remove(axum::http::header::CONTENT_LENGTH);
    *response.body_mut() = rendered.into_body();
    response
}

fn is_bare(response: &Response) -> bool {
    response
        .headers()
        .get(CONTENT_TYPE)
        .is_none_or(|value| value.as_bytes().starts_with(b"text/plain"))
}

/// The status stays the framework's own; only the code is taken from the closed set.
fn of_status(status: StatusCode) -> Problem {
    let code = ProblemCode::ALL
        .into_iter()
        .find(|code| code.status() == status.as_u16() && *code != ProblemCode::MalformedJson)
        .unwrap_or(if status.is_server_error() {
            ProblemCode::Internal
        } else {
            ProblemCode::InvalidParameter
        });
    let mut problem = Problem::new(
        code,
        status.canonical_reason().unwrap_or("the request was refused"),
    );
    problem.status = status.as_u16();
    problem
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn document(response: Response) -> Problem {
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 16).await.unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    #[tokio::test]
    async fn a_problem_carries_its_code_status_and_correlation_id() {
        for code in ProblemCode::ALL {
            let response = complete(ApiError::new(code, "so it is").into_response(), "c-1");
            assert_eq!(response.status().as_u16(), code.status());
            assert_eq!(response.headers()[CONTENT_TYPE], PROBLEM_JSON);
            let retry = matches!(code.status(), 429 | 503);
            assert_eq!(response.headers().contains_key(RETRY_AFTER), retry, "{code:?}");
            let problem = document(response).await;
            assert_eq!(
                (problem.code, problem.correlation_id.as_deref()),
                (code, Some("c-1"))
            );
            assert_eq!(problem.detail.as_deref(), Some("so it is"));
        }
    }

    #[tokio::test]
    async fn a_bare_error_of_the_framework_becomes_a_problem_and_other_answers_stay() {
        let problem = document(complete(StatusCode::URI_TOO_LONG.into_response(), "c")).await;
        assert_eq!(
            (problem.status, problem.code),
            (414, ProblemCode::InvalidParameter)
        );
        let problem = document(complete((StatusCode::BAD_GATEWAY, "oh").into_response(), "c")).await;
        assert_eq!(
            (problem.status, problem.code),
            (502, ProblemCode::UpstreamUnavailable)
        );
        let json = (StatusCode::SERVICE_UNAVAILABLE, axum::Json(1)).into_response();
        let bytes = axum::body::to_bytes(complete(json, "c").into_body(), 9)
            .await
            .unwrap();
        assert_eq!(&bytes[..], b"1");
    }

    #[test]
    fn an_invalid_document_names_its_place() {
        let errors = vec![FieldError {
            path: "/type".to_owned(),
            message: "is empty".to_owned(),
        }];
        assert_eq!(ApiError::invalid(errors).to_string(), "/type: is empty");
    }
}
