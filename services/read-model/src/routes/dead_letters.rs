//! Messages that were put aside, as the event log reports them.

use axum::Json;
use axum::extract::State;
use odd_contracts::api::{DeadLetter, DeadLetterPage};
use odd_contracts::{EventType, Problem, ids};
use odd_runtime::{ApiError, PathParam};
use odd_spine::dead_letter;
use odd_store::EventFilter;
use uuid::Uuid;

use super::events::newest_page;
use super::{AppState, Query};
use crate::failure::Answer;

/// Messages that were put aside, newest first.
#[utoipa::path(get, path = "/dead-letters", tag = "events",
    params(
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before"),
        ("limit" = Option<u32>, Query, description = "Most dead letters of the page: 1 to 500, 50 by default"),
    ),
    responses(
        (status = 200, body = DeadLetterPage),
        (status = 400, body = Problem, description = "A parameter is invalid", content_type = "application/problem+json"),
        (status = 503, body = Problem, description = "The event log does not answer", content_type = "application/problem+json"),
    ))]
pub(super) async fn list(State(app): AppState, Query(mut params): Query) -> Answer<Json<DeadLetterPage>> {
    let before = params.take_position("cursor")?;
    let limit = params.take_limit()?;
    params.finish()?;
    let filter = EventFilter {
        event_types: vec![EventType::DeadLettered],
        ..EventFilter::default()
    };
    let page = newest_page(&app, &filter, before, limit).await?;
    Ok(Json(DeadLetterPage {
        next_cursor: page.next_cursor,
        dead_letters: page
            .found
            .iter()
            .filter_map(|found| dead_letter::from_event(&found.event))
            .collect(),
    }))
}

/// One message that was put aside.
#[utoipa::path(get, path = "/dead-letters/{id}", tag = "events",
    params(("id" = Uuid, Path, description = "Identity of the dead letter")),
    responses(
        (status = 200, body = DeadLetter),
        (status = 404, body = Problem, description = "There is none with this id", content_type = "application/problem+json"),
        (status = 503, body = Problem, description = "The event log does not answer", content_type = "application/problem+json"),
    ))]
pub(super) async fn one(State(app): AppState, PathParam(id): PathParam<Uuid>) -> Answer<Json<DeadLetter>> {
    let event = app
        .ports
        .event_log
        .dead_letter(ids::event_id(id, EventType::DeadLettered, 0))
        .await?;
    let missing = || ApiError::not_found(format!("there is no dead letter {id}"));
    let letter = event.as_ref().and_then(dead_letter::from_event);
    Ok(Json(letter.ok_or_else(missing)?))
}
