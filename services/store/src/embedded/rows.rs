//! Statements over many rows: `VALUES (?, …), (?, …), …` in a few fixed sizes, so that the
//! statement cache hits.

use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{AssertSqlSafe, Sqlite, SqliteConnection};

use super::database::classify;
use crate::StoreError;

/// Rows of one statement: the largest size that still fits is used until none is left. Powers of two make few
/// statements of any number of rows, and each statement costs a change of threads.
const CHUNKS: [usize; 9] = [256, 128, 64, 32, 16, 8, 4, 2, 1];

/// A statement whose arguments are being bound.
pub(crate) type Bound<'q> = Query<'q, Sqlite, SqliteArguments>;

/// Runs `before VALUES-list after` over all rows and returns what the statements return.
///
/// `before` ends where the first parenthesis of the list begins. `bind` binds exactly `columns` values.
pub(crate) async fn execute<T>(
    connection: &mut SqliteConnection,
    before: &'static str,
    after: &'static str,
    columns: usize,
    rows: &[T],
    bind: impl for<'q> Fn(Bound<'q>, &T) -> Bound<'q>,
) -> Result<Vec<SqliteRow>, StoreError> {
    let mut returned = Vec::new();
    let mut rest = rows;
    for size in CHUNKS {
        if rest.len() < size {
            continue;
        }
        let sql = statement(before, after, columns, size);
        while rest.len() >= size {
            let (chunk, remaining) = rest.split_at(size);
            rest = remaining;
            // Only placeholders are composed; every value is bound.
            let query = chunk.iter().fold(sqlx::query(AssertSqlSafe(sql.clone())), &bind);
            returned.extend(query.fetch_all(&mut *connection).await.map_err(classify)?);
        }
    }
    Ok(returned)
}

fn statement(before: &str, after: &str, columns: usize, rows: usize) -> std::sync::Arc<str> {
    let row = format!("({})", vec!["?"; columns].join(","));
    format!("{before} {} {after}", vec![row.as_str(); rows].join(",")).into()
}

/// A JSON array of texts, for `json_each(?)`.
pub(crate) fn json_array<T: ToString>(values: impl IntoIterator<Item = T>) -> String {
    let mut json = String::from("[");
    for (index, value) in values.into_iter().enumerate() {
        if index > 0 {
            json.push(',');
        }
        json.push('"');
        json.push_str(&value.to_string());
        json.push('"');
    }
    json.push(']');
    json
}
