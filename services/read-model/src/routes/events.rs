//! The event log.

use axum::Json;
use axum::extract::State;
use odd_contracts::api::EventPage;
use odd_contracts::{EventType, Problem};
use odd_store::{EventFilter, Position, PositionedEvent, StoreError};

use super::{App, AppState, Query};
use crate::cursor;
use crate::failure::Answer;
use crate::params::InvalidParameter;

/// Events, newest first; with `after`, oldest first.
#[utoipa::path(get, path = "/events", tag = "events",
    params(
        ("type" = Option<Vec<EventType>>, Query, description = "Only these types; repeated, or separated by commas"),
        ("jobId" = Option<Uuid>, Query, description = "Only events of this job"),
        ("correlationId" = Option<String>, Query, description = "Only events under this correlation id"),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before"),
        ("after" = Option<String>, Query, description = "Follow the log: events recorded after this `followCursor`, oldest first; empty: from the beginning. Excludes `cursor`"),
        ("limit" = Option<u32>, Query, description = "Most events of the page: 1 to 500, 50 by default"),
    ),
    responses(
        (status = 200, body = EventPage),
        (status = 400, body = Problem, description = "A parameter is invalid", content_type = "application/problem+json"),
        (status = 503, body = Problem, description = "The event log does not answer", content_type = "application/problem+json"),
    ))]
pub(super) async fn list(State(app): AppState, Query(mut params): Query) -> Answer<Json<EventPage>> {
    let follows = params.has("after");
    if follows && params.has("cursor") {
        return Err(InvalidParameter::new("after", "given together with \"cursor\"").into());
    }
    let filter = params.take_event_filter()?;
    let limit = params.take_limit()?;
    let after = params.take_position("after")?;
    let before = params.take_position("cursor")?;
    params.finish()?;
    let page = if follows {
        follow(&app, &filter, after, limit).await?
    } else {
        newest(&app, &filter, before, limit).await?
    };
    Ok(Json(page))
}

async fn newest(
    app: &App,
    filter: &EventFilter,
    before: Option<Position>,
    limit: usize,
) -> Result<EventPage, StoreError> {
    let page = newest_page(app, filter, before, limit).await?;
    let follow = match page.found.first() {
        Some(newest) => Some(newest.position),
        // Nothing fits yet: follow from what is recorded now.
        None => last_position(app).await?,
    };
    Ok(EventPage {
        next_cursor: page.next_cursor,
        follow_cursor: follow.map(cursor::of_position),
        events: page.found.into_iter().map(|found| found.event).collect(),
    })
}

async fn last_position(app: &App) -> Result<Option<Position>, StoreError> {
    let newest = app
        .ports
        .event_log
        .newest(&EventFilter::default(), None, 1)
        .await?;
    Ok(newest.first().map(|found| found.position))
}

/// Events newest first, and the cursor of the next page.
pub(super) struct NewestPage {
    pub(super) found: Vec<PositionedEvent>,
    pub(super) next_cursor: Option<String>,
}

pub(super) async fn newest_page(
    app: &App,
    filter: &EventFilter,
    before: Option<Position>,
    limit: usize,
) -> Result<NewestPage, StoreError> {
    // One more than asked for tells whether there is another page.
    let mut found = app.ports.event_log.newest(filter, before, limit + 1).await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let last = found.last().filter(|_| more);
    Ok(NewestPage {
        next_cursor: last.map(|last| cursor::of_position(last.position)),
        found,
    })
}

async fn follow(
    app: &App,
    filter: &EventFilter,
    after: Option<Position>,
    limit: usize,
) -> Result<EventPage, StoreError> {
    let found = app.ports.event_log.since(filter, after, limit).await?;
    let last = found.last().map(|last| last.position).or(after);
    Ok(EventPage {
        next_cursor: None,
        follow_cursor: last.map(cursor::of_position),
        events: found.into_iter().map(|found| found.event).collect(),
    })
}
