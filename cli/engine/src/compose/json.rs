//! YAML of programs of others as JSON: every document of a text.
//!
//! Plain scalars are taken as YAML 1.2 has them. Programs written in Go, such as kustomize, put in quotes whatever YAML 1.1 would take for
//! something else (`on`, `0440`, `1:30`), so that both mean the same.

use serde_json::{Map, Number, Value as Json};

use super::ComposeError;
use super::yaml::{self, Limits, Node, Tag, Value};

/// How much is read: the manifests of this project are a twentieth of that.
const LIMITS: Limits = Limits {
    bytes: MAX_BYTES,
    nodes: 500_000,
};
/// How many bytes a text may have.
pub(crate) const MAX_BYTES: usize = 8 * 1024 * 1024;

/// The documents of a text, without those that are empty. `name` stands for the text in errors.
pub(crate) fn documents(name: &str, text: &str) -> Result<Vec<Json>, ComposeError> {
    let nodes = yaml::parse_all(name, text, LIMITS)?;
    let full = nodes.into_iter().filter(|node| !node.is_null());
    full.map(json).collect()
}

fn json(node: Node) -> Result<Json, ComposeError> {
    if node.tag != Tag::None {
        return Err(ComposeError::Syntax {
            place: node.at.place(""),
            reason: "a tag of compose files stands here".to_owned(),
        });
    }
    Ok(match node.value {
        Value::Scalar { text, plain: false } => Json::String(text),
        Value::Scalar { text, plain: true } => plain(text),
        Value::Sequence(items) => Json::Array(items.into_iter().map(json).collect::<Result<_, _>>()?),
        Value::Mapping(entries) => {
            let mut map = Map::new();
            for entry in entries {
                map.insert(entry.key, json(entry.node)?);
            }
            Json::Object(map)
        }
    })
}

fn plain(text: String) -> Json {
    match text.as_str() {
        "" | "~" | "null" | "Null" | "NULL" => Json::Null,
        "true" | "True" | "TRUE" => Json::Bool(true),
        "false" | "False" | "FALSE" => Json::Bool(false),
        _ => number(&text).map_or(Json::String(text), Json::Number),
    }
}

/// A decimal number. What begins with a zero that counts for nothing is none: it would be octal to some.
fn number(text: &str) -> Option<Number> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let octal = digits.len() > 1 && digits.starts_with('0') && digits.as_bytes()[1].is_ascii_digit();
    if octal || !digits.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    if let Ok(whole) = text.parse::<i64>() {
        return Some(whole.into());
    }
    if let Ok(whole) = text.parse::<u64>() {
        return Some(whole.into());
    }
    let known = digits
        .bytes()
        .all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
    known.then(|| text.parse().ok().and_then(Number::from_f64))?
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Vec<Json> {
        documents("f.yaml", text).unwrap()
    }

    #[test]
    fn every_document_is_read_and_empty_ones_are_none() {
        assert_eq!(
            read("---\n# nothing\n---\na: 1\n---\nb: [x]\n...\n---\nc: {}\n"),
            [json!({"a": 1}), json!({"b": ["x"]}), json!({"c": {}})]
        );
        assert_eq!(read(""), Vec::<Json>::new());
    }

    #[test]
    fn scalars_are_what_go_takes_them_for() {
        let text = r#"
null: [~, null, ""]
bool: [true, false, "true"]
number: [0, -7, 1.5, 1e+06, 18446744073709551615, "5"]
text: [on, 5m, 1.2.3, 1Gi, 0440, v1, 'null', 10.0.0.1/8, .5, 2026-01-01]
block: |
  a: 1
"#;
        assert_eq!(
            read(text),
            [json!({
                "null": [null, null, ""],
                "bool": [true, false, "true"],
                "number": [0, -7, 1.5, 1e6, u64::MAX, "5"],
                "text": ["on", "5m", "1.2.3", "1Gi", "0440", "v1", "null", "10.0.0.1/8", ".5", "2026-01-01"],
                "block": "a: 1\n",
            })]
        );
    }

    #[test]
    fn trouble_is_told_with_its_place() {
        let reason = |text: &str| documents("f.yaml", text).unwrap_err().to_string();
        assert!(reason("a: 1\n---\nb: [1\n").starts_with("f.yaml:4:1: this is no YAML"));
        assert_eq!(
            reason("a: !reset x\n"),
            "f.yaml:1:4: a tag of compose files stands here"
        );
        assert!(reason(&" ".repeat(MAX_BYTES + 1)).contains("larger than 8192 KiB"));
    }
}
