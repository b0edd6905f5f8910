//! The dashboards as they lie in the repository.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// Root of this checkout.
pub(super) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_path_buf()
}

/// One dashboard.
pub(super) struct Dashboard {
    /// File name without its ending.
    pub(super) name: String,
    /// Text of the file.
    pub(super) text: String,
    /// What it says.
    pub(super) json: Value,
}

/// One query of a panel, an annotation or a variable.
pub(super) struct Query {
    /// Dashboard and panel, for people.
    pub(super) of: String,
    /// PromQL, with Grafana's variables.
    pub(super) expr: String,
}

/// Every dashboard, by name.
pub(super) fn all() -> Vec<Dashboard> {
    let folder = repository().join("compose/grafana/dashboards");
    let mut dashboards: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| Dashboard::read(&entry.unwrap().path()))
        .collect();
    dashboards.sort_by(|one, other| one.name.cmp(&other.name));
    dashboards
}

impl Dashboard {
    fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap();
        Self {
            name: path.file_stem().unwrap().to_string_lossy().into_owned(),
            json: serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display())),
            text,
        }
    }

    /// Its panels, rows included.
    pub(super) fn panels(&self) -> &[Value] {
        list(&self.json, "/panels")
    }

    /// Its variables.
    pub(super) fn variables(&self) -> &[Value] {
        list(&self.json, "/templating/list")
    }

    /// Queries of its panels.
    pub(super) fn queries(&self) -> Vec<Query> {
        let of_panel = |panel: &Value| {
            let of = format!("{}: {}", self.name, text(panel, "/title"));
            let targets = panel.get("targets").and_then(Value::as_array).cloned();
            targets.unwrap_or_default().into_iter().map(move |target| Query {
                of: of.clone(),
                expr: text(&target, "/expr").to_owned(),
            })
        };
        self.panels().iter().flat_map(of_panel).collect()
    }

    /// Queries of its annotations.
    pub(super) fn annotations(&self) -> Vec<Query> {
        list(&self.json, "/annotations/list")
            .iter()
            .map(|annotation| Query {
                of: format!("{}: annotation {}", self.name, text(annotation, "/name")),
                expr: text(annotation, "/expr").to_owned(),
            })
            .collect()
    }

    /// What its variables are filled from: series and the label of them.
    pub(super) fn fillings(&self) -> Vec<(Query, String)> {
        let filling = |variable: &Value| {
            let query = text(variable, "/query/query");
            let inner = query
                .strip_prefix("label_values(")
                .and_then(|rest| rest.strip_suffix(')'));
            let (series, label) = inner
                .and_then(|inner| inner.rsplit_once(", "))
                .unwrap_or_else(|| panic!("{}: {query} is no label_values(series, label)", self.name));
            let of = format!("{}: variable {}", self.name, text(variable, "/name"));
            let expr = series.to_owned();
            (Query { of, expr }, label.to_owned())
        };
        self.variables().iter().map(filling).collect()
    }
}

impl Query {
    /// With the values that Grafana would put in: everything chosen, a quarter of an hour shown, four times the scrape
    /// interval of the data source for rates.
    pub(super) fn expanded(&self) -> String {
        let expanded = [
            ("$__rate_interval", "20s"),
            ("$__interval", "5s"),
            ("$__range", "900s"),
            ("$instance", ".*"),
            ("$queue", ".*"),
        ]
        .into_iter()
        .fold(self.expr.clone(), |expr, (name, value)| expr.replace(name, value));
        assert!(
            !expanded.contains('$'),
            "{}: a variable is unknown: {expanded}",
            self.of
        );
        expanded
    }
}

/// The list at a place; it has to be there.
fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    let found = value.pointer(pointer).and_then(Value::as_array);
    found.unwrap_or_else(|| panic!("no list at {pointer} of {value}"))
}

/// The text at a place; it has to be there.
pub(super) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("no text at {pointer} of {value}"))
}
