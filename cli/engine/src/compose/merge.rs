//! Merging of compose files, as the Compose specification has it: mappings merge key by key, lists are appended to, single values replace.
//! `command`, `entrypoint` and the test of a health check replace; what can be written as a list or a mapping is made a mapping first.
//! `!reset` removes a value, `!override` replaces it. Doubled items of a list are dealt with where it is read.

use super::ComposeError;
use super::decode::join;
use super::yaml::{At, Entry, Node, Tag, Value};

/// How the value of a key of a service takes another one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// By what it is.
    Plain,
    /// The later one replaces the earlier.
    Replace,
    /// `NAME=value` lists are mappings.
    Variables,
    /// Lists of names are mappings.
    Names,
    /// A single value is a list of one.
    List,
    /// `name:address` mappings are lists.
    Hosts,
    /// Of another driver: replaces. Of the same: merges.
    Logging,
    /// A text is the context.
    Build,
}

fn rule(path: &[String]) -> Rule {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["services", _, key] => match *key {
            "command" | "entrypoint" => Rule::Replace,
            "environment" | "labels" | "sysctls" => Rule::Variables,
            "depends_on" | "networks" => Rule::Names,
            "tmpfs" => Rule::List,
            "extra_hosts" => Rule::Hosts,
            "logging" => Rule::Logging,
            "build" => Rule::Build,
            _ => Rule::Plain,
        },
        ["services", _, "healthcheck", "test"] => Rule::Replace,
        ["services", _, "build", "args"] | ["networks" | "volumes", _, "labels"] => Rule::Variables,
        _ => Rule::Plain,
    }
}

/// The first file, its tags applied and its shorthands written out.
pub(super) fn first(node: Node) -> Result<Node, ComposeError> {
    let base = Node::mapping(Vec::new(), &node.at);
    overlay(base, node)
}

/// A further file over those before.
pub(super) fn overlay(base: Node, over: Node) -> Result<Node, ComposeError> {
    if over.is_null() {
        return Ok(base);
    }
    combine(base, over, &mut Vec::new())
}

fn combine(base: Node, over: Node, path: &mut Vec<String>) -> Result<Node, ComposeError> {
    let rule = rule(path);
    if rule == Rule::Replace || over.tag == Tag::Override {
        return settle(over, path);
    }
    let (base, over) = (written_out(base, rule, path)?, written_out(over, rule, path)?);
    if over.is_null() || base.is_null() || (rule == Rule::Logging && other_driver(&base, &over)) {
        // Nothing in an overlay changes nothing, as `docker compose` has it.
        return if over.is_null() {
            Ok(base)
        } else {
            settle(over, path)
        };
    }
    match (base.value, over.value) {
        (Value::Mapping(base_entries), Value::Mapping(entries)) => Ok(Node {
            value: Value::Mapping(combine_entries(base_entries, entries, path)?),
            tag: Tag::None,
            at: base.at,
        }),
        (Value::Sequence(mut items), Value::Sequence(more)) => {
            items.extend(settle_items(more, path)?);
            Ok(Node {
                value: Value::Sequence(items),
                tag: Tag::None,
                at: base.at,
            })
        }
        (Value::Scalar { .. }, value @ Value::Scalar { .. }) => Ok(Node {
            value,
            tag: Tag::None,
            at: over.at,
        }),
        // A limit of processes may be a number or a mapping.
        (_, value) if matches!(path.as_slice(), [services, _, ulimits, _] if services == "services" && ulimits == "ulimits") => {
            Ok(Node {
                value,
                tag: Tag::None,
                at: over.at,
            })
        }
        (base_value, value) => {
            let kind = |value: Value, at: &At| {
                let node = Node {
                    value,
                    tag: Tag::None,
                    at: at.clone(),
                };
                node.kind()
            };
            Err(ComposeError::InvalidValue {
                place: over.at.place(&joined(path)),
                reason: format!(
                    "{} cannot be merged into {} of {}",
                    kind(value, &over.at),
                    kind(base_value, &base.at),
                    base.at.file
                ),
            })
        }
    }
}

fn combine_entries(
    mut base: Vec<Entry>,
    over: Vec<Entry>,
    path: &mut Vec<String>,
) -> Result<Vec<Entry>, ComposeError> {
    for entry in over {
        let known = base.iter().position(|other| other.key == entry.key);
        if entry.node.tag == Tag::Reset {
            if let Some(index) = known {
                base.remove(index);
            }
            continue;
        }
        path.push(entry.key.clone());
        match known {
            Some(index) => {
                let old = std::mem::replace(&mut base[index].node, Node::null(&entry.at));
                base[index].node = combine(old, entry.node, path)?;
            }
            None => base.push(Entry {
                node: settle(entry.node, path)?,
                ..entry
            }),
        }
        path.pop();
    }
    Ok(base)
}

