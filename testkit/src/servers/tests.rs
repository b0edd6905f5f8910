//! Every test has a place of its own, which goes with its guard.

use super::wire::{mongo, postgres, redis as redis_wire};
use super::*;
use crate::container::Container;
use crate::specification::{REDIS, management};

/// Whether a statement goes through, run where the connections of the testkit live.
async fn sql(container: &std::sync::Arc<Container>, statement: String) -> bool {
    let container = std::sync::Arc::clone(container);
    runtime::run(async move { postgres::execute(&container, &statement).await })
        .await
        .is_ok()
}

#[tokio::test]
async fn a_database_is_the_test_s_own_and_goes_with_its_guard() {
    let (one, other) = (postgres().await, postgres().await);
    assert_ne!(one.url, other.url);
    assert_eq!(one.container().name(), other.container().name());
    let name = |url: &str| url.rsplit('/').next().unwrap().to_owned();
    // Statements run in the server's own database, from where a change of another tells whether it is there.
    let change = |url: &str| format!("ALTER DATABASE {} CONNECTION LIMIT 10", name(url));
    assert!(sql(one.container(), change(&one.url)).await);
    let (container, change_of_other) = (std::sync::Arc::clone(other.container()), change(&other.url));
    // Outside every runtime.
    std::thread::spawn(move || drop(other)).join().unwrap();
    assert!(!sql(&container, change_of_other).await);
    assert!(sql(&container, change(&one.url)).await);
}

#[tokio::test]
async fn a_virtual_host_is_the_test_s_own_and_goes_with_its_guard() {
    let (one, other) = (rabbitmq().await, rabbitmq().await);
    assert_ne!(one.url, other.url);
    let host = |url: &str| url.rsplit('/').next().unwrap().to_owned();
    let (mine, others) = (host(&one.url), host(&other.url));
    let ask = |method: reqwest::Method, path: String, body: Option<serde_json::Value>| {
        let container = std::sync::Arc::clone(one.container());
        runtime::run(async move { management(&container, method, &path, body).await })
    };
    let queue = Some(serde_json::json!({ "durable": true }));
    ask(reqwest::Method::PUT, format!("queues/{mine}/q"), queue)
        .await
        .unwrap();
    ask(reqwest::Method::GET, format!("queues/{mine}/q"), None)
        .await
        .unwrap();
    let missing = ask(reqwest::Method::GET, format!("queues/{others}/q"), None).await;
    assert!(missing.unwrap_err().to_string().contains("404"));
    drop(other);
    let gone = ask(reqwest::Method::GET, format!("vhosts/{others}"), None).await;
    assert!(gone.unwrap_err().to_string().contains("404"));
    ask(reqwest::Method::GET, format!("vhosts/{mine}"), None)
        .await
        .unwrap();
}

#[tokio::test]
async fn rabbitmq_tells_soon_how_full_a_queue_is() {
    let rabbitmq = rabbitmq().await;
    let host = rabbitmq.url.rsplit('/').next().unwrap();
    let ask = |method: reqwest::Method, path: String, body: Option<serde_json::Value>| {
        let container = std::sync::Arc::clone(rabbitmq.container());
        runtime::run(async move { management(&container, method, &path, body).await.unwrap() })
    };
    let arguments = serde_json::json!({ "durable": true, "arguments": { "x-queue-type": "quorum" } });
    ask(reqwest::Method::PUT, format!("queues/{host}/q"), Some(arguments)).await;
    let message = serde_json::json!(
        { "properties": {}, "routing_key": "q", "payload": "", "payload_encoding": "string" }
    );
    let begin = std::time::Instant::now();
    for count in 1..=3 {
        let publish = format!("exchanges/{host}/amq.default/publish");
        ask(reqwest::Method::POST, publish, Some(message.clone())).await;
        crate::wait_for(
            std::time::Duration::from_secs(10),
            "the queue's depth",
            || async {
                let queue = ask(reqwest::Method::GET, format!("queues/{host}/q"), None).await;
                let queue: serde_json::Value = serde_json::from_str(&queue).unwrap();
                (queue["messages"] == count).then_some(())
            },
        )
        .await;
    }
    // With the broker's own settings, five seconds pass between two changes.
    assert!(begin.elapsed().as_secs() < 8, "{:?}", begin.elapsed());
}

