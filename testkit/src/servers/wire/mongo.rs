//! MongoDB: commands as `OP_MSG`. <https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/>

use std::net::Ipv4Addr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::bson::{Document, Value};
use super::scram::Scram;
use crate::container::Container;
use crate::docker::{Result, Trouble};
use crate::specification::{MONGO, USER};

const OP_MSG: u32 = 2013;
/// Length, request id, id of the answered request, operation.
const HEADER: usize = 16;
/// Flags of the message and the kind of its only section, a document.
const PREFIX: [u8; 5] = [0; 5];
/// More than any answer to these commands.
const MOST: usize = 1 << 20;

/// Whether it answers, and its user can log in: that is made last of all.
pub(crate) async fn ping(container: &Container) -> Result<()> {
    let mut connection = Connection::open(container).await?;
    connection.command("ping", "admin").await
}

/// Drops a database. One that is not there is no error.
pub(crate) async fn drop_database(container: &Container, name: &str) -> Result<()> {
    let mut connection = Connection::open(container).await?;
    connection.command("dropDatabase", name).await
}

/// Makes a collection, and returns how many the database has then.
#[cfg(all(test, target_os = "linux"))]
pub(crate) async fn create_collection(container: &Container, database: &str, name: &str) -> Result<f64> {
    let mut connection = Connection::open(container).await?;
    let command = |name: &str, value: Value| {
        Document::default()
            .with(name, value)
            .with("$db", Value::Text(database.to_owned()))
    };
    connection
        .ask(&command("create", Value::Text(name.to_owned())))
        .await?;
    let state = connection.ask(&command("dbStats", Value::Int(1))).await?;
    match state.get("collections") {
        Some(Value::Double(count)) => Ok(*count),
        Some(Value::Int(count)) => Ok(f64::from(*count)),
        other => Err(Trouble::new(format!("MongoDB has {other:?} collections"))),
    }
}

struct Connection(TcpStream);

impl Connection {
    async fn open(container: &Container) -> Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, container.port(MONGO))).await;
        let mut connection = Self(stream.map_err(|error| failed(&error))?);
        connection.authenticate(container.password()).await?;
        Ok(connection)
    }

    async fn authenticate(&mut self, password: &str) -> Result<()> {
        let scram = Scram::new(USER, password, &format!("{:032x}", rand::random::<u128>()));
        let start = Document::default()
            .with("saslStart", Value::Int(1))
            .with("mechanism", Value::Text("SCRAM-SHA-256".to_owned()))
            .with("payload", Value::Binary(scram.first().into_bytes()))
            .with("$db", Value::Text("admin".to_owned()));
        let mut answer = self.ask(&start).await?;
        let challenge = match answer.get("payload") {
            Some(Value::Binary(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
            other => return Err(Trouble::new(format!("MongoDB's challenge is {other:?}"))),
        };
        let mut payload = scram.answer(&challenge).unwrap_or_default().into_bytes();
        // The server's signature is acknowledged by an empty message, unless it says that it is done.
        while answer.get("done") != Some(&Value::Bool(true)) {
            let conversation = answer.get("conversationId").cloned().unwrap_or(Value::Int(1));
            let next = Document::default()
                .with("saslContinue", Value::Int(1))
                .with("conversationId", conversation)
                .with("payload", Value::Binary(std::mem::take(&mut payload)))
                .with("$db", Value::Text("admin".to_owned()));
            answer = self.ask(&next).await?;
        }
        Ok(())
    }

    async fn command(&mut self, name: &str, database: &str) -> Result<()> {
        let command = Document::default()
            .with(name, Value::Int(1))
            .with("$db", Value::Text(database.to_owned()));
        self.ask(&command).await.map(drop)
    }

    async fn ask(&mut self, command: &Document) -> Result<Document> {
        let body = command.encode();
        let size = u32::try_from(HEADER + PREFIX.len() + body.len()).unwrap_or(u32::MAX);
        let mut message = Vec::new();
        for number in [size, 1, 0, OP_MSG] {
            message.extend(number.to_le_bytes());
        }
        message.extend(PREFIX);
        message.extend(body);
        self.0.write_all(&message).await.map_err(|error| failed(&error))?;
        let size = self.0.read_u32_le().await.map_err(|error| failed(&error))? as usize;
        let least = HEADER + PREFIX.len();
        if !(least..MOST).contains(&size) {
            return Err(Trouble::new(format!("MongoDB answers {size} bytes")));
        }
        let mut answer = vec![0; size - 4];
        self.0
            .read_exact(&mut answer)
            .await
            .map_err(|error| failed(&error))?;
        let document = Document::decode(&answer[least - 4..]);
        let document = document.ok_or_else(|| Trouble::new("MongoDB's answer is no document"))?;
        // Servers differ in the kind of number.
        match document.get("ok") {
            Some(Value::Double(1.0) | Value::Int(1) | Value::Bool(true)) => Ok(document),
            _ => Err(Trouble::new(format!(
                "MongoDB refuses: {:?}",
                document.get("errmsg")
            ))),
        }
    }
}

fn failed(error: &dyn std::error::Error) -> Trouble {
    Trouble::of("MongoDB", error)
}
