//! How figures are written: durations, counts, ages, ids.

use std::time::Duration;

use odd_contracts::Timestamp;
use uuid::Uuid;

/// A duration in two or three digits: `412 µs`, `3.1 ms`, `2.4 s`, `1 m 12 s`, `6 h 12 m`, `3 d 4 h`.
pub fn duration(time: Duration) -> String {
    let micros = time.as_micros();
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..999_950 => decimal(time.as_secs_f64() * 1e3, "ms"),
        999_950..59_950_000 => decimal(time.as_secs_f64(), "s"),
        _ => {
            let seconds = time.as_secs_f64().round() as u64;
            let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
            if hours == 0 {
                format!("{minutes} m {} s", seconds % 60)
            } else if days == 0 {
                format!("{hours} h {} m", minutes % 60)
            } else {
                format!("{days} d {} h", hours % 24)
            }
        }
    }
}

/// A duration given in milliseconds; negative ones read as none.
pub fn millis(milliseconds: f64) -> String {
    duration(Duration::try_from_secs_f64(milliseconds.max(0.0) / 1e3).unwrap_or(Duration::MAX))
}

fn decimal(value: f64, unit: &str) -> String {
    if value < 9.95 {
        format!("{value:.1} {unit}")
    } else {
        format!("{value:.0} {unit}")
    }
}

/// A count with thousands separators: `128,402`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// An instant seen from `now`: `2 s ago`.
pub fn age(then: Timestamp, now: Timestamp) -> String {
    let age = now.since(then);
    if age < Duration::from_secs(1) {
        "just now".to_owned()
    } else {
        format!(
            "{} ago",
            duration(Duration::from_secs(age.as_secs())).replace(".0 s", " s")
        )
    }
}

/// Time of day in UTC with milliseconds: `12:04:31.204`.
pub fn clock(at: Timestamp) -> String {
    let text = at.to_string();
    text.get(11..23).unwrap_or(&text).to_owned()
}

/// Date and time in UTC with milliseconds: `2026-01-31 12:04:31.204 UTC`.
pub fn date_and_clock(at: Timestamp) -> String {
    let text = at.to_string();
    format!("{} {} UTC", text.get(..10).unwrap_or(&text), clock(at))
}

/// The first 8 characters of an id.
pub fn short_id(id: Uuid) -> String {
    id.simple().to_string()[..8].to_owned()
}

/// Bytes: `412 B`, `3.1 KiB`, `64 MiB`.
pub fn bytes(size: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if size < 1_024 {
        return format!("{size} B");
    }
    let mut value = size as f64 / 1_024.0;
    let mut unit = 0;
    while value >= 1_023.95 && unit + 1 < UNITS.len() {
        value /= 1_024.0;
        unit += 1;
    }
    decimal(value, UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_the_design_says() {
        let read = |micros| duration(Duration::from_micros(micros));
        assert_eq!(read(412), "412 µs");
        assert_eq!(read(3_100), "3.1 ms");
        assert_eq!(read(18_000), "18 ms");
        assert_eq!(read(999_960), "1.0 s");
        assert_eq!(read(2_400_000), "2.4 s");
        assert_eq!(read(59_960_000), "1 m 0 s");
        assert_eq!(read(72_000_000), "1 m 12 s");
        assert_eq!(read(22_320_000_000), "6 h 12 m");
        assert_eq!(read(273_600_000_000), "3 d 4 h");
        assert_eq!(millis(0.412), "412 µs");
        assert_eq!(millis(-1.0), "0 µs");
    }

    #[test]
    fn counts_have_separators() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(128_402), "128,402");
        assert_eq!(count(1_000_000), "1,000,000");
    }

    #[test]
    fn ages_are_relative() {
        let now = Timestamp::from_micros(1_000_000_000_000);
        assert_eq!(age(now, now), "just now");
        assert_eq!(age(now.minus(Duration::from_millis(2_400)), now), "2 s ago");
        assert_eq!(age(now.minus(Duration::from_secs(75)), now), "1 m 15 s ago");
    }

    #[test]
    fn instants_read_as_utc() {
        let at = Timestamp::from_micros(1_764_000_000_123_456);
        assert_eq!(clock(at), "16:00:00.123");
        assert_eq!(date_and_clock(at), "2025-11-24 16:00:00.123 UTC");
    }

    #[test]
    fn sizes_read_well() {
        assert_eq!(bytes(412), "412 B");
        assert_eq!(bytes(3_174), "3.1 KiB");
        assert_eq!(bytes(64 * 1024 * 1024), "64 MiB");
    }
}
