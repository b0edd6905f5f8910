//! Every golden fixture keeps its contract and survives the Rust type; every negative one is refused,
//! with an error at the place that its file name gives: `<what>@<place>.json`, where the place is a JSON
//! Pointer with dots for slashes (empty: the document itself).

#![expect(clippy::unwrap_used, reason = "a fixture that cannot be read fails the test")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use odd_contracts::schema::{self, Schema};
use odd_contracts::terminal::{ClientMessage, ServerMessage};
use odd_contracts::ui::UiRegistry;
use odd_contracts::{
    Alert, EventEnvelope, FieldError, Job, JobAccepted, JobAttempt, JobSubmission, Problem, Timestamp,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

fn fixtures(kind: &str, schema: Schema) -> Vec<(PathBuf, Value)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures")
        .join(kind)
        .join(schema.name());
    let entries =
        std::fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut fixtures: Vec<_> = entries
        .map(|entry| {
            let path = entry.unwrap().path();
            assert_eq!(path.extension().unwrap(), "json", "{}", path.display());
            let text = std::fs::read_to_string(&path).unwrap();
            let document =
                serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            (path, document)
        })
        .collect();
    fixtures.sort_by(|(a, _), (b, _)| a.cmp(b));
    assert!(!fixtures.is_empty(), "{} has no fixtures", directory.display());
    fixtures
}

/// Reads a document as the Rust type of its schema and writes it again.
fn through_the_type(schema: Schema, document: Value) -> Result<Value, Vec<FieldError>> {
    fn pass<T: DeserializeOwned + Serialize>(
        schema: Schema,
        document: Value,
    ) -> Result<Value, Vec<FieldError>> {
        schema::decode::<T>(schema, document).map(|value| serde_json::to_value(value).unwrap())
    }
    match schema {
        Schema::Job => pass::<Job>(schema, document),
        Schema::JobAttempt => pass::<JobAttempt>(schema, document),
        Schema::JobSubmission => pass::<JobSubmission>(schema, document),
        Schema::JobAccepted => pass::<JobAccepted>(schema, document),
        Schema::EventEnvelope => pass::<EventEnvelope>(schema, document),
        Schema::Alert => pass::<Alert>(schema, document),
        Schema::Problem => pass::<Problem>(schema, document),
        Schema::UiRegistry => pass::<UiRegistry>(schema, document),
        Schema::TerminalClient => pass::<ClientMessage>(schema, document),
        Schema::TerminalServer => pass::<ServerMessage>(schema, document),
    }
}

/// What of a document means something: instants, ids and whole numbers in one way of writing, without
/// defaults, and without the fields that consumers ignore.
fn meaning(root: &Value, schema: &Value, value: &Value) -> Value {
    let schema = match schema["$ref"].as_str() {
        Some(reference) => root.pointer(&reference[1..]).unwrap(),
        None => schema,
    };
    match (value, schema["properties"].as_object()) {
        (Value::Object(fields), Some(properties)) => fields
            .iter()
            .filter_map(|(name, field)| Some((name, properties.get(name)?, field)))
            .map(|(name, schema, field)| (name, default(root, schema), meaning(root, schema, field)))
            .filter(|(_, default, field)| *default != Some(field))
            .map(|(name, _, field)| (name.clone(), field))
            .collect(),
        (Value::Array(items), _) if schema["items"].is_object() => items
            .iter()
            .map(|item| meaning(root, &schema["items"], item))
            .collect(),
        (Value::String(text), _) if schema["format"] == "date-time" => {
            text.parse::<Timestamp>().unwrap().to_string().into()
        }
        (Value::String(text), _) if schema["format"] == "uuid" => text.to_lowercase().into(),
        (Value::Number(number), _) if schema["type"] == "integer" => (number.as_f64().unwrap() as u64).into(),
        _ => value.clone(),
    }
}

fn default<'a>(root: &'a Value, schema: &'a Value) -> Option<&'a Value> {
    match schema["$ref"].as_str() {
        Some(reference) => root.pointer(&reference[1..]).unwrap().get("default"),
        None => schema.get("default"),
    }
}

