//! Whatever the text: an error at most, never a panic.

use proptest::prelude::*;

use super::options;
use crate::compose::*;

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in any::<String>()) {
        let _ = load_text(&text, &options());
    }

    #[test]
    fn no_text_that_looks_like_yaml_makes_the_reader_panic(text in "[a-c:{}\\[\\],&*!<|>'\"#$%@`?~ \n\t-]{0,80}") {
        let _ = load_text(&text, &options());
    }

    #[test]
    fn no_change_of_the_real_file_makes_the_reader_panic(cut in 0_usize..20_000, length in 0_usize..40, put in "[a-z:{}\\[\\]&*!$ \n-]{0,12}") {
        let real = Files::Embedded.text(COMPOSE).unwrap();
        let characters: Vec<char> = real.chars().collect();
        let start = cut.min(characters.len());
        let end = (start + length).min(characters.len());
        let text: String = characters[..start].iter().copied().chain(put.chars()).chain(characters[end..].iter().copied()).collect();
        let _ = load_text(&text, &LoadOptions { variables: variables(&Source::Embedded).unwrap(), ..options() });
    }
}
