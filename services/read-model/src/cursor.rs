//! Cursors: a place in a list, as a text that clients hand back unread.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use odd_contracts::Timestamp;
use odd_store::{JobCursor, Position};
use uuid::Uuid;

/// First byte of a cursor: tells a list of jobs from a list of events.
const JOBS: u8 = b'j';
const EVENTS: u8 = b'e';

/// A place in a list of jobs as text.
pub(crate) fn of_job(cursor: JobCursor) -> String {
    let mut bytes = Vec::with_capacity(25);
    bytes.push(JOBS);
    bytes.extend(cursor.created_at.micros().to_be_bytes());
    bytes.extend(cursor.id.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A place in a list of jobs from its text; none where it is no such text.
pub(crate) fn to_job(text: &str) -> Option<JobCursor> {
    let bytes: [u8; 25] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
    let (created_at, id) = bytes.strip_prefix(&[JOBS])?.split_first_chunk::<8>()?;
    let micros = i64::from_be_bytes(*created_at);
    let created_at = Timestamp::from_micros(micros);
    (created_at.micros() == micros).then_some(())?;
    Some(JobCursor {
        created_at,
        id: Uuid::from_slice(id).ok()?,
    })
}

/// A place in the event log as text.
pub(crate) fn of_position(position: Position) -> String {
    let mut bytes = vec![EVENTS];
    bytes.extend(position.0.to_be_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A place in the event log from its text; none where it is no such text.
pub(crate) fn to_position(text: &str) -> Option<Position> {
    let bytes: [u8; 9] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
    let position = bytes.strip_prefix(&[EVENTS])?;
    Some(Position(i64::from_be_bytes(position.try_into().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_come_back_as_they_were() {
        let cursor = JobCursor {
            created_at: Timestamp::from_micros(1_764_000_000_123_456),
            id: Uuid::from_u128(u128::MAX - 5),
        };
        assert_eq!(to_job(&of_job(cursor)), Some(cursor));
        for position in [0, 1, i64::MAX, i64::MIN] {
            assert_eq!(
                to_position(&of_position(Position(position))),
                Some(Position(position))
            );
        }
    }

    #[test]
    fn other_texts_are_no_cursors() {
        let job = of_job(JobCursor {
            created_at: Timestamp::MAX,
            id: Uuid::nil(),
        });
        let position = of_position(Position(7));
        for bad in [
            "",
            "x",
            "ä",
            "=",
            "AAAA",
            &job[1..],
            &position[1..],
            &format!("{job}A"),
        ] {
            assert_eq!(to_job(bad), None, "{bad:?}");
            assert_eq!(to_position(bad), None, "{bad:?}");
        }
        assert_eq!(to_job(&position), None, "a cursor of events is none of jobs");
        assert_eq!(to_position(&job), None, "a cursor of jobs is none of events");
        let negative = URL_SAFE_NO_PAD.encode([b"j".as_slice(), &[0xff; 24]].concat());
        assert_eq!(to_job(&negative), None, "an instant before 1970");
    }
}
