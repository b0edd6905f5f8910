//! Correlation ids: what ties a request to its events and log lines.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use odd_contracts::names::header;
use uuid::Uuid;

/// Most characters of a correlation id.
pub const MAX_LENGTH: usize = 128;

/// The header in requests and answers.
pub const HEADER: HeaderName = HeaderName::from_static(header::CORRELATION_ID);

/// Shared by everything that follows from one request: 1 to 128 visible ASCII characters. An extractor.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CorrelationId(Arc<str>);

impl CorrelationId {
    /// A new one. Made in order of time, so that an index over them grows near its end.
    pub fn random() -> Self {
        let mut buffer = Uuid::encode_buffer();
        let text: &str = Uuid::now_v7().as_hyphenated().encode_lower(&mut buffer);
        Self(text.into())
    }

    /// A client's, if it is a correlation id.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=MAX_LENGTH).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Self(text.into()))
    }

    /// The client's, else (also for one that is malformed) a new one.
    pub fn of(headers: &HeaderMap) -> Self {
        headers
            .get(HEADER)
            .and_then(|value| value.to_str().ok())
            .and_then(Self::parse)
            .unwrap_or_else(Self::random)
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As the value of a header.
    pub fn header_value(&self) -> HeaderValue {
        HeaderValue::from_str(&self.0).expect("visible ASCII is a header value")
    }
}

impl fmt::Display for CorrelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<S: Sync> FromRequestParts<S> for CorrelationId {
    type Rejection = Infallible;

    /// The one the server gave the request.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts
            .extensions
            .get::<Self>()
            .cloned()
            .unwrap_or_else(|| Self::of(&parts.headers)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_ones_are_replaced() {
        for text in ["", "with blank", "tab\t", &"x".repeat(129), "é"] {
            assert_eq!(CorrelationId::parse(text), None, "{text:?}");
        }
        for text in ["a", "!~", &"x".repeat(128)] {
            assert_eq!(CorrelationId::parse(text).unwrap().as_str(), text);
        }
        let id = CorrelationId::of(&HeaderMap::new());
        assert_eq!(Uuid::parse_str(id.as_str()).unwrap().get_version_num(), 7);
        assert_eq!(id.header_value(), id.as_str());
    }
}
