//! Alerts, their history, and where Alertmanager notifies of them.

use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use odd_contracts::alertmanager::{Notification, ToldAlert, WEBHOOK_VERSION};
use odd_contracts::api::{AlertHistory, AlertList, NotificationTaken};
use odd_contracts::names::env;
use odd_contracts::{FieldError, Problem, ProblemCode, Timestamp};
use odd_runtime::extract::{parse_json, require_json};
use odd_runtime::{ApiError, RawBody};
use subtle::ConstantTimeEq;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};

use super::system::snapshot;
use super::{App, AppState, Query};
use crate::failure::Answer;

/// Most bytes of a notification. Alertmanager puts all alerts of a group into one: ten thousand are some six megabytes.
pub(super) const MAX_NOTIFICATION: usize = 16 << 20;
/// Notifications that are read at the same time; others wait.
const MAX_READ_TOGETHER: usize = 2;
/// Notifications above this size are read on a thread of their own.
const READ_APART: usize = 64 << 10;
/// Longest fingerprint; Alertmanager's have 16 digits.
const MAX_FINGERPRINT: usize = 64;

/// Alerts that fire, and those that ended in the last 15 minutes, worst first.
///
/// Where there is an Alertmanager they are what it tells. While it is away, or Prometheus behind it, `alertSource` says so
/// and since when, and the read-model's own evaluation stands in.
#[utoipa::path(get, path = "/alerts", tag = "system", responses((status = 200, body = AlertList)))]
pub(super) async fn list(State(app): AppState) -> Answer<Json<AlertList>> {
    let shown = &snapshot(&app).await?.alerts;
    Ok(Json(AlertList {
        source: shown.from.to_owned(),
        alerts: shown.alerts.clone(),
        omitted: shown.omitted as u64,
        alert_source: Some(shown.source.clone()),
    }))
}

/// The last alerts, at most 500, those that began or ended last first.
///
/// Kept in memory: after a restart of the read-model it begins with what fires then.
#[utoipa::path(get, path = "/alerts/history", tag = "system",
    params(("limit" = Option<usize>, Query, description = "Most alerts, 1 to 500", example = 50)),
    responses(
        (status = 200, body = AlertHistory),
        (status = 400, body = Problem, description = "A parameter is invalid", content_type = "application/problem+json"),
    ))]
pub(super) async fn history(State(app): AppState, Query(mut params): Query) -> Answer<Json<AlertHistory>> {
    let limit = params.take_limit()?;
    params.finish()?;
    Ok(Json(AlertHistory {
        alerts: app.alerts.history(limit),
    }))
}

/// Takes a notification of Alertmanager's webhook, version 4.
///
/// To repeat one changes nothing. Which alerts fire is asked of Alertmanager itself; this adds to the history.
#[utoipa::path(post, path = "/alerts/webhook", tag = "system", security(("webhookToken" = [])),
    request_body(content = Notification, content_type = "application/json"),
    responses(
        (status = 200, body = NotificationTaken, description = "Taken"),
        (status = 400, body = Problem, description = "Not a notification of version 4; nothing was taken", content_type = "application/problem+json"),
        (status = 401, body = Problem, description = "Without the token, or with a wrong one", content_type = "application/problem+json"),
        (status = 404, body = Problem, description = "No token is set up here (not_configured)", content_type = "application/problem+json"),
        (status = 413, body = Problem, description = "Larger than 16 MiB", content_type = "application/problem+json"),
        (status = 415, body = Problem, description = "Not application/json", content_type = "application/problem+json"),
    ))]
pub(super) async fn webhook(
    State(app): AppState,
    _admitted: Admitted,
    headers: HeaderMap,
    RawBody(body): RawBody,
) -> Answer<Json<NotificationTaken>> {
    require_json(&headers)?;
    let now = Timestamp::now();
    let told = if body.len() <= READ_APART {
        read(&body, now)?
    } else {
        let read = tokio::task::spawn_blocking(move || read(&body, now)).await;
        read.map_err(|error| ApiError::internal(&error))??
    };
    let taken = app.alerts.notified(now, &told);
    tracing::debug!(alerts = taken.alerts, news = taken.news, "alertmanager notified");
    Ok(Json(NotificationTaken {
        alerts: taken.alerts as u64,
        news: taken.news as u64,
    }))
}

/// All alerts of a notification, or none where anything is wrong with it.
fn read(body: &Bytes, now: Timestamp) -> Result<Vec<ToldAlert>, ApiError> {
    let notification: Notification = parse_json(body)?;
    if notification.version != WEBHOOK_VERSION {
        let message = format!(
            "is {:?}; only version {WEBHOOK_VERSION} is understood",
            notification.version.chars().take(16).collect::<String>()
        );
        return Err(wrong("/version".to_owned(), message));
    }
    let named = |fingerprint: &str| {
        let fits = (1..=MAX_FINGERPRINT).contains(&fingerprint.len());
        fits && fingerprint.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    if let Some(index) = notification
        .alerts
        .iter()
        .position(|alert| !named(&alert.fingerprint))
    {
        let message = format!("is not 1 to {MAX_FINGERPRINT} letters and digits");
        return Err(wrong(format!("/alerts/{index}/fingerprint"), message));
    }
    let told = notification.alerts.into_iter().map(|alert| alert.told(now));
    Ok(told.collect())
}

fn wrong(path: String, message: String) -> ApiError {
    ApiError::invalid(vec![FieldError { path, message }])
}

/// Somebody who showed the token, which is asked before the body is read; and a place among those whose notification is
/// read.
pub(super) struct Admitted {
    _place: Option<OwnedSemaphorePermit>,
}

/// Places for notifications that are read at the same time.
#[derive(Clone, Debug)]
pub(crate) struct Places(Arc<Semaphore>);

impl Default for Places {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_READ_TOGETHER)))
    }
}

impl FromRequestParts<Arc<App>> for Admitted {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Response> {
        let Some(token) = &app.config.webhook_token else {
            let detail = format!(
                "notifications are not taken here: set {} to a token of your own, and give it to Alertmanager as credentials",
                env::ALERT_WEBHOOK_TOKEN
            );
            return Err(ApiError::new(ProblemCode::NotConfigured, detail).into_response());
        };
        if !shows(&parts.headers, token.expose()) {
            let error = ApiError::new(
                ProblemCode::Unauthorized,
                "send the token as Authorization: Bearer …",
            );
            let challenge = HeaderValue::from_static("Bearer");
            return Err(([(WWW_AUTHENTICATE, challenge)], error).into_response());
        }
        let place = Arc::clone(&app.notifications.0).acquire_owned().await;
        Ok(Self { _place: place.ok() })
    }
}

/// Whether the token is shown. How long the comparison takes does not tell how much of it was right.
fn shows(headers: &HeaderMap, token: &str) -> bool {
    let Some(shown) = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes) else {
        return false;
    };
    let Some((scheme, shown)) = shown.split_at_checked("Bearer ".len()) else {
        return false;
    };
    scheme.eq_ignore_ascii_case(b"Bearer ") && bool::from(shown.trim_ascii().ct_eq(token.as_bytes()))
}

/// Describes how the token is shown.
pub(super) struct WebhookToken;

impl utoipa::Modify for WebhookToken {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some(format!("The value of {}", env::ALERT_WEBHOOK_TOKEN)))
            .build();
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("webhookToken", SecurityScheme::Http(scheme));
    }
}
