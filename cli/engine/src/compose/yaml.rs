//! YAML as a tree in which every node knows its place: anchors expanded, merge keys applied, doubled keys refused.
//!
//! The tree keeps scalars as they are written. What they mean is decided by whoever reads them, who knows what is expected there.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput, Tag as YamlTag};

use super::ComposeError;
use super::error::Place;

/// How deep sequences and mappings may stand in each other.
const MAX_DEPTH: usize = 40;

/// How much is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// How many bytes a file may have.
    pub(super) bytes: usize,
    /// How many nodes a file may have once its aliases are expanded.
    pub(super) nodes: usize,
}

/// Of a compose file.
const OF_A_FILE: Limits = Limits {
    bytes: 1024 * 1024,
    nodes: 50_000,
};

/// Where something stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct At {
    pub(super) file: Arc<str>,
    pub(super) line: usize,
    pub(super) column: usize,
}

impl At {
    /// With a path of keys.
    pub(super) fn place(&self, path: &str) -> Place {
        Place {
            file: self.file.to_string(),
            line: self.line,
            column: self.column,
            path: path.to_owned(),
        }
    }
}

/// What an overlay does with the value that it meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    /// Merges, as the key demands.
    None,
    /// Removes it (`!reset`).
    Reset,
    /// Replaces it (`!override`).
    Override,
}

/// A node of the tree.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) tag: Tag,
    pub(super) at: At,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// A text. One that is not plain was quoted, or is a block, and is never taken for a number or for nothing.
    Scalar {
        text: String,
        plain: bool,
    },
    Sequence(Vec<Node>),
    Mapping(Vec<Entry>),
}

/// A key and its value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) at: At,
    pub(super) node: Node,
}

impl Node {
    /// A text at a place.
    pub(super) fn text(text: impl Into<String>, at: &At) -> Self {
        Self {
            value: Value::Scalar {
                text: text.into(),
                plain: false,
            },
            tag: Tag::None,
            at: at.clone(),
        }
    }

    /// Nothing at a place.
    pub(super) fn null(at: &At) -> Self {
        Self {
            value: Value::Scalar {
                text: String::new(),
                plain: true,
            },
            tag: Tag::None,
            at: at.clone(),
        }
    }

    /// A mapping at a place.
    pub(super) fn mapping(entries: Vec<Entry>, at: &At) -> Self {
        Self {
            value: Value::Mapping(entries),
            tag: Tag::None,
            at: at.clone(),
        }
    }

    /// Whether it is nothing: `null`, `~`, or empty.
    pub(super) fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// What it is, in words.
    pub(super) fn kind(&self) -> &'static str {
        match &self.value {
            Value::Scalar { .. } if self.is_null() => "nothing",
            Value::Scalar { .. } => "a single value",
            Value::Sequence(_) => "a list",
            Value::Mapping(_) => "a mapping",
        }
    }

    /// The value of a key, where it is a mapping.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        match &self.value {
            Value::Mapping(entries) => entries
                .iter()
                .find(|entry| entry.key == key)
                .map(|entry| &entry.node),
            _ => None,
        }
    }

    fn count(&self) -> usize {
        1 + match &self.value {
            Value::Scalar { .. } => 0,
            Value::Sequence(items) => items.iter().map(Self::count).sum(),
            Value::Mapping(entries) => entries.iter().map(|entry| entry.node.count()).sum(),
        }
    }
}

/// Reads the one document of a file.
pub(super) fn parse(file: &str, text: &str) -> Result<Node, ComposeError> {
    let mut reader = Reader::new(file, text, OF_A_FILE)?;
    reader.document()
}

/// Reads every document of a file.
pub(super) fn parse_all(file: &str, text: &str, limits: Limits) -> Result<Vec<Node>, ComposeError> {
    let mut reader = Reader::new(file, text, limits)?;
    let mut documents = Vec::new();
    while let Some((event, at)) = reader.next_value()? {
        documents.push(reader.node(event, at, 0)?);
    }
    Ok(documents)
}

fn syntax(at: &At, reason: impl Into<String>) -> ComposeError {
    ComposeError::Syntax {
        place: at.place(""),
        reason: reason.into(),
    }
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    start: At,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    limits: Limits,
}

impl<'a> Reader<'a> {
    fn new(file: &str, text: &'a str, limits: Limits) -> Result<Self, ComposeError> {
        let start = At {
            file: Arc::from(file),
            line: 1,
            column: 1,
        };
        if text.len() > limits.bytes {
            let reason = format!("the file is larger than {} KiB", limits.bytes / 1024);
            return Err(syntax(&start, reason));
        }
        Ok(Self {
            parser: Parser::new_from_str(text),
            start,
            anchors: HashMap::new(),
            nodes: 0,
            limits,
        })
    }

    fn document(&mut self) -> Result<Node, ComposeError> {
        let document = match self.next_value()? {
            Some((event, at)) => self.node(event, at, 0)?,
            None => return Ok(Node::null(&self.start)),
        };
        match self.next_value()? {
            Some((_, at)) => Err(syntax(&at, "there is a second document; a compose file is one")),
            None => Ok(document),
        }
    }

