//! Keywords that are a single number, text or flag: which way they moved.

use serde_json::{Map, Value};

/// Which way a keyword moved.
pub(super) enum Move {
    /// Fewer documents pass.
    Tightened,
    /// More documents pass.
    Relaxed,
}

/// What makes a keyword stricter.
#[derive(Clone, Copy)]
enum Strict {
    /// A larger number; absent is the number that follows.
    Larger(f64),
    /// A smaller number; absent is no limit.
    Smaller,
    /// A multiple of the present number; absent is no condition.
    Multiple,
    /// `true`.
    Flag,
    /// Any other text.
    Text,
}

struct Keyword {
    name: &'static str,
    strict: Strict,
    tightened: &'static str,
    relaxed: &'static str,
}

const fn keyword(
    name: &'static str,
    strict: Strict,
    tightened: &'static str,
    relaxed: &'static str,
) -> Keyword {
    Keyword {
        name,
        strict,
        tightened,
        relaxed,
    }
}

const RANGE: (&str, &str) = ("range-tightened", "range-relaxed");
const LENGTH: (&str, &str) = ("length-tightened", "length-relaxed");
const UNBOUNDED: Strict = Strict::Larger(f64::NEG_INFINITY);

const KEYWORDS: [Keyword; 18] = [
    keyword("minimum", UNBOUNDED, RANGE.0, RANGE.1),
    keyword("exclusiveMinimum", UNBOUNDED, RANGE.0, RANGE.1),
    keyword("maximum", Strict::Smaller, RANGE.0, RANGE.1),
    keyword("exclusiveMaximum", Strict::Smaller, RANGE.0, RANGE.1),
    keyword("multipleOf", Strict::Multiple, RANGE.0, RANGE.1),
    keyword("minLength", Strict::Larger(0.0), LENGTH.0, LENGTH.1),
    keyword("maxLength", Strict::Smaller, LENGTH.0, LENGTH.1),
    keyword("minItems", Strict::Larger(0.0), LENGTH.0, LENGTH.1),
    keyword("maxItems", Strict::Smaller, LENGTH.0, LENGTH.1),
    keyword("minProperties", Strict::Larger(0.0), LENGTH.0, LENGTH.1),
    keyword("maxProperties", Strict::Smaller, LENGTH.0, LENGTH.1),
    keyword("minContains", Strict::Larger(1.0), LENGTH.0, LENGTH.1),
    keyword("maxContains", Strict::Smaller, LENGTH.0, LENGTH.1),
    keyword(
        "uniqueItems",
        Strict::Flag,
        "items-made-unique",
        "items-may-repeat",
    ),
    keyword("pattern", Strict::Text, "pattern-changed", "pattern-removed"),
    keyword("format", Strict::Text, "format-changed", "format-removed"),
    keyword(
        "contentEncoding",
        Strict::Text,
        "format-changed",
        "format-removed",
    ),
    keyword(
        "contentMediaType",
        Strict::Text,
        "format-changed",
        "format-removed",
    ),
];

/// Keywords that moved: name, which way, the rule that judges it, and the move in words.
pub(super) fn moves(
    old: &Map<String, Value>,
    new: &Map<String, Value>,
) -> Vec<(&'static str, Move, &'static str, String)> {
    let mut moves = Vec::new();
    for keyword in &KEYWORDS {
        let (before, after) = (old.get(keyword.name), new.get(keyword.name));
        if let Some(moved) = direction(keyword.strict, before, after) {
            let rule = match moved {
                Move::Tightened => keyword.tightened,
                Move::Relaxed => keyword.relaxed,
            };
            let detail = format!("{} was {}, is {}", keyword.name, shown(before), shown(after));
            moves.push((keyword.name, moved, rule, detail));
        }
    }
    moves
}

fn direction(strict: Strict, old: Option<&Value>, new: Option<&Value>) -> Option<Move> {
    match strict {
        Strict::Larger(absent) => by_order(number(old, absent), number(new, absent)),
        Strict::Smaller => by_order(number(new, f64::INFINITY), number(old, f64::INFINITY)),
        Strict::Flag => by_order(flag(old), flag(new)),
        Strict::Multiple => by_multiple(old.and_then(Value::as_f64), new.and_then(Value::as_f64)),
        Strict::Text if old == new => None,
        Strict::Text if new.is_none() => Some(Move::Relaxed),
        Strict::Text => Some(Move::Tightened),
    }
}

/// A number and, because large whole numbers differ by less than an `f64` can tell, its whole part.
fn number(value: Option<&Value>, absent: f64) -> (f64, i128) {
    let whole = value.and_then(|value| {
        value
            .as_i64()
            .map(i128::from)
            .or_else(|| value.as_u64().map(i128::from))
    });
    let number = value.and_then(Value::as_f64).unwrap_or(absent);
    (number, whole.unwrap_or(number as i128))
}

fn flag(value: Option<&Value>) -> bool {
    value == Some(&Value::Bool(true))
}

fn by_order<T: PartialOrd>(old: T, new: T) -> Option<Move> {
    match old.partial_cmp(&new)? {
        std::cmp::Ordering::Less => Some(Move::Tightened),
        std::cmp::Ordering::Greater => Some(Move::Relaxed),
        std::cmp::Ordering::Equal => None,
    }
}

fn by_multiple(old: Option<f64>, new: Option<f64>) -> Option<Move> {
    match (old, new) {
        (None, None) => None,
        (Some(_), None) => Some(Move::Relaxed),
        (Some(old), Some(new)) if old == new => None,
        (Some(old), Some(new)) if (old / new).fract() == 0.0 => Some(Move::Relaxed),
        _ => Some(Move::Tightened),
    }
}

fn shown(value: Option<&Value>) -> String {
    value.map_or_else(|| "absent".to_owned(), Value::to_string)
}
