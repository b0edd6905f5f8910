//! The walk over two schemas side by side.

use std::collections::{BTreeSet, HashSet};

use serde_json::Value;

use super::Change;
use super::bounds::{self, Move};
use super::reading::{
    Object, admits_no_field, choices, difference, is_false, keywords, list, listed, map, reference, resolved,
    shown, types,
};

/// Deepest nesting that is compared. Deeper documents cannot be parsed from text, so this only bounds
/// what a value made in memory could do to the stack.
const MAX_DEPTH: usize = 200;

/// Keywords whose every change counts as breaking, because what it does cannot be decided.
const UNDECIDABLE: [&str; 7] = [
    "not",
    "if",
    "then",
    "else",
    "$dynamicRef",
    "$recursiveRef",
    "contentSchema",
];

/// Breaking and additive changes between two schemas.
pub(super) fn changes(old: &Value, new: &Value) -> (Vec<Change>, Vec<Change>) {
    let mut walk = Walk {
        old_root: old,
        new_root: new,
        compared: HashSet::new(),
        breaking: Vec::new(),
        additive: Vec::new(),
    };
    walk.identity();
    walk.schemas(Some(old), Some(new), &Place::default());
    (once(walk.breaking), once(walk.additive))
}

/// Without repetitions: a schema that refers to its own root is walked twice.
fn once(mut changes: Vec<Change>) -> Vec<Change> {
    let mut seen = HashSet::new();
    changes.retain(|change| seen.insert((change.rule, change.path.clone(), change.detail.clone())));
    changes
}

/// Where the walk is.
#[derive(Clone, Default)]
struct Place {
    pointer: String,
    depth: usize,
}

impl Place {
    fn child(&self, segments: &[&str]) -> Self {
        let mut pointer = self.pointer.clone();
        for segment in segments {
            pointer.push('/');
            pointer.push_str(&segment.replace('~', "~0").replace('/', "~1"));
        }
        Self {
            pointer,
            depth: self.depth + 1,
        }
    }
}

struct Walk<'a> {
    old_root: &'a Value,
    new_root: &'a Value,
    /// Texts of pairs of schemas, of which at least one is a reference, that were compared already.
    /// Ends recursion, and reports a change in a shared definition once.
    compared: HashSet<(String, String)>,
    breaking: Vec<Change>,
    additive: Vec<Change>,
}