/// A value that nothing is merged into: what is reset in it goes, shorthands are written out.
fn settle(node: Node, path: &mut Vec<String>) -> Result<Node, ComposeError> {
    let node = written_out(node, rule(path), path)?;
    let value = match node.value {
        Value::Mapping(entries) => Value::Mapping(combine_entries(Vec::new(), entries, path)?),
        Value::Sequence(items) => Value::Sequence(settle_items(items, path)?),
        scalar => scalar,
    };
    Ok(Node {
        value,
        tag: Tag::None,
        at: node.at,
    })
}

/// The items of a list. What holds of the key does not hold of them.
fn settle_items(items: Vec<Node>, path: &mut Vec<String>) -> Result<Vec<Node>, ComposeError> {
    path.push("[]".to_owned());
    let settled = items
        .into_iter()
        .filter(|item| item.tag != Tag::Reset)
        .map(|item| settle(item, path))
        .collect();
    path.pop();
    settled
}

/// The form in which two values of a key can be merged.
fn written_out(node: Node, rule: Rule, path: &[String]) -> Result<Node, ComposeError> {
    let Node { value, tag, at } = node;
    let value = match (rule, value) {
        (Rule::Variables, Value::Sequence(items)) => Value::Mapping(variables(items, path)?),
        (Rule::Names, Value::Sequence(items)) => Value::Mapping(names(items, path)?),
        (Rule::List, value @ Value::Scalar { .. }) => Value::Sequence(vec![Node {
            value,
            tag: Tag::None,
            at: at.clone(),
        }]),
        (Rule::Hosts, Value::Mapping(entries)) => Value::Sequence(hosts(entries, path)?),
        (Rule::Build, value @ Value::Scalar { .. }) => Value::Mapping(vec![Entry {
            key: "context".to_owned(),
            at: at.clone(),
            node: Node {
                value,
                tag: Tag::None,
                at: at.clone(),
            },
        }]),
        (_, value) => value,
    };
    Ok(Node { value, tag, at })
}

fn single<'a>(item: &'a Node, path: &[String]) -> Result<&'a str, ComposeError> {
    match &item.value {
        Value::Scalar { text, .. } if !item.is_null() => Ok(text),
        _ => Err(ComposeError::InvalidValue {
            place: item.at.place(&joined(path)),
            reason: format!("{} stands in a list of texts", item.kind()),
        }),
    }
}

/// Later items of the same name win, as they do in `docker compose`.
fn put(entries: &mut Vec<Entry>, key: &str, node: Node) {
    let at = node.at.clone();
    match entries.iter_mut().find(|entry| entry.key == key) {
        Some(entry) => entry.node = node,
        None => entries.push(Entry {
            key: key.to_owned(),
            at,
            node,
        }),
    }
}

fn variables(items: Vec<Node>, path: &[String]) -> Result<Vec<Entry>, ComposeError> {
    let mut entries = Vec::new();
    for item in items {
        let text = single(&item, path)?;
        match text.split_once('=') {
            Some((name, value)) => put(&mut entries, name, Node::text(value, &item.at)),
            None => put(&mut entries, text, Node::null(&item.at)),
        }
    }
    Ok(entries)
}

fn names(items: Vec<Node>, path: &[String]) -> Result<Vec<Entry>, ComposeError> {
    let mut entries = Vec::new();
    for item in items {
        put(&mut entries, single(&item, path)?, Node::null(&item.at));
    }
    Ok(entries)
}

fn hosts(entries: Vec<Entry>, path: &[String]) -> Result<Vec<Node>, ComposeError> {
    let mut items = Vec::new();
    for entry in entries {
        match &entry.node.value {
            Value::Sequence(addresses) => {
                for address in addresses {
                    items.push(Node::text(
                        format!("{}={}", entry.key, single(address, path)?),
                        &address.at,
                    ));
                }
            }
            _ => items.push(Node::text(
                format!("{}={}", entry.key, single(&entry.node, path)?),
                &entry.at,
            )),
        }
    }
    Ok(items)
}

fn other_driver(base: &Node, over: &Node) -> bool {
    let driver = |node: &Node| match node.get("driver").map(|driver| &driver.value) {
        Some(Value::Scalar { text, .. }) => Some(text.clone()),
        _ => None,
    };
    driver(over).is_some_and(|new| driver(base) != Some(new))
}

fn joined(path: &[String]) -> String {
    path.iter().fold(String::new(), |all, key| join(&all, key))
}

#[cfg(test)]
mod tests {
    use super::super::yaml::parse;
    use super::*;

