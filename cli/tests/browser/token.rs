//! The token of the terminal.

use serde_json::json;

use crate::bed::{self, BUTTON, open, page};

const TOKEN: &str = "a-token-of-the-test-0123456789";
const CONNECTION: &str = "[role=status][aria-label=Connection]";

#[tokio::test]
async fn a_token_is_asked_for_and_kept_for_the_tab() {
    bed::with(
        "a_token_is_asked_for",
        &[("ODD_WEB_TOKEN", TOKEN)],
        async |browser, odd| {
            browser.expect_message("the server responded with a status of 401");
            open(browser, odd, "#/terminal").await;
            browser
                .wait_for_text_in(CONNECTION, "⚠ a token is asked for")
                .await;
            browser.write("Token", "something-else-0123456789").await;
            browser.click(BUTTON, "Open").await;
            browser
                .wait_for_text_in("[role=alert]", "This token is not the right one.")
                .await;
            browser.write("Token", TOKEN).await;
            browser.click(BUTTON, "Open").await;
            browser.wait_for_text_in(CONNECTION, "● connected").await;
            // The tab knows it from now on, also where its session is gone.
            browser
                .run("sessionStorage.removeItem('odd.terminal.session')", json!([]))
                .await;
            browser.reload().await;
            browser.wait_for_text_in(CONNECTION, "● connected").await;

            browser.new_tab().await;
            browser.open(&page(odd, "#/terminal")).await;
            browser
                .wait_for_text_in(CONNECTION, "⚠ a token is asked for")
                .await;
        },
    )
    .await;
}

#[tokio::test]
async fn a_token_in_the_address_opens_the_terminal_and_is_taken_out_at_once() {
    bed::with("a_token_in_the_address", &[("ODD_WEB_TOKEN", TOKEN)], async |browser, odd| {
        for (place, leads_to) in [
            (format!("#token={TOKEN}"), "#/"),
            (format!("#/terminal?token={TOKEN}"), "#/terminal"),
        ] {
            browser.new_tab().await;
            browser.open(&page(odd, &place)).await;
            assert_eq!(browser.address().await, page(odd, leads_to));
            browser.wait_for_text_in("header", "healthy").await;
            browser.click("nav a", "Terminal").await;
            browser.wait_for_text_in(CONNECTION, "● connected").await;
            let told =
                "return [...document.querySelectorAll('*')].some((e) => e.outerHTML.includes(arguments[0]))";
            assert_eq!(browser.run(told, json!([TOKEN])).await, false);
            // No address that was asked for has it.
            let asked =
                "return performance.getEntriesByType('resource').some((e) => e.name.includes(arguments[0]))";
            assert_eq!(browser.run(asked, json!([TOKEN])).await, false);
        }
    })
    .await;
}
