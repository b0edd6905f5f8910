//! Readiness as metrics: the same that `/readyz` tells.

use odd_contracts::names::metric;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{HistogramVec, IntGauge, IntGaugeVec, Opts};

use crate::health::Readiness;

/// Looks at the readiness each time the metrics are asked for.
pub(super) struct ReadinessMetrics {
    readiness: Readiness,
    ready: IntGauge,
    up: IntGaugeVec,
    seconds: HistogramVec,
}

impl ReadinessMetrics {
    pub(super) fn new(readiness: &Readiness) -> prometheus::Result<Self> {
        Ok(Self {
            readiness: readiness.clone(),
            ready: IntGauge::new(
                metric::READY,
                "1 while the role is ready, as /readyz tells, else 0.",
            )?,
            up: IntGaugeVec::new(
                Opts::new(
                    metric::DEPENDENCY_UP,
                    "1 while a dependency that the role requires answers, else 0.",
                ),
                &["dependency"],
            )?,
            seconds: readiness.answer_seconds().clone(),
        })
    }
}

impl Collector for ReadinessMetrics {
    fn desc(&self) -> Vec<&Desc> {
        let mut descriptions = self.ready.desc();
        descriptions.extend(self.up.desc());
        descriptions.extend(self.seconds.desc());
        descriptions
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let (ready, health) = self.readiness.report();
        self.ready.set(ready.into());
        for (dependency, state) in &health.checks {
            let up = state == Readiness::OK;
            self.up.with_label_values(&[dependency]).set(up.into());
        }
        let mut families = self.ready.collect();
        families.extend(self.up.collect());
        families.extend(self.seconds.collect());
        families
    }
}

#[cfg(test)]
mod tests {
    use odd_contracts::Role;

    use super::*;
    use crate::metrics::Metrics;

    fn shows(metrics: &Metrics, sample: &str) -> bool {
        metrics.encode().unwrap().lines().any(|line| line == sample)
    }

    #[test]
    fn the_metrics_say_what_readyz_says() {
        let readiness = Readiness::new(Role::Processor);
        let metrics = Metrics::new(Role::Processor).unwrap();
        metrics.watch(&readiness).unwrap();
        assert!(shows(&metrics, "odd_ready{service=\"processor\"} 1"));

        let store = readiness.require("job-store");
        readiness.require("spine").ok();
        let up =
            |name, value| format!("odd_dependency_up{{dependency=\"{name}\",service=\"processor\"}} {value}");
        assert!(shows(&metrics, "odd_ready{service=\"processor\"} 0"));
        assert!(shows(&metrics, &up("job-store", 0)) && shows(&metrics, &up("spine", 1)));

        store.ok();
        assert!(shows(&metrics, "odd_ready{service=\"processor\"} 1"));
        assert!(shows(&metrics, &up("job-store", 1)));

        readiness.set_draining();
        assert!(shows(&metrics, "odd_ready{service=\"processor\"} 0"));
        assert!(
            shows(&metrics, &up("job-store", 1)),
            "draining is no trouble of the store"
        );
    }
}
