//! A faulty network between a role and a server.

#[cfg(test)]
mod tests;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::runtime;

/// Bytes that are passed on together.
const CHUNK: usize = 16 * 1024;
/// Chunks that are on their way at most in one direction of a connection.
const ON_THE_WAY: usize = 64;
/// Connections that wait to be accepted.
const BACKLOG: u32 = 128;

/// A TCP proxy on this machine whose address stays the same whatever it does to connections. It begins by passing
/// everything on, and ends with this, connections included.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    state: watch::Sender<State>,
    applied: watch::Receiver<u64>,
    connections: Arc<Connections>,
    /// Bound but not listening: keeps the port while nothing listens on it.
    _reserved: Option<TcpSocket>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    mode: Mode,
    /// Counts the changes.
    change: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Pass,
    Delay(Duration),
    Cut,
    HalfOpen,
}

#[derive(Debug)]
struct Connections {
    accepted: AtomicU64,
    open: watch::Sender<usize>,
}

impl FaultProxy {
    /// Starts one in front of `upstream`, such as `127.0.0.1:5432`.
    ///
    /// # Panics
    /// Where the system has no free port.
    pub async fn to(upstream: impl Into<String>) -> Self {
        let upstream = upstream.into();
        runtime::run(async move { Self::start(upstream) })
            .await
            .expect("a free port")
    }

    /// Starts one in front of the server of `url` and returns the address that leads through it, all else unchanged.
    ///
    /// # Panics
    /// Where `url` names no port, or the system has none.
    pub async fn before(url: &str) -> (Self, String) {
        let (begin, end) = server(url).unwrap_or_else(|| panic!("{} names no port", without_password(url)));
        let proxy = Self::to(&url[begin..end]).await;
        let through = format!("{}{}{}", &url[..begin], proxy.address, &url[end..]);
        (proxy, through)
    }

