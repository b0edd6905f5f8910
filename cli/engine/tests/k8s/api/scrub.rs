//! What is not kept of a conversation: what is secret, and what is long and of no use.

use serde_json::{Value, json};

use super::exchange::Exchange;

/// What stands in the place of anything secret, and its base64.
const TEXT: &str = "recorded";
const BASE64: &str = "cmVjb3JkZWQ=";

/// Holds what kubectl applied, data of Secrets included.
const APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// When something was restarted, as the client library writes it, and what stands in the place of the time.
const RESTARTED: &str = "kube.kubernetes.io/restartedAt";
const TIME: &str = "1970-01-01T00:00:00Z";

/// Removes from an exchange what is not kept. Doing so twice is doing so once.
pub(crate) fn exchange(exchange: &mut Exchange) {
    let path = &exchange.request.path;
    for body in [&mut exchange.request.body, &mut exchange.response.body] {
        let Some(body) = body else { continue };
        secrets(path, body);
    }
    let answers_patch = exchange.request.method == "PATCH";
    let lines = exchange.response.lines.iter_mut().flatten();
    for answer in lines
        .map(|line| &mut line.line)
        .chain(exchange.response.body.as_mut())
    {
        secrets(path, answer);
        if !answers_patch {
            managed_fields(answer);
        }
    }
}

/// Replaces what is secret in a body that was sent to a path or came from there.
pub(crate) fn secrets(path: &str, body: &mut Value) {
    // A merge patch does not tell the kind, and a JSON patch has none.
    if is_of_secrets(path) {
        match body {
            Value::Array(operations) => operations.iter_mut().for_each(operation),
            Value::Object(_) => secret(body),
            _ => {}
        }
    }
    nested(body);
}

/// Whether a path is that of Secrets or of one of them.
fn is_of_secrets(path: &str) -> bool {
    let mut parts = path.trim_start_matches("/api/v1/").split('/');
    match parts.next() {
        Some("namespaces") => parts.nth(1) == Some("secrets"),
        first => first == Some("secrets"),
    }
}

fn nested(value: &mut Value) {
    match value {
        Value::Object(_) => {
            if value["kind"] == "Secret" && value["apiVersion"] == "v1" {
                secret(value);
            }
            if value["kind"] == "SecretList" {
                let items = value.get_mut("items").and_then(Value::as_array_mut);
                items.into_iter().flatten().for_each(secret);
            }
            if let Some(token) = value.pointer_mut("/status/token") {
                *token = json!(TEXT);
            }
            // The time of a restart is another one each time.
            if let Some(at) = value.get_mut(RESTARTED) {
                *at = json!(TIME);
            }
            let values = value.as_object_mut().into_iter().flatten();
            values.for_each(|(_, value)| nested(value));
        }
        Value::Array(values) => values.iter_mut().for_each(nested),
        _ => {}
    }
}

fn secret(secret: &mut Value) {
    for (field, instead) in [("/data", BASE64), ("/stringData", TEXT)] {
        if let Some(values) = secret.pointer_mut(field) {
            replace(values, instead);
        }
    }
    if let Some(annotations) = secret.pointer_mut("/metadata/annotations") {
        let annotations = annotations.as_object_mut();
        annotations.and_then(|annotations| annotations.remove(APPLIED));
    }
}

/// A step of a JSON patch of a Secret.
fn operation(operation: &mut Value) {
    let path = operation["path"].as_str().unwrap_or_default();
    let instead = match path.split('/').nth(1) {
        Some("data") => BASE64,
        Some("stringData") => TEXT,
        _ => return,
    };
    if let Some(value) = operation.get_mut("value") {
        replace(value, instead);
    }
}

/// Replaces texts. Names stay, and so does a null, which removes something.
fn replace(value: &mut Value, instead: &str) {
    match value {
        Value::String(text) => instead.clone_into(text),
        Value::Object(map) => map.values_mut().for_each(|value| replace(value, instead)),
        _ => {}
    }
}

/// Drops who set which field of an object, of the items of a list or of the object of an event.
fn managed_fields(answer: &mut Value) {
    if let Some(metadata) = answer.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    if let Some(object) = answer.get_mut("object") {
        managed_fields(object);
    }
    let items = answer.get_mut("items").and_then(Value::as_array_mut);
    items.into_iter().flatten().for_each(managed_fields);
}
