use serde_json::{Value, json};

use super::{Bump, CompatReport, compare};

type Rules<'a> = Vec<(&'a str, &'a str)>;

/// Rules and places of the breaking and of the additive changes.
fn rules(report: &CompatReport) -> (Rules<'_>, Rules<'_>) {
    fn pairs(changes: &[super::Change]) -> Rules<'_> {
        changes
            .iter()
            .map(|change| (change.rule, change.path.as_str()))
            .collect()
    }
    (pairs(&report.breaking), pairs(&report.additive))
}

/// `old` → `new` has this one breaking change, and `new` → `old` that one additive change.
#[track_caller]
fn breaks(old: Value, new: Value, path: &str, rule: &str, reverse: &str) {
    let forth = compare(&old, &new);
    assert_eq!(rules(&forth), (vec![(rule, path)], vec![]), "{old} → {new}");
    assert_eq!(forth.needs, Bump::Major);
    let back = compare(&new, &old);
    assert_eq!(rules(&back), (vec![], vec![(reverse, path)]), "{new} → {old}");
    assert_eq!(back.needs, Bump::Minor);
}

/// Both directions break, by one rule.
#[track_caller]
fn breaks_both_ways(old: Value, new: Value, path: &str, rule: &str) {
    for (old, new) in [(&old, &new), (&new, &old)] {
        assert_eq!(
            rules(&compare(old, new)),
            (vec![(rule, path)], vec![]),
            "{old} → {new}"
        );
    }
}

#[test]
fn fields() {
    let two = json!({"properties": {"a": {}, "b": {}}});
    let one = json!({"properties": {"a": {}}});
    breaks(two, one, "/properties/b", "field-removed", "field-added");
    breaks(
        json!({"properties": {"a": {"type": "string"}}}),
        json!({"properties": {"a": false}}),
        "/properties/a",
        "value-forbidden",
        "value-permitted",
    );
    breaks(
        json!({}),
        json!({"properties": {"a": false}}),
        "/properties/a",
        "value-forbidden",
        "value-permitted",
    );
}

#[test]
fn names_of_fields_are_escaped_in_paths() {
    let old = json!({"properties": {"a/b~c": {}}});
    assert_eq!(compare(&old, &json!({})).breaking[0].path, "/properties/a~1b~0c");
}

#[test]
fn a_new_field_that_is_required_breaks_for_being_required() {
    let old = json!({"properties": {"a": {}}, "required": ["a"]});
    let new = json!({"properties": {"a": {}, "b": {}}, "required": ["a", "b"]});
    let report = compare(&old, &new);
    assert_eq!(
        rules(&report),
        (
            vec![("required-added", "/required")],
            vec![("field-added", "/properties/b")]
        )
    );
    assert_eq!(report.breaking[0].detail, "\"b\" must be given");
    assert_eq!(report.needs, Bump::Major);
}

#[test]
fn required() {
    breaks(
        json!({}),
        json!({"required": ["a"]}),
        "/required",
        "required-added",
        "required-removed",
    );
    breaks(
        json!({"dependentRequired": {"a": ["b"]}}),
        json!({"dependentRequired": {"a": ["b", "c"]}}),
        "/dependentRequired/a",
        "required-added",
        "required-removed",
    );
    assert_eq!(
        compare(&json!({"required": ["a", "b"]}), &json!({"required": ["b", "a"]})).needs,
        Bump::Patch
    );
}

#[test]
fn types() {
    breaks(
        json!({}),
        json!({"type": "string"}),
        "/type",
        "type-changed",
        "type-widened",
    );
    breaks(
        json!({"type": "number"}),
        json!({"type": "integer"}),
        "/type",
        "type-changed",
        "type-widened",
    );
    breaks(
        json!({"type": ["string", "null"]}),
        json!({"type": "string"}),
        "/type",
        "type-changed",
        "type-widened",
    );
    breaks_both_ways(
        json!({"type": "string"}),
        json!({"type": "object"}),
        "/type",
        "type-changed",
    );
}

