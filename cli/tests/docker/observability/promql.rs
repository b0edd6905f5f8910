//! Which metrics a PromQL expression names. Their existence is a question of its own: a query over a metric that nobody
//! has gives an empty answer, not an error.

use std::collections::BTreeSet;

/// Words that a list of labels follows.
const BEFORE_LABELS: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];
/// Operators that a list of labels may follow before their argument does.
const AGGREGATIONS: [&str; 14] = [
    "avg",
    "bottomk",
    "count",
    "count_values",
    "group",
    "limitk",
    "max",
    "min",
    "quantile",
    "stddev",
    "stdvar",
    "sum",
    "topk",
    "limit_ratio",
];
/// Words that stand where a metric could.
const WORDS: [&str; 8] = ["and", "or", "unless", "bool", "offset", "atan2", "nan", "inf"];

/// Names of the metrics in `expr`.
pub(super) fn metrics(expr: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut rest = expr;
    while let Some(first) = rest.chars().next() {
        rest = match first {
            '"' | '\'' | '`' => after(&rest[1..], first),
            '{' => after_selector(&rest[1..]),
            '[' => after(&rest[1..], ']'),
            _ if is_word(first) => {
                let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
                let (word, behind) = rest.split_at(end);
                let next = behind.trim_start();
                if BEFORE_LABELS.contains(&word) {
                    next.strip_prefix('(').map_or(next, |labels| after(labels, ')'))
                } else {
                    let function = next.starts_with('(') || AGGREGATIONS.contains(&word);
                    // Durations and numbers begin with a digit.
                    if !function && !first.is_ascii_digit() && !WORDS.contains(&word.to_lowercase().as_str())
                    {
                        found.insert(word.to_owned());
                    }
                    behind
                }
            }
            _ => &rest[first.len_utf8()..],
        };
    }
    found
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | ':')
}

/// What comes behind the next `end`.
fn after(text: &str, end: char) -> &str {
    text.split_once(end).map_or("", |(_, behind)| behind)
}

/// What comes behind the end of a selector; braces in its strings do not end it.
fn after_selector(mut text: &str) -> &str {
    while let Some(at) = text.find(['}', '"']) {
        let behind = &text[at + 1..];
        if text[at..].starts_with('}') {
            return behind;
        }
        text = after(behind, '"');
    }
    ""
}

#[test]
fn names_of_metrics_and_nothing_else() {
    for (expr, expected) in [
        ("up", &["up"] as &[&str]),
        (
            "sum by (job, le) (rate(a_total{x=\"b}c\", y=~\"d\"}[1m])) / 2",
            &["a_total"],
        ),
        (
            "odd:a:b_1m offset 30s > odd:a:b_1m and on (job) c == bool 1",
            &["c", "odd:a:b_1m"],
        ),
        (
            "label_replace(vector(0), \"job\", \"web\", \"\", \"\") or d",
            &["d"],
        ),
        (
            "up * on (job) group_left () (odd:roles + 1)",
            &["odd:roles", "up"],
        ),
        (
            "histogram_quantile(0.95, sum(rate(e_bucket[5m]))) or NaN",
            &["e_bucket"],
        ),
    ] {
        let names = metrics(expr);
        assert!(names.iter().eq(expected), "{expr}: {names:?}");
    }
}
