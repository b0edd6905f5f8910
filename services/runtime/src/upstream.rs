//! Fixed HTTP services behind a role, such as Alertmanager and Prometheus: asked within a time limit, for answers of a
//! bounded size, with nothing of the role's own request passed on. Neither proxies nor redirects are followed.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use odd_contracts::ProblemCode;
use reqwest::Url;
use reqwest::redirect::Policy;
use serde::de::DeserializeOwned;

use crate::problem::ApiError;

/// Answers above this size are read on a thread of their own, so that they hold nobody else up.
const READ_APART: usize = 64 << 10;

/// Base address of an upstream. Formatting it shows neither user nor password.
#[derive(Clone, PartialEq, Eq)]
pub struct UpstreamUrl(Url);

/// A text that is no base address of an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an http address without a query")]
pub struct InvalidUpstreamUrl;

impl FromStr for UpstreamUrl {
    type Err = InvalidUpstreamUrl;

    fn from_str(text: &str) -> Result<Self, InvalidUpstreamUrl> {
        let mut url: Url = text.parse().map_err(|_| InvalidUpstreamUrl)?;
        let plain =
            url.scheme() == "http" && url.has_host() && url.query().is_none() && url.fragment().is_none();
        if !plain {
            return Err(InvalidUpstreamUrl);
        }
        // A path without a slash at its end would lose its last part when another is joined to it.
        if !url.path().ends_with('/') {
            let path = format!("{}/", url.path());
            url.set_path(&path);
        }
        Ok(Self(url))
    }
}

impl fmt::Display for UpstreamUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.0.host_str().unwrap_or_default())?;
        if let Some(port) = self.0.port() {
            write!(f, ":{port}")?;
        }
        f.write_str(self.0.path().trim_end_matches('/'))
    }
}

impl fmt::Debug for UpstreamUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What one question may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpstreamLimits {
    /// Most time until the whole answer is there.
    pub time: Duration,
    /// Most bytes of the answer.
    pub bytes: usize,
}

/// A client of one upstream.
#[derive(Clone, Debug)]
pub struct Upstream {
    name: &'static str,
    http: reqwest::Client,
    base: UpstreamUrl,
    limits: UpstreamLimits,
}

/// Why an upstream gave no answer that is of use.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// No answer, or only a part of it, in time.
    #[error("{name} at {base} did not answer within {} s", limit.as_secs_f64())]
    TimedOut {
        /// Name of the upstream.
        name: &'static str,
        /// Its address.
        base: UpstreamUrl,
        /// The time limit.
        limit: Duration,
    },
    /// No connection, or one that broke.
    #[error("{name} at {base} cannot be reached")]
    Unreachable {
        /// Name of the upstream.
        name: &'static str,
        /// Its address.
        base: UpstreamUrl,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// Another status than 200.
    #[error("{name} at {base} answered with status {status}")]
    Status {
        /// Name of the upstream.
        name: &'static str,
        /// Its address.
        base: UpstreamUrl,
        /// The status.
        status: u16,
    },
    /// More bytes than permitted.
    #[error("the answer of {name} at {base} is larger than {limit} bytes")]
    TooLarge {
        /// Name of the upstream.
        name: &'static str,
        /// Its address.
        base: UpstreamUrl,
        /// Most bytes.
        limit: usize,
    },
    /// Not the JSON that was expected.
    #[error("{name} at {base} answered with something else than expected: {why}")]
    NotUnderstood {
        /// Name of the upstream.
        name: &'static str,
        /// Its address.
        base: UpstreamUrl,
        /// What is wrong.
        why: String,
    },
}

impl Upstream {
    /// A client of the service `name` at `base`.
    ///
    /// # Errors
    /// Where the HTTP client cannot be made.
    pub fn new(
        name: &'static str,
        base: UpstreamUrl,
        limits: UpstreamLimits,
    ) -> Result<Self, reqwest::Error> {
        Ok(Self {
            name,
            http: reqwest::Client::builder()
                .timeout(limits.time)
                .no_proxy()
                .redirect(Policy::none())
                .pool_max_idle_per_host(2)
                .build()?,
            base,
            limits,
        })
    }

    /// The body of a `GET` of `path`, such as `api/v2/alerts`, below the base address.
    ///
    /// # Errors
    /// Any [`UpstreamError`] but [`UpstreamError::NotUnderstood`].
    pub async fn get(&self, path: &str) -> Result<Bytes, UpstreamError> {
        let url = self.base.0.join(path).unwrap_or_else(|_| self.base.0.clone());
        let mut response = self
            .http
            .get(url)
            .send()
            .await
            .map_err(|error| self.lost(error))?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(UpstreamError::Status {
                name: self.name,
                base: self.base.clone(),
                status: response.status().as_u16(),
            });
        }
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.lost(error))? {
            if body.len() + chunk.len() > self.limits.bytes {
                return Err(UpstreamError::TooLarge {
                    name: self.name,
                    base: self.base.clone(),
                    limit: self.limits.bytes,
                });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }

    /// The same, read as JSON.
    ///
    /// # Errors
    /// Any [`UpstreamError`].
    pub async fn get_json<T>(&self, path: &str) -> Result<T, UpstreamError>
    where
        T: DeserializeOwned + Send + 'static,
    {
        let body = self.get(path).await?;
        let small = body.len() <= READ_APART;
        let read = move || serde_json::from_slice(&body).map_err(|error| error.to_string());
        let read = if small {
            read()
        } else {
            tokio::task::spawn_blocking(read)
                .await
                .unwrap_or_else(|error| Err(error.to_string()))
        };
        read.map_err(|why| UpstreamError::NotUnderstood {
            name: self.name,
            base: self.base.clone(),
            why,
        })
    }

    fn lost(&self, error: reqwest::Error) -> UpstreamError {
        let (name, base) = (self.name, self.base.clone());
        if error.is_timeout() {
            let limit = self.limits.time;
            return UpstreamError::TimedOut { name, base, limit };
        }
        // The address is named already, and without what it may hold of a password.
        let source = error.without_url();
        UpstreamError::Unreachable { name, base, source }
    }
}

