//! What took how long.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::reporter::millis;
use super::{ServiceTiming, StartupReport};
use crate::docker::apply::Timing;

/// A service: its slowest replica counts.
struct Whole {
    allowed: Instant,
    well: Instant,
    kept: bool,
    depends_on: Vec<String>,
}

/// Puts the report together. `begin` is when the command began, `images` when every image was there.
pub(in crate::docker) fn report(begin: Instant, images: Instant, timings: &[Timing]) -> StartupReport {
    let services = by_service(timings);
    let timing = |(name, whole): (&String, &Whole)| ServiceTiming {
        service: name.clone(),
        waited_ms: millis(whole.allowed.saturating_duration_since(images)),
        took_ms: millis(whole.well.saturating_duration_since(whole.allowed)),
        kept: whole.kept,
    };
    StartupReport {
        took_ms: millis(begin.elapsed()),
        images_ms: millis(images.saturating_duration_since(begin)),
        services: services.iter().map(timing).collect(),
        critical_path: critical_path(&services),
    }
}

fn by_service(timings: &[Timing]) -> BTreeMap<String, Whole> {
    let mut services: BTreeMap<String, Whole> = BTreeMap::new();
    for timing in timings {
        let whole = services.entry(timing.service.clone()).or_insert_with(|| Whole {
            allowed: timing.allowed,
            well: timing.well,
            kept: true,
            depends_on: timing.depends_on.clone(),
        });
        whole.allowed = whole.allowed.min(timing.allowed);
        whole.well = whole.well.max(timing.well);
        whole.kept &= timing.kept;
    }
    services
}

/// From the service that was well last back to what it waited for, which is the dependency that was well last, and so on.
fn critical_path(services: &BTreeMap<String, Whole>) -> Vec<String> {
    /// A service that depends on one that was well this long before it could start did not wait for it.
    const SLACK: Duration = Duration::from_millis(50);
    let started = || services.iter().filter(|(_, whole)| !whole.kept);
    let Some((last, mut whole)) = started().max_by_key(|(_, whole)| whole.well) else {
        return Vec::new();
    };
    let mut path = vec![last.clone()];
    while path.len() <= services.len() {
        let dependencies = started().filter(|(name, _)| whole.depends_on.contains(name));
        let Some((name, next)) = dependencies.max_by_key(|(_, dependency)| dependency.well) else {
            break;
        };
        if next.well + SLACK < whole.allowed {
            break;
        }
        path.push(name.clone());
        whole = next;
    }
    path.reverse();
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timing(begin: Instant, service: &str, on: &[&str], allowed: u64, well: u64, kept: bool) -> Timing {
        Timing {
            service: service.to_owned(),
            depends_on: on.iter().map(|name| (*name).to_owned()).collect(),
            kept,
            allowed: begin + Duration::from_millis(allowed),
            well: begin + Duration::from_millis(well),
        }
    }

    #[test]
    fn the_critical_path_is_the_chain_that_took_longest() {
        let begin = Instant::now();
        let t = |service, on: &[&str], allowed, well| timing(begin, service, on, allowed, well, false);
        let timings = [
            t("postgres", &[], 1_000, 3_000),
            t("rabbitmq", &[], 1_000, 10_000),
            t("grafana", &[], 1_000, 5_000),
            t("processor", &["postgres", "rabbitmq"], 10_001, 10_300),
            t("gateway", &["rabbitmq"], 10_001, 10_200),
        ];
        let report = report(begin, begin + Duration::from_secs(1), &timings);
        assert_eq!(report.critical_path, ["rabbitmq", "processor"]);
        assert_eq!(report.images_ms, 1_000);
        let processor = report.services.iter().find(|s| s.service == "processor").unwrap();
        assert_eq!(
            (processor.waited_ms, processor.took_ms, processor.kept),
            (9_001, 299, false)
        );
    }

    #[test]
    fn what_was_kept_is_on_no_path_and_replicas_count_as_one() {
        let begin = Instant::now();
        let timings = [
            timing(begin, "db", &[], 0, 9_000, true),
            timing(begin, "web", &["db"], 10, 300, true),
            timing(begin, "web", &["db"], 10, 500, false),
        ];
        let report = report(begin, begin, &timings);
        assert_eq!(report.critical_path, ["web"]);
        let web = report.services.iter().find(|s| s.service == "web").unwrap();
        assert_eq!((web.took_ms, web.kept), (490, false));
        assert!(
            super::report(begin, begin, &timings[..1])
                .critical_path
                .is_empty()
        );
    }
}
