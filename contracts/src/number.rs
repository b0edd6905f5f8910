//! Whole numbers as JSON Schema understands them.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserializer;
use serde::de::{Error, Unexpected, Visitor};

/// Reads an optional whole number. `3.0` is one, as it is for the schemas (JSON Schema 2020-12, section 6.1.1).
pub(crate) fn optional_whole<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<u64>,
{
    deserializer.deserialize_option(Whole(PhantomData))
}

struct Whole<T>(PhantomData<T>);

impl<'de, T: TryFrom<u64>> Visitor<'de> for Whole<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number in range")
    }

    fn visit_none<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        T::try_from(number)
            .map(Some)
            .map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &self))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        match u64::try_from(number) {
            Ok(number) => self.visit_u64(number),
            Err(_) => Err(E::invalid_value(Unexpected::Signed(number), &self)),
        }
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        /// Up to here every whole number has its own `f64`.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        if number.fract() == 0.0 && (0.0..=EXACT).contains(&number) {
            self.visit_u64(number as u64)
        } else {
            Err(E::invalid_value(Unexpected::Float(number), &self))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Holder {
        #[serde(default, deserialize_with = "super::optional_whole")]
        n: Option<u32>,
    }

    #[test]
    fn whole_numbers_in_range_are_read_however_they_are_written() {
        let read = |text: &str| serde_json::from_str::<Holder>(text).map(|holder| holder.n);
        for (text, number) in [
            ("{}", None),
            (r#"{"n":null}"#, None),
            (r#"{"n":3}"#, Some(3)),
            (r#"{"n":3.0}"#, Some(3)),
            (r#"{"n":3e2}"#, Some(300)),
        ] {
            assert_eq!(read(text).unwrap(), number, "{text}");
        }
        for text in [
            r#"{"n":-1}"#,
            r#"{"n":2.5}"#,
            r#"{"n":4294967296}"#,
            r#"{"n":1e300}"#,
            r#"{"n":"3"}"#,
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