    /// What the next document begins with.
    fn next_value(&mut self) -> Result<Option<(Event<'a>, At)>, ComposeError> {
        while let Some((event, at)) = self.next()? {
            match event {
                Event::Nothing | Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd => {}
                Event::StreamEnd => break,
                event => return Ok(Some((event, at))),
            }
        }
        Ok(None)
    }

    fn next(&mut self) -> Result<Option<(Event<'a>, At)>, ComposeError> {
        match self.parser.next_event() {
            None => Ok(None),
            Some(Ok((event, span))) => Ok(Some((event, self.at(span)))),
            Some(Err(error)) => {
                let at = At {
                    file: Arc::clone(&self.start.file),
                    line: error.marker().line(),
                    column: error.marker().col() + 1,
                };
                Err(syntax(&at, format!("this is no YAML: {}", error.info())))
            }
        }
    }

    /// The next event, where one has to come.
    fn expect(&mut self, inside: &At) -> Result<(Event<'a>, At), ComposeError> {
        self.next()?
            .ok_or_else(|| syntax(inside, "the file ends inside of this"))
    }

    fn at(&self, span: Span) -> At {
        At {
            file: Arc::clone(&self.start.file),
            line: span.start.line(),
            column: span.start.col() + 1,
        }
    }

    fn node(&mut self, event: Event<'a>, at: At, depth: usize) -> Result<Node, ComposeError> {
        if depth > MAX_DEPTH {
            return Err(syntax(
                &at,
                format!("this is nested deeper than {MAX_DEPTH} levels"),
            ));
        }
        self.spend(1, &at)?;
        let (value, tag, anchor) = match event {
            Event::Alias(anchor) => return self.alias(anchor, &at),
            Event::Scalar(text, style, anchor, tag) => {
                let (tag, is_text) = tag_of(tag.as_deref(), &at)?;
                let value = Value::Scalar {
                    text: text.into_owned(),
                    plain: style == ScalarStyle::Plain && !is_text,
                };
                (value, tag, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                let (tag, _) = tag_of(tag.as_deref(), &at)?;
                (Value::Sequence(self.sequence(&at, depth)?), tag, anchor)
            }
            Event::MappingStart(anchor, tag) => {
                let (tag, _) = tag_of(tag.as_deref(), &at)?;
                (Value::Mapping(self.mapping(&at, depth)?), tag, anchor)
            }
            _ => return Err(syntax(&at, "a value is missing")),
        };
        let node = Node { value, tag, at };
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn spend(&mut self, nodes: usize, at: &At) -> Result<(), ComposeError> {
        self.nodes += nodes;
        let most = self.limits.nodes;
        if self.nodes > most {
            return Err(syntax(
                at,
                format!("the file has more than {most} values, its aliases expanded"),
            ));
        }
        Ok(())
    }

    fn alias(&mut self, anchor: usize, at: &At) -> Result<Node, ComposeError> {
        let Some(node) = self.anchors.get(&anchor) else {
            return Err(syntax(at, "an alias stands inside of what it stands for"));
        };
        let node = node.clone();
        self.spend(node.count(), at)?;
        Ok(node)
    }

    fn sequence(&mut self, start: &At, depth: usize) -> Result<Vec<Node>, ComposeError> {
        let mut items = Vec::new();
        loop {
            match self.expect(start)? {
                (Event::SequenceEnd, _) => return Ok(items),
                (event, at) => items.push(self.node(event, at, depth + 1)?),
            }
        }
    }

    fn mapping(&mut self, start: &At, depth: usize) -> Result<Vec<Entry>, ComposeError> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut keys: BTreeSet<String> = BTreeSet::new();
        let mut merged: Vec<Node> = Vec::new();
        loop {
            let (event, at) = self.expect(start)?;
            if matches!(event, Event::MappingEnd) {
                break;
            }
            let (key, plain) = match self.node(event, at.clone(), depth + 1)?.value {
                Value::Scalar { text, plain } => (text, plain),
                _ => return Err(syntax(&at, "a key has to be a single value")),
            };
            let (event, value_at) = self.expect(start)?;
            let node = self.node(event, value_at, depth + 1)?;
            if plain && key == "<<" {
                merged.push(node);
            } else if keys.insert(key.clone()) {
                entries.push(Entry { key, at, node });
            } else {
                return Err(syntax(&at, format!("the key {key:?} stands here twice")));
            }
        }
        for node in merged {
            self.merge_key(node, &mut entries, &mut keys)?;
        }
        Ok(entries)
    }

    /// Adds what `<<` brings: keys that are written out win, and of several mappings the first.
    fn merge_key(
        &mut self,
        node: Node,
        entries: &mut Vec<Entry>,
        keys: &mut BTreeSet<String>,
    ) -> Result<(), ComposeError> {
        match node.value {
            Value::Mapping(brought) => {
                for entry in brought {
                    if keys.insert(entry.key.clone()) {
                        entries.push(entry);
                    }
                }
                Ok(())
            }
            Value::Sequence(items) if items.iter().all(|item| matches!(item.value, Value::Mapping(_))) => {
                items
                    .into_iter()
                    .try_for_each(|item| self.merge_key(item, entries, keys))
            }
            _ => Err(syntax(&node.at, "<< takes a mapping, or a list of mappings")),
        }
    }
}

/// What a tag means, and whether it makes a text of a plain scalar.
fn tag_of(tag: Option<&YamlTag>, at: &At) -> Result<(Tag, bool), ComposeError> {
    let Some(tag) = tag else {
        return Ok((Tag::None, false));
    };
    match (tag.handle.as_str(), tag.suffix.as_str()) {
        ("!", "reset") => Ok((Tag::Reset, false)),
        ("!", "override") => Ok((Tag::Override, false)),
        ("tag:yaml.org,2002:", "str") | ("", "tag:yaml.org,2002:str") => Ok((Tag::None, true)),
        ("tag:yaml.org,2002:", "map" | "seq" | "int" | "float" | "bool" | "null") => Ok((Tag::None, false)),
        _ => Err(syntax(
            at,
            format!("the tag {tag} is not supported; there are !reset and !override"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(text: &str) -> Node {
        parse("f.yaml", text).unwrap()
    }

    fn reason(text: &str) -> String {
        parse("f.yaml", text).unwrap_err().to_string()
    }

    fn keys(node: &Node) -> Vec<&str> {
        match &node.value {
            Value::Mapping(entries) => entries.iter().map(|entry| entry.key.as_str()).collect(),
            _ => Vec::new(),
        }
    }

    #[test]
    fn every_node_knows_its_place() {
        let node = tree("a:\n  b: [x, y]\n");
        let Value::Sequence(items) = &node.get("a").unwrap().get("b").unwrap().value else {
            panic!("a list")
        };
        assert_eq!((items[1].at.line, items[1].at.column), (2, 10));
    }

    #[test]
    fn merge_keys_bring_what_is_not_written_out_and_the_first_of_a_list_wins() {
        let node = tree("x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nz:\n  <<: [*x, *y]\n  a: 9\n");
        let z = node.get("z").unwrap();
        assert_eq!(keys(z), ["a", "b", "c"]);
        let value = |key: &str| match &z.get(key).unwrap().value {
            Value::Scalar { text, .. } => text.clone(),
            _ => String::new(),
        };
        assert_eq!(
            (value("a"), value("b"), value("c")),
            ("9".into(), "1".into(), "2".into())
        );
    }

    #[test]
    fn quoted_nothing_is_a_text() {
        let node = tree("a: ''\nb:\nc: ~\nd: 'null'\ne: !!str null\n");
        let nothing = |key: &str| node.get(key).unwrap().is_null();
        assert_eq!(
            ["a", "b", "c", "d", "e"].map(nothing),
            [false, true, true, false, false]
        );
    }

    #[test]
    fn tags_of_overlays_are_kept_and_others_refused() {
        let node = tree("a: !reset null\nb: !override [x]\n");
        assert_eq!(node.get("a").unwrap().tag, Tag::Reset);
        assert_eq!(node.get("b").unwrap().tag, Tag::Override);
        assert!(
            reason("a: !secret x").contains("!secret is not supported"),
            "{}",
            reason("a: !secret x")
        );
    }

    #[test]
    fn what_is_no_tree_is_refused_with_its_place() {
        assert_eq!(
            reason("a: 1\nb: 2\na: 3\n"),
            "f.yaml:3:1: the key \"a\" stands here twice"
        );
        assert_eq!(
            reason("a: 1\n---\nb: 2\n"),
            "f.yaml:3:1: there is a second document; a compose file is one"
        );
        assert!(
            reason("a: [1, 2\n").starts_with("f.yaml:2:1: this is no YAML"),
            "{}",
            reason("a: [1, 2\n")
        );
        assert_eq!(
            reason("? [a]\n: 1\n"),
            "f.yaml:1:3: a key has to be a single value"
        );
        assert_eq!(
            reason("a: {<<: 1}\n"),
            "f.yaml:1:9: << takes a mapping, or a list of mappings"
        );
        assert_eq!(
            reason("a: &a [*a]\n"),
            "f.yaml:1:8: an alias stands inside of what it stands for"
        );
    }

    #[test]
    fn neither_depth_nor_aliases_exhaust_the_memory() {
        let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
        assert!(reason(&deep).contains("deeper than"), "{}", reason(&deep));
        let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..10 {
            let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
            laughs.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
        }
        assert!(
            reason(&laughs).contains("more than 50000 values"),
            "{}",
            reason(&laughs)
        );
        assert!(reason(&" ".repeat(OF_A_FILE.bytes + 1)).contains("larger than 1024 KiB"));
    }
}
