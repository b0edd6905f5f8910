//! Where the broker is and how patient the adapter is with it.

use std::fmt;
use std::time::Duration;

use lapin::uri::AMQPUri;

/// Where the broker is, and how patient the adapter is with it.
#[derive(Clone)]
pub struct AmqpOptions {
    /// Address such as `amqp://user:password@host:5672/vhost`. TLS is not built in.
    pub url: String,
    /// Address of the management interface such as `http://user:password@host:15672`. Only it tells what
    /// consumers hold unacknowledged; without it that is told as 0.
    pub management_url: Option<String>,
    /// Name of the connections in the management interface. Each has its purpose appended.
    pub name: String,
    /// Interval of heartbeats, whole seconds. A broker that is silent for twice as long is given up.
    pub heartbeat: Duration,
    /// Longest time for a connection to be made, from the address to the last declaration.
    pub connect_timeout: Duration,
    /// Longest time for a publish call to be confirmed.
    pub confirm_timeout: Duration,
    /// Longest time for the broker to answer anything else: a ping, depths, a new consumer.
    pub answer_timeout: Duration,
    /// Channels that publish by turns. More than a few only make the broker's confirms smaller.
    pub publisher_channels: usize,
    /// Messages that may wait for their confirms; further ones are answered with
    /// [`Blocked`](crate::PublishError::Blocked).
    pub waiting_messages: u32,
    /// Bytes of their bodies.
    pub waiting_bytes: u64,
}

impl AmqpOptions {
    /// The defaults, for a broker at `url`.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            management_url: None,
            name: "odd".to_owned(),
            heartbeat: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(5),
            confirm_timeout: Duration::from_secs(10),
            answer_timeout: Duration::from_secs(2),
            publisher_channels: 4,
            waiting_messages: 16_384,
            waiting_bytes: 64 << 20,
        }
    }

    /// The address as the client library takes it.
    pub(super) fn uri(&self) -> Result<AMQPUri, String> {
        let mut uri: AMQPUri = self
            .url
            .parse()
            .map_err(|error| format!("its address is not valid: {error}"))?;
        let seconds = self.heartbeat.as_secs().clamp(1, u64::from(u16::MAX));
        uri.query.heartbeat = u16::try_from(seconds).ok();
        Ok(uri)
    }
}

impl fmt::Debug for AmqpOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AmqpOptions")
            .field("url", &without_password(&self.url))
            .field(
                "management_url",
                &self.management_url.as_deref().map(without_password),
            )
            .field("name", &self.name)
            .field("heartbeat", &self.heartbeat)
            .field("connect_timeout", &self.connect_timeout)
            .field("confirm_timeout", &self.confirm_timeout)
            .field("answer_timeout", &self.answer_timeout)
            .field("publisher_channels", &self.publisher_channels)
            .field("waiting_messages", &self.waiting_messages)
            .field("waiting_bytes", &self.waiting_bytes)
            .finish()
    }
}

/// An address without user and password. What cannot be told apart is hidden whole.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return "(hidden)".to_owned();
    };
    // The last one: a password may have an unescaped `@`.
    let place = rest.rfind('@').map_or(rest, |at| &rest[at + 1..]);
    format!("{scheme}://{place}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_tells_no_password() {
        let options = AmqpOptions {
            management_url: Some("http://odd:s3cret@management:15672".to_owned()),
            ..AmqpOptions::new("amqp://odd:s3cr@et@broker:5672/jobs")
        };
        let told = format!("{options:?}");
        assert!(!told.contains("s3c"), "{told}");
        assert!(told.contains("amqp://broker:5672/jobs"), "{told}");
        assert!(told.contains("http://management:15672"), "{told}");
        assert!(!format!("{:?}", AmqpOptions::new("odd:s3cret@broker")).contains("s3cret"));
    }

    #[test]
    fn heartbeats_are_whole_seconds() {
        let with = |heartbeat| AmqpOptions {
            heartbeat,
            ..AmqpOptions::new("amqp://broker/%2f")
        };
        let seconds = |heartbeat| with(heartbeat).uri().unwrap().query.heartbeat;
        assert_eq!(seconds(Duration::from_secs(7)), Some(7));
        assert_eq!(
            seconds(Duration::from_millis(10)),
            Some(1),
            "0 would switch them off"
        );
    }
}
