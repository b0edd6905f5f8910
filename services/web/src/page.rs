//! The page and its parts, out of the binary.

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue,
    IF_NONE_MATCH, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use odd_contracts::VERSION;
use sha2::{Digest, Sha256};

/// Only what comes from here, no script but that of the file, and in no frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Each file: where it is, what it is, and what is in it.
const FILES: [(&str, &str, &[u8]); 4] = [
    (
        "/",
        "text/html; charset=utf-8",
        include_bytes!("../page/index.html"),
    ),
    (
        "/assets/page.css",
        "text/css; charset=utf-8",
        include_bytes!("../page/page.css"),
    ),
    (
        "/assets/page.js",
        "text/javascript; charset=utf-8",
        include_bytes!("../page/page.js"),
    ),
    (
        "/assets/icon.svg",
        "image/svg+xml",
        include_bytes!("../page/icon.svg"),
    ),
];

/// Their routes.
pub(crate) fn routes() -> Router {
    let mut router = Router::new();
    for (path, content_type, bytes) in FILES {
        let etag = etag(bytes);
        let file = async move |headers: HeaderMap| answer(&headers, content_type, bytes, &etag);
        router = router.route(path, get(file));
    }
    router
}

/// Strong, of the content and the version.
fn etag(bytes: &[u8]) -> HeaderValue {
    let digest = Sha256::new().chain_update(VERSION).chain_update(bytes).finalize();
    let text: String = digest.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    HeaderValue::from_str(&format!("\"{text}\"")).expect("digits in quotes are a header value")
}

/// Browsers ask each time whether they have the latest, so that page and parts are always of one version.
fn answer(
    asked: &HeaderMap,
    content_type: &'static str,
    bytes: &'static [u8],
    etag: &HeaderValue,
) -> Response {
    let headers = [
        (ETAG, etag.clone()),
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            HeaderValue::from_static("same-origin"),
        ),
    ];
    if is_known(asked, etag) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    let content_type = [(CONTENT_TYPE, content_type)];
    (headers, content_type, bytes).into_response()
}

/// Whether the client has it already (RFC 9110, 13.1.2: a weak comparison).
fn is_known(asked: &HeaderMap, etag: &HeaderValue) -> bool {
    let known = |tag: &str| tag == "*" || tag.trim_start_matches("W/").as_bytes() == etag.as_bytes();
    asked
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|tag| known(tag.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(name: &str) -> &'static str {
        let found = FILES.iter().find(|(path, ..)| *path == name);
        std::str::from_utf8(found.unwrap().2).unwrap()
    }

    /// The policy forbids it, so that it would not work, and nobody would see why.
    #[test]
    fn the_page_has_nothing_inline_and_nothing_from_elsewhere() {
        let html = text("/");
        for forbidden in ["<style", "style=", "javascript:", "//"] {
            assert!(!html.contains(forbidden), "{forbidden}");
        }
        let handler = html
            .split_whitespace()
            .find(|word| word.starts_with("on") && word.contains('='));
        assert_eq!(handler, None);
        for script in html.split("<script").skip(1) {
            assert!(script.starts_with(" src=\"/assets/"), "{script}");
        }
        for name in ["/assets/page.css", "/assets/page.js"] {
            assert!(
                !text(name).contains("@import") && !text(name).contains("url("),
                "{name}"
            );
        }
    }

    /// What others call their jobs must never become part of the page.
    #[test]
    fn the_script_writes_text_only() {
        let script = text("/assets/page.js");
        for forbidden in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "Function(",
        ] {
            assert!(!script.contains(forbidden), "{forbidden}");
        }
    }

    #[test]
    fn every_part_that_the_page_names_is_there() {
        let html = text("/");
        let named = html.split('"').filter(|text| text.starts_with("/assets/"));
        let mut seen = 0;
        for name in named {
            assert!(FILES.iter().any(|(path, ..)| *path == name), "{name}");
            seen += 1;
        }
        assert_eq!(seen, 3);
    }

    #[test]
    fn tags_are_compared_as_the_protocol_says() {
        let etag = etag(b"x");
        let tag = etag.to_str().unwrap();
        let known = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(IF_NONE_MATCH, HeaderValue::from_str(value).unwrap());
            is_known(&headers, &etag)
        };
        assert!(known(tag) && known("*") && known(&format!("W/{tag}")) && known(&format!("\"a\", {tag}")));
        assert!(!known("\"a\"") && !known(&tag[1..]));
    }
}
