//! Variables in the values of compose files: `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME-default}`, `${NAME:?message}`, `${NAME?message}`,
//! `${NAME:+other}`, `${NAME+other}`, and `$$` for a dollar sign. A default may hold variables in turn.
//!
//! Stricter than `docker compose` in one thing: a variable that is not set and has no default is an error and not an empty text.

use std::collections::BTreeMap;

use super::ComposeError;
use super::yaml::{Node, Value};

/// How deep defaults may stand in each other.
const MAX_DEPTH: usize = 8;

/// Replaces the variables in all values of a tree.
pub(super) fn tree(
    node: &mut Node,
    path: &str,
    variables: &BTreeMap<String, String>,
) -> Result<(), ComposeError> {
    match &mut node.value {
        Value::Scalar { text, .. } => {
            if text.contains('$') {
                *text = substitute(text, variables).map_err(|reason| ComposeError::Interpolation {
                    place: node.at.place(path),
                    reason,
                })?;
            }
            Ok(())
        }
        Value::Sequence(items) => items
            .iter_mut()
            .enumerate()
            .try_for_each(|(index, item)| tree(item, &format!("{path}[{index}]"), variables)),
        Value::Mapping(entries) => entries
            .iter_mut()
            .try_for_each(|entry| tree(&mut entry.node, &super::decode::join(path, &entry.key), variables)),
    }
}

/// Replaces the variables in a text; the error says what is wrong with it.
pub(super) fn substitute(text: &str, variables: &BTreeMap<String, String>) -> Result<String, String> {
    level(text, variables, 0)
}

fn level(text: &str, variables: &BTreeMap<String, String>, depth: usize) -> Result<String, String> {
    if depth > MAX_DEPTH {
        return Err(format!(
            "defaults stand in each other deeper than {MAX_DEPTH} levels"
        ));
    }
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        result.push_str(&rest[..dollar]);
        rest = &rest[dollar + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            result.push('$');
            rest = after;
        } else if let Some(inside) = rest.strip_prefix('{') {
            let end = closing_brace(inside)
                .ok_or_else(|| format!("\"${{{}\" has no closing brace", shortened(inside)))?;
            result.push_str(&braced(&inside[..end], variables, depth)?);
            rest = &inside[end + 1..];
        } else {
            let (name, after) = split_name(rest);
            if name.is_empty() {
                return Err(
                    "a dollar sign stands before what is no name; one that is meant as such is written $$"
                        .to_owned(),
                );
            }
            result.push_str(variables.get(name).ok_or_else(|| unset(name))?);
            rest = after;
        }
    }
    result.push_str(rest);
    Ok(result)
}

/// What stands between `${` and `}`.
fn braced(inside: &str, variables: &BTreeMap<String, String>, depth: usize) -> Result<String, String> {
    let (name, operation) = split_name(inside);
    if name.is_empty() {
        return Err(format!("\"${{{}}}\" begins with no name", shortened(inside)));
    }
    let (counts_empty, operation) = match operation.strip_prefix(':') {
        Some(operation) if !operation.is_empty() => (false, operation),
        _ => (true, operation),
    };
    let value = variables
        .get(name)
        .filter(|value| counts_empty || !value.is_empty());
    let word = |from: &str| level(from, variables, depth + 1);
    match (operation.chars().next(), value) {
        (None, Some(value)) => Ok(value.clone()),
        (None, None) => Err(unset(name)),
        (Some('-' | '?'), Some(value)) => Ok(value.clone()),
        (Some('-'), None) => word(&operation[1..]),
        (Some('?'), None) => Err(match word(&operation[1..])? {
            message if message.is_empty() => format!("the variable {name} has to be set"),
            message => format!("the variable {name} has to be set: {message}"),
        }),
        (Some('+'), Some(_)) => word(&operation[1..]),
        (Some('+'), None) => Ok(String::new()),
        (Some(_), _) => Err(format!(
            "\"${{{}}}\" is no form of a variable; there are :- - :? ? :+ +",
            shortened(inside)
        )),
    }
}

fn unset(name: &str) -> String {
    format!("the variable {name} is not set; set it, or write ${{{name}:-}} where it may be missing")
}

/// Splits a name off the begin of a text.
fn split_name(text: &str) -> (&str, &str) {
    let bytes = text.as_bytes();
    let first = bytes
        .first()
        .is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_');
    let length = match first {
        true => bytes
            .iter()
            .take_while(|b| b.is_ascii_alphanumeric() || **b == b'_')
            .count(),
        false => 0,
    };
    text.split_at(length)
}

/// Where the brace closes that was opened before the text.
fn closing_brace(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut open, mut index) = (0_usize, 0);
    while index < bytes.len() {
        match bytes[index] {
            b'$' if bytes.get(index + 1) == Some(&b'$') => index += 1,
            b'$' if bytes.get(index + 1) == Some(&b'{') => {
                open += 1;
                index += 1;
            }
            b'}' if open == 0 => return Some(index),
            b'}' => open -= 1,
            _ => {}
        }
        index += 1;
    }
    None
}

/// A piece for a message, since texts may be long.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn variables() -> BTreeMap<String, String> {
        [("SET", "value"), ("EMPTY", ""), ("A_1", "x")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    fn of(text: &str) -> Result<String, String> {
        substitute(text, &variables())
    }

    #[test]
    fn the_forms_of_a_variable() {
        for (text, expected) in [
            ("plain", "plain"),
            ("$SET and ${SET}", "value and value"),
            ("${SET}s $A_1-b", "values x-b"),
            (
                "${SET:-d} ${EMPTY:-d} ${EMPTY-d} ${NONE:-d} ${NONE-d}",
                "value d  d d",
            ),
            ("${SET:+o} ${EMPTY:+o} ${EMPTY+o} ${NONE+o}.", "o  o ."),
            ("${SET:?m} ${EMPTY?m}", "value "),
            ("${NONE:-${OTHER:-a}b}c", "abc"),
            ("${NONE:-$${x\\}}", "${x\\}"),
            ("$$SET $$$SET $$$$", "$SET $value $$"),
            ("http://h:${NONE:-80}/%2f", "http://h:80/%2f"),
            ("${NONE:-}", ""),
        ] {
            assert_eq!(of(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_variable_or_not_set_is_an_error() {
        for (text, part) in [
            ("$NONE", "NONE is not set"),
            ("${NONE}", "NONE is not set"),
            ("${NONE:?see .env}", "NONE has to be set: see .env"),
            ("${EMPTY:?}", "EMPTY has to be set"),
            ("${SET", "no closing brace"),
            ("${}", "begins with no name"),
            ("${1}", "begins with no name"),
            ("${SET:}", "no form"),
            ("${SET/a/b}", "no form"),
            ("100$", "written $$"),
            ("$(date)", "written $$"),
        ] {
            let reason = of(text).unwrap_err();
            assert!(reason.contains(part), "{text}: {reason}");
        }
        let deep = format!("{}{}", "${N:-".repeat(20), "}".repeat(20));
        assert!(of(&deep).unwrap_err().contains("deeper"));
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd(text in any::<String>(), dollars in "[$A-Z{}:?+-]{0,40}") {
            let _ = of(&text);
            let _ = of(&dollars);
        }

        #[test]
        fn doubled_dollars_come_back_single(text in any::<String>()) {
            prop_assert_eq!(of(&text.replace('$', "$$")), Ok(text));
        }
    }
}
