//! Client of the gateway: everything that changes something.

use std::ops::Deref;

use bytes::Bytes;
use odd_contracts::api::{AlertList, BatchResponse, CancelAccepted, RetryRequest, TargetList};
use odd_contracts::names::spine::{JSON, NDJSON};
use odd_contracts::{JobAccepted, JobId, JobSubmission};
use uuid::Uuid;

use crate::ClientError;
use crate::http::{HttpOptions, RoleClient};

/// Client of one gateway. Derefs to [`RoleClient`] for health and metrics.
#[derive(Clone, Debug)]
pub struct Gateway {
    role: RoleClient,
}

impl Gateway {
    /// A client of the gateway at `base`, such as `http://127.0.0.1:3000`.
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

    /// `POST /jobs`: submits one job. Once this returns, the job is accepted and will end.
    ///
    /// # Errors
    /// Any [`ClientError`]. Where nobody answered in time the job may have been accepted: repeat under the same id.
    pub async fn submit(&self, submission: &JobSubmission) -> Result<JobAccepted, ClientError> {
        self.role.post_json("/jobs", submission).await
    }

    /// `POST /jobs` with a document as it is, valid or not.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn submit_value(&self, document: &serde_json::Value) -> Result<JobAccepted, ClientError> {
        self.role.post_json("/jobs", document).await
    }

    /// `POST /jobs` with these bytes, declared as this content type.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn submit_bytes(&self, content_type: &str, body: Bytes) -> Result<JobAccepted, ClientError> {
        self.role.post_bytes("/jobs", content_type, body).await
    }

    /// `POST /jobs/batch`: submits up to 1,000 jobs, one JSON document a line. The answer has one result
    /// per line; valid ones are accepted when others are not.
    ///
    /// # Errors
    /// Any [`ClientError`] that concerns the whole batch.
    pub async fn submit_batch(&self, ndjson: Bytes) -> Result<BatchResponse, ClientError> {
        self.role.post_bytes("/jobs/batch", NDJSON, ndjson).await
    }

    /// `POST /jobs/{id}/cancel`: asks for the end of a job. The processor decides.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn cancel(&self, id: JobId) -> Result<CancelAccepted, ClientError> {
        self.role
            .post_bytes(&format!("/jobs/{id}/cancel"), JSON, Bytes::from_static(b"{}"))
            .await
    }

    /// `POST /jobs/{id}/retry`: submits a job like this one, linked to it by `retryOf`.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn retry(&self, id: JobId, request: &RetryRequest) -> Result<JobAccepted, ClientError> {
        self.role.post_json(&format!("/jobs/{id}/retry"), request).await
    }

    /// `POST /dead-letters/{id}/requeue`: puts a dead letter, bytes unchanged, back on its queue.
    ///
    /// # Errors
    /// Any [`ClientError`]; [`ClientError::is_not_found`] where there is no such dead letter.
    pub async fn requeue_dead_letter(&self, id: Uuid) -> Result<(), ClientError> {
        self.role.post_empty(&format!("/dead-letters/{id}/requeue")).await
    }

    /// `GET /proxy/alerts`: alerts that fire, as Alertmanager tells them. The read-model's `/alerts` knows more.
    ///
    /// # Errors
    /// Any [`ClientError`]; a problem `not_configured` where the gateway knows no Alertmanager.
    pub async fn alerts(&self) -> Result<AlertList, ClientError> {
        self.role.get("/proxy/alerts", &()).await
    }

    /// `GET /proxy/targets`: what Prometheus scrapes, and how the last scrape of each went.
    ///
    /// # Errors
    /// Any [`ClientError`]; a problem `not_configured` where the gateway knows no Prometheus.
    pub async fn targets(&self) -> Result<TargetList, ClientError> {
        self.role.get("/proxy/targets", &()).await
    }
}

impl Deref for Gateway {
    type Target = RoleClient;

    fn deref(&self) -> &RoleClient {
        &self.role
    }
}