    /// A tree as JSON, for comparison.
    fn json(node: &Node) -> serde_json::Value {
        match &node.value {
            Value::Scalar { .. } if node.is_null() => serde_json::Value::Null,
            Value::Scalar { text, .. } => text.clone().into(),
            Value::Sequence(items) => items.iter().map(json).collect(),
            Value::Mapping(entries) => entries
                .iter()
                .map(|entry| (entry.key.clone(), json(&entry.node)))
                .collect(),
        }
    }

    fn merged(base: &str, over: &str) -> serde_json::Value {
        let wrap = |text: &str| {
            format!(
                "services:\n  a:\n{}",
                text.lines()
                    .map(|line| format!("    {line}\n"))
                    .collect::<String>()
            )
        };
        let base = first(parse("compose.yaml", &wrap(base)).unwrap()).unwrap();
        let all = overlay(base, parse("over.yaml", &wrap(over)).unwrap()).unwrap();
        json(all.get("services").unwrap().get("a").unwrap())
    }

    #[test]
    fn maps_merge_lists_grow_and_values_replace() {
        assert_eq!(
            merged(
                "image: x\ncap_drop: [ALL]\nhealthcheck: {interval: 1s, test: [CMD, a, b]}\ncommand: [a, b]\nentrypoint: [e]",
                "image: y\ncap_drop: [NET_RAW]\nhealthcheck: {test: [CMD, c], retries: 3}\ncommand: c\nentrypoint: [f]"
            ),
            serde_json::json!({
                "image": "y", "cap_drop": ["ALL", "NET_RAW"],
                "healthcheck": {"interval": "1s", "test": ["CMD", "c"], "retries": "3"},
                "command": "c", "entrypoint": ["f"]
            })
        );
    }

    #[test]
    fn lists_and_mappings_of_the_same_meaning_merge() {
        assert_eq!(
            merged(
                "environment: [A=1, B=2, C]\ndepends_on: [x]\nlabels: {l: 1}\ntmpfs: /a\nextra_hosts: ['h:1.2.3.4']\nbuild: ./one",
                "environment: {B: 3, D: null}\ndepends_on: {x: {condition: service_healthy}, y: {}}\nlabels: [m=2]\ntmpfs: [/b]\nextra_hosts: {i: 1.2.3.5}\nbuild: {args: [X=1]}"
            ),
            serde_json::json!({
                "environment": {"A": "1", "B": "3", "C": null, "D": null},
                "depends_on": {"x": {"condition": "service_healthy"}, "y": {}},
                "labels": {"l": "1", "m": "2"}, "tmpfs": ["/a", "/b"], "extra_hosts": ["h:1.2.3.4", "i=1.2.3.5"],
                "build": {"context": "./one", "args": {"X": "1"}}
            })
        );
    }

    #[test]
    fn reset_removes_and_override_replaces() {
        assert_eq!(
            merged(
                "ports: ['1:1']\nvolumes: [a:/a]\nenvironment: {A: 1, B: 2}\nhealthcheck: {interval: 1s, retries: 2}",
                "ports: !reset []\nvolumes: !override [b:/b]\nenvironment: {A: !reset null}\nhealthcheck: !override {retries: 3}"
            ),
            serde_json::json!({"volumes": ["b:/b"], "environment": {"B": "2"}, "healthcheck": {"retries": "3"}})
        );
    }

    #[test]
    fn a_reset_in_what_is_new_leaves_nothing_behind() {
        assert_eq!(
            merged("image: x", "healthcheck: {interval: !reset 1s, retries: 2}"),
            serde_json::json!({"image": "x", "healthcheck": {"retries": "2"}})
        );
    }

    #[test]
    fn logging_of_another_driver_replaces() {
        let base = "logging: {driver: json-file, options: {max-size: 1m}}";
        assert_eq!(
            merged(base, "logging: {options: {max-file: '3'}}"),
            serde_json::json!({"logging": {"driver": "json-file", "options": {"max-size": "1m", "max-file": "3"}}})
        );
        assert_eq!(
            merged(base, "logging: {driver: none}"),
            serde_json::json!({"logging": {"driver": "none"}})
        );
    }

    #[test]
    fn a_list_into_a_mapping_is_refused_with_its_place() {
        let base =
            first(parse("compose.yaml", "services: {a: {healthcheck: {retries: 3}}}").unwrap()).unwrap();
        let error = overlay(
            base,
            parse("over.yaml", "services:\n  a:\n    healthcheck: [x]\n").unwrap(),
        )
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            "over.yaml:3:18 (services.a.healthcheck): a list cannot be merged into a mapping of compose.yaml"
        );
    }
}