#[tokio::test]
async fn keys_go_with_the_guard_of_their_prefix_and_no_others() {
    let (one, other) = (redis().await, redis().await);
    assert_ne!(one.prefix, other.prefix);
    let container = std::sync::Arc::clone(one.container());
    let commands: Vec<[String; 3]> = (0..2_500)
        .map(|n| ["SET".to_owned(), format!("{}{n}", other.prefix), String::new()])
        .chain([["SET".to_owned(), format!("{}mine", one.prefix), "1".to_owned()]])
        .collect();
    let theirs = format!("{}2499", other.prefix);
    let mine = format!("{}mine", one.prefix);
    let kept = runtime::run({
        let container = std::sync::Arc::clone(&container);
        async move { redis_wire::all(&container, commands).await }
    });
    kept.await.unwrap();
    drop(other);
    let exists = runtime::run(async move {
        let ask = [theirs, mine].map(|key| ["EXISTS".to_owned(), key]);
        redis_wire::all(&container, ask.to_vec()).await
    });
    assert_eq!(exists.await.unwrap(), ["0", "1"]);
}

#[tokio::test]
async fn a_database_of_documents_goes_with_its_guard() {
    let (one, other) = (mongo().await, mongo().await);
    assert_ne!(one.url, other.url);
    let name = |url: &str| {
        url.rsplit('/')
            .next()
            .unwrap()
            .split('?')
            .next()
            .unwrap()
            .to_owned()
    };
    let make = |database: String, collection: &'static str| {
        let container = std::sync::Arc::clone(one.container());
        runtime::run(async move { mongo::create_collection(&container, &database, collection).await })
    };
    let gone = name(&other.url);
    for (collection, count) in [("a", 1.0), ("b", 2.0)] {
        for database in [name(&one.url), gone.clone()] {
            assert_eq!(make(database, collection).await.unwrap(), count);
        }
    }
    drop(other);
    assert_eq!(make(gone.clone(), "c").await.unwrap(), 1.0);
    assert_eq!(make(name(&one.url), "c").await.unwrap(), 3.0);
    let container = std::sync::Arc::clone(one.container());
    runtime::run(async move { mongo::drop_database(&container, &gone).await })
        .await
        .unwrap();
}

#[tokio::test]
async fn nothing_of_a_guard_tells_the_password() {
    let redis = redis().await;
    let password = redis.url.split([':', '@']).nth(2).unwrap().to_owned();
    assert!(password.len() > 20, "{password}");
    assert!(!format!("{redis:?}").contains(&password), "{redis:?}");
}

#[tokio::test]
#[should_panic(expected = "is shared with other tests and is not to be killed")]
async fn a_shared_server_is_not_killed() {
    redis().await.container().kill().await;
}

#[tokio::test]
async fn a_server_of_its_own_stays_until_its_last_place_goes() {
    let first = dedicated::redis().await;
    let container = first.container().clone();
    let other = first.another().await;
    assert_ne!(first.prefix, other.prefix);
    drop(other);
    container.ready().await;
    drop(first);
    let name = container.name().to_owned();
    let left = runtime::run(async move { crate::docker::is_there(&name).await });
    assert!(!left.await.unwrap());
}

#[tokio::test]
async fn a_server_of_its_own_can_be_broken_and_keeps_its_address() {
    let redis = dedicated::redis().await;
    let container = redis.container();
    let port = container.port(REDIS);
    let answers = || async {
        let stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok()?;
        let question = async {
            let mut stream = tokio::io::BufReader::new(stream);
            let mut line = String::new();
            tokio::io::AsyncWriteExt::write_all(&mut stream, b"PING\r\n")
                .await
                .ok()?;
            tokio::io::AsyncBufReadExt::read_line(&mut stream, &mut line)
                .await
                .ok()?;
            line.starts_with("-NOAUTH").then_some(())
        };
        tokio::time::timeout(std::time::Duration::from_millis(500), question)
            .await
            .ok()?
    };
    assert!(answers().await.is_some());
    container.pause().await;
    assert!(answers().await.is_none(), "paused");
    container.unpause().await;
    container.ready().await;
    assert!(answers().await.is_some(), "unpaused");
    container.disconnect().await;
    assert!(answers().await.is_none(), "disconnected");
    container.connect().await;
    container.ready().await;
    assert!(answers().await.is_some(), "connected");
    container.kill().await;
    assert!(answers().await.is_none(), "killed");
    container.start().await;
    container.ready().await;
    assert!(answers().await.is_some(), "started");
    container.restart().await;
    container.ready().await;
    assert!(answers().await.is_some(), "restarted");
    container.stop().await;
    assert!(answers().await.is_none(), "stopped");
    let name = container.name().to_owned();
    drop(redis);
    let left = runtime::run(async move { crate::docker::is_there(&name).await });
    assert!(!left.await.unwrap());
}

#[tokio::test]
async fn every_server_survives_a_kill() {
    let (postgres, rabbitmq, mongo) =
        tokio::join!(dedicated::postgres(), dedicated::rabbitmq(), dedicated::mongo());
    let containers = [postgres.container(), rabbitmq.container(), mongo.container()];
    for container in containers {
        container.kill().await;
        container.start().await;
    }
    futures::future::join_all(containers.map(Container::ready)).await;
}
