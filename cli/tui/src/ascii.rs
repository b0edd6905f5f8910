//! What is drawn, in the characters of a terminal that has no others.

use ratatui::buffer::Buffer;

/// Replaces what is not ASCII in a drawn frame, whoever drew it and wherever it came from, one character for one.
pub(crate) fn only(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        if !cell.symbol().is_ascii() {
            cell.set_symbol(nearest(cell.symbol()));
        }
    }
}

/// The nearest character.
fn nearest(symbol: &str) -> &'static str {
    match symbol {
        "…" => "~",
        "·" | "•" | "░" | "▂" => ".",
        "µ" => "u",
        "–" | "—" | "─" | "▄" => "-",
        "→" | "▸" => ">",
        "←" | "◂" => "<",
        "↑" => "^",
        "↓" => "v",
        "×" => "x",
        "│" | "▏" | "▕" => "|",
        "┌" | "┐" | "└" | "┘" | "├" | "┤" | "┬" | "┴" | "┼" | "▆" => "+",
        "▁" => "_",
        "▃" | "▒" => ":",
        "▅" => "=",
        "▇" => "*",
        "█" | "▓" => "#",
        "“" | "”" => "\"",
        "‘" | "’" => "'",
        "\u{a0}" => " ",
        _ => "?",
    }
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    use super::*;

    #[test]
    fn one_character_for_one() {
        let area = Rect::new(0, 0, 14, 1);
        let mut buffer = Buffer::empty(area);
        buffer.set_string(0, 0, "3 µs … 日本 é│ok", Style::new());
        only(&mut buffer);
        let text: String = buffer.content.iter().map(|cell| cell.symbol()).collect();
        assert_eq!(text, "3 us ~ ? ?  ?|");
    }
}
