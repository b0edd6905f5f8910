//! Metrics of the HTTP server.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry};

/// Value of the label `path` of a request that no route takes.
const UNMATCHED: &str = "unmatched";

/// Requests and their time, by method and matched route (never by the path itself, which has no bound).
#[derive(Debug)]
pub(crate) struct HttpMetrics {
    requests: IntCounterVec,
    seconds: HistogramVec,
}

impl HttpMetrics {
    pub(crate) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let requests = IntCounterVec::new(
            Opts::new("http_requests_total", "HTTP requests answered."),
            &["method", "path", "status"],
        )?;
        let seconds = HistogramVec::new(
            HistogramOpts::new(
                "http_request_seconds",
                "Seconds from the head of a request to the head of its answer.",
            )
            .buckets(super::SECONDS.to_vec()),
            &["method", "path"],
        )?;
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(seconds.clone()))?;
        Ok(Self { requests, seconds })
    }

    pub(crate) fn record(&self, method: &Method, route: Option<&str>, status: StatusCode, took: Duration) {
        let (method, path) = (method_label(method), route.unwrap_or(UNMATCHED));
        self.requests
            .with_label_values(&[method, path, status.as_str()])
            .inc();
        self.seconds
            .with_label_values(&[method, path])
            .observe(took.as_secs_f64());
    }
}

/// A client may make up methods; the label may not grow with them.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "OTHER",
    }
}