#[test]
fn enums() {
    breaks(
        json!({"enum": ["A", "B"]}),
        json!({"enum": ["B"]}),
        "/enum",
        "enum-narrowed",
        "enum-widened",
    );
    breaks(
        json!({}),
        json!({"enum": [1]}),
        "/enum",
        "enum-narrowed",
        "enum-widened",
    );
    breaks(
        json!({"enum": ["A", "B"]}),
        json!({"const": "A"}),
        "/enum",
        "enum-narrowed",
        "enum-widened",
    );
    breaks(
        json!({"const": "A"}),
        json!({"const": "A", "enum": ["B"]}),
        "/enum",
        "enum-narrowed",
        "enum-widened",
    );
    let swapped = compare(&json!({"enum": ["A", "B"]}), &json!({"enum": ["B", "C"]}));
    assert_eq!(
        rules(&swapped),
        (vec![("enum-narrowed", "/enum")], vec![("enum-widened", "/enum")])
    );
    assert_eq!(swapped.breaking[0].detail, "without \"A\"");
    assert_eq!(
        compare(&json!({"enum": [1, 2]}), &json!({"enum": [2, 1]})).needs,
        Bump::Patch
    );
}

#[test]
fn ranges_and_lengths() {
    for (keyword, loose, strict) in [
        ("minimum", 1, 2),
        ("exclusiveMinimum", -2, -1),
        ("maximum", 2, 1),
        ("exclusiveMaximum", 5, 4),
        ("multipleOf", 2, 4),
    ] {
        let at = format!("/{keyword}");
        let schema = |limit: i64| json!({ keyword: limit });
        breaks(
            schema(loose),
            schema(strict),
            &at,
            "range-tightened",
            "range-relaxed",
        );
        breaks(json!({}), schema(strict), &at, "range-tightened", "range-relaxed");
    }
    for (keyword, loose, strict) in [
        ("minLength", 1, 2),
        ("maxLength", 50, 49),
        ("minItems", 0, 1),
        ("maxItems", 2, 1),
        ("minProperties", 1, 3),
        ("maxProperties", 3, 1),
        ("maxContains", 3, 1),
        ("minContains", 1, 2),
    ] {
        let at = format!("/{keyword}");
        let schema = |limit: i64| json!({ keyword: limit });
        breaks(
            schema(loose),
            schema(strict),
            &at,
            "length-tightened",
            "length-relaxed",
        );
    }
    breaks_both_ways(
        json!({"multipleOf": 2}),
        json!({"multipleOf": 3}),
        "/multipleOf",
        "range-tightened",
    );
    assert_eq!(compare(&json!({}), &json!({"minLength": 0})).needs, Bump::Patch);
    breaks(
        json!({"maximum": u64::MAX}),
        json!({"maximum": u64::MAX - 1}),
        "/maximum",
        "range-tightened",
        "range-relaxed",
    );
}

#[test]
fn patterns_and_formats() {
    for (keyword, changed, removed) in [
        ("pattern", "pattern-changed", "pattern-removed"),
        ("format", "format-changed", "format-removed"),
        ("contentEncoding", "format-changed", "format-removed"),
        ("contentMediaType", "format-changed", "format-removed"),
    ] {
        let at = format!("/{keyword}");
        breaks(json!({}), json!({ keyword: "x" }), &at, changed, removed);
        breaks_both_ways(json!({ keyword: "x" }), json!({ keyword: "y" }), &at, changed);
    }
}

#[test]
fn unknown_fields() {
    for keyword in ["additionalProperties", "unevaluatedProperties"] {
        let at = format!("/{keyword}");
        breaks(
            json!({}),
            json!({ keyword: false }),
            &at,
            "object-closed",
            "object-opened",
        );
        breaks(
            json!({ keyword: {"type": "string"} }),
            json!({ keyword: false }),
            &at,
            "object-closed",
            "object-opened",
        );
        breaks(
            json!({ keyword: true }),
            json!({ keyword: {"type": "string"} }),
            &format!("{at}/type"),
            "type-changed",
            "type-widened",
        );
    }
    breaks(
        json!({}),
        json!({"propertyNames": {"maxLength": 3}}),
        "/propertyNames/maxLength",
        "length-tightened",
        "length-relaxed",
    );
}

#[test]
fn fields_by_pattern() {
    let (with, without) = (
        json!({"additionalProperties": false, "patternProperties": {"^x-": {}}}),
        json!({"additionalProperties": false}),
    );
    breaks(
        with,
        without,
        "/patternProperties/^x-",
        "field-removed",
        "field-added",
    );
    let report = compare(
        &json!({}),
        &json!({"patternProperties": {"^x-": {"type": "string"}}}),
    );
    assert_eq!(
        report.breaking[0].rule, "pattern-changed",
        "such fields were free before"
    );
    breaks(
        json!({"patternProperties": {"^x-": {"maxLength": 5}}}),
        json!({"patternProperties": {"^x-": {"maxLength": 4}}}),
        "/patternProperties/^x-/maxLength",
        "length-tightened",
        "length-relaxed",
    );
}

