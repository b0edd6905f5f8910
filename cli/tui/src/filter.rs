//! The filter of the jobs table: the same words as `odd jobs list` has.

use odd_client::JobQuery;
use odd_contracts::{JobStatus, Timestamp};
use odd_look::duration;

/// What may stand before a colon.
const WORDS: &str = "type, status, since, until, id";

/// Reads `type:resize status:failed,retrying since:10m until:1m id:9f31`. A word without a colon is looked for in the id.
///
/// # Errors
/// The word that means nothing, and what could stand there.
pub(crate) fn parse(text: &str, now: Timestamp) -> Result<JobQuery, String> {
    let mut query = JobQuery::default();
    for word in text.split_whitespace() {
        let (name, value) = word.split_once(':').unwrap_or(("id", word));
        if value.is_empty() {
            return Err(format!("{name}: stands for nothing"));
        }
        match name {
            "type" => query.job_type = Some(value.to_owned()),
            "status" => query.statuses = statuses(value)?,
            "since" => query.since = Some(instant(value, now)?),
            "until" => query.until = Some(instant(value, now)?),
            "id" => query.id_contains = Some(value.to_owned()),
            _ => return Err(format!("{name}: is unknown; there are {WORDS}")),
        }
    }
    Ok(query)
}

/// The same as arguments of `odd jobs list`.
pub(crate) fn arguments(text: &str) -> String {
    let mut arguments = String::new();
    for word in text.split_whitespace() {
        let (name, value) = word.split_once(':').unwrap_or(("id", word));
        arguments.push_str(&format!(" --{name} {value}"));
    }
    arguments
}

fn statuses(text: &str) -> Result<Vec<JobStatus>, String> {
    let read = |name: &str| {
        let names: Vec<_> = JobStatus::ALL
            .iter()
            .map(|status| status.name().to_lowercase())
            .collect();
        name.parse()
            .map_err(|_| format!("{name:?} is no status; there are {}", names.join(", ")))
    };
    text.split(',').map(read).collect()
}

fn instant(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    if let Ok(at) = text.parse() {
        return Ok(at);
    }
    let ago = duration::parse(text);
    ago.map(|ago| now.minus(ago)).map_err(|_| {
        format!("{text:?} is neither a duration such as 10m nor a time such as 2026-01-31T12:00:00Z")
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_micros(1_764_000_000_000_000)
    }

    #[test]
    fn words_are_those_of_the_command() {
        let query = parse("type:resize status:failed,RETRYING since:10m 9f31", now()).unwrap();
        assert_eq!(query.job_type.as_deref(), Some("resize"));
        assert_eq!(query.statuses, [JobStatus::Failed, JobStatus::Retrying]);
        assert_eq!(query.since, Some(now().minus(Duration::from_secs(600))));
        assert_eq!(query.id_contains.as_deref(), Some("9f31"));
        assert_eq!(
            arguments("type:resize status:failed 9f31"),
            " --type resize --status failed --id 9f31"
        );
    }

    #[test]
    fn what_means_nothing_is_named() {
        for (text, named) in [
            ("colour:red", "colour"),
            ("status:odd", "odd"),
            ("since:yesterday", "yesterday"),
            ("type:", "type"),
        ] {
            let told = parse(text, now()).unwrap_err();
            assert!(told.contains(named), "{told}");
        }
        assert!(parse("", now()).unwrap().statuses.is_empty());
    }
}
