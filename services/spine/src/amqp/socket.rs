//! A second hand on a connection's socket, to end what the client library would wait for.

use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The socket of one connection, shut when this is dropped.
///
/// The library's thread waits for the broker without a limit while a connection is made, and while the
/// broker blocks it. Shutting the socket down ends both.
#[derive(Default)]
pub(super) struct Socket(Holder);

/// Takes a socket in hand once it is connected, on the library's thread.
#[derive(Clone, Default)]
pub(super) struct Holder(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    stream: Option<TcpStream>,
    shut: bool,
}

impl Socket {
    /// Where the library's thread puts the socket.
    pub(super) fn holder(&self) -> Holder {
        self.0.clone()
    }

    /// Ends the connection: whatever is waited for on it fails now.
    pub(super) fn shut(&self) {
        let mut state = self.0.lock();
        state.shut = true;
        if let Some(stream) = state.stream.take() {
            // It fails where the peer was faster, which is as good.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.shut();
    }
}

impl Holder {
    /// Takes a connected socket in hand; false where the connection was given up already.
    pub(super) fn hold(&self, stream: TcpStream) -> bool {
        let mut state = self.lock();
        if state.shut {
            return false;
        }
        state.stream = Some(stream);
        true
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Another handle of the same socket.
#[cfg(unix)]
pub(super) fn duplicate(stream: &tokio::net::TcpStream) -> std::io::Result<TcpStream> {
    use std::os::fd::AsFd;
    Ok(stream.as_fd().try_clone_to_owned()?.into())
}

/// Another handle of the same socket.
#[cfg(windows)]
pub(super) fn duplicate(stream: &tokio::net::TcpStream) -> std::io::Result<TcpStream> {
    use std::os::windows::io::AsSocket;
    Ok(stream.as_socket().try_clone_to_owned()?.into())
}
