//! Which names this role answers to.
//!
//! A page of another site can have its own name point at the loopback, and would then share an origin with whatever listens
//! here (DNS rebinding). Its requests carry that name as their `Host`, so names that are not ours are refused.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{HOST, HeaderMap, HeaderValue, ORIGIN};
use axum::http::uri::{Authority, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use odd_contracts::ProblemCode;
use odd_contracts::names::env;
use odd_runtime::ApiError;

/// A name, besides those of the loopback, that the role answers to: `name`, with any port, or `name:port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedHost {
    name: String,
    port: Option<u16>,
}

/// What is no host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidHost;

impl std::fmt::Display for InvalidHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("expected a host such as odd.example or odd.example:8081; * is not permitted")
    }
}

impl std::error::Error for InvalidHost {}

impl FromStr for AllowedHost {
    type Err = InvalidHost;

    fn from_str(text: &str) -> Result<Self, InvalidHost> {
        let (name, port) = split(text).ok_or(InvalidHost)?;
        let bare = name.trim_matches(['[', ']']);
        if bare.is_empty() || bare.contains(['*', '/']) {
            return Err(InvalidHost);
        }
        Ok(Self { name, port })
    }
}

/// How a request came to its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// By a name or address of the loopback.
    Loopback,
    /// By a name that was set up.
    Named,
}

/// The names.
#[derive(Clone, Debug)]
pub(crate) struct Hosts(Arc<[AllowedHost]>);

impl Hosts {
    /// The loopback, and these.
    pub(crate) fn new(allowed: &[AllowedHost]) -> Self {
        Self(allowed.into())
    }

    fn place(&self, headers: &HeaderMap) -> Option<Place> {
        let (name, port) = split(only(headers)?)?;
        if is_loopback(&name) {
            return Some(Place::Loopback);
        }
        let is_asked = |host: &AllowedHost| {
            host.name == name && host.port.is_none_or(|wanted| wanted == port.unwrap_or(80))
        };
        self.0.iter().any(is_asked).then_some(Place::Named)
    }
}

/// The one `Host` that a request has to have (RFC 9112, 3.2).
fn only(headers: &HeaderMap) -> Option<&str> {
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts.next().filter(|_| hosts.next().is_none());
    host.and_then(|host| host.to_str().ok())
}

/// Name, in lower case, and port.
fn split(host: &str) -> Option<(String, Option<u16>)> {
    let host: Authority = host.parse().ok()?;
    let rest = host.as_str().strip_prefix(host.host())?;
    let port = match rest.strip_prefix(':') {
        Some(port) => Some(port.parse().ok()?),
        None if rest.is_empty() => None,
        None => return None,
    };
    Some((host.host().trim_end_matches('.').to_ascii_lowercase(), port))
}

fn is_loopback(name: &str) -> bool {
    let six = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'))
        .and_then(|name| name.parse::<Ipv6Addr>().ok());
    name == "localhost"
        || name.parse::<Ipv4Addr>().is_ok_and(|four| four.is_loopback())
        || six.is_some_and(|six| six.is_loopback())
}

/// Refuses requests to other names; the others carry their [`Place`] on.
pub(crate) async fn ours_only(State(hosts): State<Hosts>, mut request: Request, next: Next) -> Response {
    let Some(place) = hosts.place(request.headers()) else {
        let detail = format!(
            "this is no name that the role answers to; {} names others than localhost",
            env::WEB_ALLOWED_HOSTS
        );
        return ApiError::new(ProblemCode::ForeignOrigin, detail).into_response();
    };
    request.extensions_mut().insert(place);
    next.run(request).await
}

/// Whether the page that asks, as `Origin` names it, came from the host that it asks; `None` where no page is named, as
/// browsers always do where it matters.
pub(crate) fn is_same_origin(headers: &HeaderMap) -> Option<bool> {
    let origin = headers.get(ORIGIN)?;
    Some(is_of(origin, only(headers)))
}

fn is_of(origin: &HeaderValue, asked: Option<&str>) -> bool {
    origin
        .to_str()
        .ok()
        .and_then(|origin| origin.parse::<Uri>().ok())
        .and_then(|origin| origin.into_parts().authority)
        .zip(asked)
        .is_some_and(|(origin, asked)| origin.as_str().eq_ignore_ascii_case(asked))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(allowed: &str, host: &'static str) -> Option<Place> {
        let allowed: Vec<AllowedHost> = allowed
            .split_whitespace()
            .map(|host| host.parse().unwrap())
            .collect();
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static(host));
        Hosts::new(&allowed).place(&headers)
    }

    #[test]
    fn the_loopback_is_ours_and_no_other_name() {
        for host in [
            "127.0.0.1:8081",
            "127.0.0.1",
            "127.8.9.1:1",
            "localhost:21081",
            "LocalHost.",
            "[::1]:8081",
            "[::1]",
        ] {
            assert_eq!(place("", host), Some(Place::Loopback), "{host}");
        }
        for host in [
            "elsewhere:8081",
            "localhost.elsewhere",
            "127.0.0.1.elsewhere:8081",
            "192.168.0.7:8081",
            "[::2]",
            "user@localhost",
            "localhost:x",
            "localhost:99999",
            "127.1",
            "0.0.0.0:8081",
            "",
        ] {
            assert_eq!(place("", host), None, "{host}");
        }
    }

    #[test]
    fn further_names_have_the_port_that_was_named_or_any() {
        let allowed = "odd.example 10.0.0.7:8081 [fd00::7]";
        for host in [
            "odd.example",
            "ODD.example:443",
            "10.0.0.7:8081",
            "[fd00::7]:8081",
        ] {
            assert_eq!(place(allowed, host), Some(Place::Named), "{host}");
        }
        for host in ["10.0.0.7:8082", "10.0.0.7", "sub.odd.example"] {
            assert_eq!(place(allowed, host), None, "{host}");
        }
        for text in [
            "",
            "*",
            "*.example",
            "http://odd.example",
            "a/b",
            "a@b",
            "a:x",
            "[]",
        ] {
            assert_eq!(text.parse::<AllowedHost>(), Err(InvalidHost), "{text}");
        }
    }

    #[test]
    fn two_hosts_are_none() {
        let mut headers = HeaderMap::new();
        assert_eq!(Hosts::new(&[]).place(&headers), None);
        headers.append(HOST, HeaderValue::from_static("localhost"));
        headers.append(HOST, HeaderValue::from_static("elsewhere"));
        assert_eq!(Hosts::new(&[]).place(&headers), None);
    }
}
