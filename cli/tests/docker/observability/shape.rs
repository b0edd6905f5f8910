//! The shape of dashboards and provisioning: what Grafana would stumble over, or a person who looks.

use std::collections::BTreeSet;

use odd_contracts::Role;
use serde_json::Value;

use super::dashboards::{Dashboard, all, repository, text};

/// Id of the data source, in its provisioning and in every panel.
const DATA_SOURCE: &str = "odd-prometheus";
/// Columns of Grafana's grid.
const COLUMNS: u64 = 24;
/// Units of Grafana that panels may use.
const UNITS: [&str; 5] = ["short", "s", "bytes", "percentunit", "reqps"];
/// Colours of states and figures: see the tokens of the look, in their dark form.
const COLOURS: [&str; 7] = [
    "#4cc38a", "#62b6f0", "#93a0bd", "#f5b454", "#ff6b6b", "#b39ddb", "#6ea8fe",
];

#[test]
fn there_is_a_dashboard_for_the_whole_for_queues_stores_and_every_role() {
    let names: BTreeSet<String> = all().into_iter().map(|dashboard| dashboard.name).collect();
    let others = ["overview", "queues", "stores"].map(str::to_owned);
    let expected: BTreeSet<String> = Role::ALL
        .into_iter()
        .map(|role| role.name().to_owned())
        .chain(others)
        .collect();
    assert_eq!(names, expected);
}

#[test]
fn every_dashboard_is_found_by_its_id_and_linked_with_the_others() {
    for dashboard in all() {
        let json = &dashboard.json;
        assert_eq!(text(json, "/uid"), format!("odd-{}", dashboard.name));
        assert_eq!(json["schemaVersion"], 41, "{}", dashboard.name);
        assert_eq!(json["tags"], serde_json::json!(["odd"]));
        assert!(!text(json, "/title").is_empty() && !text(json, "/description").is_empty());
        assert!(
            json.get("id").is_none(),
            "the id is the database's, not the file's"
        );
        assert_eq!(json["links"][0]["tags"], json["tags"], "{}", dashboard.name);
        assert_eq!(json["editable"], false, "it is kept in the repository");
        assert!(dashboard.text.ends_with("}\n") && !dashboard.text.contains('\r'));
    }
}

#[test]
fn panels_have_ids_of_their_own_and_do_not_overlap() {
    for dashboard in all() {
        let mut ids = BTreeSet::new();
        let mut cells = BTreeSet::new();
        for panel in dashboard.panels() {
            let of = format!("{}: {}", dashboard.name, text(panel, "/title"));
            assert!(ids.insert(number(panel, "/id")), "{of}: its id is taken");
            let [x, y, w, h] = ["x", "y", "w", "h"].map(|side| number(panel, &format!("/gridPos/{side}")));
            assert!(w > 0 && h > 0 && x + w <= COLUMNS, "{of}: it leaves the grid");
            for cell in (x..x + w).flat_map(|column| (y..y + h).map(move |line| (column, line))) {
                assert!(cells.insert(cell), "{of}: it overlaps another at {cell:?}");
            }
        }
    }
}

#[test]
fn every_panel_says_what_it_shows_and_asks_the_one_data_source() {
    for dashboard in all() {
        for panel in dashboard.panels().iter().filter(|panel| panel["type"] != "row") {
            let of = format!("{}: {}", dashboard.name, text(panel, "/title"));
            assert!(
                text(panel, "/description").ends_with(['.', ')']),
                "{of}: no sentence says what it shows"
            );
            assert_eq!(text(panel, "/datasource/uid"), DATA_SOURCE, "{of}");
            let targets = panel["targets"].as_array().unwrap();
            assert!(!targets.is_empty(), "{of}: it asks nothing");
            let ids: BTreeSet<_> = targets.iter().map(|target| text(target, "/refId")).collect();
            assert_eq!(ids.len(), targets.len(), "{of}: two queries have one id");
            for target in targets {
                assert_eq!(text(target, "/datasource/uid"), DATA_SOURCE, "{of}");
                let expr = text(target, "/expr");
                assert!(
                    !expr.is_empty() && expr.trim() == expr && !expr.contains('\n'),
                    "{of}: {expr}"
                );
                assert_ne!(target["range"], target["instant"], "{of}: one of both");
                assert_eq!(
                    panel["type"] == "table",
                    target["format"] == "table",
                    "{of}: its format"
                );
            }
        }
    }
}

#[test]
fn units_and_colours_are_those_of_the_house() {
    for dashboard in all() {
        for panel in dashboard.panels() {
            if let Some(unit) = panel.pointer("/fieldConfig/defaults/unit") {
                let known = UNITS.iter().any(|known| unit == known);
                assert!(known, "{}: {}: unit {unit}", dashboard.name, panel["title"]);
            }
        }
        for word in dashboard.text.split('"').filter(|word| is_colour(word)) {
            assert!(COLOURS.contains(&word), "{}: colour {word}", dashboard.name);
        }
    }
}

#[test]
fn variables_offer_everything_and_are_used() {
    for dashboard in all() {
        for variable in dashboard.variables() {
            let name = text(variable, "/name");
            assert_eq!(text(variable, "/datasource/uid"), DATA_SOURCE);
            assert_eq!(variable["includeAll"], true, "{}: {name}", dashboard.name);
            assert_eq!(variable["allValue"], ".*", "{}: {name}", dashboard.name);
            let used = uses(&dashboard, &format!("${name}"));
            assert!(used, "{}: nothing uses ${name}", dashboard.name);
        }
        let replicas = Role::ALL.into_iter().any(|role| role.name() == dashboard.name);
        assert_eq!(
            uses(&dashboard, "$instance"),
            replicas,
            "{}: replicas can be told apart",
            dashboard.name
        );
    }
}

#[test]
fn provisioning_names_the_data_source_and_the_folder_of_the_dashboards() {
    let folder = repository().join("compose/grafana/provisioning");
    let source = std::fs::read_to_string(folder.join("datasources/prometheus.yml")).unwrap();
    assert!(
        source.contains(&format!("\n    uid: {DATA_SOURCE}\n")),
        "{source}"
    );
    assert!(source.contains("\n    url: http://prometheus:9090\n"), "{source}");
    let provider = std::fs::read_to_string(folder.join("dashboards/odd.yml")).unwrap();
    let compose = std::fs::read_to_string(repository().join("compose/compose.yaml")).unwrap();
    assert!(
        provider.contains("\n      path: /etc/odd/dashboards\n"),
        "{provider}"
    );
    for dashboard in all() {
        let target = format!("/etc/odd/dashboards/{}.json", dashboard.name);
        assert!(compose.contains(&target), "Grafana does not get {target}");
    }
}

fn uses(dashboard: &Dashboard, variable: &str) -> bool {
    dashboard
        .queries()
        .iter()
        .any(|query| query.expr.contains(variable))
}

fn is_colour(word: &str) -> bool {
    word.len() == 7 && word.starts_with('#') && word[1..].chars().all(|c| c.is_ascii_hexdigit())
}

fn number(value: &Value, pointer: &str) -> u64 {
    let found = value.pointer(pointer).and_then(Value::as_u64);
    found.unwrap_or_else(|| panic!("no number at {pointer} of {value}"))
}
