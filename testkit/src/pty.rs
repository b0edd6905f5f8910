//! A program in a real terminal: what a person would see of it, and the keys that a person would press.

use std::io::{Read, Write};
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

#[cfg(unix)]
pub use nix::sys::signal::Signal;
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// Bytes of output that are kept at least; what came before the last of them may be gone.
const KEPT: usize = 16 * 1024 * 1024;
/// Bytes that are read at once.
const CHUNK: usize = 64 * 1024;
/// Longest time without a look at whether the program still lives.
const LOOK: Duration = Duration::from_millis(50);

/// Bytes that terminals send for keys that have no character.
pub mod keys {
    /// Return.
    pub const ENTER: &str = "\r";
    /// Escape.
    pub const ESCAPE: &str = "\x1b";
    /// Arrow up.
    pub const UP: &str = "\x1b[A";
    /// Arrow down.
    pub const DOWN: &str = "\x1b[B";
    /// Arrow to the right.
    pub const RIGHT: &str = "\x1b[C";
    /// Page down.
    pub const PAGE_DOWN: &str = "\x1b[6~";
    /// Control and C.
    pub const CTRL_C: &str = "\x03";
    /// Control and Q.
    pub const CTRL_Q: &str = "\x11";
}

/// A program that runs in a terminal of its own, with the keyboard in the hands of the test. When dropped, the program and
/// whatever it started in its process group (on Linux: in its session) is killed; what the screen showed last is printed if the
/// test failed.
pub struct Pty {
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    writer: Box<dyn Write + Send>,
    shared: Arc<Shared>,
    code: Option<u32>,
}

/// What the reading thread tells.
struct Shared {
    seen: Mutex<Seen>,
    changed: Condvar,
}

struct Seen {
    terminal: vt100::Parser,
    raw: Vec<u8>,
    /// Whether nobody has the terminal open any more.
    ended: bool,
}

impl Shared {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        // A test that panics while it looks is told of by its own panic.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn take(&mut self, bytes: &[u8]) {
        self.terminal.process(bytes);
        self.raw.extend_from_slice(bytes);
        if self.raw.len() > 2 * KEPT {
            let beyond = self.raw.len() - KEPT;
            self.raw.drain(..beyond);
        }
    }

    fn text(&self) -> String {
        let screen = self.terminal.screen();
        let (_, columns) = screen.size();
        let rows: Vec<String> = screen
            .rows(0, columns)
            .map(|row| row.trim_end().to_owned())
            .collect();
        rows.join("\n")
    }
}

impl std::fmt::Debug for Pty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pty")
            .field("child", &self.child)
            .finish_non_exhaustive()
    }
}

impl Pty {
    /// Starts the program of `command` with its arguments, environment and directory in a terminal of so many columns and rows.
    /// What `command` says of standard input and output is of no consequence: all three are the terminal.
    ///
    /// # Panics
    /// Where there is no terminal to be had, or no such program.
    pub fn start(command: &Command, (columns, rows): (u16, u16)) -> Self {
        let pair = native_pty_system()
            .openpty(size(columns, rows))
            .expect("a terminal");
        let child = pair
            .slave
            .spawn_command(builder(command))
            .expect("the program can be run");
        // The end of output is seen only once nobody here has the program's side open.
        drop(pair.slave);
        let shared = Arc::new(Shared {
            seen: Mutex::new(Seen {
                terminal: vt100::Parser::new(rows, columns, 0),
                raw: Vec::new(),
                ended: false,
            }),
            changed: Condvar::new(),
        });
        let reader = pair.master.try_clone_reader().expect("a reader of the terminal");
        let told = Arc::clone(&shared);
        // Ends with the terminal. It is not waited for: something that left the program's process group may hold that open.
        thread::spawn(move || read(reader, &told));
        Self {
            child,
            writer: pair.master.take_writer().expect("a writer to the terminal"),
            master: pair.master,
            shared,
            code: None,
        }
    }

    /// The number of the process.
    ///
    /// # Panics
    /// Where it has none, which no platform leaves out for a program just started.
    pub fn pid(&self) -> u32 {
        self.child.process_id().expect("a process has a number")
    }

    /// What the screen shows: its rows, without the spaces that they end with.
    pub fn screen(&self) -> String {
        self.shared.seen().text()
    }

    /// Asks the terminal itself: cursor, modes, colours of cells.
    pub fn inspect<T>(&self, look: impl FnOnce(&vt100::Screen) -> T) -> T {
        look(self.shared.seen().terminal.screen())
    }

    /// Every byte that the program has written; of more than 16 MiB, the last.
    pub fn raw(&self) -> Vec<u8> {
        self.shared.seen().raw.clone()
    }

