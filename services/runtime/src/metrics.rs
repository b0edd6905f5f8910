//! Metrics of one role, in Prometheus text format. Each carries the label `service`.

mod http;
mod process;
mod readiness;
mod type_label;

use std::collections::HashMap;
use std::sync::Arc;

use odd_contracts::names::metric;
use odd_contracts::{Role, VERSION};
use prometheus::{
    Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};

pub(crate) use http::HttpMetrics;
use process::ProcessMetrics;
use readiness::ReadinessMetrics;
pub use type_label::TypeLabel;

use crate::health::Readiness;

/// Media type of what [`Metrics::encode`] returns.
pub const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;

/// Bounds in seconds for what takes from half a millisecond to half a minute.
pub const SECONDS: [f64; 15] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

/// The metrics of a role. Clones are the same registry.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Registry,
    process: ProcessMetrics,
    http: HttpMetrics,
}

type Result<T> = prometheus::Result<T>;

impl Metrics {
    /// A registry of its own, with the metrics of the process and of its HTTP server.
    ///
    /// # Errors
    /// Only on a defect of this crate: its own metrics do not register.
    pub fn new(role: Role) -> Result<Self> {
        let labels = HashMap::from([("service".to_owned(), role.name().to_owned())]);
        let registry = Registry::new_custom(None, Some(labels))?;
        let process = ProcessMetrics::register(&registry)?;
        let http = HttpMetrics::register(&registry)?;
        register_build_info(&registry)?;
        Ok(Self(Arc::new(Inner {
            registry,
            process,
            http,
        })))
    }

    /// The registry, for metrics that have no helper here.
    pub fn registry(&self) -> &Registry {
        &self.0.registry
    }

    /// A counter.
    ///
    /// # Errors
    /// When the name is taken or impossible; so with all that follow.
    pub fn counter(&self, name: &str, help: &str) -> Result<IntCounter> {
        self.register(IntCounter::new(name, help)?)
    }

    /// Counters by label.
    ///
    /// # Errors
    /// As [`Metrics::counter`].
    pub fn counter_vec(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec> {
        self.register(IntCounterVec::new(Opts::new(name, help), labels)?)
    }

    /// A gauge of whole numbers.
    ///
    /// # Errors
    /// As [`Metrics::counter`].
    pub fn gauge(&self, name: &str, help: &str) -> Result<IntGauge> {
        self.register(IntGauge::new(name, help)?)
    }

    /// Gauges of whole numbers by label.
    ///
    /// # Errors
    /// As [`Metrics::counter`].
    pub fn gauge_vec(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec> {
        self.register(IntGaugeVec::new(Opts::new(name, help), labels)?)
    }

    /// A gauge of numbers with fractions.
    ///
    /// # Errors
    /// As [`Metrics::counter`].
    pub fn float_gauge(&self, name: &str, help: &str) -> Result<Gauge> {
        self.register(Gauge::new(name, help)?)
    }

    /// A histogram of seconds, with the bounds [`SECONDS`].
    ///
    /// # Errors
    /// As [`Metrics::counter`].
    pub fn histogram(&self, name: &str, help: &str) -> Result<Histogram> {
        self.register(Histogram::with_opts(
            HistogramOpts::new(name, help).buckets(SECONDS.to_vec()),
        )?)
    }

    /// Histograms of seconds by label, with the bounds [`SECONDS`].
    ///
    /// # Errors
    /// As [`Metrics::counter`].
    pub fn histogram_vec(&self, name: &str, help: &str, labels: &[&str]) -> Result<HistogramVec> {
        self.register(HistogramVec::new(
            HistogramOpts::new(name, help).buckets(SECONDS.to_vec()),
            labels,
        )?)
    }

    /// All metrics as text.
    ///
    /// # Errors
    /// When a metric of [`Metrics::registry`] has no valid name.
    pub fn encode(&self) -> Result<String> {
        self.0.process.refresh();
        TextEncoder::new().encode_to_string(&self.0.registry.gather())
    }

    /// Shows whether the role is ready, and which of its dependencies answer, as they are when the metrics are asked for.
    pub(crate) fn watch(&self, readiness: &Readiness) -> Result<()> {
        self.0
            .registry
            .register(Box::new(ReadinessMetrics::new(readiness)?))
    }

    pub(crate) fn http(&self) -> &HttpMetrics {
        &self.0.http
    }

    fn register<M: prometheus::core::Collector + Clone + 'static>(&self, metric: M) -> Result<M> {
        self.0.registry.register(Box::new(metric.clone()))?;
        Ok(metric)
    }
}

fn register_build_info(registry: &Registry) -> Result<()> {
    let info = IntGaugeVec::new(
        Opts::new(metric::BUILD_INFO, "1, with the version of the program."),
        &["version"],
    )?;
    info.with_label_values(&[VERSION]).set(1);
    registry.register(Box::new(info))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_names_its_service() {
        let metrics = Metrics::new(Role::Gateway).unwrap();
        metrics.counter("things_total", "Things.").unwrap().inc_by(3);
        metrics
            .counter_vec("kinds_total", "Kinds.", &["kind"])
            .unwrap()
            .with_label_values(&["a"])
            .inc();
        let text = metrics.encode().unwrap();
        assert!(text.contains("things_total{service=\"gateway\"} 3"), "{text}");
        assert!(
            text.contains("kinds_total{kind=\"a\",service=\"gateway\"} 1"),
            "{text}"
        );
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        assert!(
            samples
                .into_iter()
                .all(|line| line.contains("service=\"gateway\"")),
            "{text}"
        );
    }

    #[test]
    fn two_roles_of_one_process_do_not_collide_but_one_name_twice_does() {
        let (one, other) = (
            Metrics::new(Role::Gateway).unwrap(),
            Metrics::new(Role::Processor).unwrap(),
        );
        one.gauge("depth", "Depth.").unwrap();
        other.gauge("depth", "Depth.").unwrap();
        assert!(one.gauge("depth", "Depth.").is_err());
    }
}
