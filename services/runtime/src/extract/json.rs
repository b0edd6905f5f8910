//! JSON bodies.

use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use odd_contracts::{FieldError, ProblemCode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::error::Category;
use serde_path_to_error::Segment;

use super::{RawBody, require_json};
use crate::problem::ApiError;

/// A JSON body as `T`. Another content type is `unsupported_media_type`, no JSON `malformed_json` (with line
/// and column), JSON of another shape `validation_failed` (with the place).
#[derive(Clone, Copy, Debug)]
pub struct JsonBody<T>(pub T);

/// A JSON body as it is, and its bytes. Nesting beyond 128 levels is `malformed_json`.
#[derive(Clone, Debug)]
pub struct RawJson {
    /// What it says.
    pub value: Value,
    /// How it says it.
    pub bytes: Bytes,
}

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        require_json(request.headers())?;
        let RawBody(bytes) = RawBody::from_request(request, state).await?;
        parse_json(&bytes).map(Self)
    }
}

impl<S: Sync> FromRequest<S> for RawJson {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        require_json(request.headers())?;
        let RawBody(bytes) = RawBody::from_request(request, state).await?;
        let value = serde_json::from_slice(&bytes).map_err(|error| malformed(&error))?;
        Ok(Self { value, bytes })
    }
}

/// Reads a document, such as one line of a body of many.
///
/// # Errors
/// `malformed_json` or `validation_failed`, as [`JsonBody`].
pub fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| refused(&error))?;
    deserializer.end().map_err(|error| malformed(&error))?;
    Ok(value)
}

fn refused(error: &serde_path_to_error::Error<serde_json::Error>) -> ApiError {
    match error.inner().classify() {
        Category::Data => {
            let path = pointer(error.path());
            ApiError::invalid(vec![FieldError {
                path,
                message: error.inner().to_string(),
            }])
        }
        _ => malformed(error.inner()),
    }
}

fn malformed(error: &serde_json::Error) -> ApiError {
    ApiError::new(ProblemCode::MalformedJson, error.to_string())
}

/// RFC 6901.
fn pointer(path: &serde_path_to_error::Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        let token = match segment {
            Segment::Seq { index } => index.to_string(),
            Segment::Map { key } => key.replace('~', "~0").replace('/', "~1"),
            // Neither an enum's variant nor what serde could not name is a step in the document.
            Segment::Enum { .. } | Segment::Unknown => continue,
        };
        pointer.push('/');
        pointer.push_str(&token);
    }
    pointer
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    type Table = BTreeMap<String, Vec<u8>>;

    #[test]
    fn a_wrong_place_is_named_by_its_pointer() {
        let error = parse_json::<Table>(br#"{"a/b~c":[1,"two"]}"#).unwrap_err();
        assert_eq!(error.code(), ProblemCode::ValidationFailed);
        assert_eq!(error.0.errors[0].path, "/a~1b~0c/1");
        assert!(error.0.errors[0].message.contains("invalid type"), "{error}");
    }

    #[test]
    fn what_is_no_json_is_malformed_with_line_and_column() {
        let deep = "[".repeat(100_000);
        for bytes in [
            &b""[..],
            b"{",
            b"{}}",
            b"\0",
            b"{\"a\0\":[]}",
            b"{\"a\":[1\0]}",
            b"\"\xff\"",
            deep.as_bytes(),
        ] {
            let error = parse_json::<Value>(bytes).unwrap_err();
            assert_eq!(error.code(), ProblemCode::MalformedJson, "{bytes:?}");
            assert!(error.to_string().contains("line 1 column"), "{error}");
        }
    }
}
