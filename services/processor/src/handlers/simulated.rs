//! Simulated work, steered by `payload.simulate`; done at once where that is absent.

use std::time::Duration;

use async_trait::async_trait;
use rand::RngExt;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Execution, Handler, HandlerError};

/// Longest simulated duration: a day, as the longest time limit.
const MAX_DURATION_MS: u64 = odd_contracts::JobOptions::MAX_TIMEOUT_MS;

/// Executes every type that has no handler of its own.
pub(super) struct Simulated;

/// `payload.simulate`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Simulate {
    /// Time each attempt takes.
    duration_ms: u64,
    /// Further time, drawn evenly from 0 to this.
    jitter_ms: u64,
    /// The first so many attempts fail.
    fail_times: u32,
    /// Each attempt fails with this probability.
    fail_rate: f64,
    /// Text of the failure; alone, every attempt fails with it.
    error: Option<String>,
}

impl Simulate {
    fn of(payload: &odd_contracts::JsonObject) -> Result<Option<Self>, HandlerError> {
        let Some(value) = payload.get("simulate") else {
            return Ok(None);
        };
        if !value.is_object() {
            return Err(HandlerError::permanent(
                "payload.simulate is invalid: it must be an object",
            ));
        }
        let simulate: Self = serde::Deserialize::deserialize(value)
            .map_err(|error| HandlerError::permanent(format!("payload.simulate is invalid: {error}")))?;
        if simulate.duration_ms > MAX_DURATION_MS || simulate.jitter_ms > MAX_DURATION_MS {
            let text = format!("payload.simulate: durationMs and jitterMs are at most {MAX_DURATION_MS}");
            return Err(HandlerError::permanent(text));
        }
        if !(0.0..=1.0).contains(&simulate.fail_rate) {
            return Err(HandlerError::permanent(
                "payload.simulate.failRate must lie between 0 and 1",
            ));
        }
        Ok(Some(simulate))
    }

    fn duration(&self) -> Duration {
        let jitter = if self.jitter_ms == 0 {
            0
        } else {
            rand::rng().random_range(0..=self.jitter_ms)
        };
        Duration::from_millis(self.duration_ms + jitter)
    }

    fn fails(&self, attempt: u32) -> bool {
        let always = self.error.is_some() && self.fail_times == 0 && self.fail_rate == 0.0;
        always
            || attempt <= self.fail_times
            || (self.fail_rate > 0.0 && rand::rng().random_bool(self.fail_rate))
    }
}

#[async_trait]
impl Handler for Simulated {
    async fn execute(&self, execution: Execution<'_>) -> Result<Option<Value>, HandlerError> {
        let Some(simulate) = Simulate::of(&execution.job.payload)? else {
            return Ok(None);
        };
        let duration = simulate.duration();
        if !duration.is_zero() {
            tokio::time::sleep(duration).await;
        }
        if simulate.fails(execution.attempt) {
            let text = simulate
                .error
                .unwrap_or_else(|| format!("simulated failure of attempt {}", execution.attempt));
            return Err(HandlerError::retryable(text));
        }
        Ok(Some(
            json!({ "simulatedMs": u64::try_from(duration.as_millis()).unwrap_or(u64::MAX) }),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn simulate(value: Value) -> Result<Option<Simulate>, HandlerError> {
        let mut payload = odd_contracts::JsonObject::new();
        payload.insert("simulate".to_owned(), value);
        Simulate::of(&payload)
    }

    #[test]
    fn fails_as_often_as_it_is_told() {
        let twice = simulate(json!({ "failTimes": 2 })).unwrap().unwrap();
        assert_eq!([1, 2, 3].map(|attempt| twice.fails(attempt)), [true, true, false]);
        let always = simulate(json!({ "error": "upstream 502" })).unwrap().unwrap();
        assert!((1..=25).all(|attempt| always.fails(attempt)));
        let certain = simulate(json!({ "failRate": 1.0 })).unwrap().unwrap();
        assert!(certain.fails(9));
        let named = simulate(json!({ "failTimes": 1, "error": "x" }))
            .unwrap()
            .unwrap();
        assert!(!named.fails(2), "an error text beside failTimes is only its text");
    }

    #[test]
    fn nonsense_fails_for_good_and_says_why() {
        for bad in [
            json!({ "failRate": 1.5 }),
            json!({ "durationMs": -1 }),
            json!({ "durationMs": u64::MAX }),
            json!({ "duration": 5 }),
            json!([]),
            json!("fast"),
        ] {
            let error = simulate(bad.clone()).unwrap_err();
            assert!(!error.retryable, "{bad}");
            assert!(error.message.starts_with("payload.simulate"), "{bad}: {error}");
        }
        assert!(simulate(json!({})).unwrap().is_some());
    }
}
