//! Durations on the command line: a number and its unit.

use std::time::Duration;

/// Units, longest text first, so that `ms` is not read as `m`.
const UNITS: [(&str, f64); 6] = [
    ("ms", 1e-3),
    ("us", 1e-6),
    ("s", 1.0),
    ("m", 60.0),
    ("h", 3_600.0),
    ("d", 86_400.0),
];
/// Longest duration: 365 days.
const LONGEST: f64 = 365.0 * 86_400.0;

/// Reads `500ms`, `2s`, `1.5m`, `1h`, `7d`, or several of them in a row (`1m30s`).
///
/// # Errors
/// What a duration looks like.
pub fn parse(text: &str) -> Result<Duration, String> {
    let invalid = || {
        format!(
            "{text:?} is no duration: a number and a unit of us, ms, s, m, h or d, such as 500ms, 2s or 1m30s"
        )
    };
    let mut rest = text.trim();
    let mut seconds = 0.0;
    if rest.is_empty() {
        return Err(invalid());
    }
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or_else(invalid)?;
        let number: f64 = rest[..digits].parse().map_err(|_| invalid())?;
        let (unit, factor) = UNITS
            .iter()
            .find(|(unit, _)| rest[digits..].starts_with(unit))
            .ok_or_else(invalid)?;
        seconds += number * factor;
        rest = &rest[digits + unit.len()..];
    }
    if seconds > LONGEST {
        return Err(format!("{text:?} is longer than 365 days"));
    }
    Ok(Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        let millis = |text| parse(text).unwrap().as_millis();
        assert_eq!(millis("500ms"), 500);
        assert_eq!(millis("2s"), 2_000);
        assert_eq!(millis("1.5m"), 90_000);
        assert_eq!(millis("1m30s"), 90_000);
        assert_eq!(millis("365d"), 31_536_000_000);
        assert_eq!(parse("250us").unwrap(), Duration::from_micros(250));
        assert_eq!(millis("0s"), 0);
    }

    #[test]
    fn refuses_what_could_mean_anything() {
        for bad in [
            "",
            "5",
            "s",
            "-1s",
            "1 s x",
            "1y",
            "1e9s",
            "NaNs",
            "366d",
            "1..5s",
            "99999999999999999999d",
        ] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
