//! Client of the read-model: everything that only looks.

use std::ops::Deref;

use eventsource_stream::Eventsource;
use futures::{Stream, StreamExt, TryStreamExt};
use odd_contracts::api::{
    AlertHistory, AlertList, DeadLetter, DeadLetterPage, EventPage, ExportedHistory, ExportedJob, Health,
    JobDetail, JobPage, LookupRequest, LookupResponse, Overview, Stats, Timeline,
};
use odd_contracts::{EventEnvelope, EventType, JobId, JobStatus, Timestamp};
use uuid::Uuid;

use crate::ClientError;
use crate::http::{DEFAULT_TIMEOUT, HttpOptions, RoleClient, excerpt};
use crate::ndjson;

/// Which jobs to list, and which page of them.
#[derive(Clone, Debug, Default)]
pub struct JobQuery {
    /// Only these statuses; all where empty.
    pub statuses: Vec<JobStatus>,
    /// Only this type.
    pub job_type: Option<String>,
    /// Only jobs created at or after this instant.
    pub since: Option<Timestamp>,
    /// Only jobs created before this instant.
    pub until: Option<Timestamp>,
    /// Only jobs whose id contains this text.
    pub id_contains: Option<String>,
    /// Cursor of the page before.
    pub cursor: Option<String>,
    /// Most jobs on the page.
    pub limit: Option<usize>,
}

impl JobQuery {
    fn pairs(&self) -> Vec<(&'static str, String)> {
        let statuses: Vec<&str> = self.statuses.iter().map(|s| s.name()).collect();
        let mut pairs = Vec::new();
        push(
            &mut pairs,
            "status",
            (!statuses.is_empty()).then(|| statuses.join(",")),
        );
        push(&mut pairs, "type", self.job_type.clone());
        push(&mut pairs, "since", self.since);
        push(&mut pairs, "until", self.until);
        push(&mut pairs, "id", self.id_contains.clone());
        push(&mut pairs, "cursor", self.cursor.clone());
        push(&mut pairs, "limit", self.limit);
        pairs
    }
}

/// Which events to list, and which page of them.
#[derive(Clone, Debug, Default)]
pub struct EventQuery {
    /// Only these types; all where empty.
    pub event_types: Vec<EventType>,
    /// Only events of this job.
    pub job_id: Option<JobId>,
    /// Only events under this correlation id.
    pub correlation_id: Option<String>,
    /// Cursor of the page before.
    pub cursor: Option<String>,
    /// Most events on the page.
    pub limit: Option<usize>,
}

impl EventQuery {
    fn pairs(&self) -> Vec<(&'static str, String)> {
        let mut pairs = Vec::new();
        push(&mut pairs, "type", joined(&self.event_types));
        push(&mut pairs, "jobId", self.job_id);
        push(&mut pairs, "correlationId", self.correlation_id.clone());
        push(&mut pairs, "cursor", self.cursor.clone());
        push(&mut pairs, "limit", self.limit);
        pairs
    }
}

fn joined(types: &[EventType]) -> Option<String> {
    let names: Vec<&str> = types.iter().map(|t| t.name()).collect();
    (!names.is_empty()).then(|| names.join(","))
}

