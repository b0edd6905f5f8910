//! Text that wants to steer the terminal never reaches it.

use odd_contracts::Role;
use odd_testkit::pty::keys;
use odd_testkit::{Instance, Pty, wait_until};
use serde_json::{Value, json};

use super::{LONG, back, footer, quit, running, short, watch};

/// What must not be written. Each would do something to a terminal, and none is written by the dashboard for itself.
const NEVER: [&str; 8] = [
    "\x1b]0;pwned",
    "\x1b]52;c;cHduZWQ=",
    "\x1b[31mpwned",
    "\x1bPpwned",
    "\u{9b}31mpwned",
    "pwned\x07",
    "\u{202e}",
    "\u{2066}",
];

fn hostile() -> String {
    let long = "x".repeat(10_000);
    format!("{} 🏴‍☠️👩‍👩‍👧‍👦 ẓ̴̢̛̺̦͓a̷̡͎l̴g̶o 日本語 {long}", NEVER.join(" then "))
}

async fn post(gateway: &str, job: &Value) -> (u16, Value) {
    let client = reqwest::Client::new();
    let answer = client
        .post(format!("{gateway}/jobs"))
        .json(job)
        .send()
        .await
        .expect("the gateway answers");
    (answer.status().as_u16(), answer.json().await.expect("JSON"))
}

/// A job that fails with such text, and whose payload and metadata are such text.
fn job(text: &str) -> Value {
    json!({
        "type": "hello",
        "payload": { "simulate": { "error": text }, text: text },
        "metadata": { "owner": text },
        "options": { "maxAttempts": 1 },
    })
}

/// Puts a message with such text aside: a gateway that was started anew does not know the id any more, the job store does.
async fn put_aside(odd: &Instance, id: &str, text: &str) {
    let _ = odd.run(["down"]).expect_code(0);
    odd.up();
    let other = json!({ "id": id, "type": "hello", "payload": { text: text } });
    let (status, answer) = post(&odd.url(Role::Gateway), &other).await;
    assert_eq!(status, 202, "{answer}");
}

#[track_caller]
fn assert_not_written(pty: &Pty) {
    let raw = pty.raw();
    for never in NEVER {
        let written = raw.windows(never.len()).any(|bytes| bytes == never.as_bytes());
        assert!(!written, "{} was written", never.escape_debug());
    }
}

/// Through every part of the screen of a job, each once it is drawn.
fn look_at_all_of_the_job(pty: &mut Pty) {
    pty.wait_for_text(LONG, "queue wait");
    for (part, told) in [
        ("attempts", "pwned"),
        ("payload", "pwned"),
        ("result", "result"),
        ("events", "job.failed"),
    ] {
        pty.send("\t");
        let title = format!(" {part} ");
        pty.wait_until(LONG, part, |screen| {
            let drawn = screen
                .lines()
                .any(|line| line.contains('┌') && line.contains(&title));
            (drawn && screen.contains(told)).then_some(())
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_in_a_job_steers_the_terminal() {
    let odd = running();
    let text = hostile();
    let gateway = odd.url(Role::Gateway);
    let (status, _) = post(&gateway, &json!({ "type": text, "payload": {} })).await;
    assert_eq!(status, 400, "no such type is accepted");
    let (status, accepted) = post(&gateway, &job(&text)).await;
    assert_eq!(status, 202, "{accepted}");
    let id = accepted["jobId"].as_str().expect("an id").to_owned();
    wait_for_failure(&odd, &id);
    put_aside(&odd, &id, &text).await;
    tokio::task::spawn_blocking(move || {
        let mut pty = watch(&odd, &[]);
        pty.wait_until(LONG, "the failed job", |screen| {
            screen
                .lines()
                .any(|line| line.contains(short(&id)) && line.contains("FAILED"))
                .then_some(())
        });
        pty.send(keys::ENTER);
        look_at_all_of_the_job(&mut pty);
        back(&mut pty);
        pty.send("D");
        pty.wait_until(LONG, "the dead letters", |screen| {
            let whole = footer(screen).contains("odd dead-letters list");
            (whole && screen.contains("id_conflict")).then_some(())
        });
        pty.send(keys::ENTER);
        pty.wait_until(LONG, "the letter", |screen| {
            let letter = footer(screen).contains("odd dead-letters get");
            (letter && screen.contains("pwned")).then_some(())
        });
        pty.send(keys::ESCAPE);
        pty.wait_until(LONG, "the list of dead letters", |screen| {
            footer(screen).contains("odd dead-letters list").then_some(())
        });
        back(&mut pty);
        pty.send("G");
        pty.wait_until(LONG, "the logs", |screen| {
            // Rows are drawn from above: with the foot, everything is there.
            let whole = footer(screen).contains("odd logs");
            (whole && screen.contains("listening")).then_some(())
        });
        back(&mut pty);
        assert_not_written(&pty);
        quit(pty);
    })
    .await
    .expect("the terminal was driven");
}

fn wait_for_failure(odd: &Instance, id: &str) {
    wait_until(LONG, "the job to fail", || {
        let told = odd.run(["jobs", "get", id, "-o", "json"]);
        told.stdout.contains("FAILED").then_some(())
    });
}
