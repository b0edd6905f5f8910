//! One publishing channel.
//!
//! It takes what waits, up to a window, writes it, and takes no more before every message of the window
//! is confirmed. Several channels by turns keep the broker busy all the same. The pause is for the sake of
//! returned messages: the library hands a returned message to whichever confirm it happens to complete
//! next, so that only the confirms of a whole window tell together which messages were returned.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::poll;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{Channel, Confirmation, PublisherConfirm};
use tokio::time::sleep;

use super::link::Link;
use super::publisher::{Outcome, Publication, Waiting};
use super::session::Session;
use super::{codec, failure};
use crate::port::{PublishError, SpineError};

/// Messages of a window, unless one call brought more.
const WINDOW_MESSAGES: usize = 512;
/// Bytes of their bodies, unless one call brought more.
const WINDOW_BYTES: usize = 4 << 20;

type Written<'a> = Pin<Box<dyn Future<Output = lapin::Result<PublisherConfirm>> + Send + 'a>>;

/// What came of a window.
enum Window {
    /// Every message has its outcome.
    Settled {
        /// Whether one of them found no queue.
        unroutable: bool,
    },
    /// The channel is of no more use.
    Broken,
}

/// What became of one message, as far as its own confirm tells.
enum Answer {
    Confirmed,
    /// Confirmed, together with the news of a returned message, which is not necessarily this one.
    Returned(ReturnedKey),
    Refused,
    Failed(String),
}

/// How a returned message is recognised: by its id and its routing key.
type ReturnedKey = (String, String);

/// One publishing channel.
pub(super) struct Lane {
    pub(super) session: Arc<Session>,
    pub(super) queue: Waiting,
    /// Where is declared what is missing. On its own connection, which the broker may block at any time, the lock
    /// would be kept from everybody else for as long.
    pub(super) declaring: Link,
    pub(super) confirm_timeout: Duration,
}

impl Lane {
    /// Publishes until the session or the queue ends.
    pub(super) async fn run(self) {
        while self.session.is_open() {
            match self.open().await {
                Ok(channel) => {
                    if self.serve(&channel).await.is_none() {
                        return;
                    }
                }
                Err(_) if self.session.blocked_reason().is_some() => sleep(self.confirm_timeout).await,
                Err(error) => {
                    // A connection on which no channel can be opened is as good as none.
                    tracing::warn!(%error, "no channel can be opened; the connection is given up");
                    self.session.abort();
                    return;
                }
            }
        }
    }

    async fn open(&self) -> Result<Channel, SpineError> {
        let channel = self.session.channel().await?;
        let selected = channel.confirm_select(ConfirmSelectOptions::default());
        self.session.answer(selected).await?;
        Ok(channel)
    }

    /// Publishes windows until the channel is of no more use; none when there is nothing to publish any more.
    async fn serve(&self, channel: &Channel) -> Option<()> {
        loop {
            let window = self.gather().await?;
            let publishing = publish(channel, window);
            tokio::pin!(publishing);
            // Later than who waits for the confirms, so that they are told what is the case: unconfirmed.
            let patience = self.confirm_timeout + self.confirm_timeout / 4;
            let outcome = loop {
                tokio::select! {
                    outcome = &mut publishing => break outcome,
                    // While the broker blocks the connection, it confirms nothing, and nothing is wrong.
                    () = sleep(patience) => if self.session.blocked_reason().is_none() {
                        tracing::warn!("confirms are late; their channel is given up");
                        break Window::Broken;
                    }
                }
            };
            match outcome {
                Window::Settled { unroutable: false } => {}
                Window::Settled { unroutable: true } => self.declare_again().await,
                Window::Broken => return Some(()),
            }
        }
    }

    /// Waits for something to publish and takes what is at hand behind it; none once there will be nothing.
    async fn gather(&self) -> Option<Vec<Publication>> {
        let mut queue = self.queue.lock().await;
        let mut window = Vec::new();
        let (mut messages, mut bytes) = (0, 0);
        while messages < WINDOW_MESSAGES && bytes < WINDOW_BYTES {
            let next = if window.is_empty() {
                Some(queue.recv().await?)
            } else {
                queue.try_recv().ok()
            };
            let Some(publication) = next else { break };
            // Who gave up waiting was told that it is unconfirmed, and publishes again.
            if !publication.reply.is_closed() {
                messages += publication.messages.len();
                bytes += publication
                    .messages
                    .iter()
                    .map(|message| message.body.len())
                    .sum::<usize>();
                window.push(publication);
            }
        }
        Some(window)
    }

