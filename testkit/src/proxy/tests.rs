//! Each state of the proxy, against a server that repeats what it hears.

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
    let (proxy, through) = FaultProxy::before(&format!("mongodb://a:b@{server}/db?authSource=admin")).await;
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
