//! A screen as a picture in SVG, for documents: text, so that a change of it can be read.

use std::fmt::Write as _;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use unicode_width::UnicodeWidthStr;

/// Size of a cell and of its letters, in pixels.
const CELL: (f32, f32) = (8.4, 17.0);
const LETTERS: f32 = 14.0;
/// Where letters stand in the height of a cell.
const BASELINE: f32 = 13.0;
/// Room around the screen.
const MARGIN: f32 = 10.0;

/// Cells of a row that look the same, and where they begin.
struct Run<'a> {
    column: u16,
    width: u16,
    text: String,
    cell: &'a Cell,
}

/// The picture, on this ground; `title` is for those who do not see it.
pub(crate) fn svg(buffer: &Buffer, title: &str, ground: Color, letters: Color) -> String {
    let area = buffer.area;
    let width = MARGIN.mul_add(2.0, CELL.0 * f32::from(area.width));
    let height = MARGIN.mul_add(2.0, CELL.1 * f32::from(area.height));
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" aria-label=\"{title}\">\n\
         <title>{title}</title>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{}\"/>\n\
         <g font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace\" font-size=\"{LETTERS}\" fill=\"{}\">\n",
        hex(ground).unwrap_or_default(),
        hex(letters).unwrap_or_default(),
    );
    for row in 0..area.height {
        for run in runs(buffer, row) {
            draw(&run, row, (ground, letters), &mut svg);
        }
    }
    svg.push_str("</g>\n</svg>\n");
    svg
}

fn runs(buffer: &Buffer, row: u16) -> Vec<Run<'_>> {
    let mut runs: Vec<Run<'_>> = Vec::new();
    let mut column = 0;
    while column < buffer.area.width {
        let cell = &buffer[(column, row)];
        let width = u16::try_from(cell.symbol().width()).unwrap_or(1).max(1);
        match runs.last_mut() {
            Some(run) if run.cell.style() == cell.style() => {
                run.text.push_str(cell.symbol());
                run.width += width;
            }
            _ => runs.push(Run {
                column,
                width,
                text: cell.symbol().to_owned(),
                cell,
            }),
        }
        column += width;
    }
    runs
}

fn draw(run: &Run<'_>, row: u16, (ground, letters): (Color, Color), svg: &mut String) {
    let reversed = run.cell.modifier.contains(Modifier::REVERSED);
    let (behind, before) = match reversed {
        true => (run.cell.fg, run.cell.bg),
        false => (run.cell.bg, run.cell.fg),
    };
    let (x, y) = place(run.column, row);
    let length = CELL.0 * f32::from(run.width);
    if let Some(fill) = hex(behind).filter(|_| behind != ground) {
        let _ = writeln!(
            svg,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{length:.1}\" height=\"{}\" fill=\"{fill}\"/>",
            CELL.1
        );
    }
    let text = run.text.trim();
    if text.is_empty() {
        return;
    }
    let cells = |text: &str| u16::try_from(text.width()).unwrap_or(u16::MAX);
    let indent = cells(&run.text) - cells(run.text.trim_start());
    let (x, length) = (place(run.column + indent, row).0, CELL.0 * f32::from(cells(text)));
    let fill = hex(before).filter(|_| before != letters);
    let fill = fill.map_or_else(String::new, |fill| format!(" fill=\"{fill}\""));
    let bold = match run.cell.modifier.contains(Modifier::BOLD) {
        true => " font-weight=\"bold\"",
        false => "",
    };
    // The length keeps columns in their places, whatever the font of whoever looks at it.
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{:.1}\" textLength=\"{length:.1}\" lengthAdjust=\"spacingAndGlyphs\"{fill}{bold}>{}</text>",
        y + BASELINE,
        escaped(text),
    );
}

/// Where a cell begins.
fn place(column: u16, row: u16) -> (f32, f32) {
    (
        CELL.0.mul_add(f32::from(column), MARGIN),
        CELL.1.mul_add(f32::from(row), MARGIN),
    )
}

/// As XML has it. Several spaces would be taken for one: those that are none to break at stay.
fn escaped(text: &str) -> String {
    text.replace(' ', "\u{a0}")
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// A colour as a page writes it; none where it is left to the terminal.
fn hex(colour: Color) -> Option<String> {
    match colour {
        Color::Rgb(red, green, blue) => Some(format!("#{red:02x}{green:02x}{blue:02x}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    use super::*;

    #[test]
    fn a_run_of_one_look_is_one_text_at_its_place() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 6, 1));
        buffer.set_string(0, 0, " <b", Style::new().fg(Color::Rgb(255, 0, 0)));
        buffer.set_string(3, 0, "日!", Style::new().bg(Color::Rgb(0, 0, 255)));
        let picture = svg(&buffer, "it", Color::Rgb(0, 0, 0), Color::Rgb(9, 9, 9));
        assert!(
            picture.contains("x=\"18.4\" y=\"23.0\" textLength=\"16.8\""),
            "{picture}"
        );
        assert!(picture.contains(" fill=\"#ff0000\">&lt;b</text>"), "{picture}");
        assert!(
            picture.contains(">日!</text>") && picture.contains("fill=\"#0000ff\""),
            "{picture}"
        );
        assert_eq!(picture.matches("<text").count(), 2, "{picture}");
    }
}
