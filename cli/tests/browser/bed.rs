//! An instance and a browser that looks at it.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use odd_contracts::Role;
use odd_testkit::{Browser, Instance, browser};
use serde_json::{Value, json};

/// Selectors of what people use.
pub(crate) const BUTTON: &str = "button";
pub(crate) const LINK: &str = "a[href]";
/// The status of the job that the page shows.
pub(crate) const STATUS: &str = ".title [role=status]";

/// A home and ports for the binary under test.
pub(crate) fn instance() -> Instance {
    Instance::new(env!("CARGO_BIN_EXE_odd"))
}

/// An instance with the web terminal, and with further settings, that runs.
fn running_with(settings: &[(&str, &str)]) -> Instance {
    let odd = instance();
    up(&odd, settings);
    odd
}

/// Starts it, or starts it again, with these settings.
pub(crate) fn up(odd: &Instance, settings: &[(&str, &str)]) {
    let mut command = odd.command(["up"]);
    command
        .env("ODD_WEB_TERMINAL", "on")
        .envs(settings.iter().copied());
    let _ = Instance::output(&mut command).expect_code(0);
}

/// Address of a page of the instance, such as `#/new`.
pub(crate) fn page(odd: &Instance, place: &str) -> String {
    format!("{}/{place}", odd.url(Role::Web))
}

/// Opens a page of the instance, and waits until it is drawn and knows of the system.
pub(crate) async fn open(browser: &Browser, odd: &Instance, place: &str) {
    browser.open(&page(odd, place)).await;
    browser.wait_for_text_in("header", "healthy").await;
}

/// Does `work` with an instance that runs with these further settings, and a browser. The instance outlives the browser, so that
/// its end is no outage that the page would tell of.
pub(crate) async fn with(name: &str, settings: &[(&str, &str)], work: impl AsyncFnOnce(&Browser, &Instance)) {
    let odd = running_with(settings);
    browser::drive(name, async |browser| {
        // A job that was accepted just now may not be known yet, and is asked for again.
        browser.expect_message("/api/jobs/");
        work(browser, &odd).await;
    })
    .await;
}

/// The same with a browser that shows the dashboard.
pub(crate) async fn on_dashboard(name: &str, work: impl AsyncFnOnce(&Browser, &Instance)) {
    with(name, &[], async |browser, odd| {
        open(browser, odd, "").await;
        work(browser, odd).await;
    })
    .await;
}

/// Submits a job, not by the page, and returns its id.
pub(crate) fn submit(odd: &Instance, args: &[&str]) -> String {
    let args = ["submit", "-o", "json"].iter().chain(args);
    let answer = odd.run(args).expect_code(0).json();
    answer["jobs"][0]["id"].as_str().unwrap().to_owned()
}

/// What tables show of an id.
pub(crate) fn short(id: &str) -> &str {
    &id[..8]
}

/// Waits until the page shows a job in this status, and returns its id.
pub(crate) async fn wait_for_job(browser: &Browser, status: &str) -> String {
    browser.wait_for_text_in(STATUS, status).await;
    let address = browser.address().await;
    address.rsplit('/').next().unwrap().to_owned()
}

/// Waits until no dialog is open: what it covers can be used again.
pub(crate) async fn wait_for_no_dialog(browser: &Browser) {
    let script = "return !document.querySelector('dialog[open]')";
    browser.wait("the end of the dialog", script, json!([])).await;
}

/// Writes a job into the form.
pub(crate) async fn fill_form(browser: &Browser, job_type: &str, payload: &Value) {
    browser.click(LINK, "New task").await;
    browser.write("Type", job_type).await;
    browser.write("Payload", &payload.to_string()).await;
}

/// Holds that the script of nobody else ran in the page, and that no markup was made of text.
pub(crate) async fn assert_unharmed(browser: &Browser) {
    let script =
        "return [window.harmed ?? null, document.querySelectorAll('img, iframe, script:not([src])').length]";
    let harmed = browser.run(script, json!([])).await;
    assert_eq!(harmed, json!([null, 0]), "{}", browser.address().await);
}
