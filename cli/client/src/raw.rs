//! Requests and answers as they are, for whoever examines the interface itself.

use std::collections::BTreeMap;

use bytes::Bytes;
use odd_contracts::names::spine::JSON;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, StatusCode};
use serde::de::DeserializeOwned;

use crate::ClientError;
use crate::http::{RoleClient, parse};

/// A request as it is to be sent, right or wrong.
#[derive(Clone, Debug)]
pub struct RawRequest {
    method: Method,
    path: String,
    headers: Vec<(String, String)>,
    body: Option<Bytes>,
}

/// An answer as it came, whatever its status.
#[derive(Clone, Debug)]
pub struct RawAnswer {
    /// Address that was called.
    pub url: String,
    /// HTTP status.
    pub status: u16,
    /// Headers by their name in lower case; those that are no text are left out.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Bytes,
}

impl RawRequest {
    /// A `GET` of this path, query included.
    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    /// A `POST` to this path, without body and content type.
    pub fn post(path: impl Into<String>) -> Self {
        Self::new(Method::POST, path)
    }

    fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            headers: Vec::new(),
            body: None,
        }
    }

    /// With a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// With a body, declared as this content type.
    #[must_use]
    pub fn body(mut self, content_type: &str, body: impl Into<Bytes>) -> Self {
        self.body = Some(body.into());
        self.header(CONTENT_TYPE.as_str(), content_type)
    }

    /// With a body declared as JSON, whether it is JSON or not.
    #[must_use]
    pub fn json(self, body: impl Into<Bytes>) -> Self {
        self.body(JSON, body)
    }
}

impl RawAnswer {
    /// A header by its name in lower case; empty where absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// The body as a JSON document.
    ///
    /// # Errors
    /// [`ClientError::Unexpected`] where it is none.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        let status = StatusCode::from_u16(self.status).unwrap_or_default();
        parse(&self.url, status, &self.body)
    }
}

impl RoleClient {
    /// Sends a request as it is and returns the answer as it came. Redirections are followed.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`] and [`ClientError::TimedOut`]; no status is an error.
    pub async fn exchange(&self, request: RawRequest) -> Result<RawAnswer, ClientError> {
        let url = self.url(&request.path);
        let mut sent = self.request(request.method, &url);
        for (name, value) in &request.headers {
            sent = sent.header(name, value);
        }
        if let Some(body) = request.body {
            sent = sent.body(body);
        }
        let response = self.send(&url, sent).await?;
        let text = |value: &reqwest::header::HeaderValue| value.to_str().ok().map(str::to_owned);
        Ok(RawAnswer {
            status: response.status().as_u16(),
            headers: response
                .headers()
                .iter()
                .filter_map(|(name, value)| Some((name.as_str().to_owned(), text(value)?)))
                .collect(),
            body: self.body(&url, response).await?,
            url,
        })
    }
}
