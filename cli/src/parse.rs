//! How durations and instants are read from the command line and from scenario files.

use std::time::Duration;

use odd_contracts::Timestamp;

/// Longest duration that is taken: a year.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3_600);

/// Units, longer names first where one begins with another.
const UNITS: [(&str, f64); 5] = [("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("h", 3_600.0), ("d", 86_400.0)];

/// Reads a duration such as `500ms`, `2s`, `1.5s`, `1m`, `2h` or `1d`: one decimal number and its unit, at most a year.
///
/// # Errors
/// What is wrong with the text, in words.
pub fn duration(text: &str) -> Result<Duration, String> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    if unit.is_empty() && !number.is_empty() {
        return Err("needs a unit: ms, s, m, h or d, as in 500ms, 2s or 1m".to_owned());
    }
    let seconds = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, seconds)| seconds);
    let (Some(seconds), Some(number)) = (seconds, decimal(number)) else {
        return Err("is no duration: write a number and ms, s, m, h or d, as in 500ms, 2s or 1.5m".to_owned());
    };
    Duration::try_from_secs_f64(number * seconds)
        .ok()
        .filter(|duration| *duration <= LONGEST)
        .ok_or_else(|| "is longer than a year".to_owned())
}

/// Reads a duration that must not be zero.
///
/// # Errors
/// As [`duration`].
pub fn positive_duration(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("must be longer than nothing".to_owned()),
        duration => Ok(duration),
    }
}

/// Digits with at most one point among them: neither signs nor exponents nor `inf`.
fn decimal(text: &str) -> Option<f64> {
    let plain = text.starts_with(|c: char| c.is_ascii_digit()) && text.ends_with(|c: char| c.is_ascii_digit());
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
    duration(text).map(|ago| now.minus(ago)).map_err(|_| {
        "is neither a duration such as 10m nor a date and time with a zone such as 2026-01-31T12:00:00Z".to_owned()
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
    fn durations_have_a_number_and_a_unit() {
        let read = |text| duration(text).unwrap();
        assert_eq!(read("500ms"), Duration::from_millis(500));
        assert_eq!(read("2s"), Duration::from_secs(2));
        assert_eq!(read("1.5s"), Duration::from_millis(1_500));
        assert_eq!(read("1m"), Duration::from_secs(60));
        assert_eq!(read("2h"), Duration::from_secs(7_200));
        assert_eq!(read("365d"), LONGEST);
        assert_eq!(read("0s"), Duration::ZERO);
    }

    #[test]
    fn anything_else_is_refused_with_the_remedy() {
        assert!(duration("5").unwrap_err().contains("needs a unit"));
        for bad in [
            "", "s", "ms", "-1s", "+1s", "1 s", "1S", "1sec", ".5s", "5.s", "1.2.3s", "1e3s", "infs", "1m30s", "٣s",
        ] {
            assert!(duration(bad).unwrap_err().contains("no duration"), "{bad:?}");
        }
        for long in ["366d", "99999999999999999999999999h"] {
            assert!(duration(long).unwrap_err().contains("year"), "{long:?}");
        }
        assert!(positive_duration("0ms").is_err());
        assert!(positive_duration("1ms").is_ok());
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
        for bad in ["", "0", "/s", "-1/s", "1/h", "1/s/s", "fast", "1e9", "2000000/s", "inf"] {
            assert!(rate(bad).is_err(), "{bad:?}");
        }
    }
}
