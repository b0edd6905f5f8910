//! What the web terminal answers over HTTP: a ticket, and the upgrade to its WebSocket.

use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::http::header::{CACHE_CONTROL, HeaderMap};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use odd_contracts::ProblemCode;
use odd_contracts::names::env;
use odd_contracts::terminal::{MAX_MESSAGE_BYTES, PROTOCOL, Ticket};
use odd_runtime::ApiError;
use odd_runtime::http::Peer;
use utoipa::OpenApi as _;

use super::limits::Address;
use super::outlet::FRAME;
use super::{Terminal, Wrong, keys, lock};
use crate::hosts::Asker;

/// Bytes that the WebSocket of one client may read, and gather for it, at once.
const BUFFER: usize = 16 * 1024;
/// Most bytes that are kept for a client that does not take them: what is being written, a frame, and answers to its pings.
/// Beyond, the connection ends.
const MAX_BUFFER: usize = 64 * 1024;
const _: () = assert!(BUFFER + FRAME < MAX_BUFFER);

/// Its routes.
pub(crate) fn routes(terminal: Terminal) -> Router {
    Router::new()
        .route("/terminal/ticket", post(ticket))
        .route("/ws", get(connect))
        .with_state(terminal)
}

#[derive(utoipa::OpenApi)]
#[openapi(paths(ticket, connect), components(schemas(Ticket)))]
struct Described;

/// Their description.
pub(crate) fn described() -> utoipa::openapi::OpenApi {
    Described::openapi()
}

/// A ticket for the web terminal.
///
/// Good once, for half a minute, in the first message over `/ws`. Only a page that comes from here gets one: its `Origin` has to
/// be that of this address, or a name that was set up. Where a token is set up, everybody is asked for it, as
/// `Authorization: Bearer`.
#[utoipa::path(post, path = "/terminal/ticket", tag = "terminal", responses(
    (status = 200, body = Ticket),
    (status = 401, body = odd_contracts::Problem, description = "The token is missing or wrong"),
    (status = 403, body = odd_contracts::Problem, description = "No page of this address asks"),
    (status = 404, body = odd_contracts::Problem, description = "There is no terminal here; the detail says why, and what to do"),
    (status = 429, body = odd_contracts::Problem, description = "Too many tickets or attempts"),
))]
async fn ticket(
    State(terminal): State<Terminal>,
    Extension(asker): Extension<Asker>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let address = client(peer.as_deref())?;
    let refused = |error: ApiError, reason| {
        terminal.metrics().refused(reason);
        error
    };
    if asker != Asker::Own {
        return Err(refused(foreign(), "foreign_origin"));
    }
    if let Some(why) = terminal.closed() {
        return Err(refused(not_configured(why), "unavailable"));
    }
    authorized(&terminal, &headers, address)
        .await
        .map_err(|(error, reason)| refused(error, reason))?;
    if !terminal.may_ask(address) {
        let error = overloaded("too many tickets were asked for; try again in a minute");
        return Err(refused(error, "too_many_tickets"));
    }
    // Last, since it takes a pseudo-terminal for a moment.
    let usable = terminal.check().await;
    usable.map_err(|why| refused(not_configured(why), "unavailable"))?;
    let good_for = terminal.config().ticket;
    let Some(ticket) = lock(&terminal.0.tickets).issue(good_for) else {
        return Err(refused(
            overloaded("too many tickets wait to be used"),
            "too_many_tickets",
        ));
    };
    let answer = Ticket {
        ticket,
        expires_in_ms: u64::try_from(good_for.as_millis()).unwrap_or(u64::MAX),
    };
    Ok(([(CACHE_CONTROL, "no-store")], Json(answer)).into_response())
}

/// Asks for the token, where there is one. Where the client comes from tells nothing: behind a proxy on the same machine
/// everybody comes from here.
async fn authorized(
    terminal: &Terminal,
    headers: &HeaderMap,
    address: Address,
) -> Result<(), (ApiError, &'static str)> {
    let Some(token) = &terminal.0.token else {
        return Ok(());
    };
    let Some(shown) = keys::shown(headers) else {
        return Err((unauthorized(), "unauthorized"));
    };
    let judged = terminal.judged(address, || shown.is(token).then_some(())).await;
    judged.map_err(|wrong| match wrong {
        Wrong::Once => (unauthorized(), "unauthorized"),
        Wrong::TooOften => (
            overloaded("too many attempts; try again in a minute"),
            "too_many_attempts",
        ),
    })
}

/// The web terminal's WebSocket.
///
/// Subprotocol `odd.terminal.v1`; the messages are in `terminal-client.json` and `terminal-server.json` of the contracts.
#[utoipa::path(get, path = "/ws", tag = "terminal", responses(
    (status = 101, description = "Go on as a WebSocket"),
    (status = 400, body = odd_contracts::Problem, description = "No upgrade to a WebSocket, or of another subprotocol"),
    (status = 403, body = odd_contracts::Problem, description = "A page of another origin asks"),
    (status = 404, body = odd_contracts::Problem, description = "There is no terminal here"),
    (status = 429, body = odd_contracts::Problem, description = "Too many connections"),
))]
async fn connect(
    State(terminal): State<Terminal>,
    Extension(asker): Extension<Asker>,
    peer: Option<Extension<Peer>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    let address = client(peer.as_deref())?;
    if asker == Asker::Foreign {
        terminal.metrics().refused("foreign_origin");
        return Err(foreign());
    }
    if let Some(why) = terminal.closed() {
        return Err(not_configured(why));
    }
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade.protocols([PROTOCOL]),
        Err(rejection) => return Ok(rejection.into_response()),
    };
    if upgrade.selected_protocol().is_none() {
        return Err(ApiError::parameter(format!(
            "the subprotocol {PROTOCOL} is spoken here"
        )));
    }
    let too_many = |detail: &str| {
        terminal.metrics().refused("too_many_connections");
        overloaded(detail)
    };
    let greeting = terminal.0.greetings.take(address);
    let greeting = greeting.map_err(|detail| too_many(&detail))?;
    let held = terminal.0.connections.clone().try_acquire_owned();
    let held = held.map_err(|_| too_many("too many connections are open"))?;
    let upgrade = upgrade
        .max_message_size(MAX_MESSAGE_BYTES)
        .max_frame_size(MAX_MESSAGE_BYTES)
        .read_buffer_size(BUFFER)
        .write_buffer_size(BUFFER)
        .max_write_buffer_size(MAX_BUFFER);
    Ok(upgrade.on_upgrade(async move |socket| terminal.serve(socket, address, greeting, held)))
}

fn not_configured(why: String) -> ApiError {
    ApiError::new(ProblemCode::NotConfigured, why)
}

fn foreign() -> ApiError {
    ApiError::new(
        ProblemCode::ForeignOrigin,
        "only pages that come from here may open a terminal",
    )
}

fn unauthorized() -> ApiError {
    let detail = format!(
        "the token of this role ({}) has to be shown as Authorization: Bearer",
        env::WEB_TOKEN
    );
    ApiError::new(ProblemCode::Unauthorized, detail)
}

fn overloaded(detail: &str) -> ApiError {
    ApiError::new(ProblemCode::Overloaded, detail)
}

/// The address of whoever asks.
fn client(peer: Option<&Peer>) -> Result<Address, ApiError> {
    let peer = peer.ok_or_else(|| ApiError::internal(&"a request has no peer"))?;
    Ok(peer.0.ip().into())
}