    fn start(upstream: String) -> std::io::Result<Self> {
        let (address, reserved, listener) = reserve()?;
        let (state, watched) = watch::channel(State {
            mode: Mode::Pass,
            change: 0,
        });
        let (done, applied) = watch::channel(0);
        let connections = Arc::new(Connections {
            accepted: AtomicU64::new(0),
            open: watch::Sender::new(0),
        });
        let accepting = Acceptor {
            address,
            upstream,
            state: watched,
            applied: done,
            connections: Arc::clone(&connections),
        };
        runtime::spawn(accepting.run(listener));
        Ok(Self {
            address,
            state,
            applied,
            connections,
            _reserved: reserved,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections that it accepted so far.
    pub fn accepted(&self) -> u64 {
        self.connections.accepted.load(Ordering::Relaxed)
    }

    /// Connections that are open now.
    pub fn open(&self) -> usize {
        *self.connections.open.borrow()
    }

    /// Passes everything on.
    pub async fn pass(&self) {
        self.change(Mode::Pass).await;
    }

    /// Passes everything on, each way later by `delay`.
    pub async fn delay(&self, delay: Duration) {
        self.change(Mode::Delay(delay)).await;
    }

    /// Closes all connections and refuses new ones. Returns when it is so.
    pub async fn cut(&self) {
        self.change(Mode::Cut).await;
        // Cannot fail: the sender is ours.
        let _ = self
            .connections
            .open
            .subscribe()
            .wait_for(|open| *open == 0)
            .await;
    }

    /// Keeps connections, accepts new ones, swallows what comes and never answers. After [`FaultProxy::resume`] those
    /// that it had go on where they stood; those that came meanwhile are closed.
    pub async fn half_open(&self) {
        self.change(Mode::HalfOpen).await;
    }

    /// Ends whatever fault there is.
    pub async fn resume(&self) {
        self.pass().await;
    }

    /// Returns when the new mode holds for whatever connects from now on.
    async fn change(&self, mode: Mode) {
        let mut wanted = 0;
        self.state.send_modify(|state| {
            wanted = state.change + 1;
            *state = State { mode, change: wanted };
        });
        // Fails only where the acceptor ended, which it does with this.
        let _ = self.applied.clone().wait_for(|applied| *applied >= wanted).await;
    }
}

/// Begin and end of `HOST:PORT` in an address.
fn server(url: &str) -> Option<(usize, usize)> {
    let begin = url.find("://")? + 3;
    let end = url[begin..].find(['/', '?']).map_or(url.len(), |end| begin + end);
    let begin = url[begin..end].rfind('@').map_or(begin, |at| begin + at + 1);
    url[begin..end].contains(':').then_some((begin, end))
}

fn without_password(url: &str) -> &str {
    url.rsplit('@').next().unwrap_or(url)
}

/// A free port, what keeps it, and the first listener on it.
#[cfg(unix)]
fn reserve() -> std::io::Result<(SocketAddr, Option<TcpSocket>, TcpListener)> {
    let reserved = TcpSocket::new_v4()?;
    reserved.set_reuseaddr(true)?;
    reserved.set_reuseport(true)?;
    reserved.bind((Ipv4Addr::LOCALHOST, 0).into())?;
    let address = reserved.local_addr()?;
    let listener = listen(address)?;
    Ok((address, Some(reserved), listener))
}

#[cfg(not(unix))]
fn reserve() -> std::io::Result<(SocketAddr, Option<TcpSocket>, TcpListener)> {
    let listener = listen((Ipv4Addr::LOCALHOST, 0).into())?;
    Ok((listener.local_addr()?, None, listener))
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    #[cfg(unix)]
    {
        socket.set_reuseaddr(true)?;
        socket.set_reuseport(true)?;
    }
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

struct Acceptor {
    address: SocketAddr,
    upstream: String,
    state: watch::Receiver<State>,
    applied: watch::Sender<u64>,
    connections: Arc<Connections>,
}

impl Acceptor {
    /// Ends with the proxy.
    async fn run(mut self, listener: TcpListener) {
        let mut listener = Some(listener);
        loop {
            let state = *self.state.borrow_and_update();
            if state.mode == Mode::Cut {
                listener = None;
            } else if listener.is_none() {
                // Kept by the reservation; elsewhere than on Unix somebody may have taken it, and lets it go again.
                listener = listen(self.address).ok();
            }
            self.applied.send_replace(state.change);
            let changed = tokio::select! {
                changed = self.state.changed() => changed,
                stream = accept(listener.as_ref()) => {
                    self.serve(stream);
                    Ok(())
                }
            };
            if changed.is_err() {
                return;
            }
        }
    }

    fn serve(&self, stream: TcpStream) {
        self.connections.accepted.fetch_add(1, Ordering::Relaxed);
        self.connections.open.send_modify(|open| *open += 1);
        let open = Open(Arc::clone(&self.connections));
        let (upstream, state) = (self.upstream.clone(), self.state.clone());
        runtime::spawn(async move {
            let mut ending = state.clone();
            tokio::select! {
                // An error is the end of one side, which the other learns by the end of its own.
                _ = serve(stream, &upstream, state) => {}
                // Also where the proxy is gone.
                _ = ending.wait_for(|state| state.mode == Mode::Cut) => {}
            }
            drop(open);
        });
    }
}

/// Never, where nothing listens.
async fn accept(listener: Option<&TcpListener>) -> TcpStream {
    loop {
        match listener {
            None => std::future::pending().await,
            Some(listener) => match listener.accept().await {
                Ok((stream, _)) => return stream,
                // The client has gone, or there are too many open files.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
        }
    }
}

/// A connection that counts as open.
struct Open(Arc<Connections>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.send_modify(|open| *open -= 1);
    }
}

async fn serve(client: TcpStream, upstream: &str, mut state: watch::Receiver<State>) -> std::io::Result<()> {
    if state.borrow().mode == Mode::HalfOpen {
        return swallow(client, &mut state).await;
    }
    let server = TcpStream::connect(upstream).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::try_join!(
        pass(from_client, to_server, state.clone()),
        pass(from_server, to_client, state)
    )?;
    Ok(())
}

/// Until the fault is over.
async fn swallow(mut client: TcpStream, state: &mut watch::Receiver<State>) -> std::io::Result<()> {
    let mut bytes = vec![0; CHUNK];
    let over = state.wait_for(|state| state.mode != Mode::HalfOpen);
    let reading = async {
        loop {
            if client.read(&mut bytes).await? == 0 {
                // Half closed by the client: an answer is still due, and never comes.
                return std::future::pending::<std::io::Result<()>>().await;
            }
        }
    };
    tokio::select! {
        read = reading => read,
        _ = over => Ok(()),
    }
}

/// One direction of a connection, until its end.
async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    state: watch::Receiver<State>,
) -> std::io::Result<()> {
    let (sender, mut receiver) = mpsc::channel::<(Instant, Vec<u8>)>(ON_THE_WAY);
    let mut open = state.clone();
    let reading = async move {
        let mut bytes = vec![0; CHUNK];
        loop {
            let read = from.read(&mut bytes).await?;
            let due = match state.borrow().mode {
                Mode::Delay(delay) => Instant::now() + delay,
                Mode::Pass | Mode::Cut | Mode::HalfOpen => Instant::now(),
            };
            // An empty chunk is the end, which takes its time too.
            let sent = sender.send((due, bytes[..read].to_vec())).await;
            if read == 0 || sent.is_err() {
                return Ok(());
            }
        }
    };
    let writing = async move {
        while let Some((due, chunk)) = receiver.recv().await {
            tokio::time::sleep_until(due).await;
            // The proxy is gone where this fails, and the connection with it.
            let _ = open.wait_for(|state| state.mode != Mode::HalfOpen).await;
            if chunk.is_empty() {
                break;
            }
            to.write_all(&chunk).await?;
        }
        to.shutdown().await
    };
    tokio::try_join!(reading, writing).map(|((), ())| ())
}
