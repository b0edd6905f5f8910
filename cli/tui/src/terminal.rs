//! Taking the terminal and giving it back, however it ends.

use std::io::{self, Stdout, Write};

use crossterm::clipboard::CopyToClipboard;
use crossterm::cursor::Show;
use crossterm::event::{
    DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture,
};
use crossterm::execute;
use crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, SetTitle, disable_raw_mode, enable_raw_mode,
};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;

/// The terminal while it is ours. Given back when dropped.
pub(crate) struct Screen {
    pub(crate) terminal: Terminal<CrosstermBackend<io::BufWriter<Stdout>>>,
}

/// Bytes that are collected before they are written: a whole frame goes out at once.
const FRAME: usize = 64 * 1024;

impl Screen {
    /// Takes the terminal. From here on, a panic gives it back before it is told of.
    pub(crate) fn take(title: &str) -> io::Result<Self> {
        enable_raw_mode()?;
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            give_back();
            hook(panic);
        }));
        let screen = Self {
            terminal: Terminal::new(CrosstermBackend::new(io::BufWriter::with_capacity(
                FRAME,
                io::stdout(),
            )))?,
        };
        execute!(
            io::stdout(),
            EnterAlternateScreen,
            EnableMouseCapture,
            EnableBracketedPaste,
            SetTitle(title)
        )?;
        Ok(screen)
    }

    /// Puts text into the clipboard of whoever looks at the terminal (OSC 52).
    pub(crate) fn copy(text: &str) -> io::Result<()> {
        let mut out = io::stdout();
        execute!(out, CopyToClipboard::to_clipboard_from(text))?;
        out.flush()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Twice does no harm. Nothing can be done about a terminal that is gone.
fn give_back() {
    let _ = execute!(
        io::stdout(),
        DisableBracketedPaste,
        DisableMouseCapture,
        LeaveAlternateScreen,
        Show
    );
    let _ = disable_raw_mode();
}
