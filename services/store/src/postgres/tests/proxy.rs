//! A proxy that reads what the server says: it cuts a connection exactly where an answer would pass, or lets it hang.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Between a store and its server.
pub(super) struct Proxy {
    /// The database's address by way of the proxy.
    pub(super) url: String,
    shared: Arc<Shared>,
    accepting: tokio::task::JoinHandle<()>,
}

struct Shared {
    // The answer that is to be lost, once.
    lose: Mutex<Option<&'static [u8]>>,
    // How often connections were told to fall silent; those made later are not meant.
    silenced: watch::Sender<u64>,
}

impl Proxy {
    pub(super) async fn to(url: &str) -> Self {
        let (head, tail) = url.split_once('@').unwrap();
        let (server, database) = tail.split_once('/').unwrap();
        let server: SocketAddr = server.parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("{head}@{}/{database}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            lose: Mutex::default(),
            silenced: watch::Sender::new(0),
        });
        let carried = shared.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, server, carried.clone()));
            }
        });
        Self {
            url,
            shared,
            accepting,
        }
    }

    /// Cuts the connection on which the server next says `answer`, before it arrives.
    pub(super) fn lose(&self, answer: &'static [u8]) {
        *self.shared.lose.lock().unwrap() = Some(answer);
    }

    /// Whether the answer was lost.
    pub(super) fn has_lost(&self) -> bool {
        self.shared.lose.lock().unwrap().is_none()
    }

    /// Carries nothing any more on the connections that there are, and keeps them open.
    pub(super) fn silence(&self) {
        self.shared.silenced.send_modify(|times| *times += 1);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn carry(mut client: TcpStream, server: SocketAddr, shared: Arc<Shared>) {
    let mut silenced = shared.silenced.subscribe();
    let mut server = TcpStream::connect(server).await.unwrap();
    let (mut asked, mut said) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        tokio::select! {
            biased;
            _ = silenced.changed() => std::future::pending().await,
            read = server.read(&mut said) => match read {
                Ok(length) if length > 0 => {
                    if is_lost(&said[..length], &shared) || client.write_all(&said[..length]).await.is_err() {
                        return;
                    }
                }
                _ => return,
            },
            read = client.read(&mut asked) => match read {
                Ok(length) if length > 0 => {
                    if server.write_all(&asked[..length]).await.is_err() {
                        return;
                    }
                }
                _ => return,
            },
        }
    }
}

fn is_lost(said: &[u8], shared: &Shared) -> bool {
    let mut lose = shared.lose.lock().unwrap();
    let found = lose.is_some_and(|answer| said.windows(answer.len()).any(|part| part == answer));
    if found {
        *lose = None;
    }
    found
}
