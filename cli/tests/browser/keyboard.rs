//! Everything without a mouse.

use odd_testkit::browser::keys::{ENTER, ESCAPE, RELEASE, SHIFT, SPACE, TAB};

use crate::bed::{STATUS, on_dashboard, short, submit, wait_for_job, wait_for_no_dialog};

#[tokio::test]
async fn a_job_is_submitted_found_and_cancelled_with_keys_only() {
    on_dashboard("with_keys_only", async |browser, odd| {
        browser.press(TAB).await;
        browser.wait_for_focus("button Skip to the page").await;
        browser.press(ENTER).await;
        browser.wait_for_focus("main Dashboard").await;
        browser.press(&format!("{SHIFT}{TAB}{RELEASE}")).await;
        assert!(!browser.focused().await.starts_with("main"), "nobody is caught");

        browser.tab_to("a New task").await;
        browser.press(ENTER).await;
        browser.wait_for("input", "Type").await;
        // The keyboard goes on where the page begins.
        browser.wait_for_focus("main New task").await;
        browser.tab_to("input Type").await;
        browser.press("resize").await;
        browser.tab_to("button Takes a while").await;
        browser.press(SPACE).await;
        browser.wait_for_text("odd submit resize --payload").await;
        browser.press(&format!("{SHIFT}{TAB}{RELEASE}")).await;
        browser.tab_to("button Submit").await;
        browser.press(ENTER).await;
        let id = wait_for_job(browser, "COMPLETED").await;

        // The slash is the way to the search from everywhere.
        let long = submit(
            odd,
            &[
                "resize",
                "--payload",
                r#"{"simulate":{"durationMs":600000}}"#,
                "--job-timeout",
                "20m",
            ],
        );
        browser.press("/").await;
        browser.wait_for_focus("input Find jobs by id").await;
        browser.press("status:executing").await;
        browser.press(ENTER).await;
        browser.wait_for_text_in("tbody tr", short(&long)).await;
        browser.wait_for_no_text_in("tbody", short(&id)).await;
        browser.tab_to(&format!("a {}", short(&long))).await;
        browser.press(ENTER).await;
        browser.wait_for_text_in(STATUS, "EXECUTING").await;

        browser.tab_to("button Cancel").await;
        browser.press(ENTER).await;
        browser.wait_for("dialog button", "Leave it").await;
        browser.press(ESCAPE).await;
        wait_for_no_dialog(browser).await;
        browser.tab_to("button Cancel").await;
        browser.press(ENTER).await;
        browser.tab_to("button Cancel the job").await;
        browser.press(ENTER).await;
        wait_for_job(browser, "CANCELLED").await;

        browser.tab_to("a Dead letters").await;
        browser.press(ENTER).await;
        browser
            .wait_for_text("None: every message found its consumer.")
            .await;
    })
    .await;
}
