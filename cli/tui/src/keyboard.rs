//! Keys, the mouse, pasted text and sizes, read by a thread of their own: reading blocks in the middle of a sequence, and where the
//! terminal is gone it does not come back at all (crossterm 0.29 reads on and on at the end of what there is).

use std::io;

use crossterm::event::{self, Event};
use tokio::sync::mpsc;

/// Events that wait at most.
const WAITING: usize = 64;

/// Starts reading. The thread ends with the process, or when nobody listens at the next event.
pub(crate) fn start() -> io::Result<mpsc::Receiver<io::Result<Event>>> {
    let (sender, receiver) = mpsc::channel(WAITING);
    std::thread::Builder::new()
        .name("keyboard".to_owned())
        .spawn(move || {
            loop {
                let event = event::read();
                fail::fail_point!("watch.key");
                let failed = event.is_err();
                if sender.blocking_send(event).is_err() || failed {
                    return;
                }
            }
        })?;
    Ok(receiver)
}

/// Whether there is no terminal at the other end any more. Somebody may have kept the signal from us that says so.
#[cfg(unix)]
pub(crate) fn hung_up() -> bool {
    use std::os::fd::AsFd;

    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    let input = io::stdin();
    let mut looked_at = [PollFd::new(input.as_fd(), PollFlags::empty())];
    let gone = PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL;
    poll(&mut looked_at, PollTimeout::ZERO).is_ok()
        && looked_at[0].revents().is_some_and(|seen| seen.intersects(gone))
}

/// A console that is closed ends its programs.
#[cfg(not(unix))]
pub(crate) const fn hung_up() -> bool {
    false
}
