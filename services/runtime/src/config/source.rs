//! Where configuration comes from.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

type Lookup = dyn Fn(&str) -> Option<String> + Send + Sync;

/// Looks up variables by name.
#[derive(Clone)]
pub struct Source(Arc<Lookup>);

impl Source {
    /// A source of any kind.
    pub fn new(lookup: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(lookup))
    }

    /// The environment of the process, as it is when a variable is asked for. A value that is not UTF-8 is
    /// read with replacement characters, so that it is reported as wrong, and not taken for absent.
    pub fn environment() -> Self {
        Self::new(|name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()))
    }

    /// Fixed values.
    pub fn from_map<K, V>(values: impl IntoIterator<Item = (K, V)>) -> Self
    where
        K: Into<String>,
        V: Into<String>,
    {
        let values: HashMap<String, String> = values
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        Self::new(move |name| values.get(name).cloned())
    }

    /// This source, and `other` for what it does not have.
    #[must_use]
    pub fn or_else(self, other: Self) -> Self {
        Self::new(move |name| self.get(name).or_else(|| other.get(name)))
    }

    /// Value of a variable.
    pub fn get(&self, name: &str) -> Option<String> {
        (self.0)(name)
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Source")
    }
}

#[cfg(test)]
mod tests {
    use super::Source;

    #[test]
    fn the_first_source_that_has_a_variable_wins() {
        let source =
            Source::from_map([("A", "flag")]).or_else(Source::from_map([("A", "file"), ("B", "file")]));
        assert_eq!(source.get("A").as_deref(), Some("flag"));
        assert_eq!(source.get("B").as_deref(), Some("file"));
        assert_eq!(source.get("C"), None);
    }
}
