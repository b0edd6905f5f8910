//! Which pages may call a role from a browser.

use std::str::FromStr;

use axum::Router;
use axum::http::header::{CONTENT_TYPE, HeaderName, LOCATION, RETRY_AFTER};
use axum::http::{HeaderValue, Method, Uri};
use tower_http::cors::CorsLayer;

use crate::correlation;

/// An origin (RFC 6454): scheme, host and port of a page, such as `http://127.0.0.1:8081`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(HeaderValue);

/// What is no origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an origin such as http://127.0.0.1:8081, without a path; * is not permitted")]
pub struct InvalidOrigin;

impl FromStr for Origin {
    type Err = InvalidOrigin;

    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        let uri: Uri = text.parse().map_err(|_| InvalidOrigin)?;
        let scheme = uri
            .scheme_str()
            .filter(|scheme| ["http", "https"].contains(scheme));
        let authority = uri
            .authority()
            .filter(|authority| !authority.as_str().contains('@'));
        let (Some(scheme), Some(authority)) = (scheme, authority) else {
            return Err(InvalidOrigin);
        };
        // Browsers send origins in lower case and without a slash; anything else would never match.
        let origin = format!("{scheme}://{authority}").to_ascii_lowercase();
        if text.to_ascii_lowercase() != origin {
            return Err(InvalidOrigin);
        }
        origin.parse().map(Self).map_err(|_| InvalidOrigin)
    }
}

/// Sent by a browser that takes up a stream of server-sent events again.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Lets pages of these origins call the routes; with none, no page may.
pub(super) fn allow(router: Router, origins: Vec<Origin>) -> Router {
    if origins.is_empty() {
        return router;
    }
    let layer = CorsLayer::new()
        .allow_origin(origins.into_iter().map(|origin| origin.0).collect::<Vec<_>>())
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([CONTENT_TYPE, correlation::HEADER, LAST_EVENT_ID])
        .expose_headers([correlation::HEADER, LOCATION, RETRY_AFTER]);
    router.layer(layer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_have_no_path_and_no_wildcard() {
        for text in [
            "http://127.0.0.1:8081",
            "https://example.org",
            "http://[::1]:8081",
            "HTTP://Localhost:1",
        ] {
            assert!(text.parse::<Origin>().is_ok(), "{text}");
        }
        for text in [
            "*",
            "null",
            "127.0.0.1",
            "ftp://x",
            "http://x/",
            "http://x/y",
            "http://u@x",
            "",
        ] {
            assert_eq!(text.parse::<Origin>(), Err(InvalidOrigin), "{text}");
        }
    }
}
