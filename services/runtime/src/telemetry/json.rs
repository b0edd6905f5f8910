//! Log lines as JSON: timestamp, level, target, instance, message, and the fields of the event and of the
//! spans around it (`service`, `correlation_id`), all at the top level.

use std::fmt::Debug;
use std::io::Write;

use odd_contracts::Timestamp;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::identity::instance_id;

/// Writes an event as one line of JSON. Where names collide, the event wins over its spans, an inner span over an outer one.
#[derive(Clone, Debug)]
pub struct JsonLines<W>(W);

impl<W> JsonLines<W> {
    /// Writes to what `writer` makes.
    pub fn new(writer: W) -> Self {
        Self(writer)
    }
}

/// Fields of a span.
#[derive(Default)]
struct Fields(Vec<(&'static str, Value)>);

impl<S, W> Layer<S> for JsonLines<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut line = Map::new();
        for span in context
            .event_scope(event)
            .into_iter()
            .flat_map(|scope| scope.from_root())
        {
            if let Some(fields) = span.extensions().get::<Fields>() {
                line.extend(
                    fields
                        .0
                        .iter()
                        .map(|(name, value)| ((*name).to_owned(), value.clone())),
                );
            }
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        line.extend(fields.0.into_iter().map(|(name, value)| (name.to_owned(), value)));
        let metadata = event.metadata();
        line.insert("timestamp".to_owned(), Timestamp::now().to_string().into());
        line.insert("level".to_owned(), metadata.level().as_str().into());
        line.insert("target".to_owned(), metadata.target().into());
        line.insert("instance".to_owned(), instance_id().into());
        let Ok(mut text) = serde_json::to_vec(&line) else {
            return;
        };
        text.push(b'\n');
        // A log that cannot be written has nowhere to complain.
        let _ = self.0.make_writer_for(metadata).write_all(&text);
    }
}

impl Fields {
    fn set(&mut self, field: &Field, value: Value) {
        match self.0.iter_mut().find(|(name, _)| *name == field.name()) {
            Some((_, old)) => *old = value,
            None => self.0.push((field.name(), value)),
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.set(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::role_span;
    use odd_contracts::Role;
    use std::sync::{Arc, Mutex};
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::{EnvFilter, registry};

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_carries_its_spans_fields_at_the_top_level() {
        let lines = Lines::default();
        let sink = lines.clone();
        let layer = JsonLines::new(move || sink.clone()).with_filter(EnvFilter::new("warn"));
        tracing::subscriber::with_default(registry().with(layer), || {
            let _role = role_span(Role::Gateway).entered();
            let _request = tracing::error_span!("request", correlation_id = "c-1", depth = 1).entered();
            tracing::info!("too quiet");
            tracing::warn!(depth = 2, reason = ?"a\nb", "it {}", "happened");
        });
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        let line: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["service"], "gateway");
        assert_eq!(line["correlation_id"], "c-1");
        assert_eq!(line["message"], "it happened");
        assert_eq!(line["depth"], 2);
        assert_eq!(line["reason"], "\"a\\nb\"");
        assert_eq!(line["level"], "WARN");
        assert_eq!(line["instance"], instance_id());
        assert!(
            line["target"]
                .as_str()
                .unwrap()
                .starts_with("odd_runtime::telemetry")
        );
        assert!(line["timestamp"].as_str().unwrap().parse::<Timestamp>().is_ok());
    }
}
