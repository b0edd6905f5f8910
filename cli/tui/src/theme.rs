//! Colours and borders: the tokens of the design, for the colours that a terminal has.

use odd_look::sign::{Glyph, Tone};
use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::border;

use crate::options::{Depth, Look, ThemeName};

/// The characters of a border in ASCII.
const ASCII_BORDER: border::Set<'static> = border::Set {
    top_left: "+",
    top_right: "+",
    bottom_left: "+",
    bottom_right: "+",
    vertical_left: "|",
    vertical_right: "|",
    horizontal_top: "-",
    horizontal_bottom: "-",
};

/// A token's value in a theme: 24 bits, or one of sixteen.
#[derive(Clone, Copy)]
struct Token {
    exact: Color,
    nearest: Color,
}

const fn rgb(value: u32, nearest: Color) -> Token {
    let [_, red, green, blue] = value.to_be_bytes();
    Token {
        exact: Color::Rgb(red, green, blue),
        nearest,
    }
}

struct Palette {
    background: Token,
    raised: Token,
    text: Token,
    muted: Token,
    line: Token,
    accent: Token,
    ok: Token,
    working: Token,
    waiting: Token,
    attention: Token,
    bad: Token,
    cancelled: Token,
}

const DARK: Palette = Palette {
    background: rgb(0x0b_1020, Color::Reset),
    raised: rgb(0x1b_2542, Color::DarkGray),
    text: rgb(0xe6_ebf5, Color::Reset),
    muted: rgb(0x93_a0bd, Color::Gray),
    line: rgb(0x26_314f, Color::DarkGray),
    accent: rgb(0x6e_a8fe, Color::Blue),
    ok: rgb(0x4c_c38a, Color::Green),
    working: rgb(0x62_b6f0, Color::Cyan),
    waiting: rgb(0x93_a0bd, Color::Gray),
    attention: rgb(0xf5_b454, Color::Yellow),
    bad: rgb(0xff_6b6b, Color::Red),
    cancelled: rgb(0xb3_9ddb, Color::Magenta),
};

const LIGHT: Palette = Palette {
    background: rgb(0xf6_f8fc, Color::Reset),
    raised: rgb(0xdd_e5f4, Color::Gray),
    text: rgb(0x16_203a, Color::Reset),
    muted: rgb(0x5a_6785, Color::DarkGray),
    line: rgb(0xd7_deec, Color::Gray),
    accent: rgb(0x1f_5fd6, Color::Blue),
    ok: rgb(0x18_794e, Color::Green),
    working: rgb(0x0b_68cb, Color::Cyan),
    waiting: rgb(0x5a_6785, Color::DarkGray),
    attention: rgb(0xad_5700, Color::Yellow),
    bad: rgb(0xc6_2a2f, Color::Red),
    cancelled: rgb(0x6e_56cf, Color::Magenta),
};

const CONTRAST: Palette = Palette {
    background: rgb(0x00_0000, Color::Black),
    raised: rgb(0x00_3a8c, Color::Blue),
    text: rgb(0xff_ffff, Color::White),
    muted: rgb(0xff_ffff, Color::White),
    line: rgb(0xff_ffff, Color::White),
    accent: rgb(0x8c_c8ff, Color::LightBlue),
    ok: rgb(0x5c_ff9d, Color::LightGreen),
    working: rgb(0x7f_e9ff, Color::LightCyan),
    waiting: rgb(0xff_ffff, Color::White),
    attention: rgb(0xff_d84d, Color::LightYellow),
    bad: rgb(0xff_8a8a, Color::LightRed),
    cancelled: rgb(0xd9_b8ff, Color::LightMagenta),
};

/// How everything is drawn.
#[derive(Clone, Copy)]
pub(crate) struct Theme {
    look: Look,
}

impl Theme {
    pub(crate) const fn new(look: Look) -> Self {
        Self { look }
    }

    /// The same colours by another name.
    #[must_use]
    pub(crate) const fn named(self, theme: ThemeName) -> Self {
        Self {
            look: Look { theme, ..self.look },
        }
    }

    pub(crate) const fn unicode(self) -> bool {
        self.look.unicode
    }

    const fn palette(self) -> &'static Palette {
        match self.look.theme {
            ThemeName::Dark => &DARK,
            ThemeName::Light => &LIGHT,
            ThemeName::Contrast => &CONTRAST,
        }
    }

    const fn colour(self, token: Token) -> Option<Color> {
        match self.look.depth {
            Depth::None => None,
            Depth::Sixteen => Some(token.nearest),
            Depth::True => Some(token.exact),
        }
    }

    fn ink(self, token: Token) -> Style {
        self.colour(token)
            .map_or_else(Style::new, |colour| Style::new().fg(colour))
    }

    /// Ordinary text on the ground of the whole screen.
    pub(crate) fn base(self) -> Style {
        let style = self.ink(self.palette().text);
        match self.colour(self.palette().background) {
            Some(ground) => style.bg(ground),
            None => style,
        }
    }

    pub(crate) fn text(self) -> Style {
        self.ink(self.palette().text)
    }

    /// What is less important: labels, units, ages.
    pub(crate) fn muted(self) -> Style {
        let style = self.ink(self.palette().muted);
        match self.look.depth {
            Depth::None => style.add_modifier(Modifier::DIM),
            _ => style,
        }
    }

    /// Borders.
    pub(crate) fn line(self) -> Style {
        self.ink(self.palette().line)
    }

    /// Titles and figures that count.
    pub(crate) fn strong(self) -> Style {
        self.text().add_modifier(Modifier::BOLD)
    }

    /// Focus, links, what to do next.
    pub(crate) fn accent(self) -> Style {
        self.ink(self.palette().accent).add_modifier(Modifier::BOLD)
    }

    /// The row or field that is chosen.
    pub(crate) fn chosen(self) -> Style {
        match self.colour(self.palette().raised) {
            Some(ground) => Style::new().bg(ground).add_modifier(Modifier::BOLD),
            None => Style::new().add_modifier(Modifier::REVERSED),
        }
    }

    /// What is no longer certain, because what tells it is away.
    pub(crate) fn stale(self) -> Style {
        self.muted().add_modifier(Modifier::DIM)
    }

    pub(crate) fn tone(self, tone: Tone) -> Style {
        let palette = self.palette();
        let token = match tone {
            Tone::Accent => palette.accent,
            Tone::Ok => palette.ok,
            Tone::Working => palette.working,
            Tone::Waiting => palette.waiting,
            Tone::Attention => palette.attention,
            Tone::Bad => palette.bad,
            Tone::Cancelled => palette.cancelled,
            Tone::Muted => palette.muted,
        };
        match (self.look.depth, tone) {
            (Depth::None, Tone::Bad | Tone::Attention) => Style::new().add_modifier(Modifier::BOLD),
            (Depth::None, Tone::Muted) => Style::new().add_modifier(Modifier::DIM),
            _ => self.ink(token),
        }
    }

    pub(crate) const fn glyph(self, glyph: Glyph) -> &'static str {
        glyph.text(self.look.unicode)
    }

    pub(crate) const fn border(self) -> border::Set<'static> {
        if self.look.unicode {
            border::PLAIN
        } else {
            ASCII_BORDER
        }
    }

    /// What marks the chosen row beside its colour.
    pub(crate) const fn pointer(self) -> &'static str {
        if self.look.unicode { "▸" } else { ">" }
    }
}
