//! What both clients share: one connection pool, one way to read answers.

use std::time::Duration;

use bytes::Bytes;
use odd_contracts::Problem;
use odd_contracts::api::Health;
use odd_contracts::names::header;
use odd_contracts::problem::PROBLEM_JSON;
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ClientError;

/// Time limit of one request where no other is set. Streams have none beyond the start of their answer.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// How a client behaves.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    /// Time limit of one request.
    pub timeout: Duration,
    /// Sent as `X-Correlation-Id` with every request; the service makes one where absent.
    pub correlation_id: Option<String>,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            timeout: DEFAULT_TIMEOUT,
            correlation_id: None,
        }
    }
}

/// What a role says of its own readiness.
#[derive(Clone, Debug)]
pub struct Readiness {
    /// Whether it takes work.
    pub ready: bool,
    /// State of each of its dependencies.
    pub health: Health,
}

/// Client of what every role serves: health, metrics and its OpenAPI document.
#[derive(Clone, Debug)]
pub struct RoleClient {
    http: reqwest::Client,
    base: String,
    options: HttpOptions,
}

impl RoleClient {
    /// A client of the role at `base`, such as `http://127.0.0.1:3000`.
    ///
    /// # Errors
    /// [`ClientError::InvalidUrl`] where `base` is no `http://` address.
    pub fn new(base: &str, options: HttpOptions) -> Result<Self, ClientError> {
        let invalid = |reason: String| ClientError::InvalidUrl {
            url: base.to_owned(),
            reason,
        };
        let url = reqwest::Url::parse(base).map_err(|e| invalid(e.to_string()))?;
        if url.scheme() != "http" || url.host_str().is_none() {
            return Err(invalid("this build speaks plain HTTP only".to_owned()));
        }
        // The services stand on this machine or in the caller's own network: a proxy for the
        // outside world would only answer in their place.
        let http = reqwest::Client::builder()
            .no_proxy()
            .tcp_nodelay(true)
            .build()
            .map_err(|e| invalid(e.to_string()))?;
        Ok(Self {
            http,
            base: base.trim_end_matches('/').to_owned(),
            options,
        })
    }

