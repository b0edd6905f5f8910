//! What is wrong with a document, in plain words.

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use serde_json::Value;

use crate::problem::FieldError;

/// Longest path and longest quotation in a message, in characters: both can come from the outside.
const MAX_QUOTED: usize = 200;

/// The errors that users see for one error of the validator.
pub(super) fn field_errors(schema: &Value, error: &ValidationError<'_>) -> Vec<FieldError> {
    let place = error.instance_path().as_str();
    let at = |name: &str, message: String| FieldError {
        path: shortened(&format!("{place}/{}", escaped(name))),
        message,
    };
    match error.kind() {
        Kind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            vec![at(name, "is required".to_owned())]
        }
        Kind::AdditionalProperties { unexpected } => {
            let known = known_fields(schema, error);
            unexpected
                .iter()
                .map(|name| at(name, format!("is not a known field{known}")))
                .collect()
        }
        _ => vec![FieldError {
            path: shortened(place),
            message: message(schema, error),
        }],
    }
}

fn message(schema: &Value, error: &ValidationError<'_>) -> String {
    match error.kind() {
        Kind::Type { kind } => format!("must be {}, not {}", expected(kind), kind_of(error.instance())),
        Kind::Enum { options } => one_of(options.as_array().map_or(&[], Vec::as_slice), error.instance()),
        Kind::Constant { expected_value } => one_of(std::slice::from_ref(expected_value), error.instance()),
        Kind::Format { format } => format!("must be {}", format_in_words(format)),
        Kind::Pattern { pattern } => match rule(schema, error) {
            Some(rule) => format!("must {rule}"),
            None => format!("must match the pattern {pattern}"),
        },
        Kind::Minimum { limit } => format!("must be at least {limit}"),
        Kind::Maximum { limit } => format!("must be at most {limit}"),
        Kind::MinLength { limit: 1 } => "must not be empty".to_owned(),
        Kind::MinLength { limit } => format!("must have at least {limit} characters"),
        Kind::MaxLength { limit } => format!("must have at most {limit} characters"),
        Kind::MinItems { limit: 1 } => "must have at least one item".to_owned(),
        Kind::MinItems { limit } => format!("must have at least {limit} items"),
        Kind::MaxItems { limit } => format!("must have at most {limit} items"),
        Kind::UniqueItems => "must not have the same item twice".to_owned(),
        Kind::FalseSchema => match excluded_by(error) {
            Some(other) => format!("must not be given together with {other}"),
            None => "must not be given".to_owned(),
        },
        // Masked: the value can be as large as the document.
        _ => error.masked().to_string(),
    }
}

/// The keywords beside the one that failed.
fn siblings<'a>(schema: &'a Value, error: &ValidationError<'_>) -> Option<&'a Value> {
    let (parent, _) = error.schema_path().as_str().rsplit_once('/')?;
    schema.pointer(parent)
}

/// What the schema says in words about its own pattern.
fn rule<'a>(schema: &'a Value, error: &ValidationError<'_>) -> Option<&'a str> {
    siblings(schema, error)?.get("x-rule")?.as_str()
}

fn known_fields(schema: &Value, error: &ValidationError<'_>) -> String {
    let known = siblings(schema, error)
        .and_then(|object| object.get("properties"))
        .and_then(Value::as_object);
    match known {
        Some(fields) => {
            let names: Vec<_> = fields.keys().map(String::as_str).collect();
            format!("; known fields are {}", names.join(", "))
        }
        None => String::new(),
    }
}

/// The field whose presence forbids this one: `…/dependentSchemas/<field>/properties/<this>`.
fn excluded_by<'a>(error: &'a ValidationError<'_>) -> Option<&'a str> {
    let (_, rest) = error.schema_path().as_str().split_once("/dependentSchemas/")?;
    rest.split('/').next()
}

fn one_of(options: &[Value], found: &Value) -> String {
    let texts: Vec<_> = options.iter().map(in_words).collect();
    let choice = match texts.as_slice() {
        [single] => single.clone(),
        several => format!("one of {}", several.join(", ")),
    };
    format!("must be {choice}, not {}", in_words(found))
}

fn in_words(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() => "an empty text".to_owned(),
        Value::String(text) => shortened(&text.escape_default().to_string()),
        Value::Number(number) => number.to_string(),
        other => kind_of(other).to_owned(),
    }
}

