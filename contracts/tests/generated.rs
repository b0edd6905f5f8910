//! Properties over generated documents: what the Rust types write keeps the contract, what keeps the
//! contract the Rust types read, and nothing panics on anything.

#![expect(clippy::unwrap_used, reason = "a fixture that cannot be read fails the test")]

use std::path::Path;

use odd_contracts::compat;
use odd_contracts::schema::{self, Schema};
use odd_contracts::{EventEnvelope, Job, JobOptions, JobStatus, JobSubmission, JsonObject, Timestamp};
use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::*;
use serde_json::{Value, json};

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-3_i64..60).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        prop::sample::select(vec![
            "PENDING",
            "1.1.0",
            "string",
            "^a",
            "2026-01-31T12:00:00Z",
            "#/$defs/options"
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map("[a-z]{0,4}", inner, 0..4).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

fn any_object() -> impl Strategy<Value = JsonObject> {
    btree_map(any::<String>(), any_json(), 0..4).prop_map(|map| map.into_iter().collect())
}

fn any_instant() -> impl Strategy<Value = Timestamp> {
    (0..=Timestamp::MAX.micros()).prop_map(Timestamp::from_micros)
}

fn any_options() -> impl Strategy<Value = JobOptions> {
    let start = prop_oneof![
        Just((None, None)),
        (0..=JobOptions::MAX_DELAY_MS).prop_map(|delay| (Some(delay), None)),
        any_instant().prop_map(|at| (None, Some(at))),
    ];
    (
        of(1..=JobOptions::MAX_ATTEMPTS),
        of(0..=JobOptions::MAX_BACKOFF_MS),
        of(1..=JobOptions::MAX_TIMEOUT_MS),
        start,
    )
        .prop_map(
            |(max_attempts, backoff_ms, timeout_ms, (delay_ms, run_at))| JobOptions {
                max_attempts,
                backoff_ms,
                timeout_ms,
                delay_ms,
                run_at,
            },
        )
}

fn any_submission() -> impl Strategy<Value = JobSubmission> {
    (
        of(any::<u128>().prop_map(uuid::Uuid::from_u128)),
        "[A-Za-z0-9._-]{1,50}",
        of(Just(JobStatus::Pending)),
        of(any_instant()),
        of(any_instant()),
        of(any_object()),
        of(any_object()),
        of(any_options()),
    )
        .prop_map(
            |(id, job_type, status, created_at, updated_at, payload, metadata, options)| JobSubmission {
                id,
                job_type,
                status,
                created_at,
                updated_at,
                payload,
                metadata,
                options,
            },
        )
}

/// A random change of a document.
#[derive(Clone, Debug)]
enum Mutation {
    Replace(Value),
    Remove,
    Insert(String, Value),
    Merge(JsonObject),
}

fn any_mutation() -> impl Strategy<Value = (prop::sample::Index, Mutation)> {
    let mutation = prop_oneof![
        any_json().prop_map(Mutation::Replace),
        Just(Mutation::Remove),
        ("[a-zA-Z]{1,6}", any_json()).prop_map(|(name, value)| Mutation::Insert(name, value)),
    ];
    (any::<prop::sample::Index>(), mutation)
}

/// A random change of a schema that mostly leaves it a schema.
fn any_schema_mutation() -> impl Strategy<Value = (prop::sample::Index, Mutation)> {
    let keywords = [
        json!({"type": "string"}),
        json!({"type": ["object", "string", "integer"]}),
        json!({"enum": ["PENDING"]}),
        json!({"const": 1}),
        json!({"minimum": 4}),
        json!({"maximum": 2}),
        json!({"multipleOf": 5}),
        json!({"minLength": 3}),
        json!({"maxLength": 3}),
        json!({"minProperties": 3}),
        json!({"maxItems": 0}),
        json!({"pattern": "^z"}),
        json!({"format": "uuid"}),
        json!({"required": ["id", "detail"]}),
        json!({"properties": {"id": false}}),
        json!({"patternProperties": {"^p": {"type": "string"}}}),
        json!({"propertyNames": {"maxLength": 7}}),
        json!({"dependentRequired": {"id": ["detail"]}}),
        json!({"dependentSchemas": {"type": false}}),
        json!({"additionalProperties": false}),
        json!({"additionalProperties": {"type": "object"}}),
        json!({"items": {"type": "null"}}),
        json!({"prefixItems": [{"type": "null"}]}),
        json!({"contains": {"type": "null"}}),
        json!({"allOf": [{"type": "object"}, {"required": ["detail"]}]}),
        json!({"anyOf": [{"type": "null"}]}),
        json!({"oneOf": [{}, {}]}),
        json!({"not": {"type": "object"}}),
        json!({"if": {}, "then": false}),
        json!({"$ref": "#/$defs/options"}),
    ];
    let insert = prop::sample::select(keywords.to_vec()).prop_map(|keyword| {
        let fields = keyword.as_object().cloned().unwrap_or_default();
        Mutation::Merge(fields)
    });
    (
        any::<prop::sample::Index>(),
        prop_oneof![3 => insert, 1 => Just(Mutation::Remove)],
    )
}

/// JSON Pointers to everything in a document.
fn places(value: &Value, at: &str, places: &mut Vec<String>) {
    places.push(at.to_owned());
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, field)| {
            let name = name.replace('~', "~0").replace('/', "~1");
            self::places(field, &format!("{at}/{name}"), places);
        }),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(index, item)| self::places(item, &format!("{at}/{index}"), places)),
        _ => {}
    }
}

