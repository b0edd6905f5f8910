//! What is passed on: these requests and no others.

use axum::http::Method;
use odd_contracts::Role;

/// Most bytes of a body, where a route says nothing else; what roles take by default.
const BODY: usize = 1 << 20;
/// Most bytes of a batch of submissions, as the gateway has it.
const BATCH: usize = 8 << 20;

/// A role that requests are passed on to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Upstream {
    /// Under `/gateway`.
    Gateway,
    /// Under `/api`.
    ReadModel,
}

impl Upstream {
    /// Every one.
    pub(crate) const ALL: [Self; 2] = [Self::Gateway, Self::ReadModel];

    /// The role.
    pub(crate) const fn role(self) -> Role {
        match self {
            Self::Gateway => Role::Gateway,
            Self::ReadModel => Role::ReadModel,
        }
    }

    /// What its paths begin with here.
    pub(crate) const fn prefix(self) -> &'static str {
        match self {
            Self::Gateway => "/gateway",
            Self::ReadModel => "/api",
        }
    }
}

/// One request that is passed on.
#[derive(Clone, Debug)]
pub(crate) struct Passed {
    /// To whom.
    pub(crate) upstream: Upstream,
    /// `GET` (and with it `HEAD`) or `POST`.
    pub(crate) method: Method,
    /// Path at the role, as its own routes have it.
    pub(crate) path: &'static str,
    /// Most bytes of its body.
    pub(crate) body: usize,
    /// Whether its answer lasts, so that it has no limit of time.
    pub(crate) lasts: bool,
}

impl Passed {
    /// Path here.
    pub(crate) fn route(&self) -> String {
        format!("{}{}", self.upstream.prefix(), self.path)
    }
}

/// Everything that is passed on.
pub(crate) fn all() -> Vec<Passed> {
    use Upstream::{Gateway, ReadModel};
    let mut all = vec![
        Passed {
            body: BATCH,
            ..post(Gateway, "/jobs/batch")
        },
        lasting("/stream"),
        lasting("/export/jobs"),
        lasting("/export/events"),
        post(ReadModel, "/jobs/lookup"),
    ];
    all.extend(
        [
            "/jobs",
            "/jobs/{id}/cancel",
            "/jobs/{id}/retry",
            "/dead-letters/{id}/requeue",
        ]
        .map(|path| post(Gateway, path)),
    );
    all.extend(["/proxy/alerts", "/proxy/targets", "/openapi.json"].map(|path| get(Gateway, path)));
    all.extend(
        [
            "/health",
            "/stats",
            "/overview",
            "/alerts",
            "/alerts/history",
            "/jobs",
            "/jobs/recent",
            "/jobs/{id}",
            "/jobs/{id}/timeline",
            "/events",
            "/dead-letters",
            "/dead-letters/{id}",
            "/openapi.json",
        ]
        .map(|path| get(ReadModel, path)),
    );
    all
}

const fn get(upstream: Upstream, path: &'static str) -> Passed {
    Passed {
        upstream,
        method: Method::GET,
        path,
        body: 0,
        lasts: false,
    }
}

const fn post(upstream: Upstream, path: &'static str) -> Passed {
    Passed {
        upstream,
        method: Method::POST,
        path,
        body: BODY,
        lasts: false,
    }
}

const fn lasting(path: &'static str) -> Passed {
    Passed {
        upstream: Upstream::ReadModel,
        method: Method::GET,
        path,
        body: 0,
        lasts: true,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn nothing_that_monitoring_or_servers_call_is_passed_on() {
        for passed in all() {
            for closed in ["/metrics", "/docs", "/alerts/webhook", "/healthz", "/readyz"] {
                assert_ne!(passed.path, closed);
            }
            let expected = if passed.method == Method::GET { 0 } else { BODY };
            assert!(passed.body == expected || passed.path == "/jobs/batch");
        }
    }

    #[test]
    fn each_is_listed_once() {
        let all = all();
        let routes: BTreeSet<_> = all
            .iter()
            .map(|passed| (passed.method.as_str().to_owned(), passed.route()))
            .collect();
        assert_eq!(routes.len(), all.len());
    }
}
