//! Scenario files: one submission a line, with when, how often and how it should end.

use std::collections::HashMap;
use std::time::Duration;

use odd_contracts::schema::{self, Schema};
use odd_contracts::{JobId, JobStatus};
use serde_json::{Map, Value};

use super::plan::Group;
use crate::duration;

/// Most jobs that one line may ask for.
const MOST_REPEATS: u64 = 1_000_000;

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// Number of the line, from 1.
    pub(super) line: usize,
    /// What is wrong with it.
    pub(super) message: String,
}

/// Reads a scenario. Blank lines and lines that begin with `#` do not count.
///
/// # Errors
/// Everything that is wrong with it, line by line.
pub(super) fn parse(text: &str) -> Result<Vec<Group>, Vec<Fault>> {
    let (mut groups, mut faults) = (Vec::new(), Vec::new());
    let mut ids: HashMap<JobId, usize> = HashMap::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let mut fault = |message| {
            faults.push(Fault {
                line: number,
                message,
            })
        };
        match read(line, number) {
            Ok(group) => {
                if let Some(first) = group.id.and_then(|id| ids.insert(id, number)) {
                    fault(format!("/id: is that of line {first} already"));
                }
                groups.push(group);
            }
            Err(messages) => messages.into_iter().for_each(&mut fault),
        }
    }
    if !faults.is_empty() {
        Err(faults)
    } else if groups.is_empty() {
        Err(vec![Fault {
            line: 1,
            message: "there is no submission in it".to_owned(),
        }])
    } else {
        Ok(groups)
    }
}

