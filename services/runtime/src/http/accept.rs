//! Accepting connections, and letting go of them.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tracing::Instrument;

use crate::health::Readiness;
use crate::shutdown::Shutdown;

/// Pause after an error that closing connections can heal, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Most bytes of a request's head.
const HEAD_BYTES: usize = 64 * 1024;

/// Who is at the other end of a request's connection; an extension of the request.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

pub(super) struct Acceptor {
    pub(super) listener: TcpListener,
    pub(super) router: Router,
    pub(super) head: Duration,
    pub(super) delay: Duration,
    pub(super) readiness: Readiness,
}

/// Serves connections until the shutdown, and then drains them.
pub(super) async fn serve(acceptor: Acceptor, shutdown: &Shutdown) {
    let mut connections = JoinSet::new();
    acceptor
        .accept_until(shutdown.signalled(), shutdown, &mut connections)
        .await;
    acceptor.readiness.set_draining();
    let delay = acceptor.delay.min(shutdown.remaining() / 2);
    acceptor
        .accept_until(tokio::time::sleep(delay), shutdown, &mut connections)
        .await;
    drop(acceptor.listener);
    drain(connections, shutdown.remaining()).await;
}

impl Acceptor {
    async fn accept_until(
        &self,
        end: impl Future<Output = ()>,
        shutdown: &Shutdown,
        connections: &mut JoinSet<()>,
    ) {
        tokio::pin!(end);
        loop {
            tokio::select! {
                biased;
                () = &mut end => return,
                // Takes ended connections out of the set.
                Some(_) = connections.join_next() => {}
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, peer)) => self.spawn(stream, peer, shutdown, connections),
                    Err(error) => pause(&error).await,
                },
            }
        }
    }

    fn spawn(&self, stream: TcpStream, peer: SocketAddr, shutdown: &Shutdown, connections: &mut JoinSet<()>) {
        let (head, delay) = (self.head, self.delay);
        let service = TowerToHyperService::new(self.router.clone());
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer));
            service.call(request)
        });
        let shutdown = shutdown.clone();
        let connection = async move {
            // Answers are small; waiting for more to send would only delay them.
            let _ = stream.set_nodelay(true);
            let mut http = http1::Builder::new();
            http.timer(TokioTimer::new())
                .header_read_timeout(head)
                .max_header_size(HEAD_BYTES);
            let connection = http
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades();
            tokio::pin!(connection);
            let draining = async {
                shutdown.signalled().await;
                tokio::time::sleep(delay.min(shutdown.remaining() / 2)).await;
            };
            tokio::select! {
                result = &mut connection => return closed(result),
                () = draining => connection.as_mut().graceful_shutdown(),
            }
            closed(connection.await);
        };
        connections.spawn(connection.in_current_span());
    }
}

/// An error of one connection says nothing about the listener; any other heals when connections close.
async fn pause(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    ) {
        return;
    }
    tracing::error!(%error, "failed to accept a connection");
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

/// A client that goes away or speaks no HTTP is no concern of the role's.
fn closed(result: hyper::Result<()>) {
    if let Err(error) = result {
        tracing::debug!(%error, "a connection failed");
    }
}

/// Waits for the connections to end by themselves, then cuts them off.
async fn drain(mut connections: JoinSet<()>, deadline: Duration) {
    let all_closed = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(deadline, all_closed).await.is_err() {
        tracing::warn!(
            connections = connections.len(),
            "connections were cut off at the deadline of the shutdown"
        );
    }
    connections.shutdown().await;
}
