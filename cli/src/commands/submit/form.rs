//! What a person at a terminal is asked where no type was given.

use dialoguer::{Confirm, Input};
use odd_contracts::{JobType, JsonObject};

use crate::error::Error;
use crate::exit::ExitCode;
use crate::prompt::CursorGuard;

/// The answers.
pub(super) struct Form {
    pub(super) job_type: String,
    pub(super) payload: Option<JsonObject>,
    pub(super) count: u64,
    pub(super) wait: bool,
}

/// Asks. None where the person gave up.
pub(super) async fn ask() -> Result<Option<Form>, Error> {
    let _cursor = CursorGuard;
    let asked = tokio::task::spawn_blocking(prompts)
        .await
        .map_err(|e| Error::new("ask what to submit", e))?;
    match asked {
        Ok(form) => Ok(Some(form)),
        Err(dialoguer::Error::IO(error)) if error.kind() == std::io::ErrorKind::Interrupted => Ok(None),
        Err(error) => Err(Error::new("ask what to submit", error).code(ExitCode::Usage)),
    }
}

fn prompts() -> dialoguer::Result<Form> {
    let job_type: String = Input::new()
        .with_prompt("Type")
        .default("hello".to_owned())
        .validate_with(|text: &String| text.parse::<JobType>().map(drop).map_err(|e| e.to_string()))
        .interact_text()?;
    let payload: String = Input::new()
        .with_prompt("Payload (JSON object)")
        .default("{}".to_owned())
        .validate_with(|text: &String| object(text).map(drop))
        .interact_text()?;
    let count: u64 = Input::new()
        .with_prompt("How many")
        .default(1)
        .validate_with(|count: &u64| match count {
            1..=super::MOST_JOBS => Ok(()),
            _ => Err(format!("from 1 to {}", super::MOST_JOBS)),
        })
        .interact_text()?;
    let wait = Confirm::new()
        .with_prompt("Wait until they have ended")
        .default(true)
        .interact()?;
    let payload = object(&payload).unwrap_or_default();
    Ok(Form {
        job_type,
        payload: (!payload.is_empty()).then_some(payload),
        count,
        wait,
    })
}

/// Reads a JSON object.
pub(super) fn object(text: &str) -> Result<JsonObject, String> {
    match serde_json::from_str(text) {
        Ok(serde_json::Value::Object(object)) => Ok(object),
        Ok(_) => Err("must be a JSON object, such as {\"name\":\"world\"}".to_owned()),
        Err(error) => Err(format!("is no JSON: {error}")),
    }
}
