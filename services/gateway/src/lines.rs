//! Takes a batch apart into its lines, so that one bad line is refused alone.

use odd_contracts::ProblemCode;
use odd_runtime::ApiError;
use serde_json::value::RawValue;

/// Most submissions in one batch.
pub(crate) const MAX_LINES: usize = 1_000;

/// How a batch is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// One submission a line; blank lines do not count.
    Ndjson,
    /// A JSON array.
    Array,
}

/// The JSON text of each submission, in order.
///
/// # Errors
/// `malformed_json` where the body is no array; `payload_too_large` beyond [`MAX_LINES`]; `validation_failed` where it
/// holds nothing.
pub(crate) fn split(body: &[u8], shape: Shape) -> Result<Vec<&[u8]>, ApiError> {
    let lines = match shape {
        Shape::Ndjson => split_lines(body),
        Shape::Array => split_array(body)?,
    };
    match lines.len() {
        0 => Err(ApiError::new(
            ProblemCode::ValidationFailed,
            format!("the batch is empty; a batch holds 1 to {MAX_LINES} submissions"),
        )),
        1..=MAX_LINES => Ok(lines),
        _ => Err(ApiError::new(
            ProblemCode::PayloadTooLarge,
            format!(
                "the batch holds more than {MAX_LINES} submissions; none was accepted, send several batches"
            ),
        )),
    }
}

/// Stops one beyond the limit: what follows would be refused anyway.
fn split_lines(body: &[u8]) -> Vec<&[u8]> {
    body.split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.is_empty())
        .take(MAX_LINES + 1)
        .collect()
}

fn split_array(body: &[u8]) -> Result<Vec<&[u8]>, ApiError> {
    let items: Vec<&RawValue> = serde_json::from_slice(body).map_err(|error| {
        ApiError::new(
            ProblemCode::MalformedJson,
            format!("expected a JSON array of submissions (or application/x-ndjson, one a line): {error}"),
        )
    })?;
    Ok(items.into_iter().map(|item| item.get().as_bytes()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_may_end_in_any_way_and_blank_ones_do_not_count() {
        let lines = split(b"{\"a\":1}\r\n\n  \n{\"b\":2}", Shape::Ndjson).unwrap();
        assert_eq!(lines, [&b"{\"a\":1}"[..], b"{\"b\":2}"]);
    }

    #[test]
    fn an_array_is_taken_apart_without_judging_its_items() {
        let deep = format!(
            "[1, {}{}, {{\"type\":\"t\"}}]",
            "[".repeat(5_000),
            "]".repeat(5_000)
        );
        let items = split(deep.as_bytes(), Shape::Array).unwrap();
        assert_eq!(
            (items.len(), items[0], items[2]),
            (3, &b"1"[..], &b"{\"type\":\"t\"}"[..])
        );
    }

    #[test]
    fn what_is_no_batch_is_refused_whole() {
        let code = |body: &[u8], shape| split(body, shape).unwrap_err().code();
        assert_eq!(code(b"{}", Shape::Array), ProblemCode::MalformedJson);
        assert_eq!(code(b"[1,", Shape::Array), ProblemCode::MalformedJson);
        assert_eq!(code(b"[]", Shape::Array), ProblemCode::ValidationFailed);
        assert_eq!(code(b"\n\n", Shape::Ndjson), ProblemCode::ValidationFailed);
    }

    #[test]
    fn the_number_of_lines_is_bounded() {
        assert_eq!(
            split("1\n".repeat(MAX_LINES).as_bytes(), Shape::Ndjson)
                .unwrap()
                .len(),
            MAX_LINES
        );
        let code = split("1\n".repeat(MAX_LINES + 1).as_bytes(), Shape::Ndjson)
            .unwrap_err()
            .code();
        assert_eq!(code, ProblemCode::PayloadTooLarge);
        let array = format!("[{}1]", "1,".repeat(MAX_LINES));
        assert_eq!(
            split(array.as_bytes(), Shape::Array).unwrap_err().code(),
            ProblemCode::PayloadTooLarge
        );
    }
}