impl From<UpstreamError> for ApiError {
    fn from(error: UpstreamError) -> Self {
        let code = match error {
            UpstreamError::TimedOut { .. } => ProblemCode::UpstreamTimeout,
            _ => ProblemCode::UpstreamUnavailable,
        };
        Self::new(code, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    const LIMITS: UpstreamLimits = UpstreamLimits {
        time: Duration::from_millis(500),
        bytes: 1_000,
    };

    #[test]
    fn addresses_keep_their_path_and_hide_their_password() {
        let url: UpstreamUrl = "http://user:hunter2@host:9093/alerts".parse().unwrap();
        assert_eq!(
            format!("{url} {url:?}"),
            "http://host:9093/alerts http://host:9093/alerts"
        );
        let joined = url.0.join("api/v2/alerts").unwrap();
        assert_eq!(joined.path(), "/alerts/api/v2/alerts");
        for wrong in [
            "",
            "host:9093",
            "https://host",
            "ftp://host",
            "http://host/?a=b",
            "http://",
        ] {
            assert!(wrong.parse::<UpstreamUrl>().is_err(), "{wrong}");
        }
    }

    /// An upstream that gives everybody these bytes and then, unless it hangs, closes the connection; and what it was asked.
    async fn upstream(
        answer: &'static str,
        hangs: bool,
    ) -> (Upstream, tokio::task::JoinHandle<io::Result<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://user:hunter2@{}", listener.local_addr().unwrap());
        let asked = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await?;
            let mut head = vec![0; 4_096];
            let length = stream.read(&mut head).await?;
            stream.write_all(answer.as_bytes()).await?;
            if hangs {
                std::future::pending::<()>().await;
            }
            Ok(String::from_utf8_lossy(&head[..length]).into_owned())
        });
        (
            Upstream::new("Alertmanager", base.parse().unwrap(), LIMITS).unwrap(),
            asked,
        )
    }

    async fn failure(answer: &'static str, hangs: bool) -> UpstreamError {
        let (upstream, _asked) = upstream(answer, hangs).await;
        let error = upstream.get_json::<Vec<u8>>("api").await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        error
    }

    #[tokio::test]
    async fn an_answer_is_read_and_only_what_is_needed_is_asked() {
        let (upstream, asked) = upstream("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n[1,2]", false).await;
        assert_eq!(
            upstream.get_json::<Vec<u8>>("api/v2/alerts").await.unwrap(),
            [1, 2]
        );
        let head = asked.await.unwrap().unwrap().to_lowercase();
        assert!(head.starts_with("get /api/v2/alerts http/1.1"), "{head}");
        let names: Vec<_> = head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(':'))
            .map(|(name, _)| name)
            .collect();
        assert_eq!(names.len(), 3, "{names:?}");
        for name in ["accept", "authorization", "host"] {
            assert!(names.contains(&name), "{names:?}");
        }
    }

    #[tokio::test]
    async fn every_failure_is_told_apart() {
        assert!(matches!(
            failure("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}!", false).await,
            UpstreamError::NotUnderstood { .. }
        ));
        assert!(matches!(
            failure(
                "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
                false
            )
            .await,
            UpstreamError::Status { status: 302, .. }
        ));
        assert!(matches!(
            failure("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[1", false).await,
            UpstreamError::Unreachable { .. }
        ));
        assert!(matches!(
            failure("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[1", true).await,
            UpstreamError::TimedOut { .. }
        ));
        assert!(matches!(failure("", true).await, UpstreamError::TimedOut { .. }));
        let large: &'static str =
            Box::leak(format!("HTTP/1.1 200 OK\r\n\r\n[{}]", "1,".repeat(1_000)).into_boxed_str());
        assert!(matches!(
            failure(large, false).await,
            UpstreamError::TooLarge { limit: 1_000, .. }
        ));
    }

    #[tokio::test]
    async fn failures_are_problems_with_codes_of_their_own() {
        let timed_out: ApiError = failure("", true).await.into();
        assert_eq!(timed_out.code(), ProblemCode::UpstreamTimeout);
        let refused: ApiError = failure("HTTP/1.1 500 no\r\nContent-Length: 0\r\n\r\n", false)
            .await
            .into();
        assert_eq!(refused.code(), ProblemCode::UpstreamUnavailable);
        assert!(refused.to_string().contains("status 500"), "{refused}");
    }
}
