//! How a connection closes (RFC 6455, 7.1): both sides say so, and whatever comes before that is read. A connection that ends with
//! something unread is reset by the system, which takes away from the client what it was told last.

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message};
use futures::{SinkExt, StreamExt};
use odd_contracts::terminal::{EndReason, ServerMessage};

use super::Refusal;
use super::connection::{Sink, Source, Stop, text};
use super::session::Ended;

/// Longest wait for a client to take the last messages, and to answer.
const FAREWELL: Duration = Duration::from_secs(2);

/// Says why the connection closes, and closes it.
pub(super) async fn farewell(sink: Sink, source: Source, stop: Stop) {
    // A client that does not take it is told by the closed connection.
    let _ = tokio::time::timeout(FAREWELL, close(sink, source, stop)).await;
}

async fn close(mut sink: Sink, mut source: Source, stop: Stop) {
    let is_readable = !matches!(stop, Stop::Unreadable(_));
    if let Some(words) = words(stop) {
        for message in words {
            if sink.send(message).await.is_err() {
                return;
            }
        }
    } else if sink.flush().await.is_err() {
        // That was the answer to the client's own close.
        return;
    }
    if is_readable {
        while let Some(Ok(_)) = source.next().await {}
    } else {
        // What the client still sends is in the way, and nobody can tell where it ends.
        std::future::pending::<()>().await;
    }
}

/// The last messages; none where the client closes the connection, or is gone.
fn words(stop: Stop) -> Option<Vec<Message>> {
    let (last, code, reason) = match stop {
        Stop::Gone => return None,
        Stop::Stopping => (None, EndReason::Shutdown.close(), EndReason::Shutdown.name()),
        Stop::Error(Refusal { code, message }) | Stop::Unreadable(Refusal { code, message }) => (
            Some(ServerMessage::Error { code, message }),
            code.close(),
            code.name(),
        ),
        Stop::Ended(ended) => (Some(told(&ended)), ended.reason.close(), ended.reason.name()),
    };
    let close = CloseFrame {
        code,
        reason: reason.into(),
    };
    let last = last.as_ref().map(text);
    Some(last.into_iter().chain([Message::Close(Some(close))]).collect())
}

fn told(ended: &Ended) -> ServerMessage {
    let message = match (ended.reason, ended.exit) {
        (EndReason::Exited, Some(0)) => "the program has ended".to_owned(),
        (EndReason::Exited, Some(code)) => format!("the program has ended with exit code {code}"),
        (EndReason::Exited, None) => "the program was ended by a signal".to_owned(),
        (EndReason::Idle, _) => "nothing was pressed for too long".to_owned(),
        (EndReason::Abandoned, _) => "nobody came back in time".to_owned(),
        (EndReason::Shutdown, _) => "the web role is stopping; try again in a moment".to_owned(),
    };
    ServerMessage::Ended {
        reason: ended.reason,
        exit_code: ended.exit,
        message,
    }
}
