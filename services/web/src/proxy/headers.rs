//! Which headers travel on, and which end here.

use std::net::SocketAddr;

use axum::http::header::{
    CONNECTION, CONTENT_SECURITY_POLICY, COOKIE, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN,
    PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, REFERER, SET_COOKIE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
    X_CONTENT_TYPE_OPTIONS,
};

/// Of one connection only (RFC 9110, 7.6.1), whether `Connection` names them or not.
const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];
/// Addresses of everybody who passed the request on, the client first.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// The host that the client asked.
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Makes a request's headers those of the request to the role behind.
///
/// Cookies stay here: browsers send those of every port of a host, and roles want none. So do origin and referrer, which
/// were judged already.
pub(super) fn of_request(headers: &mut HeaderMap, peer: Option<SocketAddr>) {
    drop_hop_by_hop(headers);
    let host = headers.remove(HOST);
    for name in [EXPECT, COOKIE, ORIGIN, REFERER] {
        headers.remove(name);
    }
    if let Some(host) = host {
        headers.entry(FORWARDED_HOST).or_insert(host);
    }
    if let Some(peer) = peer {
        append_peer(headers, peer);
    }
}

fn append_peer(headers: &mut HeaderMap, peer: SocketAddr) {
    let before = headers
        .get_all(FORWARDED_FOR)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect::<Vec<_>>();
    let peer = peer.ip().to_canonical().to_string();
    let mut all = before.join(&b", "[..]);
    if !all.is_empty() {
        all.extend_from_slice(b", ");
    }
    all.extend_from_slice(peer.as_bytes());
    if let Ok(value) = HeaderValue::from_bytes(&all) {
        headers.insert(FORWARDED_FOR, value);
    }
}

/// Makes a role's headers those of the answer to the client.
///
/// What roles say of other origins is theirs. Whatever an answer holds, a browser takes it for what it says it is, and
/// runs nothing of it.
pub(super) fn of_answer(headers: &mut HeaderMap) {
    drop_hop_by_hop(headers);
    headers.remove(SET_COOKIE);
    let foreign: Vec<HeaderName> = headers
        .keys()
        .filter(|name| name.as_str().starts_with("access-control-"))
        .cloned()
        .collect();
    for name in foreign {
        headers.remove(name);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    );
}

fn drop_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn what_belongs_to_one_connection_ends_here() {
        let mut request = headers(&[
            ("connection", "close, X-Secret"),
            ("x-secret", "1"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "websocket"),
            ("host", "observatory:8081"),
            ("cookie", "session=of another port"),
            ("origin", "http://observatory:8081"),
            ("content-type", "application/json"),
            ("last-event-id", "e-1"),
        ]);
        of_request(&mut request, None);
        let expected = headers(&[
            ("content-type", "application/json"),
            ("last-event-id", "e-1"),
            ("x-forwarded-host", "observatory:8081"),
        ]);
        assert_eq!(request, expected);
    }

    #[test]
    fn the_client_is_added_to_those_who_passed_it_on() {
        let peer = |text: &str| Some(text.parse().unwrap());
        let mut first = headers(&[]);
        of_request(&mut first, peer("[::ffff:10.0.0.7]:4711"));
        assert_eq!(first[FORWARDED_FOR], "10.0.0.7");
        let mut second = headers(&[("x-forwarded-for", "10.0.0.7")]);
        second.append(FORWARDED_FOR, HeaderValue::from_static("10.0.0.8"));
        of_request(&mut second, peer("[::1]:80"));
        assert_eq!(second[FORWARDED_FOR], "10.0.0.7, 10.0.0.8, ::1");
        assert_eq!(second.get_all(FORWARDED_FOR).iter().count(), 1);
    }

    #[test]
    fn answers_set_nothing_and_run_nothing() {
        let mut answer = headers(&[
            ("connection", "keep-alive"),
            ("set-cookie", "a=b"),
            ("access-control-allow-origin", "http://elsewhere"),
            ("content-type", "text/html"),
            ("content-security-policy", "default-src *"),
            ("retry-after", "1"),
        ]);
        of_answer(&mut answer);
        let expected = headers(&[
            ("content-type", "text/html"),
            (
                "content-security-policy",
                "default-src 'none'; frame-ancestors 'none'",
            ),
            ("x-content-type-options", "nosniff"),
            ("retry-after", "1"),
        ]);
        assert_eq!(answer, expected);
    }
}
