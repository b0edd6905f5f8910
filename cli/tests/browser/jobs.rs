//! Jobs, from the form to their end, without a reload.

use serde_json::json;

use crate::bed::{
    BUTTON, LINK, STATUS, fill_form, on_dashboard, open, short, submit, wait_for_job, wait_for_no_dialog,
};

/// Marks the page, so that a reload is seen.
const MARK: &str = "window.marked = true";
const MARKED: &str = "return window.marked === true";

#[tokio::test]
async fn a_job_of_the_form_is_shown_from_its_start_to_its_end() {
    on_dashboard("a_job_of_the_form", async |browser, odd| {
        browser.run(MARK, json!([])).await;
        browser.wait_for_text("No jobs yet").await;
        fill_form(browser, "resize", &json!({ "simulate": { "durationMs": 3000 } })).await;
        browser.wait_for_text("odd submit resize --payload").await;
        browser.click(BUTTON, "Submit").await;
        // Its work takes seconds, so that this is seen even where the page is slow.
        browser.wait_for_text_in(STATUS, "EXECUTING").await;
        let id = wait_for_job(browser, "COMPLETED").await;
        browser.wait_for_text_in(STATUS, "after 1 attempt").await;
        for part in ["queue wait", "attempt 1", "succeeded"] {
            browser.wait_for_text_in(".waterfall", part).await;
        }
        browser.wait_for_text("complete").await;
        for event in ["job.created", "job.validated", "job.executed", "job.completed"] {
            browser.wait_for_text_in("table", event).await;
        }
        let job = odd.run(["jobs", "get", &id, "-o", "json"]).expect_code(0).json();
        assert_eq!(job["job"]["status"], "COMPLETED", "{job}");

        browser.click(LINK, "Dashboard").await;
        let row = browser.wait_for_text_in("tbody tr", short(&id)).await;
        assert!(row.contains("resize") && row.contains("COMPLETED"), "{row}");
        browser.wait_for_text_in(".tile", "submitted 1").await;
        browser.wait_for_text_in(".tile", "✓ completed 1").await;
        assert_eq!(
            browser.run(MARKED, json!([])).await,
            true,
            "the page was never loaded again"
        );
    })
    .await;
}

#[tokio::test]
async fn what_others_submit_appears_by_itself() {
    on_dashboard("what_others_submit", async |browser, odd| {
        browser.run(MARK, json!([])).await;
        browser.wait_for_text_in(".panel", "Live connected").await;
        let id = submit(odd, &["hello"]);
        let live = browser.wait_for_text_in(".live", short(&id)).await;
        assert!(live.contains("job."), "{live}");
        browser
            .wait_for_text_in("tbody tr", &format!("{} hello ✓ COMPLETED", short(&id)))
            .await;
        browser.wait_for_text_in(".tile", "✓ completed 1").await;
        let many = submit(odd, &["hello", "--count", "30"]);
        browser.wait_for_text_in(".tile", "✓ completed 31").await;
        browser.wait_for_text_in(".pager", "page 1 · 25 jobs").await;
        browser.click(BUTTON, "Older").await;
        browser.wait_for_text_in(".pager", "page 2 · 6 jobs").await;

        // Filters: of a field, by a button, and by the search that knows ids.
        browser.write("Find jobs by id", "type:nothing-of-the-kind").await;
        browser.press(odd_testkit::browser::keys::ENTER).await;
        browser.wait_for_text("No job fits the filter.").await;
        browser.click(BUTTON, "Show all").await;
        browser.click(BUTTON, "✗ failed").await;
        browser.wait_for_text("No job fits the filter.").await;
        browser.click(BUTTON, "✗ failed").await;
        browser.wait_for_text_in(".pager", "page 1 · 25 jobs").await;
        browser.write("Find jobs by id", &many).await;
        browser.press(odd_testkit::browser::keys::ENTER).await;
        assert_eq!(wait_for_job(browser, "COMPLETED").await, many);
        assert_eq!(browser.run(MARKED, json!([])).await, true);
    })
    .await;
}

#[tokio::test]
async fn a_job_that_fails_is_shown_with_its_reason_and_retried() {
    on_dashboard("a_job_that_fails", async |browser, odd| {
        fill_form(
            browser,
            "resize",
            &json!({ "simulate": { "error": "upstream 502" } }),
        )
        .await;
        browser.click("summary", "Options").await;
        browser.write("Most attempts", "2").await;
        browser.write("Backoff, ms", "10").await;
        browser.click(BUTTON, "Submit").await;
        let id = wait_for_job(browser, "FAILED").await;
        browser.wait_for_text_in(STATUS, "after 2 attempts").await;
        browser.wait_for_text_in(".job-error", "upstream 502").await;
        for part in ["attempt 1", "backoff", "attempt 2", "upstream 502"] {
            browser.wait_for_text_in(".waterfall", part).await;
        }

        browser.click(BUTTON, "Retry").await;
        browser
            .wait_for_text_in(".facts", &format!("repeats {}", short(&id)))
            .await;
        let again = wait_for_job(browser, "FAILED").await;
        assert_ne!(again, id, "a retry is a new job");

        // One that fails once only ends well.
        let id = submit(
            odd,
            &[
                "resize",
                "--backoff",
                "10ms",
                "--payload",
                r#"{"simulate":{"failTimes":1}}"#,
            ],
        );
        open(browser, odd, &format!("#/jobs/{id}")).await;
        wait_for_job(browser, "COMPLETED").await;
        browser.wait_for_text_in(STATUS, "after 2 attempts").await;
    })
    .await;
}

#[tokio::test]
async fn a_job_is_cancelled_once_that_is_confirmed() {
    on_dashboard("a_job_is_cancelled", async |browser, odd| {
        let id = submit(
            odd,
            &[
                "resize",
                "--payload",
                r#"{"simulate":{"durationMs":600000}}"#,
                "--job-timeout",
                "20m",
            ],
        );
        open(browser, odd, &format!("#/jobs/{id}")).await;
        browser.wait_for_text_in(STATUS, "EXECUTING").await;
        browser.click(BUTTON, "Cancel").await;
        browser.click(BUTTON, "Leave it").await;
        wait_for_no_dialog(browser).await;
        browser.wait_for_text_in(STATUS, "EXECUTING").await;
        browser.click(BUTTON, "Cancel").await;
        browser.click(BUTTON, "Cancel the job").await;
        assert_eq!(wait_for_job(browser, "CANCELLED").await, id);
        let job = odd.run(["jobs", "get", &id, "-o", "json"]).expect_code(0).json();
        assert_eq!(job["job"]["status"], "CANCELLED", "{job}");
    })
    .await;
}

#[tokio::test]
async fn the_form_says_what_is_wrong_before_it_asks() {
    on_dashboard("the_form_says", async |browser, odd| {
        fill_form(browser, "not a type", &json!({})).await;
        browser.wait_for_text_in(".field-error", "must consist of").await;
        browser.write("Payload", "{").await;
        browser.wait_for_text_in(".field-error", "is no JSON").await;
        browser.click(BUTTON, "Submit").await;
        browser.wait_for_text("2 places are not right yet").await;
        browser.click(BUTTON, "At once").await;
        browser.click("summary", "Options").await;
        // The gateway remembers an id, which the page cannot know.
        let id = submit(odd, &["other"]);
        browser.write("Id", &id).await;
        browser.expect_message("the server responded with a status of 409");
        browser.click(BUTTON, "Submit").await;
        browser.wait_for_text_in("[role=alert]", "Not accepted:").await;
    })
    .await;
}
