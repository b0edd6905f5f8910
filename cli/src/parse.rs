//! How limits, instants and rates are read from the command line.

use std::time::Duration;

use odd_contracts::Timestamp;

use crate::duration;

/// Reads a duration that must not be zero.
///
/// # Errors
/// As [`duration::parse`].
pub fn positive_duration(text: &str) -> Result<Duration, String> {
    match duration::parse(text)? {
        Duration::ZERO => Err("must be longer than nothing".to_owned()),
        duration => Ok(duration),
    }
}

/// Digits with at most one point among them: neither signs nor exponents nor `inf`.
fn decimal(text: &str) -> Option<f64> {
    let plain =
        text.starts_with(|c: char| c.is_ascii_digit()) && text.ends_with(|c: char| c.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

/// Reads an instant: a date and time with a zone, or a duration before `now`.
///
/// # Errors
/// What is wrong with the text, in words.
pub fn instant(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    duration::parse(text).map(|ago| now.minus(ago)).map_err(|_| {
        "is neither a duration such as 10m nor a date and time with a zone such as 2026-01-31T12:00:00Z"
            .to_owned()
    })
}

/// Reads a rate in events a second: `200`, `200/s`, `0.5/s` or `30/m`.
///
/// # Errors
/// What is wrong with the text, in words.
pub fn rate(text: &str) -> Result<f64, String> {
    let (number, seconds) = match text.split_once('/') {
        None | Some((_, "s")) => (text.trim_end_matches("/s"), 1.0),
        Some((number, "m")) => (number, 60.0),
        Some(_) => return Err("is no rate: write 200/s or 30/m".to_owned()),
    };
    let number = decimal(number).ok_or_else(|| "is no rate: write 200/s or 30/m".to_owned())?;
    let rate = number / seconds;
    if (1e-4..=1e6).contains(&rate) {
        Ok(rate)
    } else {
        Err("must lie between 0.0001/s and 1000000/s".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_longer_than_nothing() {
        assert!(positive_duration("0ms").is_err());
        assert_eq!(positive_duration("1ms"), Ok(Duration::from_millis(1)));
    }

    #[test]
    fn instants_are_absolute_or_ago() {
        let now = Timestamp::from_micros(1_764_000_000_000_000);
        assert_eq!(instant("10m", now).unwrap(), now.minus(Duration::from_secs(600)));
        let at = "2026-01-31T12:00:00Z";
        assert_eq!(instant(at, now).unwrap(), at.parse().unwrap());
        for bad in ["2026-01-31", "2026-01-31T12:00:00", "yesterday", "10", ""] {
            assert!(instant(bad, now).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn rates_are_per_second_or_minute() {
        assert_eq!(rate("200"), Ok(200.0));
        assert_eq!(rate("200/s"), Ok(200.0));
        assert_eq!(rate("0.5/s"), Ok(0.5));
        assert_eq!(rate("30/m"), Ok(0.5));
        for bad in [
            "",
            "0",
            "/s",
            "-1/s",
            "1/h",
            "1/s/s",
            "fast",
            "1e9",
            "2000000/s",
            "inf",
        ] {
            assert!(rate(bad).is_err(), "{bad:?}");
        }
    }
}