impl Walk<'_> {
    fn breaking(&mut self, rule: &'static str, place: &Place, detail: impl Into<String>) {
        let (path, detail) = (place.pointer.clone(), detail.into());
        self.breaking.push(Change { rule, path, detail });
    }

    fn additive(&mut self, rule: &'static str, place: &Place, detail: impl Into<String>) {
        let (path, detail) = (place.pointer.clone(), detail.into());
        self.additive.push(Change { rule, path, detail });
    }

    fn identity(&mut self) {
        let (old, new) = (self.old_root.get("$id"), self.new_root.get("$id"));
        if let (Some(old), Some(new)) = (old, new)
            && old != new
        {
            self.breaking(
                "identity-changed",
                &Place::default().child(&["$id"]),
                format!("was {old}, is {new}"),
            );
        }
    }

    /// Compares two schemas. An absent one lets everything pass.
    fn schemas(&mut self, old: Option<&Value>, new: Option<&Value>, place: &Place) {
        const ANYTHING: &Value = &Value::Bool(true);
        if old.is_none() && new.is_none() {
            return;
        }
        let (old, new) = (old.unwrap_or(ANYTHING), new.unwrap_or(ANYTHING));
        if place.depth > MAX_DEPTH {
            if old != new {
                self.breaking("too-deep", place, "differs below the depth that is compared");
            }
            return;
        }
        let Some(place) = self.enter(old, new, place) else {
            return;
        };
        let (old, new) = (resolved(old, self.old_root), resolved(new, self.new_root));
        match (old.as_ref(), new.as_ref()) {
            (Value::Bool(false), Value::Bool(false)) => {}
            (Value::Bool(false), _) => self.additive("value-permitted", &place, "nothing passed before"),
            (_, Value::Bool(false)) => self.breaking("value-forbidden", &place, "nothing passes any more"),
            (old, new) => {
                let (old, new) = (keywords(old), keywords(new));
                self.keywords(&old, &new, &place);
            }
        }
    }

    /// Where to report changes of this pair: at the definition, if both are references. None where the pair
    /// was compared before.
    fn enter(&mut self, old: &Value, new: &Value, place: &Place) -> Option<Place> {
        let (from, to) = (reference(old), reference(new));
        if from.is_none() && to.is_none() {
            return Some(place.clone());
        }
        if !self.compared.insert((old.to_string(), new.to_string())) {
            return None;
        }
        let shared = to.filter(|_| from.is_some()).and_then(|to| to.strip_prefix('#'));
        Some(Place {
            pointer: shared.map_or_else(|| place.pointer.clone(), str::to_owned),
            depth: place.depth,
        })
    }

    fn keywords(&mut self, old: &Object, new: &Object, place: &Place) {
        self.references(old, new, place);
        self.types(old, new, place);
        self.choices(old, new, place);
        self.bounds(old, new, place);
        self.required(old, new, place);
        self.properties(old, new, place);
        self.conditions(old, new, place);
        self.items(old, new, place);
        self.combinations(old, new, place);
        self.undecidable(old, new, place);
    }

    /// References that could not be followed: to other documents, or to nothing.
    fn references(&mut self, old: &Object, new: &Object, place: &Place) {
        let at = place.child(&["$ref"]);
        match (old.get("$ref"), new.get("$ref")) {
            (before, after) if before == after => {}
            (before, None) => self.additive("reference-removed", &at, format!("was {}", shown(before))),
            (before, after) => self.breaking(
                "reference-changed",
                &at,
                format!("was {}, is {}", shown(before), shown(after)),
            ),
        }
    }

    fn types(&mut self, old: &Object, new: &Object, place: &Place) {
        let (before, after) = (types(old), types(new));
        let at = place.child(&["type"]);
        let detail = || format!("was {}, is {}", shown(old.get("type")), shown(new.get("type")));
        if !before.is_subset(&after) {
            self.breaking("type-changed", &at, detail());
        } else if before != after {
            self.additive("type-widened", &at, detail());
        }
    }

    fn choices(&mut self, old: &Object, new: &Object, place: &Place) {
        let (before, after) = (choices(old), choices(new));
        let at = place.child(&["enum"]);
        match (before, after) {
            (None, None) => {}
            (None, Some(after)) => {
                self.breaking("enum-narrowed", &at, format!("only {} left", listed(&after)));
            }
            (Some(_), None) => self.additive("enum-widened", &at, "any value passes"),
            (Some(before), Some(after)) => {
                let gone = difference(&before, &after);
                let come = difference(&after, &before);
                if !gone.is_empty() {
                    self.breaking("enum-narrowed", &at, format!("without {}", listed(&gone)));
                }
                if !come.is_empty() {
                    self.additive("enum-widened", &at, format!("also {}", listed(&come)));
                }
            }
        }
    }

    fn bounds(&mut self, old: &Object, new: &Object, place: &Place) {
        for (keyword, moved, rule, detail) in bounds::moves(old, new) {
            let at = place.child(&[keyword]);
            match moved {
                Move::Tightened => self.breaking(rule, &at, detail),
                Move::Relaxed => self.additive(rule, &at, detail),
            }
        }
    }

    fn required(&mut self, old: &Object, new: &Object, place: &Place) {
        self.names("required", old.get("required"), new.get("required"), place);
        let (before, after) = (map(old, "dependentRequired"), map(new, "dependentRequired"));
        for field in before.keys().chain(after.keys()).collect::<BTreeSet<_>>() {
            let at = place.child(&["dependentRequired"]);
            self.names(field, before.get(field), after.get(field), &at);
        }
    }

    fn names(&mut self, keyword: &str, old: Option<&Value>, new: Option<&Value>, place: &Place) {
        let (old, new) = (list(old), list(new));
        let at = place.child(&[keyword]);
        for name in difference(&new, &old) {
            self.breaking("required-added", &at, format!("{name} must be given"));
        }
        for name in difference(&old, &new) {
            self.additive("required-removed", &at, format!("{name} may be left out"));
        }
    }

    fn properties(&mut self, old: &Object, new: &Object, place: &Place) {
        let (before, after) = (map(old, "properties"), map(new, "properties"));
        for (name, schema) in before {
            let at = place.child(&["properties", name]);
            match after.get(name) {
                Some(successor) => self.schemas(Some(schema), Some(successor), &at),
                // A field that was forbidden is not there to be missed.
                None if *schema == Value::Bool(false) => {
                    self.additive("value-permitted", &at, "is no longer forbidden");
                }
                None => self.breaking("field-removed", &at, format!("{name} is gone")),
            }
        }
        for (name, schema) in after.iter().filter(|(name, _)| !before.contains_key(*name)) {
            let at = place.child(&["properties", name]);
            if *schema == Value::Bool(false) {
                self.breaking("value-forbidden", &at, format!("{name} must not be given"));
            } else {
                self.additive("field-added", &at, format!("{name} is new"));
            }
        }
        self.pattern_properties(old, new, place);
        self.other_properties(old, new, place);
    }

    fn pattern_properties(&mut self, old: &Object, new: &Object, place: &Place) {
        let keyword = "patternProperties";
        let (before, after) = (map(old, keyword), map(new, keyword));
        for pattern in before.keys().chain(after.keys()).collect::<BTreeSet<_>>() {
            let at = place.child(&[keyword, pattern]);
            match (before.get(pattern), after.get(pattern)) {
                (Some(schema), Some(successor)) => self.schemas(Some(schema), Some(successor), &at),
                (Some(_), None) => self.breaking("field-removed", &at, format!("{pattern} is gone")),
                _ if admits_no_field(old) => self.additive("field-added", &at, format!("{pattern} is new")),
                _ => self.breaking("pattern-changed", &at, format!("{pattern} was free before")),
            }
        }
    }

    /// What fields that the schema does not name may be.
    fn other_properties(&mut self, old: &Object, new: &Object, place: &Place) {
        for keyword in ["additionalProperties", "unevaluatedProperties"] {
            let at = place.child(&[keyword]);
            match (is_false(old, keyword), is_false(new, keyword)) {
                (false, true) => self.breaking("object-closed", &at, "unknown fields are refused"),
                (true, false) => self.additive("object-opened", &at, "unknown fields pass"),
                (true, true) => {}
                (false, false) => self.schemas(old.get(keyword), new.get(keyword), &at),
            }
        }
        let at = place.child(&["propertyNames"]);
        self.schemas(old.get("propertyNames"), new.get("propertyNames"), &at);
    }

    /// Schemas that hold once a field is given.
    fn conditions(&mut self, old: &Object, new: &Object, place: &Place) {
        let keyword = "dependentSchemas";
        let (before, after) = (map(old, keyword), map(new, keyword));
        for field in before.keys().chain(after.keys()).collect::<BTreeSet<_>>() {
            let at = place.child(&[keyword, field]);
            match (before.get(field), after.get(field)) {
                (Some(schema), Some(successor)) => self.schemas(Some(schema), Some(successor), &at),
                (Some(_), None) => {
                    self.additive("condition-removed", &at, format!("no condition beside {field}"));
                }
                _ => self.breaking("condition-added", &at, format!("a condition beside {field}")),
            }
        }
    }

    fn items(&mut self, old: &Object, new: &Object, place: &Place) {
        let (before, after) = (list(old.get("prefixItems")), list(new.get("prefixItems")));
        for index in 0..before.len().max(after.len()) {
            // An item without a place of its own is judged by `items`.
            let schema = before.get(index).copied().or_else(|| old.get("items"));
            let successor = after.get(index).copied().or_else(|| new.get("items"));
            self.schemas(
                schema,
                successor,
                &place.child(&["prefixItems", &index.to_string()]),
            );
        }
        for keyword in ["items", "unevaluatedItems"] {
            self.schemas(old.get(keyword), new.get(keyword), &place.child(&[keyword]));
        }
        let at = place.child(&["contains"]);
        match (old.get("contains"), new.get("contains")) {
            (None, None) => {}
            (Some(_), None) => self.additive("condition-removed", &at, "no item needs to be there"),
            (None, Some(_)) => self.breaking("condition-added", &at, "an item must be there"),
            (before, after) => self.schemas(before, after, &at),
        }
    }

    fn combinations(&mut self, old: &Object, new: &Object, place: &Place) {
        for keyword in ["allOf", "anyOf", "oneOf"] {
            if old.contains_key(keyword) || new.contains_key(keyword) {
                self.branches(keyword, old, new, place);
            }
        }
    }

    /// Branches that are the same are paired first, wherever they stand; the others in order.
    fn branches(&mut self, keyword: &str, old: &Object, new: &Object, place: &Place) {
        let at = place.child(&[keyword]);
        let (before, after) = (list(old.get(keyword)), list(new.get(keyword)));
        // Every branch of allOf is one more condition, every branch of the others one more choice. The
        // first choice, though, is a condition.
        let conditions = keyword == "allOf" || before.is_empty() || after.is_empty();
        let (gone, come) = (difference(&before, &after), difference(&after, &before));
        for (schema, successor) in gone.iter().zip(&come) {
            let index = after.iter().position(|branch| branch == successor);
            let at = at.child(&[&index.unwrap_or_default().to_string()]);
            if keyword == "oneOf" && after.len() > 1 {
                // A document of another branch may now keep this one as well, and then there are two.
                self.breaking("condition-changed", &at, "one of those of which one must hold");
                continue;
            }
            self.schemas(Some(schema), Some(successor), &at);
        }
        let lost = gone.len().saturating_sub(come.len());
        let won = come.len().saturating_sub(gone.len());
        let detail = format!("{} branches, were {}", after.len(), before.len());
        match (lost > 0, won > 0, conditions) {
            (true, _, true) => self.additive("branch-removed", &at, detail),
            (true, _, false) => self.breaking("branch-removed", &at, detail),
            (_, true, true) => self.breaking("branch-added", &at, detail),
            (_, true, false) => self.additive("branch-added", &at, detail),
            _ => {}
        }
    }

    fn undecidable(&mut self, old: &Object, new: &Object, place: &Place) {
        for keyword in UNDECIDABLE {
            let at = place.child(&[keyword]);
            match (old.get(keyword), new.get(keyword)) {
                (before, after) if before == after => {}
                (Some(_), None) if keyword == "not" => {
                    self.additive("condition-removed", &at, "what was excluded passes");
                }
                (None, _) => self.breaking("condition-added", &at, format!("{keyword} is new")),
                _ => self.breaking("condition-changed", &at, format!("{keyword} is another")),
            }
        }
    }
}