fn push(pairs: &mut Vec<(&'static str, String)>, key: &'static str, value: Option<impl ToString>) {
    if let Some(value) = value {
        pairs.push((key, value.to_string()));
    }
}

/// Longest silence of a live stream. A read-model gives a sign of life every 15 s.
pub const SILENCE: std::time::Duration = std::time::Duration::from_secs(45);

/// Live events as they happen. Ends when the read-model ends it; connecting again is the caller's part.
pub type Live = std::pin::Pin<Box<dyn Stream<Item = Result<EventEnvelope, ClientError>> + Send>>;

/// Client of one read-model. Derefs to [`RoleClient`] for health and metrics.
#[derive(Clone, Debug)]
pub struct ReadModel {
    role: RoleClient,
}

impl ReadModel {
    /// A client of the read-model at `base`, such as `http://127.0.0.1:8080`.
    ///
    /// # Errors
    /// [`ClientError::InvalidUrl`] where `base` is no `http://` address.
    pub fn new(base: &str) -> Result<Self, ClientError> {
        Self::with_options(base, HttpOptions::default())
    }

    /// The same with other limits.
    ///
    /// # Errors
    /// [`ClientError::InvalidUrl`] where `base` is no `http://` address.
    pub fn with_options(base: &str, options: HttpOptions) -> Result<Self, ClientError> {
        Ok(Self {
            role: RoleClient::new(base, options)?,
        })
    }

    /// `GET /health`: the read-model and its stores.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn health(&self) -> Result<Health, ClientError> {
        self.role.get("/health", &()).await
    }

    /// `GET /stats`: counters, throughput and latency.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn stats(&self) -> Result<Stats, ClientError> {
        self.role.get("/stats", &()).await
    }

    /// `GET /overview`: the whole system at a glance.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn overview(&self) -> Result<Overview, ClientError> {
        self.role.get("/overview", &()).await
    }

    /// `GET /jobs`: one page of jobs, newest first.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn jobs(&self, query: &JobQuery) -> Result<JobPage, ClientError> {
        self.role.get("/jobs", &query.pairs()).await
    }

    /// `GET /jobs/{id}`: one job with its attempts.
    ///
    /// # Errors
    /// Any [`ClientError`]; [`ClientError::is_not_found`] where the job is not known (yet).
    pub async fn job(&self, id: JobId) -> Result<JobDetail, ClientError> {
        self.role.get(&format!("/jobs/{id}"), &()).await
    }

    /// `GET /jobs/{id}/timeline`: the whole way of one job.
    ///
    /// # Errors
    /// Any [`ClientError`]; [`ClientError::is_not_found`] where the job is not known (yet).
    pub async fn timeline(&self, id: JobId) -> Result<Timeline, ClientError> {
        self.role.get(&format!("/jobs/{id}/timeline"), &()).await
    }

    /// `POST /jobs/lookup`: status of those of up to 1,000 jobs that are known.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn lookup(&self, ids: &[JobId]) -> Result<LookupResponse, ClientError> {
        let request = LookupRequest { ids: ids.to_vec() };
        self.role.post_json("/jobs/lookup", &request).await
    }

    /// `GET /events`: one page of the event log, newest first.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn events(&self, query: &EventQuery) -> Result<EventPage, ClientError> {
        self.role.get("/events", &query.pairs()).await
    }

    /// `GET /dead-letters`: one page of messages that were put aside, newest first.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn dead_letters(
        &self,
        cursor: Option<&str>,
        limit: Option<usize>,
    ) -> Result<DeadLetterPage, ClientError> {
        let mut pairs = Vec::new();
        push(&mut pairs, "cursor", cursor);
        push(&mut pairs, "limit", limit);
        self.role.get("/dead-letters", &pairs).await
    }

    /// `GET /dead-letters/{id}`: one message that was put aside.
    ///
    /// # Errors
    /// Any [`ClientError`]; [`ClientError::is_not_found`] where there is none with this id.
    pub async fn dead_letter(&self, id: Uuid) -> Result<DeadLetter, ClientError> {
        self.role.get(&format!("/dead-letters/{id}"), &()).await
    }

    /// `GET /alerts`: alerts that fire or were resolved lately.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn alerts(&self) -> Result<AlertList, ClientError> {
        self.role.get("/alerts", &()).await
    }

    /// `GET /alerts/history`: the last alerts, at most `limit` of them (1 to 500), those that changed last first.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn alert_history(&self, limit: Option<usize>) -> Result<AlertHistory, ClientError> {
        let mut pairs = Vec::new();
        push(&mut pairs, "limit", limit);
        self.role.get("/alerts/history", &pairs).await
    }

    /// `GET /stream`: events from now on, of these types (all where empty). Connected once this returns.
    ///
    /// # Errors
    /// Any [`ClientError`], at first and as the stream's last item; [`ClientError::TimedOut`] where not even a sign of life came
    /// for [`SILENCE`].
    pub async fn stream(&self, types: &[EventType]) -> Result<Live, ClientError> {
        let mut pairs = Vec::new();
        push(&mut pairs, "types", joined(types));
        let (url, response) = self.role.open("/stream", &pairs).await?;
        let source = alive(&url, body(&url, response)).eventsource();
        let events = source.filter_map(move |item| {
            let item = match item {
                // Remarks of the stream about itself carry another name.
                Ok(event) if event.event != "message" && !event.event.starts_with("job.") => None,
                Ok(event) => Some(envelope(&url, &event.data)),
                Err(eventsource_stream::EventStreamError::Transport(error)) => Some(Err(error)),
                Err(error) => Some(Err(ClientError::Unexpected {
                    url: url.clone(),
                    status: 200,
                    detail: error.to_string(),
                })),
            };
            std::future::ready(item)
        });
        Ok(Box::pin(events))
    }

    /// `GET /export/jobs`: state of every job, ordered by job id.
    ///
    /// # Errors
    /// Any [`ClientError`], at first and as the stream's last item.
    pub async fn export_jobs(
        &self,
    ) -> Result<impl Stream<Item = Result<ExportedJob, ClientError>> + Send + Unpin + use<>, ClientError>
    {
        let (url, response) = self.role.open("/export/jobs", &()).await?;
        Ok(ndjson::documents(url.clone(), body(&url, response)))
    }

    /// `GET /export/events`: history of every job in the event log, ordered by job id.
    ///
    /// # Errors
    /// Any [`ClientError`], at first and as the stream's last item.
    pub async fn export_events(
        &self,
    ) -> Result<impl Stream<Item = Result<ExportedHistory, ClientError>> + Send + Unpin + use<>, ClientError>
    {
        let (url, response) = self.role.open("/export/events", &()).await?;
        Ok(ndjson::documents(url.clone(), body(&url, response)))
    }
}

