//! Text that wants to become part of the page.

use odd_contracts::Role;
use odd_testkit::{Browser, Instance};
use serde_json::{Value, json};

use crate::bed::{BUTTON, assert_unharmed, on_dashboard, open, page, submit, up, wait_for_job};

/// Each would mark the page, were it taken for markup.
const HOSTILE: [&str; 4] = [
    "<img src=x onerror=\"window.harmed=1\">",
    "</script><script>window.harmed=2</script>",
    "\"><svg onload=window.harmed=3>",
    "javascript:window.harmed=4",
];

async fn post(odd: &Instance, job: &Value) -> u16 {
    let address = format!("{}/jobs", odd.url(Role::Gateway));
    let answer = reqwest::Client::new().post(address).json(job).send().await;
    answer.expect("the gateway answers").status().as_u16()
}

/// A job with such text wherever text may be.
fn job(id: &str, text: &str) -> Value {
    json!({
        "id": id,
        "type": "hello",
        "payload": { "simulate": { "error": text }, text: text },
        "metadata": { "owner": text },
        "options": { "maxAttempts": 1 },
    })
}

async fn shows(browser: &Browser, place: &str) {
    for text in HOSTILE {
        browser.wait_for_text_in(place, text).await;
    }
    assert_unharmed(browser).await;
}

#[tokio::test]
async fn nothing_in_a_job_becomes_part_of_the_page() {
    on_dashboard("nothing_in_a_job", async |browser, odd| {
        let (id, text) = ("5e5e5e5e-0000-4000-8000-000000000001", HOSTILE.join(" "));
        assert_eq!(post(odd, &job(id, &text)).await, 202);
        open(browser, odd, &format!("#/jobs/{id}")).await;
        wait_for_job(browser, "FAILED").await;
        for place in [".job-error", "table .error-text", ".waterfall"] {
            shows(browser, place).await;
        }
        // Documents are written as JSON is, with its quotation marks escaped.
        browser
            .wait_for_text_in("pre", "</script><script>window.harmed=2")
            .await;
        browser
            .wait_for_text_in("[aria-label='the metadata'] pre", "<img src=x onerror=")
            .await;

        // Even such a type is no type to the gateway, and what it answers is text.
        let mut refused = job("5e5e5e5e-0000-4000-8000-000000000002", &text);
        refused["type"] = json!(HOSTILE[0]);
        assert_eq!(post(odd, &refused).await, 400);

        open(browser, odd, "").await;
        browser.wait_for_text_in("tbody tr", "FAILED").await;
        assert_unharmed(browser).await;
        open(browser, odd, "#/events").await;
        browser.wait_for_text_in("tbody tr", "job.failed").await;
        browser.click(BUTTON, "show").await;
        assert_unharmed(browser).await;
    })
    .await;
}

#[tokio::test]
async fn nothing_in_a_dead_letter_becomes_part_of_the_page() {
    on_dashboard("nothing_in_a_dead_letter", async |browser, odd| {
        let id = submit(odd, &["hello", "--wait"]);
        browser.expect_outage();
        let _ = odd.run(["down"]).expect_code(0);
        up(odd, &[]);
        assert_eq!(post(odd, &job(&id, &HOSTILE.join(" "))).await, 202);
        open(browser, odd, "#/dead-letters").await;
        browser.wait_for_text_in("tbody tr", "id_conflict").await;
        browser.click(BUTTON, "show").await;
        browser.wait_for_text_in("pre", "<img src=x onerror=").await;
        assert_unharmed(browser).await;
    })
    .await;
}

/// Links can be made by anybody.
#[tokio::test]
async fn nothing_in_an_address_becomes_part_of_the_page() {
    on_dashboard("nothing_in_an_address", async |browser, odd| {
        // What is no type, or no id, is no question either.
        browser.expect_message("the server responded with a status of 400");
        let text = HOSTILE.join(" ");
        let coded = encoded(&text);
        for place in [
            format!("#/?q={coded}"),
            format!("#/?q=type%3A{}", encoded(HOSTILE[0])),
            format!("#/jobs/{coded}"),
            format!("#/events?job={coded}&correlation={coded}&type={coded}"),
            format!("#/new?type={coded}"),
            format!("#/{coded}"),
            format!("#{text}"),
            format!("#/terminal?{coded}={coded}"),
        ] {
            // The page begins anew, as for somebody who follows a link.
            browser.open("about:blank").await;
            browser.open(&page(odd, &place)).await;
            let whole = "const main = document.querySelector('main');
                return main?.innerText.trim() && !main.querySelector('.waiting')";
            browser.wait(&place, whole, json!([])).await;
            assert_unharmed(browser).await;
        }
        browser
            .open(&page(odd, &format!("#/jobs/{}", encoded(HOSTILE[0]))))
            .await;
        browser.wait_for_text("is no job id").await;
    })
    .await;
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

/// Script that is put into the page by whatever way does not run, and cannot send anything elsewhere.
#[tokio::test]
async fn the_policy_of_the_page_holds_in_a_browser() {
    on_dashboard("the_policy_of_the_page", async |browser, odd| {
        let answer = reqwest::get(page(odd, "")).await.expect("the page is there");
        let policy = answer.headers()["content-security-policy"]
            .to_str()
            .expect("text")
            .to_owned();
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        ] {
            assert!(policy.contains(part), "{policy}");
        }
        for part in [
            "Content Security Policy",
            "TrustedHTML",
            "TrustedScript",
            "x - Failed to load",
        ] {
            browser.expect_message(part);
        }
        let tried = "
            const script = document.createElement('script');
            let refused = 0;
            try { script.text = 'window.harmed = 1'; } catch { refused += 1; }
            try { document.body.innerHTML = '<b>x</b>'; } catch { refused += 1; }
            return refused";
        assert_eq!(browser.run(tried, json!([])).await, json!(2));
        let sent = "return fetch('http://localhost:1/').then(() => 'sent', () => 'refused')";
        assert_eq!(browser.run(sent, json!([])).await, json!("refused"));
        assert_unharmed(browser).await;
    })
    .await;
}
