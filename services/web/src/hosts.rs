//! Which names this role answers to.
//!
//! A page of another site can have its own name point at the loopback, and would then share an origin with whatever listens
//! here (DNS rebinding). Its requests carry that name as their `Host`, so names that are not ours are refused.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{HOST, HeaderMap, ORIGIN};
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

impl AllowedHost {
    /// Whether it is one of the loopback all the same.
    pub(crate) fn is_loopback(&self) -> bool {
        is_loopback(&self.name)
    }
}

/// Which page asks, as `Origin` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asker {
    /// None is named: a command asks, or a page that changes nothing. Browsers always name one where it matters.
    Unnamed,
    /// A page of ours.
    Own,
    /// A page of somebody else.
    Foreign,
}

/// The names.
#[derive(Clone, Debug)]
pub(crate) struct Hosts(Arc<[AllowedHost]>);

impl Hosts {
    /// The loopback, and these.
    pub(crate) fn new(allowed: &[AllowedHost]) -> Self {
        Self(allowed.into())
    }

    /// Whether the request was sent to us by a name that is ours.
    fn are_asked(&self, headers: &HeaderMap) -> bool {
        let Some((name, port)) = only(headers).and_then(split) else {
            return false;
        };
        // Whoever speaks TLS before us leaves out another port than we would.
        let is_port = |wanted| port.map_or(matches!(wanted, 80 | 443), |port| port == wanted);
        is_loopback(&name)
            || self
                .0
                .iter()
                .any(|host| host.name == name && host.port.is_none_or(is_port))
    }

    /// A page is ours where it came from the very host that it asks, or from a name that was set up: a proxy may ask us by
    /// another name than browsers ask it. Of the loopback the port tells whose page it is, so of a name that was set up
    /// without one only the ports are ours that browsers leave out.
    fn asker(&self, headers: &HeaderMap) -> Asker {
        let mut origins = headers.get_all(ORIGIN).iter();
        let Some(origin) = origins.next() else {
            return Asker::Unnamed;
        };
        let origin = origin.to_str().ok().and_then(|origin| origin.parse::<Uri>().ok());
        let is_own = |origin: &Uri| is_of(origin, only(headers)) || self.is_set_up(origin, only(headers));
        match origin {
            Some(origin) if origins.next().is_none() && is_own(&origin) => Asker::Own,
            _ => Asker::Foreign,
        }
    }

