//! Settings of the event log in MongoDB.

use std::fmt;
use std::time::Duration;

use mongodb::Client;
use mongodb::options::{Acknowledgment, ClientOptions, ReadConcern, SelectionCriteria, WriteConcern};

/// Connections that one process opens at most.
const CONNECTIONS: u32 = 8;
/// How often the driver looks after a server.
const HEARTBEAT: Duration = Duration::from_secs(2);

/// Where the log is and how patient to be with it.
#[derive(Clone, PartialEq, Eq)]
pub struct MongoOptions {
    /// Address with credentials and database, such as `mongodb://user:password@host:27017/odd?authSource=admin`.
    pub url: String,
    /// Name that the server shows for the connections; `odd` by default.
    pub app_name: String,
    /// Longest time to open a connection; 2 s by default.
    pub connect_timeout: Duration,
    /// Longest time to wait for a server that takes requests; 3 s by default.
    pub selection_timeout: Duration,
    /// Longest time for one request; 5 s by default.
    pub operation_timeout: Duration,
    /// How long events are kept; for ever where none, the default.
    pub retention: Option<Duration>,
    /// How often the indexes are looked after while events are recorded; 30 s by default.
    pub index_check: Duration,
    /// When readers stop waiting for an append that neither ends nor fails; 10 s by default. More than twice
    /// `operation_timeout` buys nothing, less than once lets a reader pass an append that is still at work.
    pub abandoned_after: Duration,
}

impl MongoOptions {
    /// The log at this address, with defaults for the rest.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            app_name: "odd".to_owned(),
            connect_timeout: Duration::from_secs(2),
            selection_timeout: Duration::from_secs(3),
            operation_timeout: Duration::from_secs(5),
            retention: None,
            index_check: Duration::from_secs(30),
            abandoned_after: Duration::from_secs(10),
        }
    }

    pub(super) async fn client(&self) -> Result<Client, InvalidMongoOptions> {
        let mut options = ClientOptions::parse(&self.url).await.map_err(invalid)?;
        let majority = WriteConcern::builder()
            .w(Acknowledgment::Majority)
            .journal(true)
            .build();
        options.app_name = Some(self.app_name.clone());
        options.connect_timeout = Some(self.connect_timeout);
        options.server_selection_timeout = Some(self.selection_timeout);
        options.heartbeat_freq = Some(HEARTBEAT);
        options.max_pool_size = Some(CONNECTIONS);
        options.write_concern = Some(majority);
        options.read_concern = Some(ReadConcern::local());
        options.selection_criteria = Some(SelectionCriteria::ReadPreference(
            mongodb::options::ReadPreference::Primary,
        ));
        Client::with_options(options).map_err(invalid)
    }
}

impl fmt::Debug for MongoOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MongoOptions")
            .field("url", &without_password(&self.url))
            .field("app_name", &self.app_name)
            .field("connect_timeout", &self.connect_timeout)
            .field("selection_timeout", &self.selection_timeout)
            .field("operation_timeout", &self.operation_timeout)
            .field("retention", &self.retention)
            .field("index_check", &self.index_check)
            .field("abandoned_after", &self.abandoned_after)
            .finish()
    }
}

/// An address as it may be shown.
pub(crate) fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return "(no address)".to_owned();
    };
    match rest.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://…@{host}"),
        None => url.to_owned(),
    }
}

/// Settings with which no log can be opened.
#[derive(Debug, thiserror::Error)]
pub enum InvalidMongoOptions {
    /// The address cannot be understood.
    #[error("the address of MongoDB cannot be understood")]
    Address(#[source] Box<mongodb::error::Error>),
    /// The address names no database.
    #[error(
        "the address of MongoDB names no database: write its name behind the host, such as mongodb://host:27017/odd"
    )]
    NoDatabase,
}

fn invalid(error: mongodb::error::Error) -> InvalidMongoOptions {
    InvalidMongoOptions::Address(Box::new(error))
}
