//! What a request may look like that is passed on.

use axum::http::{Method, Uri};
use odd_contracts::ProblemCode;
use odd_runtime::ApiError;

use crate::hosts::Asker;

/// Refuses what could mean something else to the role behind, or to whatever stands before it, than it does here.
///
/// # Errors
/// `invalid_parameter`.
pub(super) fn check(uri: &Uri) -> Result<(), ApiError> {
    check_form(uri)?;
    if !uri.path().split('/').all(is_plain) {
        return Err(ApiError::parameter(
            "a segment of the path must not be . or .., nor have a slash within",
        ));
    }
    Ok(())
}

/// Refuses an address where a path belongs: only a proxy is asked so.
///
/// # Errors
/// `invalid_parameter`.
pub(super) fn check_form(uri: &Uri) -> Result<(), ApiError> {
    if uri.scheme().is_some() || uri.authority().is_some() {
        return Err(ApiError::parameter("the target must be a path, not an address"));
    }
    Ok(())
}

/// A segment that is a name, whatever is decoded of it and however often.
fn is_plain(segment: &str) -> bool {
    let mut text = segment.as_bytes().to_vec();
    loop {
        let forbidden = |byte: &u8| matches!(byte, b'/' | b'\\' | 0);
        if text == b"." || text == b".." || text.iter().any(forbidden) {
            return false;
        }
        let decoded = decode(&text);
        if decoded == text {
            return true;
        }
        text = decoded;
    }
}

/// Decodes percent-encoding once; what is none stays.
fn decode(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        let hex = |digit: u8| char::from(digit).to_digit(16);
        let pair = match (byte, after) {
            (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)),
            _ => None,
        };
        match pair {
            Some((high, low)) => {
                // Two digits are below 256.
                decoded.push(u8::try_from(high * 16 + low).unwrap_or_default());
                rest = &after[2..];
            }
            None => {
                decoded.push(byte);
                rest = after;
            }
        }
    }
    decoded
}

/// Refuses what a page of another origin wants changed. Browsers name the origin of every such request; who names none
/// is no page.
///
/// # Errors
/// `foreign_origin`.
pub(super) fn check_origin(method: &Method, asker: Option<&Asker>) -> Result<(), ApiError> {
    if method.is_safe() || matches!(asker, Some(Asker::Unnamed | Asker::Own)) {
        return Ok(());
    }
    Err(ApiError::new(
        ProblemCode::ForeignOrigin,
        "only pages that come from here may change something",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_pass_and_ways_out_do_not() {
        for path in [
            "/api/jobs",
            "/api/jobs/0198f3a2-5c1e-7d3a-9a54-3f0d6c1b2e77/timeline",
            "/api/jobs?type=a/../b&id=%2e%2e",
            "/api/jobs/%F0%9F%A6%80",
            "/api/jobs/...",
            "/api/jobs/100%",
        ] {
            assert!(check(&path.parse().unwrap()).is_ok(), "{path}");
        }
        for path in [
            "/api/jobs/..",
            "/api/jobs/.",
            "/api/../metrics",
            "/api/jobs/%2e%2E",
            "/api/jobs/%252e%252e",
            "/api/jobs/..%2fmetrics",
            "/api/jobs/..%5cmetrics",
            "/api/jobs/%00",
            "http://elsewhere/api/jobs",
            "http://elsewhere:80/",
        ] {
            assert!(check(&path.parse().unwrap()).is_err(), "{path}");
        }
    }

    #[test]
    fn only_our_own_pages_change_something() {
        let judge = |method: Method, asker| check_origin(&method, asker).is_ok();
        assert!(judge(Method::POST, Some(&Asker::Unnamed)), "a command names none");
        assert!(judge(Method::POST, Some(&Asker::Own)));
        assert!(!judge(Method::POST, Some(&Asker::Foreign)));
        assert!(!judge(Method::POST, None), "nobody has looked");
        assert!(
            judge(Method::GET, Some(&Asker::Foreign)),
            "it cannot read the answer"
        );
    }
}