    fn is_set_up(&self, origin: &Uri, asked: Option<&str>) -> bool {
        let left_out = match origin.scheme_str() {
            Some("http") => 80,
            Some("https") => 443,
            _ => return false,
        };
        let Some((name, port)) = origin.authority().and_then(|origin| split(origin.as_str())) else {
            return false;
        };
        let asked_at_home = || {
            asked
                .and_then(split)
                .is_some_and(|(asked, _)| is_loopback(&asked))
        };
        let is_named = |host: &AllowedHost| {
            host.name == name && host.port.unwrap_or(left_out) == port.unwrap_or(left_out)
        };
        self.0.iter().any(is_named) && (!is_loopback(&name) || asked_at_home())
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
        || six.is_some_and(|six| six.to_canonical().is_loopback())
}

/// Refuses requests to other names; the others carry on who asks.
pub(crate) async fn ours_only(State(hosts): State<Hosts>, mut request: Request, next: Next) -> Response {
    if !hosts.are_asked(request.headers()) {
        let detail = format!(
            "this is no name that the role answers to; {} names others than localhost",
            env::WEB_ALLOWED_HOSTS
        );
        return ApiError::new(ProblemCode::ForeignOrigin, detail).into_response();
    }
    let asker = hosts.asker(request.headers());
    request.extensions_mut().insert(asker);
    next.run(request).await
}

/// Whether the page came from the host that it asks, whatever the scheme: who speaks TLS before us is not seen from here.
fn is_of(origin: &Uri, asked: Option<&str>) -> bool {
    origin
        .authority()
        .zip(asked)
        .is_some_and(|(origin, asked)| origin.as_str().eq_ignore_ascii_case(asked))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn hosts(allowed: &str) -> Hosts {
        let allowed: Vec<AllowedHost> = allowed
            .split_whitespace()
            .map(|host| host.parse().unwrap())
            .collect();
        Hosts::new(&allowed)
    }

    fn are_asked(allowed: &str, host: &'static str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static(host));
        hosts(allowed).are_asked(&headers)
    }

    fn asker(allowed: &str, host: &'static str, origin: &'static str) -> Asker {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static(host));
        if !origin.is_empty() {
            headers.insert(ORIGIN, HeaderValue::from_static(origin));
        }
        hosts(allowed).asker(&headers)
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
            "[::ffff:127.0.0.1]:8081",
        ] {
            assert!(are_asked("", host), "{host}");
        }
        for host in [
            "elsewhere:8081",
            "localhost.elsewhere",
            "127.0.0.1.elsewhere:8081",
            "192.168.0.7:8081",
            "[::2]",
            "[::ffff:10.0.0.7]",
            "user@localhost",
            "localhost:x",
            "localhost:99999",
            "127.1",
            "0.0.0.0:8081",
            "",
        ] {
            assert!(!are_asked("", host), "{host}");
        }
    }

    #[test]
    fn further_names_have_the_port_that_was_named_or_any() {
        let allowed = "odd.example 10.0.0.7:8081 [fd00::7] tls.example:443";
        for host in [
            "odd.example",
            "ODD.example:443",
            "10.0.0.7:8081",
            "[fd00::7]:8081",
            "tls.example",
            "tls.example:443",
        ] {
            assert!(are_asked(allowed, host), "{host}");
        }
        for host in ["10.0.0.7:8082", "10.0.0.7", "sub.odd.example", "tls.example:80"] {
            assert!(!are_asked(allowed, host), "{host}");
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
    fn two_hosts_are_none_and_two_origins_are_foreign() {
        let mut headers = HeaderMap::new();
        assert!(!hosts("").are_asked(&headers));
        headers.append(HOST, HeaderValue::from_static("localhost"));
        headers.append(ORIGIN, HeaderValue::from_static("http://localhost"));
        assert_eq!(hosts("").asker(&headers), Asker::Own);
        headers.append(ORIGIN, HeaderValue::from_static("http://elsewhere"));
        assert_eq!(hosts("").asker(&headers), Asker::Foreign);
        headers.append(HOST, HeaderValue::from_static("elsewhere"));
        assert!(!hosts("").are_asked(&headers));
    }

    #[test]
    fn a_page_is_ours_that_came_from_the_host_that_it_asks() {
        let host = "127.0.0.1:8081";
        assert_eq!(asker("", host, ""), Asker::Unnamed);
        assert_eq!(asker("", host, "http://127.0.0.1:8081"), Asker::Own);
        assert_eq!(asker("", host, "https://127.0.0.1:8081"), Asker::Own);
        assert_eq!(
            asker("odd.example", "odd.example", "https://odd.example"),
            Asker::Own
        );
        for origin in [
            "null",
            "http://elsewhere",
            "http://elsewhere:8081",
            "http://127.0.0.1:8080",
            "http://127.0.0.1",
            "http://localhost:8081",
            "http://user@127.0.0.1:8081",
            "file://",
        ] {
            assert_eq!(asker("odd.example", host, origin), Asker::Foreign, "{origin}");
        }
    }

    /// A proxy asks us by the name that it knows us by, while browsers ask it by a name that was set up.
    #[test]
    fn a_page_is_ours_that_came_from_a_name_that_was_set_up() {
        let allowed = "odd.example 10.0.0.7:8443 localhost:3000 web:8081";
        for (host, origin) in [
            ("127.0.0.1:8081", "https://odd.example"),
            ("web:8081", "http://ODD.example"),
            ("127.0.0.1:8081", "https://10.0.0.7:8443"),
            ("127.0.0.1:8081", "http://localhost:3000"),
        ] {
            assert_eq!(asker(allowed, host, origin), Asker::Own, "{host} {origin}");
        }
        for (host, origin) in [
            // What else listens at that name is no page of ours.
            ("127.0.0.1:8081", "https://odd.example:9000"),
            ("127.0.0.1:8081", "https://10.0.0.7"),
            ("127.0.0.1:8081", "http://localhost:3001"),
            ("127.0.0.1:8081", "https://sub.odd.example"),
            ("127.0.0.1:8081", "ftp://odd.example"),
            // The loopback of somebody else's machine.
            ("web:8081", "http://localhost:3000"),
        ] {
            assert_eq!(asker(allowed, host, origin), Asker::Foreign, "{host} {origin}");
        }
    }
}
