//! Durations, sizes and other single values as compose files write them.

use std::time::Duration;

/// Whether a plain scalar is no text for YAML and would be written otherwise than it stands: `0x10`, `1.0`, `010`, `True`.
pub(crate) fn is_ambiguous(text: &str) -> bool {
    if matches!(text.to_ascii_lowercase().as_str(), "true" | "false") {
        return !matches!(text, "true" | "false");
    }
    let digits = text.trim_start_matches(['+', '-']);
    if matches!(digits.to_ascii_lowercase().as_str(), ".inf" | ".nan") {
        return true;
    }
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return false;
    }
    let based = ["0x", "0X", "0o", "0O", "0b", "0B"].iter().any(|prefix| {
        let rest = digits.strip_prefix(prefix);
        rest.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_hexdigit() || b == b'_'))
    });
    let plain = text.replace('_', "");
    if based {
        return true;
    }
    if let Ok(whole) = plain.parse::<i64>() {
        return whole.to_string() != text;
    }
    plain
        .parse::<f64>()
        .is_ok_and(|number| number.to_string() != text)
}

/// A time span: `1m30s`, `500ms`, `1.5h`, `0`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let fail = || format!("{text:?} is no time span, such as 500ms, 30s or 1m30s");
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let mut rest = text;
    let mut nanos: f64 = 0.0;
    while !rest.is_empty() {
        let (number, after) = split_number(rest).ok_or_else(fail)?;
        let length = after
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(length);
        let factor = match unit {
            "ns" => 1.0,
            "us" | "µs" | "μs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3600e9,
            "d" => 86_400e9,
            "w" => 604_800e9,
            _ => return Err(fail()),
        };
        nanos += number * factor;
        rest = after;
    }
    // Beyond 290 years the Docker API has no number for it.
    match !text.is_empty() && nanos < i64::MAX as f64 {
        true => Ok(Duration::from_nanos(nanos.round() as u64)),
        false => Err(fail()),
    }
}

/// A number of bytes: `64m`, `1g`, `1.5gb`, `1024`. Units are powers of 1024, as Docker has them.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    let fail = || format!("{text:?} is no size, such as 64m, 1g or 1048576");
    let (number, unit) = split_number(text.trim()).ok_or_else(fail)?;
    let unit = unit.trim().to_ascii_lowercase();
    let power = match unit.as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 1,
        "m" | "mb" | "mib" => 2,
        "g" | "gb" | "gib" => 3,
        "t" | "tb" | "tib" => 4,
        _ => return Err(fail()),
    };
    let size = number * 1024_f64.powi(power);
    match size < i64::MAX as f64 {
        true => Ok(size as u64),
        false => Err(fail()),
    }
}

/// Processors, in billionths: `0.5`, `2`.
pub(crate) fn nano_cpus(text: &str) -> Result<u64, String> {
    let fail = || format!("{text:?} is no number of processors, such as 0.5 or 2");
    match split_number(text) {
        Some((number, "")) if number > 0.0 && number <= 1e6 => Ok((number * 1e9).round() as u64),
        _ => Err(fail()),
    }
}

/// Permissions, in octal digits: `0440`.
pub(crate) fn mode(text: &str) -> Result<u32, String> {
    let digits = text.strip_prefix("0o").or_else(|| text.strip_prefix('0'));
    digits
        .filter(|digits| (1..=4).contains(&digits.len()))
        .and_then(|digits| u32::from_str_radix(digits, 8).ok())
        .ok_or_else(|| {
            format!("{text:?} is no mode: write it in octal digits with a zero before them, such as 0440")
        })
}

/// Splits a number without sign off the begin of a text.
fn split_number(text: &str) -> Option<(f64, &str)> {
    let length = text
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(text.len());
    let (number, rest) = text.split_at(length);
    Some((number.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_that_yaml_would_rewrite() {
        for text in [
            "0x1F", "010", "1.0", "1_000", "True", "FALSE", "1e3", "+1", ".5", "-.inf", ".NaN", "0o17",
            "1.50",
        ] {
            assert!(is_ambiguous(text), "{text}");
        }
        for text in [
            "10",
            "-1",
            "1.5",
            "true",
            "false",
            "127.0.0.1",
            "65532:65532",
            "10m",
            "0",
            "v1.0",
            "inf",
            "nan",
            "1s",
            "0x",
            "2001-01-01",
            "",
        ] {
            assert!(!is_ambiguous(text), "{text}");
        }
    }

    #[test]
    fn time_spans() {
        for (text, nanos) in [
            ("10s", 10_000_000_000_u64),
            ("500ms", 500_000_000),
            ("1m30s", 90_000_000_000),
            ("1.5s", 1_500_000_000),
            ("1h2m3s4ms5us6ns", 3_723_004_005_006),
            ("0", 0),
            ("0s", 0),
            ("1d", 86_400_000_000_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_nanos(nanos)), "{text}");
        }
        for text in ["", "10", "s", "-1s", "1x", "1s2", "1..2s", "9999999999h", "1 s"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes() {
        for (text, expected) in [
            ("1024", 1024),
            ("16m", 16 << 20),
            ("1g", 1 << 30),
            ("1.5gb", 3 << 29),
            ("10KiB", 10 << 10),
            ("2 MB", 2 << 20),
            ("7b", 7),
            ("0", 0),
        ] {
            assert_eq!(bytes(text), Ok(expected), "{text}");
        }
        for text in ["", "m", "-1", "1x", "1.2.3m", "99999999t"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn processors_and_modes() {
        assert_eq!(nano_cpus("0.5"), Ok(500_000_000));
        assert_eq!(nano_cpus("2"), Ok(2_000_000_000));
        for text in ["0", "", "-1", "x", "1c"] {
            assert!(nano_cpus(text).is_err(), "{text}");
        }
        assert_eq!(
            (mode("0440"), mode("0o400"), mode("01777")),
            (Ok(0o440), Ok(0o400), Ok(0o1777))
        );
        for text in ["440", "0", "0889", "", "0o", "012345"] {
            assert!(mode(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd(text in any::<String>(), near in "[0-9._+eEinfax]{0,12}[a-zµ ]{0,3}") {
            for text in [&text, &near] {
                let _ = (is_ambiguous(text), duration(text), bytes(text), nano_cpus(text), mode(text));
            }
        }
    }
}
