//! Text that wants to steer the terminal never reaches it.

use odd_contracts::Role;
use odd_testkit::pty::keys;
use serde_json::{Value, json};

use super::{LONG, back, quit, running, short, watch};

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

#[tokio::test(flavor = "multi_thread")]
async fn nothing_in_a_job_steers_the_terminal() {
    let odd = running();
    let gateway = odd.url(Role::Gateway);
    let text = hostile();
    let (status, _) = post(&gateway, &json!({ "type": text, "payload": {} })).await;
    assert_eq!(status, 400, "no such type is accepted");
    let job = json!({
        "type": "hello",
        "payload": { "simulate": { "error": text }, text.clone(): text },
        "metadata": { "owner": text },
        "options": { "maxAttempts": 1 },
    });
    let (status, accepted) = post(&gateway, &job).await;
    assert_eq!(status, 202, "{accepted}");
    let id = accepted["jobId"].as_str().expect("an id").to_owned();
    tokio::task::spawn_blocking(move || {
        let mut pty = watch(&odd, &[]);
        pty.wait_until(LONG, "the failed job", |screen| {
            screen
                .lines()
                .any(|line| line.contains(short(&id)) && line.contains("FAILED"))
                .then_some(())
        });
        pty.send(keys::ENTER);
        pty.wait_for_text(LONG, "queue wait");
        pty.wait_for_text(LONG, "pwned");
        // Through whatever else the screen of a job has.
        for key in ["\t", "\t", "\t", keys::PAGE_DOWN, keys::DOWN] {
            pty.send(key);
        }
        back(&mut pty);
        let raw = pty.raw();
        for never in NEVER {
            let written = raw.windows(never.len()).any(|bytes| bytes == never.as_bytes());
            assert!(!written, "{} was written", never.escape_debug());
        }
        quit(pty);
    })
    .await
    .expect("the terminal was driven");
}
