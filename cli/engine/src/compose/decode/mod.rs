//! From the merged tree to the model. Every key of a mapping is asked for by name, and what nobody asked for is an error: so no key can be
//! supported by half or ignored.

mod mounts;
mod ports;
mod scalar;
mod service;
mod words;

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use super::ComposeError;
use super::error::Place;
use super::model::{Network, Volume};
use super::yaml::{At, Node, Value};

pub(super) use service::{Draft, service};

/// A path of keys with one more.
pub(super) fn join(path: &str, key: &str) -> String {
    match path.is_empty() {
        true => key.to_owned(),
        false => format!("{path}.{key}"),
    }
}

/// A node and the path of keys to it.
#[derive(Clone, Debug)]
pub(super) struct Item<'a> {
    node: &'a Node,
    path: String,
}

impl<'a> Item<'a> {
    /// The top of a tree.
    pub(super) fn top(node: &'a Node) -> Self {
        Self {
            node,
            path: String::new(),
        }
    }

    /// The value of a key, where this is a mapping that has it.
    pub(super) fn get(&self, key: &str) -> Option<Self> {
        let item = Item {
            node: self.node.get(key)?,
            path: join(&self.path, key),
        };
        Some(item).filter(|item| !item.is_null())
    }

    pub(super) fn place(&self) -> Place {
        self.node.at.place(&self.path)
    }

    pub(super) fn invalid(&self, reason: impl Into<String>) -> ComposeError {
        ComposeError::InvalidValue {
            place: self.place(),
            reason: reason.into(),
        }
    }

    pub(super) fn unknown(&self, kind: &'static str, name: &str) -> ComposeError {
        ComposeError::Unknown {
            place: self.place(),
            kind,
            name: name.to_owned(),
        }
    }

    pub(super) fn is_null(&self) -> bool {
        self.node.is_null()
    }

    fn is_scalar(&self) -> bool {
        matches!(self.node.value, Value::Scalar { .. }) && !self.is_null()
    }

    fn is_mapping(&self) -> bool {
        matches!(self.node.value, Value::Mapping(_))
    }

    fn scalar(&self, expected: &str) -> Result<(&'a str, bool), ComposeError> {
        match &self.node.value {
            Value::Scalar { text, plain } if !self.is_null() => Ok((text, *plain)),
            _ => Err(self.invalid(format!(
                "{} stands where {expected} is expected",
                self.node.kind()
            ))),
        }
    }

    /// A text. A number is one as well where YAML writes it in the same way as it stands here.
    pub(super) fn string(&self) -> Result<String, ComposeError> {
        let (text, plain) = self.scalar("a text")?;
        match plain && scalar::is_ambiguous(text) {
            true => Err(self.invalid(format!(
                "YAML reads {text} as a number or a truth value and may write it otherwise: put it in quotes"
            ))),
            false => Ok(text.to_owned()),
        }
    }

    /// What a text stands for.
    fn parsed<T>(&self, parse: impl FnOnce(&str) -> Result<T, String>) -> Result<T, ComposeError> {
        let (text, _) = self.scalar("a single value")?;
        parse(text).map_err(|reason| self.invalid(reason))
    }

    fn number<T: FromStr>(&self) -> Result<T, ComposeError> {
        self.parsed(|text| {
            text.parse()
                .map_err(|_| format!("{text:?} is no whole number that can stand here"))
        })
    }

    fn boolean(&self) -> Result<bool, ComposeError> {
        self.parsed(|text| match text {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(format!("{text:?} is neither true nor false")),
        })
    }

    fn duration(&self) -> Result<Duration, ComposeError> {
        self.parsed(scalar::duration)
    }

    fn bytes(&self) -> Result<u64, ComposeError> {
        self.parsed(scalar::bytes)
    }

