//! How log lines are drawn.

use odd_look::format;
use odd_look::sign::{Glyph, Tone};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use unicode_segmentation::UnicodeSegmentation;

use super::super::scrolled;
use super::line::{LogLine, find};
use super::{Logs, State};
use crate::fit;
use crate::frame::region;
use crate::theme::Theme;
use crate::world::World;

/// Columns of a role's name.
const ROLE: usize = 15;
/// Least width at which time has milliseconds and a level its name.
const WIDE: usize = 100;
/// Rows of why a run ended, at most.
const WHY: usize = 4;

impl Logs {
    pub(super) fn draw_all(&mut self, world: &World, frame: &mut Frame<'_>, area: Rect) {
        if !world.mode.has_machine() {
            draw_nowhere(world, frame, area);
            return;
        }
        let foot = self.foot(world, usize::from(area.width));
        let [roles, body, below] = Layout::vertical([
            Constraint::Length(1),
            Constraint::Fill(1),
            Constraint::Length(u16::try_from(foot.len()).unwrap_or(0)),
        ])
        .areas(area);
        frame.render_widget(
            Paragraph::new(self.roles_line(world, usize::from(area.width))),
            roles,
        );
        self.draw_lines(world, frame, body);
        frame.render_widget(Paragraph::new(foot), below);
    }

    fn draw_lines(&mut self, world: &World, frame: &mut Frame<'_>, area: Rect) {
        let theme = world.theme;
        let follows = match (&self.state, self.follows) {
            (State::Ended(_), _) => "ended",
            (_, true) => "following",
            (_, false) => "held; End follows again",
        };
        let count = format::count(self.ring.len() as u64);
        let block = region(world, format!("Logs  {count} lines, {follows}"));
        let inner = block.inner(area);
        frame.render_widget(block, area);
        if self.ring.len() == 0 {
            let text = match self.state {
                State::Ended(_) => " no lines",
                _ => " waiting for lines",
            };
            frame.render_widget(Paragraph::new(text).style(theme.muted()), inner);
            return;
        }
        self.area = inner;
        let (count, page, width) = (
            self.ring.len(),
            usize::from(inner.height),
            usize::from(inner.width),
        );
        let chosen = self.place();
        let first = scrolled(self.ring.place(self.first), chosen, page).min(count.saturating_sub(page));
        self.first = self.ring.number(first).unwrap_or(0);
        let visible = first..count.min(first + page);
        self.room = width.saturating_sub(taken(width));
        self.shift = self.shift.min(self.furthest(visible.clone()));
        let lines: Vec<Line<'_>> = visible
            .filter_map(|at| Some(self.row(world, self.ring.get(at)?, at == chosen, width)))
            .collect();
        frame.render_widget(Paragraph::new(lines), inner);
    }

    /// The shift at which the end of the longest of these lines is in view.
    fn furthest(&self, visible: std::ops::Range<usize>) -> usize {
        if self.shift == 0 {
            return 0;
        }
        let widths = visible.filter_map(|at| Some(fit::width(&self.ring.get(at)?.text)));
        widths.max().unwrap_or(0).saturating_sub(self.room)
    }

    /// `12:04:31.204 ● INFO  gateway  message  key=value`
    fn row(&self, world: &World, line: &LogLine, is_chosen: bool, width: usize) -> Line<'static> {
        let theme = world.theme;
        let is_wide = width >= WIDE;
        let pointer = if is_chosen { theme.pointer() } else { " " };
        let at = fit::left(
            &line
                .at
                .chars()
                .take(if is_wide { 12 } else { 8 })
                .collect::<String>(),
            if is_wide { 13 } else { 9 },
        );
        let sign = line.level.sign().map_or(" ", |glyph| theme.glyph(glyph));
        let level = if is_wide {
            format!("{sign} {:<6}", line.level.name())
        } else {
            format!("{sign} ")
        };
        let role = match line.replica {
            0 | 1 => line.role.clone(),
            number => format!("{} {number}", line.role),
        };
        let mut spans = vec![
            Span::styled(pointer, theme.accent()),
            Span::styled(at, theme.muted()),
            Span::styled(level, theme.tone(line.level.tone())),
            Span::styled(fit::left(&role, ROLE), name_style(theme, &line.role)),
        ];
        let text = fit::cut(beyond(&line.text, self.shift), self.room).into_owned();
        spans.extend(marked(&text, &self.search, theme));
        let line = Line::from(spans);
        if is_chosen {
            line.style(theme.chosen())
        } else {
            line
        }
    }

    /// ` 0 all  1 gateway  2 processor …`
    fn roles_line(&self, world: &World, width: usize) -> Line<'static> {
        let theme = world.theme;
        let names = self.ring.roles().iter().enumerate();
        let roles = names.map(|(at, name)| (Some(at), fit::cut(name, ROLE).into_owned()));
        let mut spans = vec![Span::raw(" ")];
        let mut taken = 1;
        for (role, name) in std::iter::once((None, "all".to_owned())).chain(roles) {
            let digit = match role {
                None => "0 ".to_owned(),
                Some(at) if at < 9 => format!("{} ", at + 1),
                Some(_) => String::new(),
            };
            let text = format!(" {digit}{name} ");
            let is_chosen = role == self.ring.role();
            taken += fit::width(&text);
            // The chosen one is always named.
            if taken > width && !is_chosen {
                continue;
            }
            let style = match (is_chosen, role) {
                (true, _) => theme.accent().patch(theme.chosen()),
                (false, None) => theme.muted(),
                (false, Some(_)) => name_style(theme, &name),
            };
            spans.push(Span::styled(text, style));
        }
        Line::from(spans)
    }

    /// The search, and why the run ended.
    fn foot(&self, world: &World, width: usize) -> Vec<Line<'static>> {
        let theme = world.theme;
        let mut lines = Vec::new();
        if let State::Ended(why) = &self.state {
            let text = format!("{} odd logs ended: {why}", theme.glyph(Glyph::Warn));
            let rows = fit::wrap(&text, width.saturating_sub(2)).into_iter().take(WHY);
            lines.extend(rows.map(|row| Line::styled(format!(" {row}"), theme.tone(Tone::Attention))));
            lines.push(Line::styled(" R starts it again", theme.muted()));
        }
        let room = width.saturating_sub(32);
        let (text, more) = match &self.typing {
            Some(typing) => {
                let columns = typing.width().min(room);
                let enter = if theme.unicode() { "↵" } else { "Enter" };
                let more = format!("   {enter} searches, Esc leaves");
                (typing.spans(columns, theme.strong(), true), more)
            }
            None if self.search.is_empty() => return lines,
            None => {
                let more = if self.is_missed {
                    "   is in no line that is kept"
                } else {
                    "   n next, p previous"
                };
                let text = fit::cut(&self.search, room).into_owned();
                (vec![Span::styled(text, theme.strong())], more.to_owned())
            }
        };
        let mut line = Line::styled(" /", theme.accent());
        line.extend(text);
        line.push_span(Span::styled(more, theme.muted()));
        lines.push(line);
        lines
    }
}

