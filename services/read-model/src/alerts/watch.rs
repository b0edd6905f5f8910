//! Asks Alertmanager which alerts fire, and whether anybody tells it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use odd_contracts::Timestamp;
use odd_contracts::alertmanager::{ALERTS_PATH, AlertmanagerStatus, STATUS_PATH, ToldAlert};
use odd_runtime::{Story, Upstream, UpstreamError, UpstreamLimits, UpstreamUrl};

use super::Alerts;

/// What one question may cost: ten thousand alerts take some ten megabytes.
const LIMITS: UpstreamLimits = UpstreamLimits {
    time: Duration::from_secs(2),
    bytes: 32 << 20,
};
/// Least time between two questions.
const INTERVAL: Duration = Duration::from_secs(1);
/// Most time between two questions.
const LONGEST_INTERVAL: Duration = Duration::from_secs(5);
/// Of the time, so much at most is spent on asking: a part in ten.
const REST: u32 = 10;
/// Path of Prometheus's readiness.
const PROMETHEUS_READY: &str = "-/ready";

/// Who is asked.
#[derive(Debug)]
pub(crate) struct Sources {
    alertmanager: Upstream,
    /// Where it is known: an Alertmanager whose Prometheus is away answers and tells nothing.
    prometheus: Option<Upstream>,
}

impl Sources {
    /// Asks nothing yet.
    ///
    /// # Errors
    /// Where an HTTP client cannot be made.
    pub(crate) fn new(
        alertmanager: UpstreamUrl,
        prometheus: Option<UpstreamUrl>,
    ) -> Result<Self, reqwest::Error> {
        Ok(Self {
            alertmanager: Upstream::new("Alertmanager", alertmanager, LIMITS)?,
            prometheus: prometheus
                .map(|url| Upstream::new("Prometheus", url, LIMITS))
                .transpose()?,
        })
    }

    async fn alerts(&self) -> Result<(AlertmanagerStatus, Vec<ToldAlert>), UpstreamError> {
        tokio::try_join!(
            self.alertmanager.get_json(STATUS_PATH),
            self.alertmanager.get_json(ALERTS_PATH)
        )
    }

    async fn evaluation(&self) -> Result<(), UpstreamError> {
        match &self.prometheus {
            Some(prometheus) => prometheus.get(PROMETHEUS_READY).await.map(drop),
            None => Ok(()),
        }
    }
}

/// Asks until it is dropped.
pub(crate) async fn watch(sources: Sources, alerts: Arc<Alerts>) {
    let mut stories = ["alertmanager", "prometheus"].map(Story::of);
    loop {
        let asked = Instant::now();
        let (told, ready) = tokio::join!(sources.alerts(), sources.evaluation());
        let rest = (asked.elapsed() * REST).clamp(INTERVAL, LONGEST_INTERVAL);
        let ready = ready.map_err(|error| error.to_string());
        stories[1].tell(&ready);
        alerts.evaluated(ready);
        let rest = match told {
            Ok((status, told)) => {
                stories[0].tell(&Ok(()));
                alerts.answered(Timestamp::now(), &status.uptime, told);
                rest
            }
            Err(error) => {
                stories[0].tell(&Err(error.to_string()));
                alerts.failed(error.to_string());
                INTERVAL
            }
        };
        tokio::time::sleep(rest).await;
    }
}
