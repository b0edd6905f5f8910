//! PostgreSQL: the simple query protocol. <https://www.postgresql.org/docs/17/protocol-flow.html>

use std::net::Ipv4Addr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::scram::Scram;
use crate::container::Container;
use crate::docker::{Result, Trouble};
use crate::specification::{POSTGRES, USER};

/// Version 3.0 of the protocol.
const VERSION: u32 = 3 << 16;
/// More than any message that the statements here bring about.
const MOST: usize = 1 << 20;
const MECHANISM: &str = "SCRAM-SHA-256";

/// Runs one statement in the server's own database.
pub(crate) async fn execute(container: &Container, statement: &str) -> Result<()> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, container.port(POSTGRES))).await;
    let mut connection = Connection(stream.map_err(|error| failed(&error))?);
    connection.log_in(container.password()).await?;
    connection.send(b'Q', format!("{statement}\0").as_bytes()).await?;
    connection.until_ready().await
}

struct Connection(TcpStream);

impl Connection {
    async fn log_in(&mut self, password: &str) -> Result<()> {
        let parameters = format!("user\0{USER}\0database\0{USER}\0\0");
        let mut message = length(4 + parameters.len()).to_vec();
        message.extend(VERSION.to_be_bytes());
        message.extend(parameters.as_bytes());
        self.write(&message).await?;
        let nonce = format!("{:032x}", rand::random::<u128>());
        let scram = Scram::new("", password, &nonce);
        loop {
            let (kind, body) = self.receive().await?;
            let Some((code, data)) = body.split_first_chunk().filter(|_| kind == b'R') else {
                return Err(Trouble::new("PostgreSQL's greeting is not understood"));
            };
            match u32::from_be_bytes(*code) {
                0 => return self.until_ready().await,
                10 => {
                    let first = scram.first();
                    let mut message = format!("{MECHANISM}\0").into_bytes();
                    // The only length that does not count itself.
                    message.extend(u32::try_from(first.len()).unwrap_or(u32::MAX).to_be_bytes());
                    message.extend(first.as_bytes());
                    self.send(b'p', &message).await?;
                }
                11 => {
                    let answer = scram.answer(&String::from_utf8_lossy(data)).unwrap_or_default();
                    self.send(b'p', answer.as_bytes()).await?;
                }
                12 => {}
                other => return Err(Trouble::new(format!("PostgreSQL wants authentication {other}"))),
            }
        }
    }

    /// Until the server is ready for the next statement.
    async fn until_ready(&mut self) -> Result<()> {
        while self.receive().await?.0 != b'Z' {}
        Ok(())
    }

    async fn send(&mut self, kind: u8, body: &[u8]) -> Result<()> {
        let mut message = vec![kind];
        message.extend(length(body.len()));
        message.extend(body);
        self.write(&message).await
    }

    async fn write(&mut self, message: &[u8]) -> Result<()> {
        self.0.write_all(message).await.map_err(|error| failed(&error))
    }

    /// Kind and content of the next message. One that tells of an error is one.
    async fn receive(&mut self) -> Result<(u8, Vec<u8>)> {
        let kind = self.0.read_u8().await.map_err(|error| failed(&error))?;
        let size = self.0.read_u32().await.map_err(|error| failed(&error))? as usize;
        if !(4..MOST).contains(&size) {
            return Err(Trouble::new(format!("PostgreSQL answers {size} bytes")));
        }
        let mut body = vec![0; size - 4];
        self.0
            .read_exact(&mut body)
            .await
            .map_err(|error| failed(&error))?;
        match kind {
            b'E' => Err(Trouble::new(format!("PostgreSQL refuses: {}", told(&body)))),
            _ => Ok((kind, body)),
        }
    }
}

/// Lengths count themselves.
fn length(bytes: usize) -> [u8; 4] {
    u32::try_from(bytes + 4).unwrap_or(u32::MAX).to_be_bytes()
}

/// The text among the fields of an error.
fn told(body: &[u8]) -> String {
    let mut fields = body.split(|&byte| byte == 0);
    let text = fields.find_map(|field| field.strip_prefix(b"M"));
    String::from_utf8_lossy(text.unwrap_or_default()).into_owned()
}

fn failed(error: &dyn std::error::Error) -> Trouble {
    Trouble::of("PostgreSQL", error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_an_error_is_found_among_its_fields() {
        assert_eq!(told(b"SFATAL\0C3D000\0Mno such database\0\0"), "no such database");
        assert_eq!(told(b"\0"), "");
    }
}
