//! A command line that is written as one text, split into words as a shell does, with nothing replaced.

/// Splits it.
pub(super) fn split(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some('\''), c) => word.get_or_insert_default().push(c),
            (Some(_), '\\') => match characters.next() {
                Some(c @ ('"' | '\\' | '$' | '`')) => word.get_or_insert_default().push(c),
                Some(c) => word.get_or_insert_default().extend(['\\', c]),
                None => break,
            },
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '\\') => match characters.next() {
                Some(c) => word.get_or_insert_default().push(c),
                None => return Err("the command ends in a backslash".to_owned()),
            },
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        return Err("a quote of the command is not closed".to_owned());
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quotes_and_backslashes() {
        for (text, expected) in [
            ("serve gateway", vec!["serve", "gateway"]),
            ("  a\t b\n", vec!["a", "b"]),
            ("sh -c 'echo \"a b\"'", vec!["sh", "-c", "echo \"a b\""]),
            (
                r#"a"b c"d "" e\ f "g\"h\n""#,
                vec!["ab cd", "", "e f", r#"g"h\n"#],
            ),
            ("", vec![]),
        ] {
            assert_eq!(split(text).unwrap(), expected, "{text}");
        }
        for text in ["'a", "a \"b", "a\\", "\"a\\"] {
            assert!(split(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_quoted_stays_one_word(word in "[^']{0,20}", any in any::<String>()) {
            prop_assert_eq!(split(&format!("a '{word}'")), Ok(vec!["a".to_owned(), word]));
            let _ = split(&any);
        }
    }
}