fn mutate(document: &mut Value, (index, mutation): (prop::sample::Index, Mutation)) {
    let mut all = Vec::new();
    places(document, "", &mut all);
    let place = index.get(&all);
    match (mutation, document.pointer_mut(place)) {
        (Mutation::Replace(value), Some(target)) => *target = value,
        (Mutation::Insert(name, value), Some(Value::Object(fields))) => {
            fields.insert(name, value);
        }
        (Mutation::Merge(more), Some(Value::Object(fields))) => fields.extend(more),
        (Mutation::Remove, _) => {
            let (parent, name) = place.rsplit_once('/').unwrap_or_default();
            match document.pointer_mut(parent) {
                Some(Value::Object(fields)) => {
                    fields.remove(&name.replace("~1", "/").replace("~0", "~"));
                }
                Some(Value::Array(items)) if !items.is_empty() => {
                    items.remove(name.parse::<usize>().unwrap_or_default());
                }
                _ => {}
            }
        }
        _ => {}
    }
}

fn goldens(schema: Schema) -> Vec<Value> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/golden")
        .join(schema.name());
    let mut paths: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths
        .iter()
        .map(|path| serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap())
        .collect()
}

/// A schema with one of its golden documents.
fn any_golden() -> impl Strategy<Value = (Schema, Value)> {
    let all: Vec<_> = Schema::ALL
        .into_iter()
        .flat_map(|schema| goldens(schema).into_iter().map(move |golden| (schema, golden)))
        .collect();
    prop::sample::select(all)
}

/// What keeps the contract, the Rust type reads; what does not is refused with at least one error.
fn agree(schema: Schema, document: Value) -> Result<(), TestCaseError> {
    if let Err(errors) = schema::validate(schema, &document) {
        prop_assert!(!errors.is_empty());
        return Ok(());
    }
    let text = document.to_string();
    let read = match schema {
        Schema::Job => schema::decode::<Job>(schema, document).map(drop),
        Schema::JobAttempt => schema::decode::<odd_contracts::JobAttempt>(schema, document).map(drop),
        Schema::JobSubmission => schema::decode::<JobSubmission>(schema, document).map(drop),
        Schema::JobAccepted => schema::decode::<odd_contracts::JobAccepted>(schema, document).map(drop),
        Schema::EventEnvelope => schema::decode::<EventEnvelope>(schema, document).map(drop),
        Schema::Alert => schema::decode::<odd_contracts::Alert>(schema, document).map(drop),
        Schema::Problem => schema::decode::<odd_contracts::Problem>(schema, document).map(drop),
        Schema::UiRegistry => schema::decode::<odd_contracts::ui::UiRegistry>(schema, document).map(drop),
        Schema::TerminalClient => {
            schema::decode::<odd_contracts::terminal::ClientMessage>(schema, document).map(drop)
        }
        Schema::TerminalServer => {
            schema::decode::<odd_contracts::terminal::ServerMessage>(schema, document).map(drop)
        }
    };
    prop_assert_eq!(read, Ok(()), "{}", text);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn submissions_of_the_type_keep_the_contract_and_come_back(submission in any_submission()) {
        let document = serde_json::to_value(&submission).unwrap();
        prop_assert_eq!(schema::validate(Schema::JobSubmission, &document), Ok(()));
        let read = schema::decode::<JobSubmission>(Schema::JobSubmission, document).unwrap();
        prop_assert_eq!(read, submission);
    }

    #[test]
    fn whatever_keeps_a_contract_can_be_read(
        (schema, mut document) in any_golden(),
        mutations in vec(any_mutation(), 1..4),
    ) {
        for mutation in mutations {
            mutate(&mut document, mutation);
        }
        let _ = Schema::detect(&document);
        agree(schema, document)?;
    }

    #[test]
    fn any_json_is_judged_without_panic(document in any_json()) {
        for schema in Schema::ALL {
            agree(schema, document.clone())?;
        }
    }

    /// A change of a schema that is not called breaking refuses no document that passed before.
    #[test]
    fn what_is_not_called_breaking_breaks_nothing(
        schema in prop::sample::select(Schema::ALL.to_vec()),
        mutations in vec(any_schema_mutation(), 1..3),
    ) {
        let mut changed = schema.document().clone();
        for mutation in mutations {
            mutate(&mut changed, mutation);
        }
        let report = compat::compare(schema.document(), &changed);
        let breaks = !report.breaking.is_empty();
        prop_assert!(!(report.ok && breaks && report.new_version == report.old_version));
        if let (false, Ok(validator)) = (breaks, jsonschema::options().offline().build(&changed)) {
            for golden in goldens(schema) {
                prop_assert!(validator.is_valid(&golden), "{}\nrefuses {}", changed, golden);
            }
        }
    }
}

/// A few microseconds in a release build; the bound leaves room for slow and busy machines.
#[test]
fn checking_a_small_submission_is_quick() {
    let document = json!({
        "id": "0b8f6a52-3c1e-4d7a-9f0e-5a4c2b1d3e6f", "type": "hello", "createdAt": "2026-01-31T12:00:00Z",
        "payload": {"n": 1}, "options": {"maxAttempts": 3}
    });
    assert!(Schema::JobSubmission.is_valid(&document));
    let rounds = 2_000_u32;
    let started = std::time::Instant::now();
    for _ in 0..rounds {
        assert_eq!(schema::validate(Schema::JobSubmission, &document), Ok(()));
    }
    let each = started.elapsed() / rounds;
    println!("{each:?} a submission");
    assert!(
        each < std::time::Duration::from_micros(200),
        "{each:?} a submission"
    );
}
