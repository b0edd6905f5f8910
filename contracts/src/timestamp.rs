//! Instants on the wire: RFC 3339 in UTC with microseconds.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

/// An instant, as microseconds since the Unix epoch.
///
/// Written as RFC 3339 in UTC with six decimals, so that texts of instants sort like the instants.
/// Read from any RFC 3339 text; a text without a zone is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// A text that is no RFC 3339 instant between the years 1970 and 9999.
#[derive(Debug, Clone, thiserror::Error)]
#[error("not an RFC 3339 date and time with a zone, such as 2026-01-31T12:00:00Z: {0:?}")]
pub struct InvalidTimestamp(String);

impl Timestamp {
    /// Latest instant that RFC 3339 can write: the last microsecond of the year 9999.
    pub const MAX: Self = Self(253_402_300_799_999_999);

    /// The present, by the clock of this machine.
    pub fn now() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(
            i64::try_from(since_epoch.as_micros())
                .unwrap_or(i64::MAX)
                .min(Self::MAX.0),
        )
    }

    /// From microseconds since the Unix epoch; values outside 1970–9999 are clamped.
    pub const fn from_micros(micros: i64) -> Self {
        if micros < 0 {
            Self(0)
        } else if micros > Self::MAX.0 {
            Self::MAX
        } else {
            Self(micros)
        }
    }

    /// Microseconds since the Unix epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// This instant moved `by` later.
    pub fn plus(self, by: Duration) -> Self {
        Self::from_micros(
            self.0
                .saturating_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)),
        )
    }

    /// This instant moved `by` earlier.
    pub fn minus(self, by: Duration) -> Self {
        Self::from_micros(
            self.0
                .saturating_sub(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)),
        )
    }

    /// Time from `earlier` to this instant; zero where `earlier` is later (clocks differ between machines).
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHAPE: &[time::format_description::BorrowedFormatItem<'_>] =
            format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");
        let at =
            OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000).map_err(|_| fmt::Error)?;
        f.write_str(&at.format(SHAPE).map_err(|_| fmt::Error)?)
    }
}

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidTimestamp(text.chars().take(64).collect());
        let at = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| invalid())?;
        let micros = i64::try_from(at.unix_timestamp_nanos() / 1_000).map_err(|_| invalid())?;
        if (0..=Self::MAX.0).contains(&micros) {
            Ok(Self(micros))
        } else {
            Err(invalid())
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl utoipa::PartialSchema for Timestamp {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .format(Some(utoipa::openapi::SchemaFormat::KnownFormat(
                utoipa::openapi::KnownFormat::DateTime,
            )))
            .into()
    }
}

impl utoipa::ToSchema for Timestamp {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_utc_with_microseconds() {
        assert_eq!(
            Timestamp::from_micros(1_764_000_000_123_456).to_string(),
            "2025-11-24T16:00:00.123456Z"
        );
    }

    #[test]
    fn reads_any_zone_and_refuses_none() {
        let utc: Timestamp = "2026-01-31T12:00:00Z".parse().unwrap();
        assert_eq!("2026-01-31T14:30:00+02:30".parse::<Timestamp>().unwrap(), utc);
        for bad in [
            "2026-01-31T12:00:00",
            "2026-01-31",
            "",
            "yesterday",
            "1969-12-31T23:59:59Z",
        ] {
            assert!(bad.parse::<Timestamp>().is_err(), "{bad:?} must be refused");
        }
    }

    #[test]
    fn durations_never_go_negative() {
        let early = Timestamp::from_micros(5);
        let late = early.plus(Duration::from_millis(3));
        assert_eq!(late.since(early), Duration::from_millis(3));
        assert_eq!(early.since(late), Duration::ZERO);
        assert_eq!(Timestamp::MAX.plus(Duration::from_secs(1)), Timestamp::MAX);
    }
}