fn expected(kind: &TypeKind) -> String {
    let name = |kind: &str| match kind {
        "integer" => "a whole number",
        "number" => "a number",
        "string" => "a text",
        "array" => "an array",
        "object" => "an object",
        "boolean" => "true or false",
        _ => "null",
    };
    match kind {
        TypeKind::Single(single) => name(&single.to_string()).to_owned(),
        TypeKind::Multiple(several) => {
            let names: Vec<_> = several.iter().map(|kind| name(&kind.to_string())).collect();
            names.join(" or ")
        }
    }
}

const fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(true) => "true",
        Value::Bool(false) => "false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn format_in_words(format: &str) -> String {
    match format {
        "date-time" => {
            "a date and time with a zone in the years 1970 to 9999, such as 2026-01-31T12:00:00Z".to_owned()
        }
        "uuid" => "a UUID, such as 0b8f6a52-3c1e-4d7a-9f0e-5a4c2b1d3e6f".to_owned(),
        "json-pointer" => "a JSON Pointer, such as /options/runAt".to_owned(),
        other => format!("of the format {other}"),
    }
}

/// A property's name as a segment of a JSON Pointer.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_QUOTED) {
        // Not within an escape of a JSON Pointer.
        Some((end, _)) => format!("{}…", text[..end].trim_end_matches('~')),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::schema::{MAX_ERRORS, Schema, validate};

    fn only_error(schema: Schema, document: &serde_json::Value) -> (String, String) {
        let errors = validate(schema, document).unwrap_err();
        assert_eq!(errors.len(), 1, "{errors:?}");
        (errors[0].path.clone(), errors[0].message.clone())
    }

    #[test]
    fn messages_say_what_to_give_instead() {
        let cases = [
            (json!([]), "", "must be an object, not an array"),
            (json!({}), "/type", "is required"),
            (json!({"type": 7}), "/type", "must be a text, not a number"),
            (json!({"type": ""}), "/type", "must not be empty"),
            (
                json!({"type": "x".repeat(51)}),
                "/type",
                "must have at most 50 characters",
            ),
            (
                json!({"type": "a b"}),
                "/type",
                "must consist of A-Z, a-z, 0-9, '.', '_' and '-' only",
            ),
            (
                json!({"type": "a", "payload": null}),
                "/payload",
                "must be an object, not null",
            ),
            (
                json!({"type": "a", "status": "FAILED"}),
                "/status",
                "must be PENDING, not FAILED",
            ),
            (
                json!({"type": "a", "options": {"delayMs": 5, "runAt": "2026-01-31T12:00:00Z"}}),
                "/options/runAt",
                "must not be given together with delayMs",
            ),
            (
                json!({"type": "a", "options": {"maxAttempts": 26}}),
                "/options/maxAttempts",
                "must be at most 25",
            ),
            (
                json!({"type": "a", "options": {"a/b~": 1}}),
                "/options/a~1b~0",
                "is not a known field; known fields are backoffMs, delayMs, maxAttempts, runAt, timeoutMs",
            ),
            (
                json!({"type": "a", "id": "1"}),
                "/id",
                "must be a UUID, such as 0b8f6a52-3c1e-4d7a-9f0e-5a4c2b1d3e6f",
            ),
            (
                json!({"type": "a", "createdAt": "2026-01-31T12:00:00"}),
                "/createdAt",
                "must be a date and time with a zone in the years 1970 to 9999, such as 2026-01-31T12:00:00Z",
            ),
        ];
        for (document, path, message) in cases {
            let found = only_error(Schema::JobSubmission, &document);
            assert_eq!(found, (path.to_owned(), message.to_owned()), "{document}");
        }
    }

    #[test]
    fn a_wrong_status_is_told_which_there_are() {
        let job = json!({"id": uuid::Uuid::nil(), "type": "a", "status": "DONE", "createdAt": "2026-01-31T12:00:00Z"});
        let (path, message) = only_error(Schema::Job, &job);
        assert_eq!(path, "/status");
        assert!(
            message.starts_with("must be one of PENDING, VALIDATED,"),
            "{message}"
        );
        assert!(message.ends_with(", not DONE"), "{message}");
    }

    #[test]
    fn answers_stay_small_whatever_the_document() {
        let mut document = json!({"type": "a", "status": "Ä".repeat(10_000)});
        for n in 0..100 {
            document[format!("{n}{}", "~".repeat(1_000))] = json!(n);
        }
        let errors = validate(Schema::JobSubmission, &document).unwrap_err();
        assert_eq!(errors.len(), MAX_ERRORS);
        for error in errors {
            assert!(
                error.path.chars().count() <= 201 && error.message.chars().count() < 500,
                "{error:?}"
            );
        }
    }
}
