//! A faulty network between a role and a server.

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

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::*;

    /// A server that answers with what it hears.
    async fn echo() -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.into_split();
                    tokio::io::copy(&mut from, &mut to).await
                });
            }
        });
        address
    }

    async fn proxy() -> FaultProxy {
        FaultProxy::to(echo().await.to_string()).await
    }

    async fn connect(proxy: &FaultProxy) -> TcpStream {
        TcpStream::connect(proxy.address()).await.unwrap()
    }

    async fn ask(stream: &mut TcpStream, question: &[u8]) -> std::io::Result<Vec<u8>> {
        stream.write_all(question).await?;
        let mut answer = vec![0; question.len()];
        stream.read_exact(&mut answer).await?;
        Ok(answer)
    }

    /// Long enough for an answer to come if one came.
    const A_WHILE: Duration = Duration::from_millis(200);

    #[tokio::test]
    async fn it_passes_everything_both_ways_and_ends_with_either_side() {
        let proxy = proxy().await;
        let mut stream = connect(&proxy).await;
        let long: Vec<u8> = (0..300_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let (mut from, mut to) = stream.split();
        let mut answer = Vec::new();
        let sent = async {
            to.write_all(&long).await.unwrap();
            to.shutdown().await.unwrap();
        };
        tokio::join!(sent, async { from.read_to_end(&mut answer).await.unwrap() });
        assert_eq!(answer, long);
        drop(stream);
        let mut open = proxy.connections.open.subscribe();
        let closed = open.wait_for(|open| *open == 0);
        tokio::time::timeout(Duration::from_secs(10), closed)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(proxy.accepted(), 1);
    }

    #[tokio::test]
    async fn a_delay_lasts_both_ways_and_keeps_the_order() {
        let proxy = proxy().await;
        let mut stream = connect(&proxy).await;
        ask(&mut stream, b"at once").await.unwrap();
        let delay = Duration::from_millis(60);
        proxy.delay(delay).await;
        let begin = Instant::now();
        assert_eq!(ask(&mut stream, b"later").await.unwrap(), b"later");
        assert!(begin.elapsed() >= 2 * delay, "{:?}", begin.elapsed());
        // What is on its way when the fault ends stays before what follows.
        stream.write_all(b"first ").await.unwrap();
        proxy.resume().await;
        assert_eq!(ask(&mut stream, b"second").await.unwrap(), b"first ");
    }

    #[tokio::test]
    async fn a_cut_closes_and_refuses_until_it_is_over() {
        let proxy = proxy().await;
        let mut stream = connect(&proxy).await;
        ask(&mut stream, b"?").await.unwrap();
        proxy.cut().await;
        assert_eq!(proxy.open(), 0);
        assert!(ask(&mut stream, b"?").await.is_err());
        let refused = TcpStream::connect(proxy.address()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        proxy.resume().await;
        let mut stream = connect(&proxy).await;
        assert_eq!(ask(&mut stream, b"again").await.unwrap(), b"again");
        assert_eq!(proxy.accepted(), 2);
    }

    #[tokio::test]
    async fn half_open_it_swallows_and_never_answers() {
        let proxy = proxy().await;
        let mut old = connect(&proxy).await;
        ask(&mut old, b"?").await.unwrap();
        proxy.half_open().await;
        let mut new = connect(&proxy).await;
        tokio::time::timeout(A_WHILE, ask(&mut new, b"new"))
            .await
            .unwrap_err();
        tokio::time::timeout(A_WHILE, ask(&mut old, b"old"))
            .await
            .unwrap_err();
        assert_eq!(proxy.open(), 2);
        proxy.resume().await;
        // The old one goes on where it stood, the new one is over.
        let mut answer = [0; 3];
        old.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"old");
        let end = new.read(&mut answer).await;
        assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
    }

    #[tokio::test]
    async fn its_end_closes_the_port_and_the_connections() {
        let proxy = proxy().await;
        let mut stream = connect(&proxy).await;
        ask(&mut stream, b"?").await.unwrap();
        let address = proxy.address();
        drop(proxy);
        let mut byte = [0];
        let end = tokio::time::timeout(Duration::from_secs(10), stream.read(&mut byte))
            .await
            .unwrap();
        assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
        crate::wait_for(Duration::from_secs(10), "the port to be closed", || async {
            TcpStream::connect(address).await.is_err().then_some(())
        })
        .await;
    }

    #[tokio::test]
    async fn an_address_leads_through_it_and_keeps_the_rest() {
        let server = echo().await;
        let (proxy, through) =
            FaultProxy::before(&format!("mongodb://a:b@{server}/db?authSource=admin")).await;
        assert_eq!(
            through,
            format!("mongodb://a:b@{}/db?authSource=admin", proxy.address())
        );
        let mut stream = connect(&proxy).await;
        assert_eq!(ask(&mut stream, b"!").await.unwrap(), b"!");
        let (proxy, through) = FaultProxy::before(&format!("http://{server}")).await;
        assert_eq!(through, format!("http://{}", proxy.address()));
    }

    #[tokio::test]
    #[should_panic(expected = "host/x names no port")]
    async fn an_address_without_a_port_is_refused_without_its_password() {
        FaultProxy::before("amqp://user:secret@host/x").await;
    }
}
