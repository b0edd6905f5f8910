//! Redis: commands as arrays of bulk strings, answers by their first byte.
//! <https://redis.io/docs/latest/develop/reference/protocol-spec/>

use std::net::Ipv4Addr;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::container::Container;
use crate::docker::{Result, Trouble};
use crate::specification::REDIS;

/// Keys that are looked at, and deleted, at a time.
const BATCH: &str = "1000";

#[derive(Debug, PartialEq)]
enum Answer {
    Text(String),
    Many(Vec<Answer>),
}

/// Whether it answers and knows the password.
pub(crate) async fn ping(container: &Container) -> Result<()> {
    let mut connection = Connection::open(container).await?;
    match connection.ask(&["PING"]).await? {
        Answer::Text(pong) if pong == "PONG" => Ok(()),
        other => Err(Trouble::new(format!("Redis answers {other:?}"))),
    }
}

/// Deletes every key that begins with `prefix`.
pub(crate) async fn delete(container: &Container, prefix: &str) -> Result<()> {
    let mut connection = Connection::open(container).await?;
    let pattern = format!("{prefix}*");
    let mut cursor = "0".to_owned();
    loop {
        let found = connection
            .ask(&["SCAN", &cursor, "MATCH", &pattern, "COUNT", BATCH])
            .await?;
        let keys = match found {
            Answer::Many(parts) => match <[Answer; 2]>::try_from(parts) {
                Ok([Answer::Text(next), Answer::Many(keys)]) => {
                    cursor = next;
                    keys
                }
                other => return Err(Trouble::new(format!("Redis answers {other:?}"))),
            },
            other @ Answer::Text(_) => return Err(Trouble::new(format!("Redis answers {other:?}"))),
        };
        let mut command = vec!["UNLINK"];
        command.extend(keys.iter().filter_map(|key| match key {
            Answer::Text(key) => Some(key.as_str()),
            Answer::Many(_) => None,
        }));
        if command.len() > 1 {
            connection.ask(&command).await?;
        }
        if cursor == "0" {
            return Ok(());
        }
    }
}

/// Asks one after another, and returns the answers that are texts.
#[cfg(all(test, target_os = "linux"))]
pub(crate) async fn all<const N: usize>(
    container: &Container,
    commands: Vec<[String; N]>,
) -> Result<Vec<String>> {
    let mut connection = Connection::open(container).await?;
    let mut answers = Vec::new();
    for command in commands {
        if let Answer::Text(text) = connection.ask(&command.each_ref().map(String::as_str)).await? {
            answers.push(text);
        }
    }
    Ok(answers)
}

struct Connection(BufReader<TcpStream>);

impl Connection {
    async fn open(container: &Container) -> Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, container.port(REDIS))).await;
        let mut connection = Self(BufReader::new(stream.map_err(|error| failed(&error))?));
        connection.ask(&["AUTH", container.password()]).await?;
        Ok(connection)
    }

    async fn ask(&mut self, command: &[&str]) -> Result<Answer> {
        let mut request = format!("*{}\r\n", command.len());
        for word in command {
            request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        self.0
            .write_all(request.as_bytes())
            .await
            .map_err(|error| failed(&error))?;
        self.answer().await
    }

    async fn answer(&mut self) -> Result<Answer> {
        let mut line = String::new();
        self.0
            .read_line(&mut line)
            .await
            .map_err(|error| failed(&error))?;
        let line = line.trim_end();
        let Some((kind, rest)) = line.split_at_checked(1) else {
            return Err(Trouble::new("Redis closed the connection"));
        };
        let length = || rest.parse::<usize>().map_err(|error| failed(&error));
        match kind {
            "+" | ":" => Ok(Answer::Text(rest.to_owned())),
            "$" => {
                let mut bytes = vec![0; length()? + 2];
                self.0
                    .read_exact(&mut bytes)
                    .await
                    .map_err(|error| failed(&error))?;
                bytes.truncate(bytes.len() - 2);
                Ok(Answer::Text(String::from_utf8_lossy(&bytes).into_owned()))
            }
            "*" => {
                let mut many = Vec::new();
                for _ in 0..length()? {
                    many.push(Box::pin(self.answer()).await?);
                }
                Ok(Answer::Many(many))
            }
            _ => Err(Trouble::new(format!("Redis answers {line}"))),
        }
    }
}

fn failed(error: &dyn std::error::Error) -> Trouble {
    Trouble::of("Redis", error)
}