#[test]
fn items() {
    breaks(
        json!({"items": {"properties": {"a": {"enum": [1, 2]}}}}),
        json!({"items": {"properties": {"a": {"enum": [1]}}}}),
        "/items/properties/a/enum",
        "enum-narrowed",
        "enum-widened",
    );
    breaks(
        json!({"prefixItems": [{}, {"type": "number"}]}),
        json!({"prefixItems": [{}, {"type": "integer"}]}),
        "/prefixItems/1/type",
        "type-changed",
        "type-widened",
    );
    breaks(
        json!({"items": {}}),
        json!({"items": false}),
        "/items",
        "value-forbidden",
        "value-permitted",
    );
    breaks(
        json!({}),
        json!({"uniqueItems": true}),
        "/uniqueItems",
        "items-made-unique",
        "items-may-repeat",
    );
    breaks(
        json!({}),
        json!({"contains": {"const": 1}}),
        "/contains",
        "condition-added",
        "condition-removed",
    );
}

#[test]
fn branches() {
    let (a, b, c) = (
        json!({"type": "string"}),
        json!({"type": "null"}),
        json!({"type": "array"}),
    );
    for keyword in ["anyOf", "oneOf"] {
        let at = format!("/{keyword}");
        breaks(
            json!({ keyword: [a, b, c] }),
            json!({ keyword: [a, c] }),
            &at,
            "branch-removed",
            "branch-added",
        );
        breaks(
            json!({}),
            json!({ keyword: [a] }),
            &at,
            "branch-added",
            "branch-removed",
        );
        assert_eq!(
            compare(&json!({ keyword: [a, b] }), &json!({ keyword: [b, a] })).needs,
            Bump::Patch
        );
    }
    // Exactly one: more that passes here is less that passes there.
    let narrow = json!({"oneOf": [{"required": ["a"]}, {"required": ["b"]}]});
    let wide = json!({"oneOf": [{"required": ["a"]}, {}]});
    for (old, new) in [(&narrow, &wide), (&wide, &narrow)] {
        assert_eq!(compare(old, new).needs, Bump::Major);
    }
    breaks(
        json!({"allOf": [a]}),
        json!({"allOf": [a, b]}),
        "/allOf",
        "branch-added",
        "branch-removed",
    );
    breaks(
        json!({"anyOf": [b, {"properties": {"x": {"maximum": 5}}}]}),
        json!({"anyOf": [b, {"properties": {"x": {"maximum": 4}}}]}),
        "/anyOf/1/properties/x/maximum",
        "range-tightened",
        "range-relaxed",
    );
}

#[test]
fn conditions() {
    breaks(
        json!({}),
        json!({"not": {"type": "null"}}),
        "/not",
        "condition-added",
        "condition-removed",
    );
    breaks_both_ways(
        json!({"not": {"const": 1}}),
        json!({"not": {"const": 2}}),
        "/not",
        "condition-changed",
    );
    breaks_both_ways(
        json!({"if": {}, "then": {"required": ["a"]}}),
        json!({"if": {}, "then": {"required": ["b"]}}),
        "/then",
        "condition-changed",
    );
    breaks(
        json!({}),
        json!({"dependentSchemas": {"a": {"properties": {"b": false}}}}),
        "/dependentSchemas/a",
        "condition-added",
        "condition-removed",
    );
}

#[test]
fn a_change_in_a_shared_definition_is_reported_once_at_the_definition() {
    let schema = |max: u32| {
        json!({
            "properties": {"a": {"$ref": "#/$defs/n"}, "b": {"items": {"$ref": "#/$defs/n"}}},
            "$defs": {"n": {"type": "object", "properties": {"deep": {"maximum": max}}}}
        })
    };
    breaks(
        schema(5),
        schema(4),
        "/$defs/n/properties/deep/maximum",
        "range-tightened",
        "range-relaxed",
    );
}

#[test]
fn a_definition_is_the_same_as_the_schema_in_its_place() {
    let inline = json!({"properties": {"a": {"type": "string", "minLength": 1}}});
    let referred = json!({
        "properties": {"a": {"$ref": "#/$defs/text", "minLength": 1, "description": "beside"}},
        "$defs": {"text": {"type": "string", "description": "itself"}}
    });
    assert_eq!(compare(&inline, &referred).needs, Bump::Patch);
    assert_eq!(compare(&referred, &inline).needs, Bump::Patch);
    let by_id = json!({
        "$id": "urn:x",
        "properties": {"a": {"$ref": "urn:x#/$defs/text"}},
        "$defs": {"text": {"type": "string", "minLength": 1}}
    });
    assert_eq!(compare(&inline, &by_id).needs, Bump::Patch);
    let stricter = json!({
        "properties": {"a": {"$ref": "#/$defs/text", "minLength": 2}},
        "$defs": {"text": {"type": "string"}}
    });
    assert_eq!(
        rules(&compare(&referred, &stricter)).0,
        [("length-tightened", "/$defs/text/minLength")]
    );
}

