//! The file `.env`: lines of `NAME=value`, with comments. Values may stand in quotes; nothing in them is replaced.

use std::collections::BTreeMap;

use super::ComposeError;
use super::error::Place;

/// Reads the variables.
pub(super) fn parse(file: &str, text: &str) -> Result<BTreeMap<String, String>, ComposeError> {
    let mut variables = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        let fail = |reason: String| ComposeError::Syntax {
            place: Place {
                file: file.to_owned(),
                line: index + 1,
                column: 1,
                path: String::new(),
            },
            reason,
        };
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, value) = line
            .split_once('=')
            .ok_or_else(|| fail("this is no NAME=value".to_owned()))?;
        let name = name.trim_end();
        if !is_name(name) {
            return Err(fail(format!("{name:?} is no name of a variable")));
        }
        let value = value_of(value.trim_start()).map_err(fail)?;
        if variables.insert(name.to_owned(), value).is_some() {
            return Err(fail(format!("{name} stands here twice")));
        }
    }
    Ok(variables)
}

fn is_name(text: &str) -> bool {
    text.bytes()
        .next()
        .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn value_of(text: &str) -> Result<String, String> {
    for quote in ['\'', '"'] {
        let Some(inside) = text.strip_prefix(quote) else {
            continue;
        };
        let end = inside.find(quote).ok_or("a quote is not closed")?;
        let rest = inside[end + 1..].trim_start();
        if !(rest.is_empty() || rest.starts_with('#')) {
            return Err("something stands behind the closing quote".to_owned());
        }
        let value = &inside[..end];
        if quote == '"' && value.contains(['$', '\\']) {
            return Err("a value with $ or \\ has to stand in single quotes".to_owned());
        }
        return Ok(value.to_owned());
    }
    let value = match text.find(" #") {
        Some(comment) => &text[..comment],
        None if text.starts_with('#') => "",
        None => text,
    };
    if value.contains('$') {
        return Err("a value with $ has to stand in single quotes".to_owned());
    }
    Ok(value.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_comments_and_quotes() {
        let read = parse(
            ".env",
            "# c\n\nA=1\n B = two words # c\nC='a # b $x'\nD=\"q\" # c\nE=\nF=a#b\r\n",
        )
        .unwrap();
        let expected = [
            ("A", "1"),
            ("B", "two words"),
            ("C", "a # b $x"),
            ("D", "q"),
            ("E", ""),
            ("F", "a#b"),
        ];
        assert_eq!(
            read,
            expected
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into()
        );
    }

    #[test]
    fn what_is_no_variable_is_refused_with_its_line() {
        for (text, expected) in [
            ("A=1\nnonsense", ".env:2:1: this is no NAME=value"),
            ("1A=1", ".env:1:1: \"1A\" is no name of a variable"),
            ("A='x", ".env:1:1: a quote is not closed"),
            ("A='x' y", ".env:1:1: something stands behind the closing quote"),
            ("A=$B", ".env:1:1: a value with $ has to stand in single quotes"),
            ("A=1\nA=2", ".env:2:1: A stands here twice"),
        ] {
            assert_eq!(parse(".env", text).unwrap_err().to_string(), expected);
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd(text in any::<String>()) {
            let _ = parse(".env", &text);
        }
    }
}
