//! The schemas as documents: what they say of themselves, and that they agree with the Rust types, with
//! each other, with VERSIONS.md and with what was released.

#![expect(clippy::unwrap_used, reason = "a fixture that cannot be read fails the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use odd_contracts::compat::{self, CompatReport};
use odd_contracts::schema::Schema;
use odd_contracts::{
    AlertState, AttemptOutcome, CONTRACT_VERSION, EventType, JobOptions, JobStatus, JobType, ProblemCode,
    Severity,
};
use serde::Serialize;
use serde_json::{Value, json};

fn folder(name: &str) -> Vec<(String, String)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (stem, std::fs::read_to_string(path).unwrap())
        })
        .collect()
}

#[test]
fn every_file_is_a_schema_and_every_schema_a_file() {
    let files: BTreeMap<_, _> = folder("schemas").into_iter().collect();
    let known: BTreeMap<_, _> = Schema::ALL
        .into_iter()
        .map(|schema| (schema.name().to_owned(), schema.source().to_owned()))
        .collect();
    assert_eq!(files, known);
    for schema in Schema::ALL {
        assert_eq!(schema.name().parse(), Ok(schema));
        assert_eq!(schema.to_string(), schema.name());
    }
    let error = "jobs".parse::<Schema>().unwrap_err().to_string();
    assert!(
        Schema::ALL.iter().all(|schema| error.contains(schema.name())),
        "{error}"
    );
}

#[test]
fn every_schema_says_what_it_is() {
    for schema in Schema::ALL {
        let document = schema.document();
        assert_eq!(
            document["$schema"],
            "https://json-schema.org/draft/2020-12/schema"
        );
        assert_eq!(document["$id"], format!("urn:odd:schema:{schema}"));
        assert_eq!(document["$version"], schema.version());
        assert!(
            document["title"].is_string() && document["description"].is_string(),
            "{schema}"
        );
        jsonschema::draft202012::meta::validate(document).unwrap_or_else(|error| panic!("{schema}: {error}"));
        described(schema, document, document);
    }
}

/// Every property, at any depth, has a description: its own or that of what it refers to.
fn described(schema: Schema, root: &Value, part: &Value) {
    match part {
        Value::Object(fields) => {
            let properties = fields.get("properties").and_then(Value::as_object);
            for (name, property) in properties.into_iter().flatten().filter(|(_, p)| p.is_object()) {
                let target = match property["$ref"].as_str() {
                    Some(reference) => root.pointer(&reference[1..]).unwrap(),
                    None => property,
                };
                assert!(
                    target["description"].is_string(),
                    "{schema}: {name} has no description"
                );
            }
            fields.values().for_each(|field| described(schema, root, field));
        }
        Value::Array(items) => items.iter().for_each(|item| described(schema, root, item)),
        _ => {}
    }
}

/// Each schema stands alone, so some definitions are there more than once. They must not drift apart.
#[test]
fn definitions_of_one_name_are_the_same_everywhere() {
    let mut definitions: BTreeMap<String, Value> = BTreeMap::new();
    for schema in Schema::ALL {
        let own = schema.document()["$defs"].as_object().into_iter().flatten();
        for (name, definition) in own {
            let first = definitions
                .entry(name.clone())
                .or_insert_with(|| definition.clone());
            assert_eq!(first, definition, "{schema}: {name}");
        }
    }
    assert!(definitions.contains_key("options"));
}

fn written<T: Serialize>(values: &[T]) -> Value {
    serde_json::to_value(values).unwrap()
}

#[test]
fn enums_are_those_of_the_rust_types() {
    let of = |schema: Schema, field: &str| schema.document()["properties"][field]["enum"].clone();
    assert_eq!(
        of(Schema::Job, "status"),
        as_set(&written(&JobStatus::ALL), &of(Schema::Job, "status"))
    );
    assert_eq!(
        of(Schema::JobSubmission, "status"),
        written(&[JobStatus::Pending])
    );
    assert_eq!(of(Schema::JobAccepted, "status"), written(&[JobStatus::Pending]));
    assert_eq!(of(Schema::EventEnvelope, "eventType"), written(&EventType::ALL));
    assert_eq!(of(Schema::JobAttempt, "outcome"), written(&AttemptOutcome::ALL));
    assert_eq!(of(Schema::Problem, "code"), written(&ProblemCode::ALL));
    assert_eq!(
        of(Schema::Alert, "severity"),
        written(&[Severity::Warning, Severity::Critical])
    );
    let states = [AlertState::Pending, AlertState::Firing, AlertState::Resolved];
    assert_eq!(of(Schema::Alert, "state"), written(&states));
}

