//! What an apply would change, field by field.

use serde::Serialize;
use serde_json::Value;

/// Fields of an object's metadata that the server keeps for itself.
const OF_THE_SERVER: [&str; 6] = [
    "managedFields",
    "resourceVersion",
    "generation",
    "uid",
    "creationTimestamp",
    "selfLink",
];
/// What stands in the place of a value that must not be shown.
const HIDDEN: &str = "(hidden)";

/// A field that an apply changes.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FieldChange {
    /// Its path, such as `spec.template.spec.containers[gateway].image`. Members of lists stand by their name where they have one.
    pub path: String,
    /// What is there; none where there is nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Value>,
    /// What will be there; none where it goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Value>,
}

/// The changes from what is there to what will be, as the server says it. `hide` keeps values of a Secret out.
pub(super) fn changes(from: &Value, to: &Value, hide: bool) -> Vec<FieldChange> {
    let mut found = Vec::new();
    compare(
        String::new(),
        Some(&essential(from)),
        Some(&essential(to)),
        &mut found,
    );
    if hide {
        for change in found.iter_mut().filter(|change| is_data(&change.path)) {
            change.from = change.from.take().map(|_| HIDDEN.into());
            change.to = change.to.take().map(|_| HIDDEN.into());
        }
    }
    found
}

fn is_data(path: &str) -> bool {
    let first = path.split(['.', '[']).next();
    matches!(first, Some("data" | "stringData"))
}

/// Without what only the server writes.
fn essential(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in OF_THE_SERVER {
            metadata.remove(field);
        }
    }
    object
}

fn compare(path: String, from: Option<&Value>, to: Option<&Value>, found: &mut Vec<FieldChange>) {
    match (from, to) {
        (from, to) if from == to => {}
        (Some(Value::Object(before)), Some(Value::Object(after))) => {
            let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
            names.sort_unstable();
            names.dedup();
            for name in names {
                compare(below(&path, name), before.get(name), after.get(name), found);
            }
        }
        (Some(Value::Array(before)), Some(Value::Array(after))) => lists(&path, before, after, found),
        (from, to) => found.push(FieldChange {
            path,
            from: from.cloned(),
            to: to.cloned(),
        }),
    }
}

fn below(path: &str, name: &str) -> String {
    match (path, name.contains(['.', '/'])) {
        ("", _) => name.to_owned(),
        (path, true) => format!("{path}[{name}]"),
        (path, false) => format!("{path}.{name}"),
    }
}

/// Members that have names are compared by these, all others by their place.
fn lists(path: &str, before: &[Value], after: &[Value], found: &mut Vec<FieldChange>) {
    let (Some(old), Some(new)) = (named(before), named(after)) else {
        for place in 0..before.len().max(after.len()) {
            compare(
                format!("{path}[{place}]"),
                before.get(place),
                after.get(place),
                found,
            );
        }
        return;
    };
    let mut names: Vec<&str> = old.iter().chain(&new).map(|(name, _)| *name).collect();
    names.sort_unstable();
    names.dedup();
    let value = |list: &[(&str, &'_ Value)], wanted: &str| -> Option<Value> {
        let found = list.iter().find(|(name, _)| *name == wanted);
        found.map(|(_, value)| (*value).clone())
    };
    for name in names {
        let (from, to) = (value(&old, name), value(&new, name));
        compare(format!("{path}[{name}]"), from.as_ref(), to.as_ref(), found);
    }
}

/// Each member with its name; none where one has none, or two have the same.
fn named(list: &[Value]) -> Option<Vec<(&str, &Value)>> {
    let named: Option<Vec<(&str, &Value)>> = list
        .iter()
        .map(|member| Some((member.get("name")?.as_str()?, member)))
        .collect();
    let named = named?;
    let mut names: Vec<&str> = named.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    names.dedup();
    (names.len() == named.len()).then_some(named)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn paths(from: &Value, to: &Value) -> Vec<String> {
        changes(from, to, false)
            .into_iter()
            .map(|change| change.path)
            .collect()
    }

    #[test]
    fn what_the_server_keeps_is_no_change() {
        let from = json!({"metadata": {"name": "a", "resourceVersion": "1", "generation": 1}, "status": {"replicas": 1}});
        let to =
            json!({"metadata": {"name": "a", "resourceVersion": "2", "generation": 2, "managedFields": []}});
        assert_eq!(changes(&from, &to, false), []);
    }

    #[test]
    fn members_of_lists_are_told_by_name() {
        let container = |image: &str| json!({"name": "gateway", "image": image});
        let from = json!({"spec": {"containers": [container("a:1")]}});
        let to = json!({"spec": {"containers": [{"name": "first"}, container("a:2")]}});
        let found = changes(&from, &to, false);
        assert_eq!(
            found,
            [
                FieldChange {
                    path: "spec.containers[first]".to_owned(),
                    from: None,
                    to: Some(json!({"name": "first"})),
                },
                FieldChange {
                    path: "spec.containers[gateway].image".to_owned(),
                    from: Some(json!("a:1")),
                    to: Some(json!("a:2")),
                },
            ]
        );
    }

    #[test]
    fn members_without_names_are_told_by_place() {
        assert_eq!(
            paths(&json!({"args": ["a", "b"]}), &json!({"args": ["a", "c", "d"]})),
            ["args[1]", "args[2]"]
        );
    }

    #[test]
    fn a_name_with_dots_is_told_from_a_path() {
        let from = json!({"metadata": {"labels": {"app.kubernetes.io/name": "a"}}});
        let to = json!({"metadata": {"labels": {}}});
        assert_eq!(paths(&from, &to), ["metadata.labels[app.kubernetes.io/name]"]);
    }

    #[test]
    fn what_a_secret_holds_is_never_shown() {
        let from = json!({"data": {"A_PASSWORD": "old"}});
        let to = json!({"data": {"A_PASSWORD": "new", "B_TOKEN": "token"}, "type": "Opaque"});
        let found = changes(&from, &to, true);
        let text = serde_json::to_string(&found).unwrap();
        assert!(
            !text.contains("old") && !text.contains("new") && !text.contains("\"token\""),
            "{text}"
        );
        assert_eq!(found.len(), 3, "{text}");
        assert_eq!(found[2].to, Some(json!("Opaque")));
    }
}