    /// The items of a list.
    fn items(&self) -> Result<Vec<Item<'a>>, ComposeError> {
        match &self.node.value {
            Value::Sequence(nodes) => Ok(nodes
                .iter()
                .enumerate()
                .map(|(index, node)| Item {
                    node,
                    path: format!("{}[{index}]", self.path),
                })
                .collect()),
            _ => Err(self.invalid(format!("{} stands where a list is expected", self.node.kind()))),
        }
    }

    /// A list of texts.
    fn strings(&self) -> Result<Vec<String>, ComposeError> {
        self.items()?.iter().map(Self::string).collect()
    }

    /// A list of texts, each once.
    pub(super) fn set(&self) -> Result<Vec<String>, ComposeError> {
        let mut all: Vec<String> = Vec::new();
        for text in self.strings()? {
            if !all.contains(&text) {
                all.push(text);
            }
        }
        Ok(all)
    }

    /// The keys and values of a mapping whose keys are free.
    pub(super) fn entries(&self) -> Result<Vec<(&'a str, Item<'a>)>, ComposeError> {
        match &self.node.value {
            Value::Mapping(entries) => Ok(entries
                .iter()
                .map(|entry| {
                    let item = Item {
                        node: &entry.node,
                        path: join(&self.path, &entry.key),
                    };
                    (entry.key.as_str(), item)
                })
                .collect()),
            _ => Err(self.invalid(format!("{} stands where a mapping is expected", self.node.kind()))),
        }
    }

    /// Names with texts: labels, options. Nothing is the empty text.
    fn texts(&self) -> Result<BTreeMap<String, String>, ComposeError> {
        let text = |item: &Item<'_>| match item.is_null() {
            true => Ok(String::new()),
            false => item.string(),
        };
        self.entries()?
            .iter()
            .map(|(key, item)| Ok(((*key).to_owned(), text(item)?)))
            .collect()
    }

    /// Names with texts. One without a text has that of the variable of its name, or is left out.
    fn variables(
        &self,
        variables: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, String>, ComposeError> {
        let mut all = BTreeMap::new();
        for (key, item) in self.entries()? {
            match item.is_null() {
                false => all.insert(key.to_owned(), item.string()?),
                true => variables
                    .get(key)
                    .and_then(|value| all.insert(key.to_owned(), value.clone())),
            };
        }
        Ok(all)
    }

    /// The mapping, to be asked for its keys.
    pub(super) fn fields(&self) -> Result<Fields<'a>, ComposeError> {
        let at = match &self.node.value {
            Value::Mapping(entries) => entries
                .iter()
                .map(|entry| (entry.key.as_str(), &entry.at))
                .collect(),
            _ => BTreeMap::new(),
        };
        Ok(Fields {
            path: self.path.clone(),
            items: self.entries()?,
            at,
            asked: Vec::new(),
        })
    }
}

/// The keys of a mapping that were not asked for yet.
pub(super) struct Fields<'a> {
    path: String,
    items: Vec<(&'a str, Item<'a>)>,
    at: BTreeMap<&'a str, &'a At>,
    asked: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    /// The value of a key, unless there is none.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Item<'a>> {
        self.asked.push(key);
        let index = self.items.iter().position(|(name, _)| *name == key)?;
        Some(self.items.swap_remove(index).1).filter(|item| !item.is_null())
    }

    /// What a key stands for, unless it is not there.
    fn read<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&Item<'a>) -> Result<T, ComposeError>,
    ) -> Result<Option<T>, ComposeError> {
        self.take(key).map(|item| read(&item)).transpose()
    }

    /// The same, or the default where it is not there.
    fn read_or_default<T: Default>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&Item<'a>) -> Result<T, ComposeError>,
    ) -> Result<T, ComposeError> {
        Ok(self.read(key, read)?.unwrap_or_default())
    }

    /// Every key that was not asked for is an error, but for extensions (`x-…`).
    pub(super) fn finish(self) -> Result<(), ComposeError> {
        let left = self.items.iter().find(|(key, _)| !key.starts_with("x-"));
        let Some((key, item)) = left else { return Ok(()) };
        let mut supported = self.asked;
        supported.sort_unstable();
        Err(ComposeError::UnsupportedKey {
            place: self.at.get(key).unwrap_or(&&item.node.at).place(&self.path),
            key: (*key).to_owned(),
            supported,
        })
    }
}

/// A network of the top level, without its name in the engine.
pub(super) fn network(item: &Item<'_>) -> Result<(Option<String>, Network), ComposeError> {
    if item.is_null() {
        return Ok((None, Network::default()));
    }
    let mut fields = item.fields()?;
    let name = fields.read("name", Item::string)?;
    let network = Network {
        name: String::new(),
        external: fields.read_or_default("external", Item::boolean)?,
        driver: fields.read("driver", Item::string)?,
        internal: fields.read_or_default("internal", Item::boolean)?,
        labels: fields.read_or_default("labels", Item::texts)?,
    };
    fields.finish()?;
    Ok((name, network))
}

/// A volume of the top level, without its name in the engine.
pub(super) fn volume(item: &Item<'_>) -> Result<(Option<String>, Volume), ComposeError> {
    if item.is_null() {
        return Ok((None, Volume::default()));
    }
    let mut fields = item.fields()?;
    let name = fields.read("name", Item::string)?;
    let volume = Volume {
        name: String::new(),
        external: fields.read_or_default("external", Item::boolean)?,
        driver: fields.read("driver", Item::string)?,
        labels: fields.read_or_default("labels", Item::texts)?,
    };
    fields.finish()?;
    Ok((name, volume))
}

/// Where the content of a configuration file comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ConfigSource {
    /// A file, as it is written in the compose file.
    File(String),
    /// The compose file itself.
    Content(String),
}

/// A configuration file of the top level.
pub(super) fn config(item: &Item<'_>) -> Result<ConfigSource, ComposeError> {
    let mut fields = item.fields()?;
    let file = fields.read("file", Item::string)?;
    let content = fields.read("content", Item::string)?;
    fields.finish()?;
    match (file, content) {
        (Some(file), None) => Ok(ConfigSource::File(file)),
        (None, Some(content)) => Ok(ConfigSource::Content(content)),
        _ => Err(item.invalid("a configuration file has either file or content")),
    }
}
