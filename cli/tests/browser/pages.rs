//! Every page: on a phone, in both themes, from afar.

use std::path::{Path, PathBuf};

use odd_testkit::Browser;
use serde_json::{Value, json};

use crate::bed::{BUTTON, on_dashboard, open, submit, wait_for_job};

/// Each page, and a text that it shows once it is whole.
const PAGES: [(&str, &str); 8] = [
    ("", "Jobs"),
    ("#/events", "job.completed"),
    ("#/dead-letters", "None: every message"),
    ("#/alerts", "History"),
    ("#/interfaces", "answers"),
    ("#/new", "Examples"),
    ("#/terminal", "Terminal"),
    ("#/nowhere", "No such page"),
];
const PHONE: (u32, u32) = (390, 844);

/// What stands out to the right of the page, though it cannot be scrolled to where it is.
const TOO_WIDE: &str = r#"
    const most = document.documentElement.clientWidth;
    const root = document.scrollingElement;
    const scrolls = (e) => e && e !== document.body && (/(auto|scroll|hidden|clip)/.test(getComputedStyle(e).overflowX) || scrolls(e.parentElement));
    const wide = [...document.querySelectorAll("body *")].filter((e) =>
        e.checkVisibility({ visibilityProperty: true }) && e.getBoundingClientRect().right > most + 1 && !scrolls(e.parentElement));
    return [root.scrollWidth - root.clientWidth, wide.slice(0, 5).map((e) => e.outerHTML.slice(0, 120))];
"#;

fn baseline(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/baselines");
    folder.join(format!("{name}.png"))
}

async fn assert_not_too_wide(browser: &Browser, page: &str) {
    let wide = browser.run(TOO_WIDE, json!([])).await;
    assert_eq!(wide, json!([0, []]), "{page}");
}

/// Colour of the page's ground.
async fn ground(browser: &Browser) -> Value {
    let script = "return getComputedStyle(document.documentElement).getPropertyValue('--ground').trim()";
    browser.run(script, json!([])).await
}

#[tokio::test]
async fn no_page_is_wider_than_a_phone() {
    on_dashboard("no_page_is_wider", async |browser, odd| {
        let long = "a".repeat(50);
        let payload = json!({ "simulate": { "error": "b".repeat(400) }, "long": "c".repeat(400) });
        let id = submit(
            odd,
            &[&long, "--max-attempts", "1", "--payload", &payload.to_string()],
        );
        submit(odd, &["hello", "--wait"]);
        browser.set_size(PHONE).await;
        open(browser, odd, &format!("#/jobs/{id}")).await;
        wait_for_job(browser, "FAILED").await;
        assert_not_too_wide(browser, "a job").await;
        for (page, text) in PAGES {
            open(browser, odd, page).await;
            browser.wait_for_text(text).await;
            assert_not_too_wide(browser, page).await;
        }
        // Everything can be reached there too.
        open(browser, odd, "").await;
        browser.click("a[href]", "New task").await;
        browser.wait_for("input", "Type").await;
        browser.click("a[href]", "Alerts").await;
        browser.wait_for_text_in("main", "History").await;
    })
    .await;
}

#[tokio::test]
async fn the_theme_is_that_of_the_system_until_one_is_chosen() {
    on_dashboard("the_theme", async |browser, _| {
        assert_eq!(ground(browser).await, "#f6f8fc");
        browser.set_scheme("dark").await;
        assert_eq!(ground(browser).await, "#0b1020");
        browser.click(BUTTON, "Theme: as the system has it").await;
        browser.click(BUTTON, "Theme: dark").await;
        browser.wait_for(BUTTON, "Theme: light").await;
        assert_eq!(ground(browser).await, "#f6f8fc");
        browser.reload().await;
        browser.wait_for(BUTTON, "Theme: light").await;
        assert_eq!(ground(browser).await, "#f6f8fc", "what was chosen is kept");
        browser.click(BUTTON, "Theme: light").await;
        browser.wait_for(BUTTON, "Theme: as the system has it").await;
        assert_eq!(ground(browser).await, "#0b1020");
    })
    .await;
}

/// Pages whose content does not change from run to run.
#[tokio::test]
async fn pages_look_as_they_did() {
    on_dashboard("pages_look", async |browser, odd| {
        for (page, text, name) in [
            ("#/new", "Examples", "new-task"),
            ("#/dead-letters", "None: every message", "dead-letters"),
        ] {
            open(browser, odd, page).await;
            browser.wait_for_text(text).await;
            browser.assert_looks_like(&baseline(name)).await;
        }
        browser.set_scheme("dark").await;
        open(browser, odd, "#/new").await;
        browser.wait_for_text("Examples").await;
        browser.assert_looks_like(&baseline("new-task-dark")).await;
    })
    .await;
}
