//! The first characters of an id, as people type them.

/// Fewest characters that are looked for.
pub const SHORTEST: usize = 4;
/// Places of the hyphens of an id.
const HYPHENS: [usize; 4] = [8, 13, 18, 23];

/// In lower case, with hyphens where they belong. None where no id begins so, or where less than [`SHORTEST`] digits are told.
pub fn prefix(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    let is_hex = digits.chars().all(|c| c.is_ascii_hexdigit());
    if !is_hex || !(SHORTEST..=32).contains(&digits.len()) {
        return None;
    }
    let mut prefix = String::with_capacity(36);
    for digit in digits.chars() {
        if HYPHENS.contains(&prefix.len()) {
            prefix.push('-');
        }
        prefix.push(digit.to_ascii_lowercase());
    }
    Some(prefix)
}
