//! What one schema says: its references followed, its keywords, types and choices.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};

use serde_json::{Map, Value};

pub(super) type Object = Map<String, Value>;

/// The reference of a schema, if it is one.
pub(super) fn reference(schema: &Value) -> Option<&str> {
    schema.get("$ref")?.as_str()
}

/// The schema with the references within its own document followed. Keywords beside a reference hold
/// together with what it refers to.
pub(super) fn resolved<'a>(schema: &'a Value, root: &'a Value) -> Cow<'a, Value> {
    let mut seen = HashSet::new();
    let mut schema = Cow::Borrowed(schema);
    while let Some(target) = reference(&schema).and_then(|text| local(text, root)) {
        let fresh = seen.insert(std::ptr::from_ref(target));
        if !fresh {
            // Refers to itself: says nothing.
            return Cow::Owned(Value::Bool(true));
        }
        schema = match schema.as_object() {
            Some(object) if object.len() > 1 => Cow::Owned(joined(object, target)),
            _ => Cow::Borrowed(target),
        };
    }
    schema
}

/// What a reference within the document, or by the document's own `$id`, refers to.
fn local<'a>(text: &str, root: &'a Value) -> Option<&'a Value> {
    let (document, fragment) = text.split_once('#').unwrap_or((text, ""));
    let own = document.is_empty() || root.get("$id").and_then(Value::as_str) == Some(document);
    own.then(|| root.pointer(fragment)).flatten()
}

/// The target of a reference together with the keywords beside the reference.
fn joined(beside: &Object, target: &Value) -> Value {
    let Value::Object(target) = target else {
        return match target {
            Value::Bool(false) => Value::Bool(false),
            _ => Value::Object(
                beside
                    .iter()
                    .filter(|(name, _)| *name != "$ref")
                    .map(own)
                    .collect(),
            ),
        };
    };
    let mut joined = target.clone();
    let mut both = Vec::new();
    for (keyword, value) in beside.iter().filter(|(name, _)| *name != "$ref") {
        if joined.contains_key(keyword) {
            both.push(Value::Object(Object::from_iter([own((keyword, value))])));
        } else {
            joined.insert(keyword.clone(), value.clone());
        }
    }
    both.retain(|condition| !says_nothing(condition));
    if !both.is_empty() {
        let conditions = joined.entry("allOf").or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(conditions) = conditions {
            conditions.extend(both);
        }
    }
    Value::Object(joined)
}

fn own((name, value): (&String, &Value)) -> (String, Value) {
    (name.clone(), value.clone())
}

/// Whether a schema of one keyword is only a text for readers.
fn says_nothing(condition: &Value) -> bool {
    const TEXTS: [&str; 10] = [
        "title",
        "description",
        "default",
        "examples",
        "deprecated",
        "readOnly",
        "writeOnly",
        "$comment",
        "$defs",
        "definitions",
    ];
    condition
        .as_object()
        .is_some_and(|object| object.keys().all(|name| TEXTS.contains(&name.as_str())))
}

pub(super) fn keywords(schema: &Value) -> Cow<'_, Object> {
    match schema.as_object() {
        Some(object) => Cow::Borrowed(object),
        None => Cow::Owned(Object::new()),
    }
}

/// The types that pass. A whole number is a number.
pub(super) fn types(schema: &Object) -> BTreeSet<&str> {
    const ALL: [&str; 7] = [
        "null", "boolean", "integer", "number", "string", "array", "object",
    ];
    let mut types: BTreeSet<&str> = match schema.get("type") {
        None => ALL.into(),
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        Some(single) => single.as_str().into_iter().collect(),
    };
    if types.contains("number") {
        types.insert("integer");
    }
    types
}

/// The values that pass, where they are listed.
pub(super) fn choices(schema: &Object) -> Option<Vec<&Value>> {
    match (schema.get("enum"), schema.get("const")) {
        (None, Some(single)) => Some(vec![single]),
        // Both hold.
        (several @ Some(_), Some(single)) => {
            let several = list(several).into_iter();
            Some(several.filter(|value| *value == single).collect())
        }
        (several @ Some(_), None) => Some(list(several)),
        (None, None) => None,
    }
}

pub(super) fn map<'a>(schema: &'a Object, keyword: &str) -> &'a Object {
    static NONE: std::sync::LazyLock<Object> = std::sync::LazyLock::new(Object::new);
    schema.get(keyword).and_then(Value::as_object).unwrap_or(&NONE)
}

pub(super) fn list(value: Option<&Value>) -> Vec<&Value> {
    value
        .and_then(Value::as_array)
        .map(|items| items.iter().collect())
        .unwrap_or_default()
}

pub(super) fn difference<'a>(from: &[&'a Value], without: &[&Value]) -> Vec<&'a Value> {
    from.iter()
        .copied()
        .filter(|value| !without.contains(value))
        .collect()
}

pub(super) fn is_false(schema: &Object, keyword: &str) -> bool {
    schema.get(keyword) == Some(&Value::Bool(false))
}

/// Whether no field at all passes. Only then does a new pattern add fields without judging present ones.
pub(super) fn admits_no_field(schema: &Object) -> bool {
    let closed = is_false(schema, "additionalProperties") || is_false(schema, "unevaluatedProperties");
    closed && map(schema, "properties").is_empty() && map(schema, "patternProperties").is_empty()
}

pub(super) fn shown(value: Option<&Value>) -> String {
    value.map_or_else(|| "absent".to_owned(), Value::to_string)
}

pub(super) fn listed(values: &[&Value]) -> String {
    let texts: Vec<_> = values.iter().map(ToString::to_string).collect();
    texts.join(", ")
}
