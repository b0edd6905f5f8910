//! Time between two attempts.

use std::time::Duration;

use odd_contracts::JobOptions;

/// Longest time between two attempts, whatever the options say.
const LONGEST: Duration = Duration::from_secs(3600);

/// Backoff behind attempt `attempt`: the job's backoff, doubled for each attempt before it, of which one half
/// is fixed and the other multiplied by `jitter` (0 to 1), so that jobs that failed together do not return together.
pub(crate) fn backoff(options: &JobOptions, attempt: u32, jitter: f64) -> Duration {
    let doublings = attempt.saturating_sub(1).min(20);
    let full = options.backoff().saturating_mul(1 << doublings).min(LONGEST);
    full.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(backoff_ms: u64) -> JobOptions {
        JobOptions {
            backoff_ms: Some(backoff_ms),
            ..Default::default()
        }
    }

    #[test]
    fn doubles_and_jitters() {
        let ms = |attempt, jitter| backoff(&options(100), attempt, jitter).as_millis();
        assert_eq!([ms(1, 1.0), ms(2, 1.0), ms(3, 1.0)], [100, 200, 400]);
        assert_eq!([ms(1, 0.0), ms(3, 0.0)], [50, 200]);
    }

    #[test]
    fn stays_within_bounds() {
        assert_eq!(backoff(&options(0), 25, 1.0), Duration::ZERO);
        assert_eq!(backoff(&options(JobOptions::MAX_BACKOFF_MS), 25, 1.0), LONGEST);
    }
}
