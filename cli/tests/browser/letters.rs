//! Messages that were put aside.

use serde_json::json;

use crate::bed::{BUTTON, LINK, on_dashboard, open, short, submit, up};

/// The gateway's memory of ids ends with its process: a second submission under one id is then accepted, and its message becomes a
/// dead letter.
#[tokio::test]
async fn a_dead_letter_is_shown_and_put_back() {
    on_dashboard("a_dead_letter", async |browser, odd| {
        open(browser, odd, "#/dead-letters").await;
        browser
            .wait_for_text("None: every message found its consumer.")
            .await;
        let id = submit(odd, &["hello", "--wait"]);
        // The stop and the start are seen by the page.
        browser.expect_outage();
        let _ = odd.run(["down"]).expect_code(0);
        up(odd, &[]);
        submit(
            odd,
            &["hello", "--id", &id, "--payload", r#"{"other":"payload"}"#],
        );
        browser.wait_for_text_in("tbody tr", "id_conflict").await;
        browser.wait_for(LINK, short(&id)).await;
        browser.click(BUTTON, "show").await;
        browser.wait_for_text_in("pre", r#""other":"payload""#).await;
        browser.click(BUTTON, "Put back on its queue").await;
        browser.click(BUTTON, "Leave it").await;
        browser.click(BUTTON, "Put back on its queue").await;
        browser.click(BUTTON, "Put it back").await;
        browser.wait_for_text("It is on its queue again.").await;
        // What was wrong with it still is: it comes back, and is told of at the head of the page.
        browser.wait_for_text_in("nav", "Dead letters1").await;
        let letters = odd
            .run(["dead-letters", "list", "-o", "json"])
            .expect_code(0)
            .json();
        assert_eq!(letters["deadLetters"][0]["jobId"], json!(id));
    })
    .await;
}