    /// Base address, without a slash at its end.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// `GET /healthz`: whether the process lives.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn healthz(&self) -> Result<Health, ClientError> {
        self.get("/healthz", &()).await
    }

    /// `GET /readyz`: whether the role takes work, and why not. A role that is not ready is no error.
    ///
    /// # Errors
    /// Any [`ClientError`] but for a 503 that says what is missing.
    pub async fn readyz(&self) -> Result<Readiness, ClientError> {
        let url = self.url("/readyz");
        let response = self.send(&url, self.request(Method::GET, &url)).await?;
        let status = response.status();
        if !status.is_success() && status != StatusCode::SERVICE_UNAVAILABLE {
            return Err(refused(&url, response, self.options.timeout).await);
        }
        let body = self.body(&url, response).await?;
        Ok(Readiness {
            ready: status.is_success(),
            health: parse(&url, status, &body)?,
        })
    }

    /// `GET /metrics`: Prometheus text.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn metrics(&self) -> Result<String, ClientError> {
        let bytes = self.get_bytes("/metrics", &()).await?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// `GET /openapi.json`.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn openapi(&self) -> Result<serde_json::Value, ClientError> {
        self.get("/openapi.json", &()).await
    }

    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &(impl Serialize + ?Sized),
    ) -> Result<T, ClientError> {
        let url = self.url(path);
        let response = self
            .send(&url, self.request(Method::GET, &url).query(query))
            .await?;
        self.read(&url, response).await
    }

    pub(crate) async fn get_bytes(
        &self,
        path: &str,
        query: &(impl Serialize + ?Sized),
    ) -> Result<Bytes, ClientError> {
        let url = self.url(path);
        let response = self
            .send(&url, self.request(Method::GET, &url).query(query))
            .await?;
        if !response.status().is_success() {
            return Err(refused(&url, response, self.options.timeout).await);
        }
        self.body(&url, response).await
    }

    /// A GET whose answer streams: the time limit covers its head only.
    pub(crate) async fn open(
        &self,
        path: &str,
        query: &(impl Serialize + ?Sized),
    ) -> Result<(String, Response), ClientError> {
        let url = self.url(path);
        let request = self.plain_request(Method::GET, &url).query(query);
        let limit = self.options.timeout;
        let response = tokio::time::timeout(limit, request.send())
            .await
            .map_err(|_| ClientError::TimedOut {
                url: url.clone(),
                limit,
            })?
            .map_err(|cause| ClientError::from_request(&url, limit, cause))?;
        if response.status().is_success() {
            Ok((url, response))
        } else {
            Err(refused(&url, response, limit).await)
        }
    }

    pub(crate) async fn post_json<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &(impl Serialize + ?Sized),
    ) -> Result<T, ClientError> {
        let url = self.url(path);
        let response = self
            .send(&url, self.request(Method::POST, &url).json(body))
            .await?;
        self.read(&url, response).await
    }

    pub(crate) async fn post_bytes<T: DeserializeOwned>(
        &self,
        path: &str,
        content_type: &str,
        body: Bytes,
    ) -> Result<T, ClientError> {
        let url = self.url(path);
        let request = self
            .request(Method::POST, &url)
            .header(CONTENT_TYPE, content_type)
            .body(body);
        let response = self.send(&url, request).await?;
        self.read(&url, response).await
    }

    /// A POST without a body whose answer says no more than that it was done.
    pub(crate) async fn post_empty(&self, path: &str) -> Result<(), ClientError> {
        let url = self.url(path);
        let response = self.send(&url, self.request(Method::POST, &url)).await?;
        if response.status().is_success() {
            Ok(())
        } else {
            Err(refused(&url, response, self.options.timeout).await)
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    fn plain_request(&self, method: Method, url: &str) -> RequestBuilder {
        let request = self.http.request(method, url);
        match &self.options.correlation_id {
            Some(id) => request.header(header::CORRELATION_ID, id),
            None => request,
        }
    }

    pub(crate) fn request(&self, method: Method, url: &str) -> RequestBuilder {
        self.plain_request(method, url).timeout(self.options.timeout)
    }

    pub(crate) async fn send(&self, url: &str, request: RequestBuilder) -> Result<Response, ClientError> {
        request
            .send()
            .await
            .map_err(|cause| ClientError::from_request(url, self.options.timeout, cause))
    }

    pub(crate) async fn body(&self, url: &str, response: Response) -> Result<Bytes, ClientError> {
        response
            .bytes()
            .await
            .map_err(|cause| ClientError::from_request(url, self.options.timeout, cause))
    }

    async fn read<T: DeserializeOwned>(&self, url: &str, response: Response) -> Result<T, ClientError> {
        let status = response.status();
        if !status.is_success() {
            return Err(refused(url, response, self.options.timeout).await);
        }
        let body = self.body(url, response).await?;
        parse(url, status, &body)
    }
}

/// What a refusal says.
async fn refused(url: &str, response: Response, limit: Duration) -> ClientError {
    let status = response.status();
    let retry_after = retry_after(response.headers());
    let is_problem = response
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .is_some_and(|v| v.starts_with(PROBLEM_JSON));
    let body = match response.bytes().await {
        Ok(body) => body,
        Err(cause) => return ClientError::from_request(url, limit, cause),
    };
    match serde_json::from_slice::<Problem>(&body) {
        Ok(problem) if is_problem => ClientError::Problem {
            url: url.to_owned(),
            problem: Box::new(problem),
            retry_after,
        },
        _ => ClientError::Unexpected {
            url: url.to_owned(),
            status: status.as_u16(),
            detail: format!("no problem document: {}", excerpt(&body)),
        },
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

pub(crate) fn parse<T: DeserializeOwned>(
    url: &str,
    status: StatusCode,
    body: &[u8],
) -> Result<T, ClientError> {
    serde_json::from_slice(body).map_err(|error| ClientError::Unexpected {
        url: url.to_owned(),
        status: status.as_u16(),
        detail: format!("{error}: {}", excerpt(body)),
    })
}

/// The start of a body, fit for one line of an error.
pub(crate) fn excerpt(body: &[u8]) -> String {
    const LONGEST: usize = 120;
    let text = String::from_utf8_lossy(body);
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(LONGEST)
        .collect();
    if line.trim().is_empty() {
        "an empty body".to_owned()
    } else {
        line.trim().to_owned()
    }
}