#[test]
fn golden_fixtures_keep_their_contract_and_survive_the_type() {
    for schema in Schema::ALL {
        for (path, document) in fixtures("golden", schema) {
            let path = path.display();
            assert_eq!(schema::validate(schema, &document), Ok(()), "{path}");
            let written = through_the_type(schema, document.clone())
                .unwrap_or_else(|error| panic!("{path}: {error:?}"));
            let root = schema.document();
            assert_eq!(
                meaning(root, root, &written),
                meaning(root, root, &document),
                "{path}"
            );
            assert_eq!(schema::validate(schema, &written), Ok(()), "{path}");
            assert_eq!(through_the_type(schema, written.clone()), Ok(written), "{path}");
        }
    }
}

#[test]
fn negative_fixtures_are_refused_where_they_are_wrong() {
    let mut count = 0;
    for schema in Schema::ALL {
        for (path, document) in fixtures("negative", schema) {
            let stem = path.file_stem().unwrap().to_str().unwrap();
            let (_, place) = stem
                .split_once('@')
                .unwrap_or_else(|| panic!("{stem}: no @place"));
            let place = if place.is_empty() {
                String::new()
            } else {
                format!("/{}", place.replace('.', "/"))
            };
            let errors = schema::validate(schema, &document).expect_err(stem);
            assert!(
                errors.iter().any(|error| error.path == place),
                "{}: {errors:?}",
                path.display()
            );
            assert!(!schema.is_valid(&document), "{stem}");
            assert!(through_the_type(schema, document).is_err(), "{stem}");
            count += 1;
        }
    }
    assert!(count >= 16, "{count} negative fixtures");
}

#[test]
fn every_fixture_directory_belongs_to_a_schema() {
    let names: BTreeSet<_> = Schema::ALL
        .into_iter()
        .map(|schema| schema.name().to_owned())
        .collect();
    for kind in ["golden", "negative"] {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(kind);
        let found: BTreeSet<_> = std::fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(found, names, "{kind}");
    }
}

#[test]
fn golden_fixtures_cover_every_status_event_type_and_outcome() {
    let values = |schema: Schema, field: &str| -> BTreeSet<String> {
        let golden = fixtures("golden", schema);
        let texts = golden.iter().filter_map(|(_, document)| document[field].as_str());
        texts.map(str::to_owned).collect()
    };
    let names = |names: &[&str]| {
        names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<BTreeSet<_>>()
    };
    let statuses = odd_contracts::JobStatus::ALL.map(odd_contracts::JobStatus::name);
    assert_eq!(values(Schema::Job, "status"), names(&statuses));
    let events = odd_contracts::EventType::ALL.map(odd_contracts::EventType::name);
    assert_eq!(values(Schema::EventEnvelope, "eventType"), names(&events));
    let outcomes = odd_contracts::AttemptOutcome::ALL.map(odd_contracts::AttemptOutcome::name);
    assert_eq!(values(Schema::JobAttempt, "outcome"), names(&outcomes));
}

#[test]
fn the_contract_of_a_document_is_guessed_from_its_shape() {
    for schema in Schema::ALL {
        for (path, document) in fixtures("golden", schema) {
            if matches!(schema, Schema::TerminalClient | Schema::TerminalServer) {
                let guessed = Schema::detect(&document);
                assert!(guessed != Some(schema), "{}", path.display());
                continue;
            }
            // A submission in the original form is a whole job, and cannot be told from one.
            let whole_job = schema == Schema::JobSubmission && Schema::Job.is_valid(&document);
            let expected = if whole_job { Schema::Job } else { schema };
            assert_eq!(Schema::detect(&document), Some(expected), "{}", path.display());
        }
    }
    for document in ["null", "[]", "{}", "3", r#"{"name": "x"}"#] {
        assert_eq!(
            Schema::detect(&serde_json::from_str(document).unwrap()),
            None,
            "{document}"
        );
    }
}