#[test]
fn unused_definitions_change_nothing() {
    let report = compare(&json!({"$defs": {"a": {"type": "string"}}}), &json!({}));
    assert_eq!((report.needs, report.breaking.len()), (Bump::Patch, 0));
}

#[test]
fn schemas_that_refer_to_themselves_come_to_an_end() {
    let tree = |kind: &str| {
        json!({
            "type": "object",
            "properties": {"value": {"type": kind}, "children": {"items": {"$ref": "#"}}}
        })
    };
    breaks_both_ways(
        tree("string"),
        tree("number"),
        "/properties/value/type",
        "type-changed",
    );
    let loops =
        json!({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}});
    assert_eq!(compare(&loops, &loops).needs, Bump::None);
    assert_eq!(compare(&loops, &json!({"type": "string"})).needs, Bump::Major);
    // Two that recur in different rhythm.
    let slow = json!({"properties": {"n": {"properties": {"n": {"$ref": "#"}}}}});
    let quick = json!({"properties": {"n": {"$ref": "#"}}});
    assert_eq!(compare(&slow, &quick).breaking, []);
}

#[test]
fn references_to_elsewhere_are_compared_by_their_text() {
    breaks(
        json!({}),
        json!({"$ref": "https://example.org/other"}),
        "/$ref",
        "reference-changed",
        "reference-removed",
    );
    breaks_both_ways(
        json!({"$ref": "urn:a"}),
        json!({"$ref": "urn:b"}),
        "/$ref",
        "reference-changed",
    );
}

#[test]
fn another_schema_is_no_new_version() {
    breaks_both_ways(
        json!({"$id": "urn:a"}),
        json!({"$id": "urn:b"}),
        "/$id",
        "identity-changed",
    );
}

#[test]
fn texts_need_nothing() {
    let old = json!({"$version": "1.0.0", "description": "a", "properties": {"x": {"default": 1}}});
    let new =
        json!({"$version": "1.0.0", "description": "b", "properties": {"x": {"default": 2, "title": "X"}}});
    let report = compare(&old, &new);
    assert_eq!(
        (report.needs, report.ok),
        (Bump::Patch, true),
        "{}",
        report.verdict
    );
}

#[test]
fn versions_must_rise_as_the_changes_ask_for() {
    let schema = |version: &str, choices: Value| json!({"$version": version, "enum": choices});
    let verdict = |old: &str, new: &str, narrowed: bool| {
        let (wide, narrow) = (json!([1, 2]), json!([1]));
        let (before, after) = if narrowed { (wide, narrow) } else { (narrow, wide) };
        compare(&schema(old, before), &schema(new, after)).ok
    };
    for (old, new, breaking, additive) in [
        ("1.0.0", "1.0.0", false, false),
        ("1.0.0", "1.0.1", false, false),
        ("1.0.0", "1.1.0", false, true),
        ("1.9.3", "2.0.0", true, true),
        ("1.10.0", "1.9.0", false, false),
        ("2.0.0", "1.9.0", false, false),
        ("1.0", "2.0.0", false, false),
        ("1.0.0", "2.0.0.0", false, false),
        ("1.0.0", "+2.0.0", false, false),
    ] {
        assert_eq!(verdict(old, new, true), breaking, "breaking {old} → {new}");
        assert_eq!(verdict(old, new, false), additive, "additive {old} → {new}");
    }
}

#[test]
fn a_schema_without_version_is_told_so() {
    let report = compare(&json!({}), &json!({"$version": "1.0.0"}));
    assert_eq!(
        (report.ok, report.old_version, report.new_version.as_deref()),
        (false, None, Some("1.0.0"))
    );
    assert!(report.verdict.contains("need a $version"), "{}", report.verdict);
}

#[test]
fn the_same_schema_needs_nothing() {
    for schema in crate::Schema::ALL {
        let report = compare(schema.document(), schema.document());
        assert_eq!((report.needs, report.ok), (Bump::None, true), "{schema}");
    }
}