fn read(line: &str, number: usize) -> Result<Group, Vec<String>> {
    let document: Value = serde_json::from_str(line).map_err(|error| vec![format!("is no JSON: {error}")])?;
    let Value::Object(mut fields) = document else {
        return Err(vec!["must be a JSON object".to_owned()]);
    };
    let mut wrong = Vec::new();
    let at = take(&mut fields, "at", offset, &mut wrong).unwrap_or_default();
    let repeat = take(&mut fields, "repeat", repeat, &mut wrong);
    let expect = take(&mut fields, "expect", terminal, &mut wrong);
    if repeat.is_some() && fields.contains_key("id") {
        wrong.push("/id: a repeated line cannot choose it, because each job has its own".to_owned());
    }
    let document = Value::Object(fields);
    if let Err(errors) = schema::validate(Schema::JobSubmission, &document) {
        wrong.extend(errors.iter().map(|error| match error.path.as_str() {
            "" => error.message.clone(),
            path => format!("{path}: {}", error.message),
        }));
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    Ok(group(document, at, repeat.unwrap_or(1), expect, number))
}

fn group(mut document: Value, at: Duration, count: u64, expect: Option<JobStatus>, line: usize) -> Group {
    let id = document
        .as_object_mut()
        .and_then(|fields| fields.remove("id"))
        .and_then(|id| id.as_str()?.parse().ok());
    let job_type = document.get("type").and_then(Value::as_str).unwrap_or_default();
    Group {
        at,
        every: None,
        count,
        job_type: job_type.to_owned(),
        document: document.to_string(),
        id,
        expect,
        line: Some(line),
    }
}

/// Takes a field that is a scenario's own.
fn take<T>(
    fields: &mut Map<String, Value>,
    name: &str,
    read: impl FnOnce(&Value) -> Result<T, String>,
    wrong: &mut Vec<String>,
) -> Option<T> {
    let value = fields.remove(name)?;
    read(&value)
        .map_err(|message| wrong.push(format!("/{name}: {message}")))
        .ok()
}

/// A duration as text, or seconds as a number.
fn offset(value: &Value) -> Result<Duration, String> {
    match value {
        Value::String(text) => duration::parse(text),
        Value::Number(number) => duration::parse(&format!("{number}s")),
        _ => Err("must be a duration such as \"1.5s\", or seconds as a number".to_owned()),
    }
}

fn repeat(value: &Value) -> Result<u64, String> {
    let count = value.as_u64().filter(|count| (1..=MOST_REPEATS).contains(count));
    count.ok_or_else(|| format!("must be a whole number from 1 to {MOST_REPEATS}"))
}

fn terminal(value: &Value) -> Result<JobStatus, String> {
    let status = value.as_str().and_then(|text| text.parse::<JobStatus>().ok());
    status
        .filter(|status| status.is_terminal())
        .ok_or_else(|| "must be COMPLETED, FAILED or CANCELLED".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_submission_with_its_own_fields_taken_out() {
        let text = "\u{feff}# a comment\n\n  {\"type\":\"hello\",\"at\":\"1.5s\",\"repeat\":3,\"expect\":\"failed\"}\r\n\
                    {\"type\":\"hash\",\"id\":\"00000000-0000-0000-0000-000000000001\",\"at\":2}\n";
        let groups = parse(text).unwrap();
        assert_eq!(groups.len(), 2);
        assert_eq!(groups[0].at, Duration::from_millis(1_500));
        assert_eq!((groups[0].count, groups[0].line), (3, Some(3)));
        assert_eq!(groups[0].expect, Some(JobStatus::Failed));
        assert_eq!(groups[0].document, r#"{"type":"hello"}"#);
        assert_eq!(groups[1].at, Duration::from_secs(2));
        assert_eq!(groups[1].id, Some(JobId::from_u128(1)));
        assert_eq!(groups[1].document, r#"{"type":"hash"}"#);
        assert_eq!(groups[1].job_type, "hash");
    }

    #[test]
    fn every_wrong_line_is_named_with_what_is_wrong() {
        let id = r#""id":"00000000-0000-0000-0000-000000000001""#;
        let text = [
            r#"{"type":"hello"}"#,
            "{",
            "[]",
            r#"{"type":"no spaces"}"#,
            r#"{"type":"a","at":"soon"}"#,
            r#"{"type":"a","at":-1}"#,
            r#"{"type":"a","repeat":0}"#,
            r#"{"type":"a","expect":"PENDING"}"#,
            &format!(r#"{{"type":"a","repeat":2,{id}}}"#),
            &format!(r#"{{"type":"a",{id}}}"#),
            &format!(r#"{{"type":"b",{id}}}"#),
            r#"{"type":"a","priority":1,"options":{"maxAttempts":0}}"#,
        ]
        .join("\n");
        let faults = parse(&text).unwrap_err();
        let lines: Vec<_> = faults.iter().map(|fault| fault.line).collect();
        assert_eq!(lines, [2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 12], "{faults:#?}");
        let of = |line| {
            let found = faults.iter().filter(|fault| fault.line == line);
            found
                .map(|fault| fault.message.clone())
                .collect::<Vec<_>>()
                .join("; ")
        };
        assert!(of(2).contains("is no JSON"), "{}", of(2));
        assert!(of(4).starts_with("/type"), "{}", of(4));
        assert!(of(5).starts_with("/at"), "{}", of(5));
        assert!(of(7).starts_with("/repeat"), "{}", of(7));
        assert!(of(8).starts_with("/expect"), "{}", of(8));
        assert!(of(11).contains("line 10"), "{}", of(11));
        assert!(
            of(12).contains("/options/maxAttempts") && of(12).contains("/priority"),
            "{}",
            of(12)
        );
    }

    #[test]
    fn a_file_without_submissions_is_wrong() {
        assert!(parse("# nothing\n\n").is_err());
    }

    #[test]
    fn the_shipped_scenarios_are_well_formed_and_say_how_each_job_ends() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/scenarios");
        let mut read = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let groups = parse(&std::fs::read_to_string(&path).unwrap())
                .unwrap_or_else(|faults| panic!("{}: {faults:#?}", path.display()));
            assert!(
                groups.iter().all(|group| group.expect.is_some()),
                "{}",
                path.display()
            );
            read += 1;
        }
        assert!(read >= 3);
    }
}