impl Deref for ReadModel {
    type Target = RoleClient;

    fn deref(&self) -> &RoleClient {
        &self.role
    }
}

type Body = std::pin::Pin<Box<dyn Stream<Item = Result<bytes::Bytes, ClientError>> + Send>>;

fn body(url: &str, response: reqwest::Response) -> Body {
    let url = url.to_owned();
    Box::pin(
        response
            .bytes_stream()
            .map_err(move |cause| ClientError::from_request(&url, DEFAULT_TIMEOUT, cause)),
    )
}

/// Ends with an error where nothing comes for so long that whoever should send must be gone.
fn alive(url: &str, body: Body) -> Body {
    let silent = ClientError::TimedOut {
        url: url.to_owned(),
        limit: SILENCE,
    };
    Box::pin(futures::stream::unfold(
        (body, Some(silent)),
        |(mut body, silent)| async move {
            let silent = silent?;
            match tokio::time::timeout(SILENCE, body.next()).await {
                Ok(item) => Some((item?, (body, Some(silent)))),
                Err(_) => Some((Err(silent), (body, None))),
            }
        },
    ))
}

fn envelope(url: &str, data: &str) -> Result<EventEnvelope, ClientError> {
    serde_json::from_str(data).map_err(|error| ClientError::Unexpected {
        url: url.to_owned(),
        status: 200,
        detail: format!("{error}: {}", excerpt(data.as_bytes())),
    })
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_falls_silent_ends_with_an_error() {
        let signs = stream::iter([Ok(bytes::Bytes::from_static(b":\n\n"))]).chain(stream::pending());
        let begun = tokio::time::Instant::now();
        let told: Vec<_> = alive("http://127.0.0.1/stream", Box::pin(signs)).collect().await;
        assert_eq!(begun.elapsed(), SILENCE);
        assert!(
            matches!(told[..], [Ok(_), Err(ClientError::TimedOut { .. })]),
            "{told:?}"
        );
    }
}
