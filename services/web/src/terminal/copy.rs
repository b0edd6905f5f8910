//! Copies bytes between a session and its terminal, on two threads.
//!
//! Neither ever blocks for good. A program that reads nothing would otherwise hold up whoever writes, and Linux does not wake
//! that up even when the program ends.

use std::io::ErrorKind::{Interrupted, WouldBlock};
use std::io::{self, Read, Write};
use std::thread;
#[cfg(unix)]
use std::time::Duration;

use portable_pty::MasterPty;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Stack of a thread that only copies bytes, and draws the screen of them.
const STACK: usize = 256 * 1024;
/// Bytes that are read at once.
const CHUNK: usize = 16 * 1024;
/// Longest time without a look at whether the session is over.
#[cfg(unix)]
const LOOK: Duration = Duration::from_secs(1);

#[cfg(unix)]
type Reader = filedescriptor::FileDescriptor;
#[cfg(unix)]
type Writer = filedescriptor::FileDescriptor;
#[cfg(not(unix))]
type Reader = Box<dyn Read + Send>;
#[cfg(not(unix))]
type Writer = Box<dyn Write + Send>;

/// Our ends of a terminal.
pub(super) struct Ends {
    reader: Reader,
    writer: Writer,
}

impl Ends {
    /// Of this terminal.
    ///
    /// # Errors
    /// Where there are no file descriptors left.
    #[cfg(unix)]
    pub(super) fn of(master: &dyn MasterPty) -> io::Result<Self> {
        let number = master
            .as_raw_fd()
            .ok_or_else(|| io::Error::other("it has no file descriptor"))?;
        let end = || filedescriptor::FileDescriptor::dup(&number).map_err(io::Error::other);
        let (mut reader, writer) = (end()?, end()?);
        // Both are of one open file.
        reader.set_non_blocking(true).map_err(io::Error::other)?;
        Ok(Self { reader, writer })
    }

    /// Of this terminal.
    ///
    /// # Errors
    /// Where there are no handles left.
    #[cfg(not(unix))]
    pub(super) fn of(master: &dyn MasterPty) -> io::Result<Self> {
        Ok(Self {
            reader: master.try_clone_reader().map_err(io::Error::other)?,
            writer: master.take_writer().map_err(io::Error::other)?,
        })
    }

    /// Copies until the session is over: output to `take`, which learns of its end by `None`, and input from the channel.
    ///
    /// # Errors
    /// Where there are no threads left.
    pub(super) fn copy(
        self,
        input: mpsc::Receiver<Vec<u8>>,
        take: impl FnMut(Option<&[u8]>) + Send + 'static,
        over: &CancellationToken,
    ) -> io::Result<()> {
        let (reader, writer) = (self.reader, self.writer);
        let (no_more_in, no_more_out) = (over.clone(), over.clone());
        spawn("terminal-in", move || write(writer, input, &no_more_in))?;
        spawn("terminal-out", move || read(reader, take, &no_more_out))
    }
}

fn spawn(name: &str, copy: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let thread = thread::Builder::new().name(name.to_owned());
    thread.stack_size(STACK).spawn(copy).map(drop)
}

/// Reads until nobody has the terminal open any more.
fn read(mut from: Reader, mut take: impl FnMut(Option<&[u8]>), over: &CancellationToken) {
    let mut chunk = vec![0; CHUNK];
    while !over.is_cancelled() {
        match from.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => take(Some(&chunk[..read])),
            Err(error) if error.kind() == WouldBlock => wait(&from, Until::Readable),
            Err(error) if error.kind() == Interrupted => {}
            // How some systems tell of a terminal that nobody has open any more.
            Err(_) => break,
        }
    }
    take(None);
}

/// Writes until nobody sends any more.
fn write(mut to: Writer, mut input: mpsc::Receiver<Vec<u8>>, over: &CancellationToken) {
    while let Some(bytes) = input.blocking_recv() {
        let mut rest = bytes.as_slice();
        while !rest.is_empty() && !over.is_cancelled() {
            match to.write(rest) {
                Ok(written) => rest = &rest[written..],
                Err(error) if error.kind() == WouldBlock => wait(&to, Until::Writable),
                Err(error) if error.kind() == Interrupted => {}
                // Keys for a program that has ended are lost, as in any terminal.
                Err(_) => break,
            }
        }
    }
}

/// What is waited for.
enum Until {
    Readable,
    Writable,
}

/// Waits until there is something to do, or to look whether there is.
#[cfg(unix)]
fn wait(end: &filedescriptor::FileDescriptor, until: Until) {
    use std::os::fd::AsRawFd;

    use filedescriptor::{POLLIN, POLLOUT, poll, pollfd};
    let events = match until {
        Until::Readable => POLLIN,
        Until::Writable => POLLOUT,
    };
    let asked = pollfd {
        fd: end.as_raw_fd(),
        events,
        revents: 0,
    };
    // What went wrong is told by what is done next.
    let _ = poll(&mut [asked], Some(LOOK));
}

/// These block by themselves.
#[cfg(not(unix))]
fn wait<T>(_end: &T, until: Until) {
    match until {
        Until::Readable | Until::Writable => thread::yield_now(),
    }
}
