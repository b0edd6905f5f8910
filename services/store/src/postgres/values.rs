//! Values as PostgreSQL takes and gives them.

use odd_contracts::Timestamp;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueFormat, PgValueRef};
use sqlx::{Decode, Encode, Postgres, Type};

/// From the Unix epoch to 2000-01-01, which PostgreSQL counts from, in microseconds.
const EPOCH: i64 = 946_684_800_000_000;

// Numbers of types that are built in never change (src/include/catalog/pg_type.dat).
const JSON: Oid = Oid(114);
const JSON_ARRAY: Oid = Oid(199);
const TIMESTAMPTZ: Oid = Oid(1184);
const TIMESTAMPTZ_ARRAY: Oid = Oid(1185);

/// An instant, as `timestamptz`: both count microseconds.
#[derive(Clone, Copy)]
pub(super) struct Instant(pub(super) Timestamp);

impl Type<Postgres> for Instant {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(TIMESTAMPTZ)
    }
}

impl PgHasArrayType for Instant {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(TIMESTAMPTZ_ARRAY)
    }
}

impl Encode<'_, Postgres> for Instant {
    fn encode_by_ref(&self, buf: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buf.extend_from_slice(&(self.0.micros() - EPOCH).to_be_bytes());
        Ok(IsNull::No)
    }
}

impl Decode<'_, Postgres> for Instant {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        if value.format() != PgValueFormat::Binary {
            return Err("an instant that is no binary value".into());
        }
        let micros = i64::from_be_bytes(value.as_bytes()?.try_into()?);
        // Infinity and what lies before 1970 or after 9999 was not written by this program.
        Ok(Self(Timestamp::from_micros(micros.saturating_add(EPOCH))))
    }
}

/// A JSON text, as `json`.
#[derive(Clone)]
pub(super) struct JsonText(pub(super) String);

impl Type<Postgres> for JsonText {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(JSON)
    }
}

impl PgHasArrayType for JsonText {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(JSON_ARRAY)
    }
}

impl Encode<'_, Postgres> for JsonText {
    fn encode_by_ref(&self, buf: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buf.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }
}
