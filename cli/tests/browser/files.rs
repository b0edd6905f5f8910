//! A server of one page, as that of somebody else.

use std::net::Ipv4Addr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

const PAGE: &str =
    "<!doctype html><title>Somewhere else</title><link rel=icon href=data:,><body>somewhere else";

/// A page of an origin of its own. Ends with the guard.
pub(crate) struct Elsewhere {
    /// Its address.
    pub(crate) address: String,
    task: JoinHandle<()>,
}

impl Elsewhere {
    /// At any free port.
    pub(crate) async fn start() -> Self {
        Self::at(0).await
    }

    /// At this port.
    pub(crate) async fn at(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .await
            .expect("a free port");
        let port = listener.local_addr().expect("a bound address").port();
        let task = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(answer(connection));
            }
        });
        Self {
            address: format!("http://127.0.0.1:{port}/"),
            task,
        }
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Whatever is asked for.
async fn answer(mut connection: TcpStream) {
    let mut asked = Vec::new();
    while !asked.windows(4).any(|end| end == b"\r\n\r\n") {
        match connection.read_buf(&mut asked).await {
            Ok(read) if read > 0 && asked.len() < 64 * 1024 => {}
            _ => return,
        }
    }
    let length = PAGE.len();
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{PAGE}"
    );
    // Whoever went away does not read it.
    let _ = connection.write_all(answer.as_bytes()).await;
}
