//! Logs.

use futures::{Stream, StreamExt};
use odd_engine::EngineError;
use odd_engine::docker::{self, LogLine, LogOptions};

use crate::bed::{Bed, LONG};

const TALKERS: &str = r#"
services:
  a: {image: IMAGE, command: ["bash", "-c", "trap 'exit 0' TERM; echo a1; sleep 0.4; echo a2 >&2; while :; do sleep 0.1; done"]}
  b: {image: IMAGE, command: ["bash", "-c", "trap 'exit 0' TERM; sleep 0.2; echo b1; while :; do sleep 0.1; done"], depends_on: {a: {condition: service_started}}}
"#;

async fn all(bed: &Bed, options: LogOptions) -> Vec<LogLine> {
    let stream = docker::logs(&bed.instance, &options).await.expect("logs");
    let read = stream.map(Result::unwrap).collect::<Vec<_>>();
    tokio::time::timeout(LONG, read).await.expect("logs end")
}

/// Reads until a line holds this.
async fn until(
    stream: &mut (impl Stream<Item = Result<LogLine, EngineError>> + Unpin),
    text: &str,
) -> Vec<LogLine> {
    let mut lines = Vec::new();
    let reading = async {
        loop {
            let line = stream.next().await.expect("it goes on").expect("a line");
            let found = line.line.contains(text);
            lines.push(line);
            if found {
                break;
            }
        }
    };
    tokio::time::timeout(LONG, reading).await.expect("the line comes");
    lines
}

#[tokio::test]
async fn lines_of_all_containers_are_interleaved_in_order_of_time() {
    let bed = Bed::new(TALKERS).await;
    bed.up().await;
    let mut lines = Vec::new();
    crate::bed::eventually("three lines", || async {
        all(&bed, LogOptions::default()).await.len() == 3
    })
    .await;
    lines.extend(all(&bed, LogOptions::default()).await);
    assert!(lines.windows(2).all(|pair| pair[0].at <= pair[1].at), "{lines:?}");
    let a2 = lines.iter().find(|line| line.line == "a2").unwrap();
    assert!(a2.stderr && a2.service == "a" && a2.number == 1, "{a2:?}");

    let of_b = LogOptions {
        services: vec!["b".to_owned()],
        ..LogOptions::default()
    };
    assert_eq!(all(&bed, of_b).await.len(), 1);
    let last = LogOptions {
        tail: Some(1),
        ..LogOptions::default()
    };
    let mut last: Vec<String> = all(&bed, last).await.into_iter().map(|line| line.line).collect();
    last.sort();
    assert_eq!(last, ["a2", "b1"]);
    let unknown = LogOptions {
        services: vec!["c".to_owned()],
        ..LogOptions::default()
    };
    assert!(docker::logs(&bed.instance, &unknown).await.is_err());
}

#[tokio::test]
async fn following_survives_a_restart_repeats_nothing_and_ends_with_the_stack() {
    let compose = r#"
services:
  web: {image: IMAGE, hostname: web, command: ["bash", "-c", "trap 'echo bye; exit 0' TERM; echo start $$(date +%s%N); while :; do sleep 0.05; done"]}
"#;
    let bed = Bed::new(compose).await;
    bed.up().await;
    let options = LogOptions {
        follow: true,
        ..LogOptions::default()
    };
    let mut stream = Box::pin(docker::logs(&bed.instance, &options).await.unwrap());
    let mut lines = until(&mut stream, "start").await;
    docker::restart(&bed.instance, &[], LONG, |_| {}).await.unwrap();
    lines.extend(until(&mut stream, "start").await);
    bed.remove_by_hand(&bed.name("web")).await;
    bed.up().await;
    lines.extend(until(&mut stream, "start").await);
    bed.down(false).await;
    let rest = tokio::time::timeout(LONG, stream.collect::<Vec<_>>())
        .await
        .expect("it ends with the stack");
    lines.extend(rest.into_iter().map(Result::unwrap));
    let starts: Vec<&str> = lines
        .iter()
        .map(|line| line.line.as_str())
        .filter(|line| line.starts_with("start"))
        .collect();
    let mut different = starts.clone();
    different.dedup();
    assert_eq!((starts.len(), different.len()), (3, 3), "{lines:?}");
}

#[tokio::test]
async fn long_lines_are_whole() {
    let compose = r#"
services:
  web: {image: IMAGE, command: ["bash", "-c", "trap 'exit 0' TERM; printf '%040000d\n' 7; echo end; while :; do sleep 0.1; done"]}
"#;
    let bed = Bed::new(compose).await;
    bed.up().await;
    crate::bed::eventually("the lines", || async {
        all(&bed, LogOptions::default()).await.len() == 2
    })
    .await;
    let lines = all(&bed, LogOptions::default()).await;
    assert_eq!((lines[0].line.len(), lines[1].line.as_str()), (40_000, "end"));
}

#[tokio::test]
async fn a_stream_that_is_dropped_leaves_nothing_behind() {
    let bed = Bed::new(TALKERS).await;
    bed.up().await;
    let options = LogOptions {
        follow: true,
        ..LogOptions::default()
    };
    let mut stream = Box::pin(docker::logs(&bed.instance, &options).await.unwrap());
    until(&mut stream, "a1").await;
    let before = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    assert!(before > 0);
    drop(stream);
    let alive = || async { tokio::runtime::Handle::current().metrics().num_alive_tasks() == 0 };
    crate::bed::eventually("its tasks end", alive).await;
}