/// Columns before the text of a line.
const fn taken(width: usize) -> usize {
    if width >= WIDE {
        1 + 13 + 8 + ROLE
    } else {
        1 + 9 + 2 + ROLE
    }
}

/// What is left of a line that begins so many columns to the left.
fn beyond(text: &str, columns: usize) -> &str {
    let mut taken = 0;
    for (at, grapheme) in text.grapheme_indices(true) {
        if taken >= columns {
            return &text[at..];
        }
        taken += fit::width(grapheme);
    }
    if columns == 0 { text } else { "" }
}

/// What is said where no command can be run.
fn draw_nowhere(world: &World, frame: &mut Frame<'_>, area: Rect) {
    let theme = world.theme;
    let means = "This terminal runs beside the stack and reaches nothing of the machine behind it: no container, no file. \
                 On that machine the same is shown by";
    let block = region(world, "Logs");
    let width = usize::from(block.inner(area).width);
    let mut lines = vec![
        Line::default(),
        Line::styled(" Logs cannot be had from here", theme.strong()),
    ];
    let rows = fit::wrap(means, width.saturating_sub(4).min(90)).into_iter();
    lines.extend(rows.map(|row| Line::styled(format!("   {row}"), theme.muted())));
    lines.push(Line::default());
    let instance = fit::cut(&world.instance, 40);
    lines.push(Line::styled(
        format!("   $ odd logs --follow --instance {instance}"),
        theme.text(),
    ));
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

/// A colour that tells names apart, and none that says that something is wrong.
fn name_style(theme: Theme, name: &str) -> Style {
    const TONES: [Tone; 5] = [
        Tone::Accent,
        Tone::Working,
        Tone::Cancelled,
        Tone::Ok,
        Tone::Waiting,
    ];
    let letters = name.bytes().filter(u8::is_ascii_alphabetic);
    let sum = letters.fold(0_usize, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(usize::from(byte))
    });
    theme.tone(TONES[sum % TONES.len()])
}

/// The text with what is searched for set off.
fn marked(text: &str, search: &str, theme: Theme) -> Vec<Span<'static>> {
    let mut spans = Vec::new();
    let mut from = 0;
    while let Some(at) = find(text, search, from) {
        let end = at + search.len();
        spans.push(Span::styled(text[from..at].to_owned(), theme.text()));
        let style = theme.accent().add_modifier(Modifier::REVERSED);
        spans.push(Span::styled(text[at..end].to_owned(), style));
        from = end;
    }
    spans.push(Span::styled(text[from..].to_owned(), theme.text()));
    spans
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bed;

    #[test]
    fn a_line_is_seen_from_any_column() {
        assert_eq!(beyond("resize", 0), "resize");
        assert_eq!(beyond("resize", 4), "ze");
        assert_eq!(beyond("日本語", 1), "本語");
        assert_eq!((beyond("ab", 2), beyond("ab", 9), beyond("", 0)), ("", "", ""));
    }

    #[test]
    fn matches_are_set_off() {
        let theme = bed::empty().theme;
        let spans = marked("refused, Refused: ü", "refused", theme);
        let texts: Vec<_> = spans.iter().map(|span| span.content.as_ref()).collect();
        assert_eq!(texts, ["", "refused", ", ", "Refused", ": ü"]);
        assert!(spans[3].style.add_modifier.contains(Modifier::REVERSED));
        assert_eq!(marked("a", "", theme).len(), 1);
    }
}
