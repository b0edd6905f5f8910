//! Job type `hash`: CPU work. `payload.rounds` rounds of SHA-256 over `payload.input`.

use std::fmt::Write;
use std::sync::Arc;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::{Execution, Handler, HandlerError};

/// Most rounds of one job: some minutes of one core.
const MAX_ROUNDS: u64 = 1_000_000_000;
/// Rounds between two looks at the cancellation: some milliseconds.
const ROUNDS_PER_LOOK: u64 = 10_000;

/// Executes `hash` jobs, as many at a time as there are cores.
pub(super) struct Hash {
    cores: Arc<Semaphore>,
}

#[derive(Debug, Deserialize)]
#[serde(default)]
struct Input {
    rounds: u64,
    input: String,
}

impl Default for Input {
    fn default() -> Self {
        Self {
            rounds: 1_000,
            input: String::new(),
        }
    }
}

impl Hash {
    pub(super) fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            cores: Arc::new(Semaphore::new(cores)),
        }
    }
}

#[async_trait]
impl Handler for Hash {
    async fn execute(&self, execution: Execution<'_>) -> Result<Option<Value>, HandlerError> {
        let input: Input =
            Input::deserialize(&Value::Object(execution.job.payload.clone())).map_err(|error| {
                HandlerError::permanent(format!("the payload of a hash job is invalid: {error}"))
            })?;
        if input.rounds > MAX_ROUNDS {
            return Err(HandlerError::permanent(format!(
                "payload.rounds is at most {MAX_ROUNDS}"
            )));
        }
        let _core = self
            .cores
            .acquire()
            .await
            .map_err(|error| HandlerError::retryable(error.to_string()))?;
        let cancelled = execution.cancelled.clone();
        let rounds = input.rounds;
        tokio::task::spawn_blocking(move || digest(&input, &cancelled))
            .await
            .map_err(|error| HandlerError::retryable(error.to_string()))?
            .map(|digest| Some(json!({ "digest": digest, "rounds": rounds })))
            .ok_or_else(|| HandlerError::retryable("interrupted"))
    }
}

/// The digest in hexadecimal; none where it was cancelled meanwhile.
fn digest(input: &Input, cancelled: &CancellationToken) -> Option<String> {
    let mut state: [u8; 32] = Sha256::digest(input.input.as_bytes()).into();
    for round in 1..input.rounds {
        if round % ROUNDS_PER_LOOK == 0 && cancelled.is_cancelled() {
            return None;
        }
        state = Sha256::digest(state).into();
    }
    Some(state.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(rounds: u64, input: &str, cancelled: &CancellationToken) -> Option<String> {
        digest(
            &Input {
                rounds,
                input: input.to_owned(),
            },
            cancelled,
        )
    }

    #[test]
    fn one_round_is_sha_256() {
        // FIPS 180-2, appendix B.1.
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(
            hash(1, "abc", &CancellationToken::new()).as_deref(),
            Some(expected)
        );
        assert_ne!(
            hash(2, "abc", &CancellationToken::new()).as_deref(),
            Some(expected)
        );
    }

    #[test]
    fn cancellation_is_noticed() {
        let cancelled = CancellationToken::new();
        cancelled.cancel();
        assert_eq!(hash(MAX_ROUNDS, "abc", &cancelled), None);
    }
}
