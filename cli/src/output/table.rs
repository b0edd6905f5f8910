//! Aligned columns.

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    title: &'static str,
    right: bool,
}

/// A column of texts.
pub const fn left(title: &'static str) -> Column {
    Column { title, right: false }
}

/// A column of figures.
pub const fn right(title: &'static str) -> Column {
    Column { title, right: true }
}

/// Distance between columns.
const GAP: &str = "  ";

/// Lines of a table. Cells may hold colours; they take no width.
pub(super) fn lay_out(
    columns: &[Column],
    rows: Vec<Vec<String>>,
    title: impl Fn(&str) -> String,
) -> Vec<String> {
    let head: Vec<String> = columns.iter().map(|column| title(column.title)).collect();
    let all = std::iter::once(&head)
        .filter(|head| !head.is_empty())
        .chain(&rows);
    let mut widths: Vec<usize> = Vec::new();
    for row in all.clone() {
        widths.resize(widths.len().max(row.len()), 0);
        for (cell, widest) in row.iter().zip(&mut widths) {
            *widest = width(cell).max(*widest);
        }
    }
    all.map(|row| line(columns, row, &widths)).collect()
}

fn line(columns: &[Column], row: &[String], widths: &[usize]) -> String {
    let mut line = String::new();
    for (place, (cell, widest)) in row.iter().zip(widths).enumerate() {
        let padding = " ".repeat(widest - width(cell));
        let right = columns.get(place).is_some_and(|column| column.right);
        if place > 0 {
            line.push_str(GAP);
        }
        if right {
            line.push_str(&padding);
            line.push_str(cell);
        } else {
            line.push_str(cell);
            line.push_str(&padding);
        }
    }
    line.trim_end().to_owned()
}

/// Characters that a text shows: those of ANSI colour sequences are not.
fn width(text: &str) -> usize {
    let mut count = 0;
    let mut in_sequence = false;
    for c in text.chars() {
        match (in_sequence, c) {
            (false, '\u{1b}') => in_sequence = true,
            (false, _) => count += 1,
            (true, 'm') => in_sequence = false,
            (true, _) => {}
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_whatever_colours_are_in_them() {
        let rows = vec![
            vec!["\u{1b}[32mok\u{1b}[0m".to_owned(), "9".to_owned(), "x".to_owned()],
            vec!["failed".to_owned(), "1,204".to_owned(), String::new()],
        ];
        let lines = lay_out(&[left("state"), right("jobs"), left("")], rows, str::to_owned);
        assert_eq!(
            lines,
            [
                "state    jobs",
                "\u{1b}[32mok\u{1b}[0m          9  x",
                "failed  1,204"
            ]
        );
    }
}
