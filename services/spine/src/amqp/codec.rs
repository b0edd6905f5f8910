//! Messages of the port as messages of the broker, and back.

use bytes::Bytes;
use lapin::BasicProperties;
use lapin::message::Delivery as Raw;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use odd_contracts::names::spine as names;

use crate::port::{Delivery, DeliveryTag, Headers, Message, Queue};

/// Delivery mode of a message that is written to disk.
const PERSISTENT: u8 = 2;
/// Media type in place of one that the broker cannot carry.
const UNKNOWN: &str = "application/octet-stream";
/// Most bytes of headers. They travel in one frame, of 128 KiB at most, and a larger one ends the connection.
const MAX_HEADERS: usize = 96 * 1024;
/// Headers that quorum queues add to what they deliver again. They are no publisher's.
const OF_THE_BROKER: [&str; 2] = ["x-delivery-count", "x-acquired-count"];

/// What the broker is told about a message.
pub(super) fn properties(message: &Message) -> BasicProperties {
    let content_type = ShortString::try_new(message.content_type.as_str()).unwrap_or_else(|_| UNKNOWN.into());
    let properties = BasicProperties::default()
        .with_delivery_mode(PERSISTENT)
        .with_message_id(message.message_id.to_string().into())
        .with_content_type(content_type);
    if message.headers.is_empty() {
        properties
    } else {
        properties.with_headers(to_table(&message.headers))
    }
}

/// Headers as the broker carries them. Those of the observatory come first, so that they are never left out.
fn to_table(headers: &Headers) -> FieldTable {
    let ours = |name: &str| [names::HEADER_REASON, names::HEADER_DETAIL, names::HEADER_QUEUE].contains(&name);
    let (first, rest): (Vec<_>, Vec<_>) = headers.iter().partition(|(name, _)| ours(name));
    let mut table = FieldTable::default();
    let mut bytes = 0;
    for (name, value) in first.into_iter().chain(rest) {
        bytes += name.len() + value.len() + 6;
        match ShortString::try_new(name.as_str()) {
            Ok(name) if bytes <= MAX_HEADERS => {
                table.insert(name, AMQPValue::LongString(value.as_str().into()));
            }
            _ => {
                bytes -= name.len() + value.len() + 6;
                tracing::warn!(header = %name.chars().take(64).collect::<String>(), "a header is too large for the broker and left out");
            }
        }
    }
    table
}

/// A delivery of the broker as the port has it.
pub(super) fn delivery(raw: Raw, queue: Queue, consumer: u64) -> Delivery {
    let properties = raw.properties;
    Delivery {
        tag: DeliveryTag {
            consumer,
            number: raw.delivery_tag,
        },
        redelivered: raw.redelivered,
        queue,
        message_id: properties.message_id().as_ref().map(ToString::to_string),
        content_type: content_type(&properties),
        headers: headers(&properties),
        body: Bytes::from(raw.data),
    }
}

/// Media type of a message, where its publisher gave one.
pub(super) fn content_type(properties: &BasicProperties) -> Option<String> {
    properties.content_type().as_ref().map(ToString::to_string)
}

/// Headers of a message.
pub(super) fn headers(properties: &BasicProperties) -> Headers {
    properties.headers().as_ref().map(from_table).unwrap_or_default()
}

/// Headers as the port has them: values of other types than text are written as text.
fn from_table(table: &FieldTable) -> Headers {
    table
        .inner()
        .iter()
        .filter(|(name, _)| !OF_THE_BROKER.contains(&name.as_str()))
        .map(|(name, value)| (name.to_string(), text(value)))
        .collect()
}

fn text(value: &AMQPValue) -> String {
    match value {
        AMQPValue::Boolean(value) => value.to_string(),
        AMQPValue::ShortShortInt(value) => value.to_string(),
        AMQPValue::ShortShortUInt(value) => value.to_string(),
        AMQPValue::ShortInt(value) => value.to_string(),
        AMQPValue::ShortUInt(value) => value.to_string(),
        AMQPValue::LongInt(value) => value.to_string(),
        AMQPValue::LongUInt(value) => value.to_string(),
        AMQPValue::LongLongInt(value) => value.to_string(),
        AMQPValue::Float(value) => value.to_string(),
        AMQPValue::Double(value) => value.to_string(),
        AMQPValue::Timestamp(value) => value.to_string(),
        AMQPValue::ShortString(value) => value.to_string(),
        AMQPValue::LongString(value) => String::from_utf8_lossy(value.as_bytes()).into_owned(),
        AMQPValue::ByteArray(value) => String::from_utf8_lossy(value.as_slice()).into_owned(),
        AMQPValue::DecimalValue(value) => format!("{}e-{}", value.value, value.scale),
        AMQPValue::FieldArray(values) => {
            let values: Vec<_> = values.as_slice().iter().map(text).collect();
            format!("[{}]", values.join(", "))
        }
        AMQPValue::FieldTable(table) => {
            let values: Vec<_> = table
                .inner()
                .iter()
                .map(|(name, value)| format!("{name}: {}", text(value)))
                .collect();
            format!("{{{}}}", values.join(", "))
        }
        AMQPValue::Void => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::Route;
    use lapin::types::FieldArray;
    use uuid::Uuid;

    fn message(headers: Headers) -> Message {
        Message {
            route: Route::DeadLetter,
            message_id: Uuid::from_u128(1),
            content_type: "text/plain".to_owned(),
            headers,
            body: Bytes::new(),
        }
    }

    #[test]
    fn what_the_broker_cannot_carry_is_left_out_and_our_own_never() {
        let mut headers: Headers = (0..20).map(|n| (format!("a{n}"), "x".repeat(9_000))).collect();
        headers.insert("n".repeat(300), "too long a name".to_owned());
        headers.insert(names::HEADER_REASON.to_owned(), "not_json".to_owned());
        let mut message = message(headers);
        message.content_type = "c".repeat(256);
        let properties = properties(&message);
        let told = from_table(properties.headers().as_ref().unwrap());
        assert_eq!(told[names::HEADER_REASON], "not_json");
        let bytes: usize = told.iter().map(|(name, value)| name.len() + value.len()).sum();
        assert!((64 * 1024..MAX_HEADERS).contains(&bytes), "{bytes}");
        assert!(told.keys().all(|name| name.len() < 256));
        assert_eq!(properties.content_type().as_ref().unwrap().as_str(), UNKNOWN);
    }

    #[test]
    fn headers_of_any_type_become_text() {
        let mut inner = FieldTable::default();
        inner.insert("count".into(), AMQPValue::LongLongInt(3));
        let mut array = FieldArray::default();
        array.push(AMQPValue::FieldTable(inner));
        let mut table = FieldTable::default();
        table.insert("x-death".into(), AMQPValue::FieldArray(array));
        table.insert("flag".into(), AMQPValue::Boolean(true));
        table.insert("bytes".into(), AMQPValue::LongString(vec![0xff, b'a'].into()));
        table.insert("x-delivery-count".into(), AMQPValue::LongLongInt(2));
        let expected = [
            ("bytes", "\u{fffd}a"),
            ("flag", "true"),
            ("x-death", "[{count: 3}]"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(from_table(&table), expected.into());
    }
}
