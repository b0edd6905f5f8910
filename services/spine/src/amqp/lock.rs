//! A lock among connections, of whatever process: a queue that one of them has for itself.

use std::time::Duration;

use lapin::options::{BasicConsumeOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, Consumer};
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep, timeout_at};

use super::backoff::Backoff;
use super::failure;

/// First wait while somebody else has it. It is mostly had for milliseconds.
const FIRST_WAIT: Duration = Duration::from_millis(5);
/// Longest wait.
const LONGEST_WAIT: Duration = Duration::from_millis(40);

/// A lock in hand. The broker does not tell apart the tasks of its connection, which must take turns themselves.
///
/// Its queue goes with its only consumer, and so, where it is dropped, with its channel; with the connection at the
/// latest.
pub(super) struct Lock {
    name: &'static str,
    channel: OwnChannel,
    _consumer: Consumer,
}

/// Why there is no lock.
pub(super) enum NotTaken {
    /// Another connection has it.
    Held,
    /// The broker did not answer in time.
    Unanswered,
    /// The broker or the connection failed.
    Failed(lapin::Error),
}

impl Lock {
    /// Takes the lock of this name as soon as nobody else has it.
    pub(super) async fn take(
        connection: &Connection,
        name: &'static str,
        until: Instant,
    ) -> Result<Self, NotTaken> {
        let mut waits = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
        loop {
            match timeout_at(until, try_once(connection, name)).await {
                Ok(Ok(lock)) => return Ok(lock),
                Ok(Err(error)) if is_passing(&error) => {}
                Ok(Err(error)) => return Err(NotTaken::Failed(error)),
                Err(_) => return Err(NotTaken::Unanswered),
            }
            let wait = waits.next();
            if Instant::now() + wait > until {
                return Err(NotTaken::Held);
            }
            sleep(wait).await;
        }
    }

    /// Its channel, for what is done under the lock. What ends the channel gives the lock back.
    pub(super) fn channel(&self) -> &Channel {
        &self.channel.0
    }

    /// Gives it back; when this returns, others find it free.
    pub(super) async fn release(self) -> lapin::Result<()> {
        let removing = self
            .channel
            .0
            .queue_delete(self.name.into(), QueueDeleteOptions::default());
        removing.await.map(drop)
    }
}

/// A refusal ends the channel, so that each try needs a new one.
async fn try_once(connection: &Connection, name: &'static str) -> lapin::Result<Lock> {
    let own = OwnChannel(connection.create_channel().await?);
    let channel = &own.0;
    let options = QueueDeclareOptions {
        exclusive: true,
        auto_delete: true,
        ..QueueDeclareOptions::default()
    };
    let declaring = channel.queue_declare(name.into(), options, arguments());
    let options = BasicConsumeOptions::default();
    let consuming = channel.basic_consume(name.into(), "".into(), options, FieldTable::default());
    // Both are on their way before either is awaited: whoever is dropped while he waits leaves no queue that no
    // consumer will ever remove.
    let (declared, consumer) = futures::join!(declaring, consuming);
    declared?;
    let consumer = consumer?;
    Ok(Lock {
        name,
        channel: own,
        _consumer: consumer,
    })
}

/// A channel that is closed when this is dropped. The library does not close one whose consumer was never handed out.
struct OwnChannel(Channel);

impl Drop for OwnChannel {
    fn drop(&mut self) {
        // Without a runtime the process ends, and the connection with it.
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        if self.0.status().connected() {
            let channel = self.0.clone();
            runtime.spawn(async move {
                // It fails where the channel or the connection is gone, which is as good.
                let _ = channel.close(200, "closed".into()).await;
            });
        }
    }
}

fn arguments() -> FieldTable {
    let mut arguments = FieldTable::default();
    // Whatever is the default of the virtual host: other types cannot be exclusive.
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("classic".into()));
    arguments
}

/// Another connection has it, or it went between being found and being consumed.
fn is_passing(error: &lapin::Error) -> bool {
    matches!(
        failure::code(error),
        Some(failure::RESOURCE_LOCKED | failure::NOT_FOUND)
    )
}