/// `expected`, if it has the members of `found` in any order.
fn as_set(expected: &Value, found: &Value) -> Value {
    let members = |value: &Value| -> BTreeSet<String> {
        value
            .as_array()
            .unwrap()
            .iter()
            .map(ToString::to_string)
            .collect()
    };
    if members(expected) == members(found) {
        found.clone()
    } else {
        expected.clone()
    }
}

#[test]
fn ranges_and_defaults_of_options_are_those_of_the_rust_type() {
    let options = &Schema::Job.document()["$defs"]["options"]["properties"];
    let range = |name: &str| {
        let option = &options[name];
        json!([option["minimum"], option["maximum"], option["default"]])
    };
    let backoff = JobOptions::DEFAULT_BACKOFF.as_millis() as u64;
    let timeout = JobOptions::DEFAULT_TIMEOUT.as_millis() as u64;
    assert_eq!(
        range("maxAttempts"),
        json!([1, JobOptions::MAX_ATTEMPTS, JobOptions::DEFAULT_MAX_ATTEMPTS])
    );
    assert_eq!(
        range("backoffMs"),
        json!([0, JobOptions::MAX_BACKOFF_MS, backoff])
    );
    assert_eq!(
        range("timeoutMs"),
        json!([1, JobOptions::MAX_TIMEOUT_MS, timeout])
    );
    assert_eq!(range("delayMs"), json!([0, JobOptions::MAX_DELAY_MS, null]));
}

#[test]
fn job_types_that_pass_are_those_that_the_rust_type_reads() {
    let long = "x".repeat(50);
    let longer = "x".repeat(51);
    let texts = [
        "a", "A.b_c-9", "", " ", "a b", "a/b", "ä", "a\n", "\0", "a\u{0}b", "-", &long, &longer,
    ];
    for text in texts {
        let passes = Schema::JobSubmission.is_valid(&json!({ "type": text }));
        assert_eq!(passes, text.parse::<JobType>().is_ok(), "{text:?}");
    }
}

#[test]
fn the_envelope_carries_the_version_of_its_schema() {
    assert_eq!(Schema::EventEnvelope.version(), CONTRACT_VERSION);
}

#[test]
fn versions_md_lists_every_schema_with_its_version() {
    let text = include_str!("../VERSIONS.md");
    let (_, table) = text.split_once("| schema | version |").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    let listed: Vec<_> = table
        .lines()
        .skip(2)
        .map(|row| {
            let cells: Vec<_> = row.split('|').map(str::trim).collect();
            (cells[1], cells[2], cells[4])
        })
        .collect();
    let actual: Vec<_> = Schema::ALL
        .into_iter()
        .map(|schema| {
            let closed = schema.document()["additionalProperties"] == false;
            (
                schema.name(),
                schema.version(),
                if closed { "refused" } else { "tolerated" },
            )
        })
        .collect();
    assert_eq!(listed, actual);
}

fn against_releases(schema: Schema, present: &Value) -> Vec<(String, CompatReport)> {
    let releases = folder("released").into_iter().filter(|(stem, _)| {
        stem.rsplit_once('-')
            .is_some_and(|(name, _)| name == schema.name())
    });
    releases
        .map(|(stem, text)| {
            let released: Value = serde_json::from_str(&text).unwrap();
            let named = format!("{schema}-{}", released["$version"].as_str().unwrap());
            assert_eq!(
                stem, named,
                "a released copy is named after its schema and version"
            );
            let report = compat::compare(&released, present);
            (stem, report)
        })
        .collect()
}

/// The gate: a schema may not break, or add to, what was released, unless its version says so.
#[test]
fn schemas_keep_what_was_released() {
    for schema in Schema::ALL {
        let reports = against_releases(schema, schema.document());
        assert!(!reports.is_empty(), "{schema} has no copy in released/");
        for (release, report) in reports {
            assert!(
                report.ok,
                "{release}: {}\n{:#?}",
                report.verdict,
                (report.breaking, report.additive)
            );
        }
    }
}

#[test]
fn the_gate_closes_for_an_unannounced_change() {
    for schema in Schema::ALL {
        let first = schema.document()["required"][0].as_str().unwrap();
        let mut broken = schema.document().clone();
        broken["properties"].as_object_mut().unwrap().remove(first);
        assert!(
            against_releases(schema, &broken)
                .iter()
                .any(|(_, report)| !report.ok),
            "{schema}"
        );
        let mut wider = schema.document().clone();
        wider["properties"]["brandNew"] = json!({ "type": "string" });
        assert!(
            against_releases(schema, &wider)
                .iter()
                .any(|(_, report)| !report.ok),
            "{schema}"
        );
    }
}
