//! Servers.

#[tokio::test]
async fn smoke() {
    let t = std::time::Instant::now();
    let (a, b, c, d) = tokio::join!(
        odd_testkit::servers::postgres(),
        odd_testkit::servers::rabbitmq(),
        odd_testkit::servers::mongo(),
        odd_testkit::servers::redis()
    );
    println!(
        "{} {} {} {} {:?}",
        a.url,
        b.management_url,
        c.url,
        d.url,
        t.elapsed()
    );
    let t = std::time::Instant::now();
    let (a2, b2) = (
        odd_testkit::servers::postgres().await,
        odd_testkit::servers::rabbitmq().await,
    );
    println!("again {:?}", t.elapsed());
    for g in [a.container(), b.container(), c.container(), d.container()] {
        println!("{}\n{}", g.name(), g.logs(5).await);
    }
    let t = std::time::Instant::now();
    drop(a);
    println!("pg {:?}", t.elapsed());
    let t = std::time::Instant::now();
    drop(b);
    println!("mq {:?}", t.elapsed());
    let t = std::time::Instant::now();
    drop(c);
    println!("mongo {:?}", t.elapsed());
    let t = std::time::Instant::now();
    drop(d);
    println!("redis {:?}", t.elapsed());
    drop((a2, b2));
}
