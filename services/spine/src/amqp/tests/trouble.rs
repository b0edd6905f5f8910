//! Addresses that lead nowhere.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use super::*;

async fn reason(url: String) -> String {
    let spine = AmqpSpine::new(AmqpOptions::new(url));
    let ping = within("a ping", spine.ping()).await;
    let Err(SpineError::Unavailable(reason)) = ping else {
        panic!("it cannot answer: {ping:?}");
    };
    let consumed = within("consuming", spine.consume(Queue::Work, 1)).await;
    assert!(matches!(consumed, Err(SpineError::Unavailable(_))));
    let published = publish(&spine, message(Route::Work, 1)).await;
    assert!(
        matches!(published, Err(PublishError::Unavailable(_))),
        "{published:?}"
    );
    reason
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_virtual_host_is_told() {
    let host = servers::rabbitmq().await;
    let url = host.url.replace(name(&host), "nowhere");
    let told = reason(url).await;
    assert!(
        told.contains("virtual host nowhere") && told.contains("rabbitmqctl add_vhost"),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_told_and_not_shown() {
    let host = servers::rabbitmq().await;
    let (before, after) = host.url.split_once("://").unwrap();
    let place = &after[after.rfind('@').unwrap()..];
    let told = reason(format!("{before}://odd:wr0ng{place}")).await;
    assert!(
        told.contains("refuses the user odd") && !told.contains("wr0ng"),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_there_and_no_address_are_told() {
    let port = odd_testkit::free_port();
    let told = reason(format!("amqp://odd:s3cret@127.0.0.1:{port}/%2f")).await;
    assert!(
        told.contains(&port.to_string()) && !told.contains("s3cret"),
        "{told}"
    );
    let told = reason("http://odd:s3cret@127.0.0.1/".to_owned()).await;
    assert!(told.contains("address") && !told.contains("s3cret"), "{told}");
}

/// Without an end to the attempt, its thread and its socket would wait for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_accepts_and_never_answers_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (accepted, open) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counts = (Arc::clone(&accepted), Arc::clone(&open));
    let accepting = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let (accepted, open) = counts.clone();
            accepted.fetch_add(1, Ordering::SeqCst);
            open.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let mut sink = Vec::new();
                let _ = stream.read_to_end(&mut sink).await;
                open.fetch_sub(1, Ordering::SeqCst);
            });
        }
    });
    let spine = AmqpSpine::new(AmqpOptions {
        connect_timeout: Duration::from_millis(300),
        ..AmqpOptions::new(format!("amqp://{address}/%2f"))
    });
    wait_for(DEADLINE, "the reason", || async {
        match spine.ping().await {
            Err(SpineError::Unavailable(reason)) => {
                (reason.contains("did not answer") && reason.contains("300ms")).then_some(())
            }
            _ => None,
        }
    })
    .await;
    wait_for(DEADLINE, "further tries", || async {
        (accepted.load(Ordering::SeqCst) > 6).then_some(())
    })
    .await;
    drop(spine);
    wait_for(DEADLINE, "every connection to end", || async {
        (open.load(Ordering::SeqCst) == 0).then_some(())
    })
    .await;
    accepting.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn depths_without_the_management_interface() {
    let host = servers::rabbitmq().await;
    let spine = AmqpSpine::new(AmqpOptions::new(host.url.clone()));
    ready(&spine).await;
    publish(&spine, message(Route::Work, 1)).await.unwrap();
    await_ready(&spine, Queue::Work, 1).await;
    let mut consumer = spine.consume(Queue::Work, 1).await.unwrap();
    collect(&mut *consumer, 1).await;
    await_ready(&spine, Queue::Work, 0).await;

    let port = odd_testkit::free_port();
    let wrong = AmqpSpine::new(AmqpOptions {
        management_url: Some(format!("http://odd:s3cret@127.0.0.1:{port}")),
        ..AmqpOptions::new(host.url.clone())
    });
    ready(&wrong).await;
    let told = wrong.depths().await.unwrap_err().to_string();
    assert!(told.contains("management") && !told.contains("s3cret"), "{told}");
}
