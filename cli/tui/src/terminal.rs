//! Taking the terminal and giving it back, however it ends.

use std::io::{self, Stdout, Write};
use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::clipboard::CopyToClipboard;
use crossterm::cursor::Show;
use crossterm::event::{
    DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture,
};
use crossterm::execute;
use crossterm::style::Print;
use crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, SetTitle, disable_raw_mode, enable_raw_mode,
};
use ratatui::backend::CrosstermBackend;
use ratatui::layout::{Position, Rect};
use ratatui::{Frame, Terminal};

/// The terminal while it is ours. Given back when dropped.
pub(crate) struct Screen {
    /// Never dropped: it would tell of a cursor that cannot be shown on a terminal that may be gone, and panic over it.
    terminal: ManuallyDrop<Terminal<CrosstermBackend<io::BufWriter<Stdout>>>>,
}

/// Whether it is ours. A panic of any thread gives it back, and what that says is not drawn over.
static OURS: AtomicBool = AtomicBool::new(false);
/// Whether a panic was told of, to the last line.
static TOLD: AtomicBool = AtomicBool::new(false);

/// Puts the window's title aside, and takes it back (xterm's window operations 22 and 23); terminals without skip it.
const KEEP_TITLE: &str = "\x1b[22;2t";
const GIVE_TITLE_BACK: &str = "\x1b[23;2t";
/// Longest text for the clipboard, in bytes: xterm and tmux drop what is longer than 100,000 characters in base64, others 74,994.
const CLIPBOARD: usize = 74_994 / 4 * 3;

/// Bytes that are collected before they are written: a whole frame goes out at once.
const FRAME: usize = 64 * 1024;

impl Screen {
    /// Takes the terminal. From here on, a panic gives it back before it is told of.
    pub(crate) fn take(title: &str) -> io::Result<Self> {
        let terminal = Terminal::new(CrosstermBackend::new(io::BufWriter::with_capacity(
            FRAME,
            io::stdout(),
        )))?;
        enable_raw_mode()?;
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            give_back();
            hook(panic);
            TOLD.store(true, Ordering::Release);
        }));
        let screen = Self {
            terminal: ManuallyDrop::new(terminal),
        };
        OURS.store(true, Ordering::Release);
        execute!(
            io::stdout(),
            EnterAlternateScreen,
            EnableMouseCapture,
            EnableBracketedPaste,
            Print(KEEP_TITLE),
            SetTitle(title)
        )?;
        Ok(screen)
    }

    /// Draws the whole of the next frame, whatever was drawn before.
    pub(crate) fn forget(&mut self) -> io::Result<()> {
        if OURS.load(Ordering::Acquire) {
            // Not `clear`, which asks the terminal where its cursor is and waits for an answer among the keys.
            let size = self.terminal.size()?;
            self.terminal.resize(Rect::from((Position::ORIGIN, size)))?;
        }
        Ok(())
    }

    /// Draws a frame.
    pub(crate) fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        if OURS.load(Ordering::Acquire) {
            self.terminal.draw(draw)?;
        }
        Ok(())
    }

    /// Whether some thread has panicked, and said so on the terminal that was given back for it.
    pub(crate) fn told_of_panic() -> bool {
        TOLD.load(Ordering::Acquire)
    }

    /// Puts text into the clipboard of whoever looks at the terminal (OSC 52).
    ///
    /// # Errors
    /// When it is longer than terminals take: half of it would be something else.
    pub(crate) fn copy(text: &str) -> io::Result<()> {
        if text.len() > CLIPBOARD {
            let (kb, most) = (text.len() / 1_000, CLIPBOARD / 1_000);
            return Err(io::Error::other(format!(
                "it has {kb} kB, and a terminal takes {most} kB"
            )));
        }
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

/// Once: to leave the alternate screen again would put the cursor back over what a panic has told meanwhile. Nothing can be done
/// about a terminal that is gone.
fn give_back() {
    if !OURS.swap(false, Ordering::AcqRel) {
        return;
    }
    let _ = execute!(
        io::stdout(),
        Print(GIVE_TITLE_BACK),
        DisableBracketedPaste,
        DisableMouseCapture,
        LeaveAlternateScreen,
        Show
    );
    let _ = disable_raw_mode();
}
