//! The one way to standard output and standard error.
//!
//! Answers go to standard output, everything said about them to standard error. A reader that closes the pipe is no
//! error: what follows is dropped, and streaming commands see [`Printer::is_closed`].

mod style;
mod table;

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use odd_contracts::JobStatus;
use serde::Serialize;

pub use odd_look::sign::{Glyph, Tone};
pub use table::{Column, left, right};

use crate::args::{Global, OutputForm};
use crate::error::Error;
use crate::exit::ExitCode;

/// The one way to standard output and standard error. Cheap to clone.
#[derive(Clone)]
pub struct Printer {
    inner: Arc<Inner>,
}

struct Inner {
    form: AtomicU8,
    quiet: bool,
    colour_out: bool,
    colour_err: bool,
    unicode: bool,
    closed: AtomicBool,
    failure: Mutex<Option<io::Error>>,
}

impl Printer {
    /// From the flags, the environment and what the two outputs are.
    pub fn new(flags: &Global) -> Self {
        let colours = style::colours_wanted(flags.no_color);
        Self {
            inner: Arc::new(Inner {
                form: AtomicU8::new(flags.output.unwrap_or_default() as u8),
                quiet: flags.quiet,
                colour_out: colours && io::stdout().is_terminal(),
                colour_err: colours && io::stderr().is_terminal(),
                unicode: style::unicode_wanted(),
                closed: AtomicBool::new(false),
                failure: Mutex::new(None),
            }),
        }
    }

    /// Sets the form of answers, once settings are known.
    pub fn set_form(&self, form: OutputForm) {
        self.inner.form.store(form as u8, Ordering::Relaxed);
    }

    /// Form of answers.
    pub fn form(&self) -> OutputForm {
        match self.inner.form.load(Ordering::Relaxed) {
            1 => OutputForm::Json,
            2 => OutputForm::Ndjson,
            _ => OutputForm::Text,
        }
    }

    /// Whether answers are for programs.
    pub fn is_json(&self) -> bool {
        self.form() != OutputForm::Text
    }

    /// Whether a person sits at the terminal: only then may a command ask something.
    pub fn is_interactive(&self) -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// Whether the terminal can show more than ASCII.
    pub fn is_unicode(&self) -> bool {
        self.inner.unicode
    }

    /// Whether standard output is to be coloured.
    pub fn has_colours(&self) -> bool {
        self.inner.colour_out
    }

    /// Whether nobody reads standard output any more.
    pub fn is_closed(&self) -> bool {
        self.inner.closed.load(Ordering::Relaxed)
    }

    /// A line of the answer. What is in it from outside cannot steer the terminal.
    pub fn line(&self, text: &str) {
        let text = odd_look::text::answer(text, self.inner.colour_out);
        self.write(|out| writeln!(out, "{text}"));
    }

    /// The answer as bytes.
    pub fn raw(&self, bytes: &[u8]) {
        self.write(|out| out.write_all(bytes));
    }

    /// The whole answer as one JSON document (one line where `ndjson` was asked for).
    pub fn json(&self, document: &impl Serialize) -> Result<(), Error> {
        if self.form() == OutputForm::Ndjson {
            return self.json_line(document);
        }
        let text =
            serde_json::to_string_pretty(document).map_err(|e| Error::new("write the answer as JSON", e))?;
        self.document(&text);
        Ok(())
    }

    /// One document of an NDJSON answer.
    pub fn json_line(&self, document: &impl Serialize) -> Result<(), Error> {
        let text = serde_json::to_string(document).map_err(|e| Error::new("write the answer as JSON", e))?;
        self.document(&text);
        Ok(())
    }

    /// As it is: its strings are escaped, and programs read them.
    fn document(&self, text: &str) {
        self.write(|out| writeln!(out, "{text}"));
    }

    /// Rows of the answer in aligned columns; without titles where `columns` is empty.
    pub fn table(&self, columns: &[Column], rows: impl IntoIterator<Item = Vec<String>>) {
        let titles = |text: &str| self.paint(Tone::Muted, text);
        for line in table::lay_out(columns, rows.into_iter().collect(), titles) {
            self.line(&line);
        }
    }

    /// Help of a command, as the answer.
    pub fn help(&self, command: &clap::Command) -> Result<(), Error> {
        let help = command.clone().render_help();
        let text = if self.inner.colour_out {
            help.ansi().to_string()
        } else {
            help.to_string()
        };
        self.line(text.trim_end());
        Ok(())
    }

    /// A message beside the answer.
    pub fn note(&self, text: &str) {
        if !self.inner.quiet {
            self.say(text);
        }
    }

    /// A message about something that went well: `✓ text`.
    pub fn ok(&self, text: &str) {
        self.note(&format!("{} {text}", self.mark_err(Glyph::Ok, Tone::Ok)));
    }

    /// A message about something to look at: `⚠ text`. Also where quiet.
    pub fn warn(&self, text: &str) {
        self.say(&format!("{} {text}", self.mark_err(Glyph::Warn, Tone::Attention)));
    }

    /// A message that has to be read, also where quiet.
    pub fn say(&self, text: &str) {
        say(&odd_look::text::answer(text, self.inner.colour_err));
    }

    /// A text in a tone, for standard output.
    pub fn paint(&self, tone: Tone, text: &str) -> String {
        style::paint(self.inner.colour_out, tone, text)
    }

