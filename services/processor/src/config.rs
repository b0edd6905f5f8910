//! Configuration of a processor.

use std::time::Duration;

use odd_contracts::names::env;
use odd_runtime::config::Reader;

/// Configuration of a processor.
#[derive(Clone, Debug)]
pub struct Config {
    /// Jobs executed at the same time.
    pub slots: usize,
    /// Time after which a job whose processor is lost is taken by another.
    pub lease: Duration,
}

impl Config {
    /// Slots where nothing else is configured: most handlers wait rather than compute, and those that compute
    /// share the cores among themselves.
    pub const DEFAULT_SLOTS: usize = 256;
    /// Lease where nothing else is configured.
    pub const DEFAULT_LEASE: Duration = Duration::from_secs(30);

    /// Reads the configuration; what is wrong is noted in `reader`.
    pub fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            slots: reader.within(env::PROCESSOR_SLOTS, Self::DEFAULT_SLOTS, 1..=10_000),
            lease: lease(reader),
        }
    }
}

/// Claims are renewed every other second, over a store that may be slow for a moment: a lease is not below 5 s.
fn lease(reader: &mut Reader<'_>) -> Duration {
    const SHORTEST: Duration = Duration::from_secs(5);
    let lease = reader.duration_seconds(env::PROCESSOR_LEASE_SECONDS, Config::DEFAULT_LEASE);
    if lease < SHORTEST {
        reader.reject(env::PROCESSOR_LEASE_SECONDS, "expected at least 5 seconds");
    }
    lease
}

impl Default for Config {
    fn default() -> Self {
        Self {
            slots: Self::DEFAULT_SLOTS,
            lease: Self::DEFAULT_LEASE,
        }
    }
}