    /// A queue or a binding was removed by somebody: what comes next shall find it.
    async fn declare_again(&self) {
        tracing::warn!("a message found no queue; queues and bindings are declared again");
        let declared = async { self.declaring.session().await?.declare_again().await };
        if let Err(error) = declared.await {
            tracing::warn!(%error, "queues and bindings cannot be declared");
        }
    }
}

/// Writes a window and answers each of its publications when all of it is confirmed.
async fn publish(channel: &Channel, window: Vec<Publication>) -> Window {
    let answers = exchange(channel, &window).await;
    let broken = answers.iter().any(|answer| matches!(answer, Answer::Failed(_)));
    let returned: Vec<ReturnedKey> = answers
        .iter()
        .filter_map(|answer| match answer {
            Answer::Returned(key) => Some(key.clone()),
            _ => None,
        })
        .collect();
    let mut answers = answers.into_iter();
    for publication in window {
        let outcomes = publication
            .messages
            .iter()
            .zip(&mut answers)
            .map(|(message, answer)| {
                let (_, routing_key) = publication.target(message);
                let is_returned = !returned.is_empty() && {
                    let id = message.message_id.to_string();
                    returned.iter().any(|key| key.0 == id && key.1 == routing_key)
                };
                outcome(answer, is_returned, broken)
            })
            .collect();
        publication.answer(outcomes);
    }
    if broken {
        Window::Broken
    } else {
        Window::Settled {
            unroutable: !returned.is_empty(),
        }
    }
}

fn outcome(answer: Answer, is_returned: bool, broken: bool) -> Outcome {
    match answer {
        _ if is_returned => Err(PublishError::Unroutable),
        Answer::Confirmed => Ok(()),
        // The news was of another message; the news of this one may have come with a confirm that is lost.
        Answer::Returned(_) if broken => Err(PublishError::Unconfirmed),
        Answer::Returned(_) => Ok(()),
        Answer::Refused => Err(PublishError::Unavailable(
            "the broker could not keep the message".to_owned(),
        )),
        Answer::Failed(reason) => Err(PublishError::Unavailable(reason)),
    }
}

/// Writes every message and waits for its confirm.
async fn exchange(channel: &Channel, window: &[Publication]) -> Vec<Answer> {
    let mut written: Vec<Written<'_>> = Vec::new();
    for publication in window {
        for message in &publication.messages {
            let (exchange, routing_key) = publication.target(message);
            let options = BasicPublishOptions {
                mandatory: true,
                ..BasicPublishOptions::default()
            };
            let mut write: Written<'_> = Box::pin(channel.basic_publish(
                exchange.into(),
                routing_key.into(),
                options,
                &message.body,
                codec::properties(message),
            ));
            // The first poll puts the message in the line to the socket: in order, and without waiting for it.
            match poll!(write.as_mut()) {
                std::task::Poll::Ready(confirm) => {
                    written.push(Box::pin(std::future::ready(confirm)));
                }
                std::task::Poll::Pending => written.push(write),
            }
        }
    }
    let mut answers = Vec::with_capacity(written.len());
    for write in written {
        answers.push(answer(write).await);
    }
    answers
}

async fn answer(write: Written<'_>) -> Answer {
    let confirmed = match write.await {
        Ok(confirm) => confirm.await,
        Err(error) => Err(error),
    };
    match confirmed {
        Ok(Confirmation::Nack(_)) => Answer::Refused,
        Ok(confirmation) => match confirmation.take_message() {
            None => Answer::Confirmed,
            Some(message) => {
                let id = message.properties.message_id().as_ref();
                Answer::Returned((
                    id.map(ToString::to_string).unwrap_or_default(),
                    message.routing_key.to_string(),
                ))
            }
        },
        Err(error) => Answer::Failed(failure::told(&error)),
    }
}
