//! Passing requests on to the gateway and the read-model.
//!
//! No open proxy: whom to ask is fixed by the settings, what may be asked by [`table`]; the path goes on as it came.

mod body;
mod client;
mod headers;
mod paths;
mod table;

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::Request;
use axum::http::header::CONTENT_LENGTH;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use odd_contracts::ProblemCode;
use odd_runtime::extract::drain;
use odd_runtime::http::Peer;
use odd_runtime::{ApiError, CorrelationId, correlation};

use crate::Config;
use crate::metrics::WebMetrics;
use body::{Limited, Passing};
use client::{Client, Failure};

pub(crate) use table::{Passed, Upstream, all};

/// Answers nobody who takes this role for a proxy to anywhere.
pub(crate) async fn paths_only(request: Request, next: Next) -> Response {
    match paths::check_form(request.uri()) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

/// Passes requests on.
pub(crate) struct Proxy {
    client: Client,
    gateway: String,
    read_model: String,
    metrics: WebMetrics,
}

impl Proxy {
    /// Asks nothing yet.
    pub(crate) fn new(config: &Config, metrics: WebMetrics) -> Self {
        Self {
            client: Client::new(config.answer_timeout),
            gateway: config.gateway_url.clone(),
            read_model: config.read_model_url.clone(),
            metrics,
        }
    }

    fn base(&self, upstream: Upstream) -> &str {
        match upstream {
            Upstream::Gateway => &self.gateway,
            Upstream::ReadModel => &self.read_model,
        }
    }

    /// Whether the role behind is ready; if not, why.
    ///
    /// # Errors
    /// What it says, or why it says nothing.
    pub(crate) async fn ready(&self, upstream: Upstream) -> Result<(), String> {
        self.client.ready(self.base(upstream)).await
    }

    /// Routes of what is passed on: those that answer in time, and those whose answers last.
    pub(crate) fn routes(self: &Arc<Self>) -> (Router, Router) {
        let (mut short, mut lasting) = (Router::new(), Router::new());
        for passed in all() {
            let router = if passed.lasts { &mut lasting } else { &mut short };
            *router = std::mem::take(router).route(&passed.route(), self.route(passed));
        }
        (short, lasting)
    }

    fn route(self: &Arc<Self>, passed: Passed) -> MethodRouter {
        // Whoever takes a GET takes a HEAD, and the role behind answers it.
        let filter = if passed.method.is_safe() {
            MethodFilter::GET
        } else {
            MethodFilter::POST
        };
        let proxy = Arc::clone(self);
        on(filter, async move |request: Request| {
            let answer = proxy.pass(&passed, request).await;
            answer.unwrap_or_else(IntoResponse::into_response)
        })
    }

    async fn pass(&self, passed: &Passed, request: Request) -> Result<Response, ApiError> {
        let (mut parts, body) = request.into_parts();
        paths::check(&parts.uri)?;
        paths::check_origin(&parts.method, parts.extensions.get())?;
        if announced(&parts.headers).is_some_and(|length| length > passed.body as u64) {
            drain(body.into_data_stream()).await;
            return Err(too_large(passed.body));
        }
        let (body, broken) = Limited::new(body, passed.body);
        self.point(&mut parts, passed.upstream)?;
        let asked = Instant::now();
        let answer = self.client.ask(Request::from_parts(parts, body)).await;
        let seconds = asked.elapsed().as_secs_f64();
        let meters = self.metrics.of(passed.upstream);
        match answer {
            Ok(answer) => {
                meters.answered(answer.status(), seconds);
                let (mut parts, body) = answer.into_parts();
                headers::of_answer(&mut parts.headers);
                parts.version = axum::http::Version::HTTP_11;
                let body = Passing::new(body, client::SILENCE, meters.open());
                Ok(Response::from_parts(parts, axum::body::Body::new(body)))
            }
            Err(failure) => Err(match body::cause(broken) {
                Some(body::Cause::TooLarge(rest)) => {
                    drain(rest.into_data_stream()).await;
                    too_large(passed.body)
                }
                Some(body::Cause::Broken) => {
                    ApiError::new(ProblemCode::MalformedJson, "the body ended early")
                }
                None => {
                    meters.failed(seconds);
                    explain(&failure, passed.upstream)
                }
            }),
        }
    }

    /// Makes it a request to the role behind, of the same path and query, with the headers that travel on.
    fn point(&self, parts: &mut Parts, upstream: Upstream) -> Result<(), ApiError> {
        let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
        let target = target.strip_prefix(upstream.prefix()).unwrap_or(target);
        parts.uri = Uri::try_from(format!("{}{target}", self.base(upstream)))
            .map_err(|error| ApiError::parameter(format!("the path cannot be passed on: {error}")))?;
        parts.version = axum::http::Version::HTTP_11;
        let peer = parts.extensions.get::<Peer>().map(|peer| peer.0);
        headers::of_request(&mut parts.headers, peer);
        if let Some(id) = parts.extensions.get::<CorrelationId>() {
            parts.headers.insert(correlation::HEADER, id.header_value());
        }
        parts.extensions.clear();
        Ok(())
    }
}

fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn too_large(limit: usize) -> ApiError {
    ApiError::new(
        ProblemCode::PayloadTooLarge,
        format!("the body may have at most {limit} bytes"),
    )
}

fn explain(failure: &Failure, upstream: Upstream) -> ApiError {
    let role = upstream.role();
    let code = match failure {
        Failure::Late(_) => ProblemCode::UpstreamTimeout,
        Failure::Away(_) | Failure::Broken(_) => ProblemCode::UpstreamUnavailable,
    };
    ApiError::new(code, format!("the {role} {failure}"))
}