    /// A name in a colour of its own, always the same, for standard output.
    pub fn paint_name(&self, name: &str) -> String {
        style::paint_name(self.inner.colour_out, name)
    }

    /// A text in a tone, for standard error.
    pub fn paint_err(&self, tone: Tone, text: &str) -> String {
        style::paint(self.inner.colour_err, tone, text)
    }

    /// A glyph in a tone, for standard output.
    pub fn mark(&self, glyph: Glyph, tone: Tone) -> String {
        self.paint(tone, glyph.text(self.inner.unicode))
    }

    /// A glyph in a tone, for standard error.
    pub fn mark_err(&self, glyph: Glyph, tone: Tone) -> String {
        self.paint_err(tone, glyph.text(self.inner.unicode))
    }

    /// A job status with its glyph and colour, for standard output: `✓ COMPLETED`.
    pub fn status(&self, status: JobStatus) -> String {
        let (glyph, tone) = odd_look::sign::of_status(status);
        self.paint(tone, &format!("{} {status}", glyph.text(self.inner.unicode)))
    }

    /// A progress bar on standard error over `length` steps (a spinner where 0); drawn only for a person, gone when finished.
    pub fn progress(&self, length: u64, what: &str) -> ProgressBar {
        let shown = !self.inner.quiet && !self.is_json() && io::stderr().is_terminal();
        let target = if shown {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let (bar, shape) = if length == 0 {
            (
                ProgressBar::with_draw_target(None, target),
                "  {spinner} {msg} {elapsed}",
            )
        } else {
            let shape = "  {msg} [{bar:30}] {human_pos}/{human_len} {rate} {eta}";
            (ProgressBar::with_draw_target(Some(length), target), shape)
        };
        if let Ok(style) = ProgressStyle::with_template(shape) {
            let ascii = !self.inner.unicode;
            let chars = if ascii { "=> " } else { "█▉▊▋▌▍▎▏ " };
            bar.set_style(style.with_key("rate", write_rate).progress_chars(chars));
        }
        bar.with_message(what.to_owned())
    }

    /// Several bars on standard error at once; drawn only for a person.
    pub fn board(&self) -> MultiProgress {
        let shown = !self.inner.quiet && !self.is_json() && io::stderr().is_terminal();
        MultiProgress::with_draw_target(if shown {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        })
    }

    /// The error that ends a command: what failed, why, what to try.
    pub fn error(&self, error: &Error) {
        if self.is_json() {
            say(&error_document(error).to_string());
            return;
        }
        let word = self.paint_err(Tone::Bad, "error:");
        self.say(&format!("{word} failed to {}", error.action));
        for cause in error.cause.chain() {
            let text = cause.to_string().replace('\n', "\n           ");
            self.say(&format!("  because: {text}"));
        }
        for detail in &error.details {
            self.say(&format!("  {} {detail}", self.paint_err(Tone::Muted, "|")));
        }
        if let Some(hint) = &error.hint {
            self.say(&format!("  {} {hint}", self.paint_err(Tone::Accent, "try:")));
        }
    }

    /// Writes out what is buffered. An answer that could not be written makes a command fail that did not fail by itself.
    pub fn finish(&self, code: ExitCode) -> ExitCode {
        self.write(|out| out.flush());
        let failure = self.inner.failure.lock().ok().and_then(|mut f| f.take());
        match failure {
            Some(error) if code == ExitCode::Ok => {
                self.error(&Error::new("write the answer to standard output", error));
                ExitCode::Failed
            }
            _ => code,
        }
    }

    fn write(&self, write: impl FnOnce(&mut io::StdoutLock<'_>) -> io::Result<()>) {
        if self.is_closed() {
            return;
        }
        if let Err(error) = write(&mut io::stdout().lock()) {
            self.inner.closed.store(true, Ordering::Relaxed);
            if error.kind() != io::ErrorKind::BrokenPipe
                && let Ok(mut failure) = self.inner.failure.lock()
            {
                failure.get_or_insert(error);
            }
        }
    }
}

/// Steps a second, as figures of other answers are written.
fn write_rate(state: &ProgressState, out: &mut dyn fmt::Write) {
    let rate = state.per_sec();
    let whole = odd_look::format::count(rate.round() as u64);
    // Nobody is left to be told.
    let _ = match rate {
        ..10.0 => write!(out, "{rate:.1}/s"),
        _ => write!(out, "{whole}/s"),
    };
}

/// What clap says of a command line that it does not run: help, version, or what is wrong with it.
pub fn usage(error: &clap::Error) -> ExitCode {
    // Nobody is left to be told where this cannot be written.
    let _ = error.print();
    if error.use_stderr() {
        ExitCode::Usage
    } else {
        ExitCode::Ok
    }
}

/// Standard error may be closed; a message that nobody can read is no reason to fail.
fn say(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Version 1 of an error for programs.
fn error_document(error: &Error) -> serde_json::Value {
    serde_json::json!({
        "version": 1,
        "error": {
            "message": format!("failed to {}", error.action),
            "causes": error.cause.chain().map(ToString::to_string).collect::<Vec<_>>(),
            "details": error.details,
            "try": error.hint,
            "exitCode": error.code as u8,
        }
    })
}
