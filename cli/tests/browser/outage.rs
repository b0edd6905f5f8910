//! An instance that goes away and comes back, before the eyes of somebody.

use serde_json::json;

use crate::bed::{on_dashboard, short, submit, up};

#[tokio::test]
async fn figures_are_called_old_while_nothing_answers_and_live_again_afterwards() {
    on_dashboard("figures_are_called_old", async |browser, odd| {
        browser.run("window.marked = true", json!([])).await;
        let before = submit(odd, &["hello"]);
        browser.wait_for_text_in("tbody tr", short(&before)).await;
        browser.wait_for_text_in(".panel", "Live connected").await;

        browser.expect_outage();
        odd.kill().expect("it ran");
        browser
            .wait_for_text_in(".banner", "Nothing answers here any more.")
            .await;
        browser.wait_for_text_in("header", "✗ not live").await;
        browser.wait_for_text_in(".asof", "not live").await;
        browser.wait_for_text_in(".panel.stale", "Jobs").await;
        browser.wait_for_text_in("tbody tr", short(&before)).await;

        up(odd, &[]);
        browser.wait_for_text_in("header", "● healthy").await;
        browser.wait_for_text_in(".panel", "Live connected").await;
        browser.wait_for_no_text_in("body", "not live").await;
        let after = submit(odd, &["hello"]);
        browser.wait_for_text_in(".live", short(&after)).await;
        browser.wait_for_text_in("tbody tr", short(&after)).await;
        let marked = browser.run("return window.marked === true", json!([])).await;
        assert_eq!(marked, true, "the page was never loaded again");
    })
    .await;
}