    /// Waits until the screen shows `text`, and returns the screen.
    ///
    /// # Panics
    /// Where it did not within `deadline`, or the program ended without.
    #[track_caller]
    pub fn wait_for_text(&mut self, deadline: Duration, text: &str) -> String {
        self.wait_until(deadline, text, |screen| {
            screen.contains(text).then(|| screen.to_owned())
        })
    }

    /// Asks `state` of the screen whenever that has changed, until it answers, and returns the answer.
    ///
    /// # Panics
    /// Where it did not answer within `deadline`, or the program ended before; `what` says what was waited for.
    #[track_caller]
    pub fn wait_until<T>(
        &mut self,
        deadline: Duration,
        what: &str,
        mut state: impl FnMut(&str) -> Option<T>,
    ) -> T {
        let end = Instant::now() + deadline;
        let mut seen = self.shared.seen();
        loop {
            if let Some(reached) = state(&seen.text()) {
                return reached;
            }
            let left = end.saturating_duration_since(Instant::now());
            if seen.ended || left.is_zero() {
                let ended = seen.ended;
                // Dropping this takes the lock once more.
                drop(seen);
                assert!(!ended, "the program ended before: {what}");
                panic!("not within {deadline:?}: {what}");
            }
            let waited = self.shared.changed.wait_timeout(seen, left);
            seen = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Presses keys: characters, or what [`keys`] has.
    ///
    /// # Panics
    /// Where the terminal is gone.
    pub fn send(&mut self, keys: &str) {
        self.writer
            .write_all(keys.as_bytes())
            .expect("the terminal takes keys");
        self.writer.flush().expect("the terminal takes keys");
    }

    /// Pastes text, as a terminal does whose program has asked for brackets around it.
    ///
    /// # Panics
    /// Where the terminal is gone.
    pub fn paste(&mut self, text: &str) {
        self.send(&format!("\x1b[200~{text}\x1b[201~"));
    }

    /// Makes the window so many columns and rows large; the program is told by the system.
    ///
    /// # Panics
    /// Where the terminal is gone.
    pub fn resize(&mut self, columns: u16, rows: u16) {
        // Nothing is taken between the two, so that what the program draws for the new size meets the new size.
        let mut seen = self.shared.seen();
        seen.terminal.screen_mut().set_size(rows, columns);
        self.master
            .resize(size(columns, rows))
            .expect("the window can be resized");
    }

    /// Sends a signal to the program and whatever runs in its process group, as a terminal does.
    ///
    /// # Panics
    /// Where all of it has ended.
    #[cfg(unix)]
    pub fn signal(&self, signal: Signal) {
        nix::sys::signal::killpg(group(self.pid()), signal).expect("the program lives");
    }

    /// Waits for the end of the program and of what it writes. Returns its exit code, 1 where a signal ended it.
    ///
    /// # Panics
    /// Where it did not end within `deadline`.
    #[track_caller]
    pub fn wait_exit(&mut self, deadline: Duration) -> u32 {
        let end = Instant::now() + deadline;
        loop {
            if self.code.is_none() {
                let status = self.child.try_wait().expect("the state of a child is known");
                self.code = status.map(|status| status.exit_code());
            }
            let seen = self.shared.seen();
            if let (Some(code), true) = (self.code, seen.ended) {
                return code;
            }
            assert!(
                Instant::now() < end,
                "not within {deadline:?}: the end of the program (its terminal is {})",
                if seen.ended { "closed" } else { "open" }
            );
            let waited = self.shared.changed.wait_timeout(seen, LOOK);
            drop(waited.unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// Kills it with everything in its process group, and takes its exit code.
    fn end(&mut self) {
        if self.code.is_some() {
            return;
        }
        #[cfg(unix)]
        if let Some(pid) = self.child.process_id() {
            // Before its leader ends, with which the session is no longer told from others.
            let session = members(pid);
            // One that has just ended is as good.
            let _ = nix::sys::signal::killpg(group(pid), Signal::SIGKILL);
            for member in session {
                let _ = nix::sys::signal::kill(member, Signal::SIGKILL);
            }
        }
        #[cfg(not(unix))]
        let _ = self.child.kill();
        // What is killed ends.
        let _ = self.child.wait();
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!(
                "--- last screen of the program under test ---\n{}\n---",
                self.screen()
            );
        }
        self.end();
    }
}

fn read(mut from: Box<dyn Read + Send>, to: &Shared) {
    let mut chunk = vec![0; CHUNK];
    loop {
        // An error is how some platforms tell of a terminal that nobody has open any more.
        let read = from.read(&mut chunk).unwrap_or(0);
        let mut seen = to.seen();
        seen.take(&chunk[..read]);
        seen.ended = read == 0;
        to.changed.notify_all();
        if read == 0 {
            return;
        }
    }
}

fn builder(command: &Command) -> CommandBuilder {
    let mut builder = CommandBuilder::new(command.get_program());
    builder.args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => builder.env(name, value),
            None => builder.env_remove(name),
        }
    }
    if let Some(directory) = command.get_current_dir() {
        builder.cwd(directory);
    }
    builder
}

const fn size(columns: u16, rows: u16) -> PtySize {
    PtySize {
        rows,
        cols: columns,
        pixel_width: 0,
        pixel_height: 0,
    }
}

/// A program in a terminal leads a session, and so a process group, of its number.
#[cfg(unix)]
fn group(pid: u32) -> nix::unistd::Pid {
    nix::unistd::Pid::from_raw(i32::try_from(pid).expect("numbers of processes are small"))
}

/// Every process of the session that the program leads, as far as the system tells: some may lead groups of their own.
#[cfg(unix)]
fn members(session: u32) -> Vec<nix::unistd::Pid> {
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let of_session = |process: std::fs::DirEntry| {
        let pid: i32 = process.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(process.path().join("stat")).ok()?;
        // Behind the name: state, parent, process group, session (proc_pid_stat(5), fields 3 to 6).
        let fields = stat.rsplit_once(") ")?.1;
        let its: u32 = fields.split(' ').nth(3)?.parse().ok()?;
        (its == session).then(|| nix::unistd::Pid::from_raw(pid))
    };
    processes.flatten().filter_map(of_session).collect()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::wait_until;

    const LONG: Duration = Duration::from_secs(20);

    fn shell(script: &str) -> Pty {
        let mut command = Command::new("sh");
        command.args(["-c", script]).env("SAID", "from the environment");
        Pty::start(&command, (40, 6))
    }

    #[test]
    fn a_program_sees_a_terminal_and_keys() {
        let mut pty =
            shell("test -t 0 && test -t 1 && echo \"$SAID\"; read line; echo \"got $line\"; exit 7");
        let screen = pty.wait_for_text(LONG, "from the environment");
        assert_eq!(screen.lines().next(), Some("from the environment"), "{screen}");
        pty.send("abc\r");
        pty.wait_for_text(LONG, "got abc");
        assert_eq!(pty.wait_exit(LONG), 7);
        assert!(pty.raw().windows(7).any(|bytes| bytes == b"got abc"));
    }

    #[test]
    fn the_screen_is_what_sequences_make_of_it() {
        let mut pty = shell("printf 'wrong\\033[2J\\033[3;5Hright\\033[?25l'; read line");
        let screen = pty.wait_for_text(LONG, "right");
        assert_eq!(screen, "\n\n    right\n\n\n");
        wait_until(LONG, "the cursor to be hidden", || {
            pty.inspect(vt100::Screen::hide_cursor).then_some(())
        });
    }

    #[test]
    fn the_program_is_told_of_another_size() {
        let mut pty = shell("trap 'stty size' WINCH; echo ready; while :; do sleep 0.01; done");
        pty.wait_for_text(LONG, "ready");
        pty.resize(70, 12);
        pty.wait_for_text(LONG, "12 70");
        assert_eq!(pty.screen().split('\n').count(), 12);
    }

    #[test]
    fn a_signal_arrives_and_a_paste_is_bracketed() {
        let mut pty = shell("trap 'echo terminated; exit 3' TERM; echo ready; while :; do sleep 0.01; done");
        pty.wait_for_text(LONG, "ready");
        pty.signal(Signal::SIGTERM);
        pty.wait_for_text(LONG, "terminated");
        assert_eq!(pty.wait_exit(LONG), 3);

        let mut pty = shell("stty raw -echo; echo ready; head -c 14 | cat -v; echo; read line");
        pty.wait_for_text(LONG, "ready");
        pty.paste("ab");
        pty.wait_for_text(LONG, "^[[200~ab^[[201~");
    }

    #[test]
    fn what_it_started_ends_with_it() {
        // In a process group of its own, as job control has it.
        let mut pty = shell("set -m; sleep 1000 & echo child $!.; wait");
        let child = pty.wait_until(LONG, "the number of the child", |screen| {
            let number = screen.split("child ").nth(1)?.split('.').next()?;
            number.parse::<i32>().ok()
        });
        drop(pty);
        let gone = || nix::sys::signal::kill(nix::unistd::Pid::from_raw(child), None).is_err();
        wait_until(LONG, "the end of what it started", || gone().then_some(()));
    }

    #[test]
    #[should_panic(expected = "the program ended before: a word that it never says")]
    fn nothing_is_waited_for_after_the_end() {
        shell("echo something else").wait_until(LONG, "a word that it never says", |_| None::<()>);
    }

    #[test]
    #[should_panic(expected = "not within 10ms: the sun to fall")]
    fn a_deadline_is_kept() {
        shell("read line").wait_until(Duration::from_millis(10), "the sun to fall", |_| None::<()>);
    }
}
