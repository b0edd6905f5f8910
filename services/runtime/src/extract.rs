//! Extractors whose rejections are problems. None of them answers with a 5xx, whatever the client sends.

mod body;
mod json;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use odd_contracts::ProblemCode;
use serde::de::DeserializeOwned;

pub(crate) use body::BodyLimit;
pub use body::{RawBody, drain};
pub use json::{JsonBody, RawJson, parse_json};

use crate::problem::ApiError;

/// Parameters of the path; a wrong one is `invalid_parameter`.
#[derive(Clone, Copy, Debug)]
pub struct PathParam<T>(pub T);

/// Parameters of the query; a wrong one is `invalid_parameter`.
#[derive(Clone, Copy, Debug)]
pub struct QueryParams<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for PathParam<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(value)) => Ok(Self(value)),
            Err(PathRejection::FailedToDeserializePathParams(error)) => {
                Err(ApiError::parameter(error.body_text()))
            }
            Err(other) => Err(ApiError::internal(&other)),
        }
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for QueryParams<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(value)) => Ok(Self(value)),
            Err(QueryRejection::FailedToDeserializeQueryString(error)) => {
                Err(ApiError::parameter(error.body_text()))
            }
            Err(other) => Err(ApiError::parameter(other.body_text())),
        }
    }
}

/// Media type of the request's body in lower case, without parameters.
pub fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    Some(
        value
            .split(';')
            .next()
            .unwrap_or(value)
            .trim()
            .to_ascii_lowercase(),
    )
}

/// Whether a media type is JSON: `application/json` or `application/…+json` (RFC 6839).
pub fn is_json(media_type: &str) -> bool {
    media_type == "application/json"
        || (media_type.starts_with("application/") && media_type.ends_with("+json"))
}

/// Refuses a request whose body is not JSON by its content type.
///
/// # Errors
/// `unsupported_media_type`.
pub fn require_json(headers: &HeaderMap) -> Result<(), ApiError> {
    match media_type(headers) {
        Some(media_type) if is_json(&media_type) => Ok(()),
        found => Err(unsupported(found.as_deref(), "application/json")),
    }
}

/// The content type is not what the endpoint takes.
pub fn unsupported(found: Option<&str>, expected: &str) -> ApiError {
    let found = found.map_or_else(
        || "none was given".to_owned(),
        |found| format!("this one is {found:?}"),
    );
    ApiError::new(
        ProblemCode::UnsupportedMediaType,
        format!("the content type must be {expected}; {found}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_known_by_its_media_type() {
        let of = |value: &str| HeaderMap::from_iter([(CONTENT_TYPE, value.parse().unwrap())]);
        for value in [
            "application/json",
            "Application/JSON; charset=utf-8",
            "application/cloudevents+json",
        ] {
            assert!(require_json(&of(value)).is_ok(), "{value}");
        }
        for value in [
            "text/plain",
            "text/json",
            "application/jsonx",
            "application/x-ndjson",
            "json",
            "",
        ] {
            assert_eq!(
                require_json(&of(value)).unwrap_err().code(),
                ProblemCode::UnsupportedMediaType,
                "{value}"
            );
        }
        assert!(
            require_json(&HeaderMap::new())
                .unwrap_err()
                .to_string()
                .contains("none was given")
        );
    }
}
